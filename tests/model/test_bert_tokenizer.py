"""Encoded pairs are those of transformers, and so are the lengths to which long pairs are cut."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertTokenizer
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

from mathderive.core.errors import InputError
from mathderive.model.bert_tokenizer import PairTokenizer, load_pair_tokenizer, truncated_lengths
from tests.support.torch_bert import VOCABULARY, write_bleurt

END = VOCABULARY.index("[SEP]")
PIECES = [
    "\\frac{d}{d x}",
    "\\Psi",
    " and ",
    "sin",
    "[SEP]",
    "[CLS]",
    "=",
    "12",
    "É",
    "漢",
    "∂",
    "x_{1}",
    "\n",
    "�",
    "##s",
]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bleurt(tmp_path_factory.mktemp("bleurt"))


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PairTokenizer:
    return load_pair_tokenizer(folder)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> BertTokenizer:
    return BertTokenizer.from_pretrained(folder, local_files_only=True)


@given(first=texts, second=texts)
def test_a_pair_is_encoded_as_by_transformers(
    tokenizer: PairTokenizer, theirs: BertTokenizer, first: str, second: str
) -> None:
    expected = theirs([first], [second], split_special_tokens=True)  # lists, or an empty text is none at all
    ((ids, segments),) = tokenizer.encode([(first, second)], 512)
    assert ids == expected["input_ids"][0]
    assert segments == expected["token_type_ids"][0]
    assert ids.count(END) == 2, "a text cannot end itself"


@given(first=st.integers(0, 300), second=st.integers(0, 300), most=st.integers(0, 300))
def test_too_long_a_pair_is_cut_as_by_transformers(first: int, second: int, most: int) -> None:
    # The slow tokenizers cut as BERT's authors do; the fast ones cut one token more from the first text on a tie.
    slow = BertTokenizerLegacy.truncate_sequences
    by_force = type("_", (), {"truncation_side": "right"})()
    one, two, _ = slow(by_force, list(range(first)), list(range(second)), max(0, first + second - most))
    assert truncated_lengths(first, second, most) == (len(one), len(two or []))


def test_a_pair_that_is_too_long_keeps_its_beginnings(tokenizer: PairTokenizer) -> None:
    whole = tokenizer.encode([("x = 1 and " * 100, "y = 2")], 10_000)[0][0]
    ((ids, segments),) = tokenizer.encode([("x = 1 and " * 100, "y = 2")], 50)
    assert len(ids) == len(segments) == 50
    assert ids[:45] == whole[:45]
    assert ids[45:] == whole[-5:], "the shorter text stays whole"
    assert segments == [0] * 46 + [1] * 4


def test_a_lone_surrogate_is_a_character_like_another(tokenizer: PairTokenizer) -> None:
    assert tokenizer.encode([("a \ud800 b", "")], 512) == tokenizer.encode([("a ? b", "")], 512)


def test_case_is_kept_where_the_tokenizer_keeps_it(tmp_path: Path) -> None:
    write_bleurt(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    unknown = VOCABULARY.index("[UNK]")
    assert unknown in load_pair_tokenizer(tmp_path).encode([("X", "x")], 512)[0][0]
    BertTokenizer.from_pretrained(tmp_path, local_files_only=True).save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "tokenizer_config.json").unlink()
    assert unknown in load_pair_tokenizer(tmp_path / "saved").encode([("X", "x")], 512)[0][0]


def test_a_missing_or_damaged_tokenizer_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no tokenizer here; expected tokenizer\.json or vocab\.txt"):
        load_pair_tokenizer(tmp_path)
    write_bleurt(tmp_path)
    BertTokenizer.from_pretrained(tmp_path, local_files_only=True).save_pretrained(tmp_path)
    tree = json.loads((tmp_path / "tokenizer.json").read_text())
    del tree["model"]["vocab"]["[SEP]"]
    without = json.dumps({**tree, "added_tokens": [], "post_processor": None})
    (tmp_path / "tokenizer.json").write_text(without)
    with pytest.raises(InputError, match=r"cannot be read \(ValueError: it lacks \[SEP\]\)"):
        load_pair_tokenizer(tmp_path)
    for damaged in (b"", b"{}", b"\xff\xfe", b'{"model": {"type": "WordPiece"}}'):
        (tmp_path / "tokenizer.json").write_bytes(damaged)
        with pytest.raises(InputError, match="the tokenizer cannot be read"):
            load_pair_tokenizer(tmp_path)
