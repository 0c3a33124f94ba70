"""The exported tokenizer gives the same ids and texts in `transformers`."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.model.tokenizer import (
    EOS_ID,
    PAD_ID,
    SentencePieceTokenizer,
    Tokenizer,
    load_tokenizer,
    train_tokenizer,
)
from mathderive.model.tokenizer_export import export_tokenizer

TEXTS = [
    f"Given {a}{{({x})}} = \\frac{{d}}{{d {x}}} \\cos{{({x}^{{{n}}})}}, then obtain \\int {a}{{({x})}} d{x} and {n}"
    for a in ("A", "\\varepsilon_0", "\\mathbf{J}_P", "\\hat{H}", "\\operatorname{C_{d}}")
    for x in ("x", "t_{2}", "\\theta", "y")
    for n in range(1, 6)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    export_tokenizer(train_tokenizer(TEXTS, folder, 64), folder)
    return folder


@pytest.fixture(scope="module")
def ours(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def assert_same(ours: Tokenizer, theirs: Any, text: str) -> None:
    ids = ours.encode(text)
    assert theirs(text)["input_ids"] == ids
    assert theirs.decode(ids, skip_special_tokens=True) == text


TRICKY = ["", " ", "  a  ", "\n\r", "a\0b", "\u2581", "a\u2581 \u2581b", "<<0x20>", "</s><pad><0x41><unk>", "é日🙂"]


@pytest.mark.parametrize("text", TRICKY)
def test_texts_that_a_tokenizer_might_change(ours: Tokenizer, theirs: Any, text: str) -> None:
    assert_same(ours, theirs, text)


LATEX = [*"\\{}_^ ()=xt12", "\\frac", "and ", "\\cos{(", "})}"]
PARTS = st.sampled_from([*LATEX, "<0x41>", "</s>", "\u2581", "é", "\n", "<"])


@settings(max_examples=500, deadline=None)
@given(text=st.text(max_size=40) | st.lists(PARTS, max_size=12).map("".join) | st.sampled_from(TEXTS))
def test_ids_and_text_are_ours(ours: Tokenizer, theirs: Any, text: str) -> None:
    assert_same(ours, theirs, text)


def test_a_folder_with_both_files_is_ours(folder: Path) -> None:
    assert isinstance(load_tokenizer(folder), SentencePieceTokenizer)


def test_it_is_ready_for_a_t5(theirs: Any, ours: Tokenizer) -> None:
    batch = theirs(["x = 1", "\\frac{d}{d x} x"], padding=True)
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["input_ids"][0][-1] == PAD_ID
    assert batch["input_ids"][1][-1] == EOS_ID
    assert len(theirs) == ours.vocab_size
    assert (theirs.pad_token_id, theirs.eos_token_id) == (PAD_ID, EOS_ID)


def test_use_fast_makes_no_difference(folder: Path, theirs: Any) -> None:
    from transformers import AutoTokenizer

    for use_fast in (True, False):
        loaded = AutoTokenizer.from_pretrained(folder, use_fast=use_fast)
        assert loaded(TEXTS)["input_ids"] == theirs(TEXTS)["input_ids"]


def test_saving_it_again_changes_nothing(theirs: Any, ours: Tokenizer, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    theirs.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in (*TEXTS[:5], "</s> <0x41> \u2581"):
        assert_same(ours, again, text)
