"""Tokenizers are lossless, the same text trains the same tokenizer, and released tokenizers load."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.core.errors import InputError
from mathderive.model.tokenizer import EOS_ID, HuggingFaceTokenizer, Tokenizer, load_tokenizer, train_tokenizer

TEXTS = [
    f"\\int {a}{{({x})}} d{x} = \\frac{{\\partial}}{{\\partial {x}}} ({a} + {x}^{{{n}}}) and {a} = {x} - {n}"
    for a in ("A", "\\varepsilon_0", "\\mathbf{J}_P", "\\hat{H}")
    for x in ("x", "t_{2}", "\\theta", "y")
    for n in range(1, 6)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(TEXTS, folder, 64)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)


TRICKY = st.text(alphabet="\0\n\r\t \u2581\u00a0\\a</s>x0419A<unk>e\u0301\ufeff\u200b", max_size=20)


@settings(max_examples=500, deadline=None)
@given(text=st.text(max_size=40) | TRICKY | st.sampled_from(TEXTS))
def test_decoding_gives_back_every_text(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert ids[-1] == EOS_ID
    assert EOS_ID not in ids[:-1]
    assert max(ids) < tokenizer.vocab_size
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize(
    "text", ["", " ", "  a  ", "\n", "a\0b", "\u2581", "</s><pad><0x41><unk>", "é日本🙂", "\r\n\t"]
)
def test_texts_that_sentencepiece_alone_would_change(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_training_text_becomes_short(tokenizer: Tokenizer) -> None:
    assert sum(len(tokenizer.encode(text)) for text in TEXTS) < 0.6 * sum(map(len, TEXTS))


def test_the_same_texts_train_the_same_tokenizer(folder: Path, tmp_path: Path) -> None:
    train_tokenizer(TEXTS, tmp_path, 64)
    (written,) = tmp_path.iterdir()
    assert written.read_bytes() == (folder / written.name).read_bytes()


def test_a_saved_tokenizer_is_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    assert load_tokenizer(tmp_path).encode(TEXTS[0]) == tokenizer.encode(TEXTS[0])


def test_a_size_that_does_not_fit_the_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.vocab_size: .* no 20000 pieces; .* at most (\d+)"):
        train_tokenizer(TEXTS, tmp_path, 20_000)
    with pytest.raises(InputError, match=r"model\.vocab_size: 32 is too small .* at least (\d+)"):
        train_tokenizer(TEXTS, tmp_path, 32)
    with pytest.raises(InputError, match=r"model\.vocab_size: no tokenizer"):
        train_tokenizer([], tmp_path, 100)


def test_the_sizes_named_do_fit(tmp_path: Path) -> None:
    for wrong, pattern in ((32, "at least"), (20_000, "at most")):
        with pytest.raises(InputError) as caught:
            train_tokenizer(TEXTS, tmp_path, wrong)
        train_tokenizer(TEXTS, tmp_path, int(str(caught.value).split(pattern)[1]))


def test_a_missing_or_damaged_tokenizer_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no tokenizer here"):
        load_tokenizer(tmp_path)
    (name,) = (path.name for path in folder.iterdir())
    (tmp_path / name).write_bytes((folder / name).read_bytes()[:100])
    with pytest.raises(InputError, match="not a whole SentencePiece model"):
        load_tokenizer(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match="the tokenizer cannot be read"):
        load_tokenizer(tmp_path)


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A folder with the files of a released T5 and a vocabulary of single characters."""
    from transformers import T5Tokenizer

    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [("\u2581", -2.0)] + [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz=+123"]
    T5Tokenizer(vocab=special + pieces, extra_ids=2).save_pretrained(tmp_path)
    return tmp_path


def test_a_released_tokenizer_loads_grows_and_saves(released: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(released)
    assert isinstance(tokenizer, HuggingFaceTokenizer)
    ids = tokenizer.encode("a = b")
    assert ids[-1] == EOS_ID
    assert tokenizer.decode(ids) == "a = b"

    size = tokenizer.vocab_size
    tokenizer.add_tokens(["\\", "{", "}", "_", "^"])
    assert tokenizer.vocab_size == size + 5
    assert {size, size + 1} < set(tokenizer.encode("\\a{b"))
    tokenizer.save(tmp_path / "grown")
    again = load_tokenizer(tmp_path / "grown")
    assert again.vocab_size == size + 5
    assert again.encode("\\a{b}_c^2") == tokenizer.encode("\\a{b}_c^2")
    assert again.decode([*ids[:-1], 5000, EOS_ID]) == "a = b", "ids of spare embedding rows mean nothing"


PANIC = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})
"""An exception like those of the tokenizers library for its own faults."""


class Panicking:
    """A tokenizer of the library that fails on everything."""

    def __call__(self, text: str) -> None:
        raise PANIC("index out of bounds")

    def __len__(self) -> int:
        return 10

    def decode(self, ids: list[int], **options: bool) -> None:
        raise PANIC("index out of bounds")


def test_a_fault_of_the_library_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = HuggingFaceTokenizer(Panicking())
    with pytest.raises(InputError, match=r"the tokenizers library fails on 'x = 1': index out of bounds"):
        tokenizer.encode("x = 1")
    with pytest.raises(InputError, match=r"the tokenizers library fails on \[3\]: index out of bounds"):
        tokenizer.decode([3])
    (tmp_path / "tokenizer.json").write_text("{}")

    def fail(*arguments: object, **options: object) -> None:
        raise PANIC("no entry found for key")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    with pytest.raises(InputError, match=r"the tokenizer cannot be read \(.*no entry found for key"):
        load_tokenizer(tmp_path)
