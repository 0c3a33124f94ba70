"""Files are whole or absent; records survive a round trip, and a line that is no record is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.core.errors import InputError
from mathderive.core.files import read_json, replacing, sha256, write_json
from mathderive.records import Example, Prediction, Score, StepRecord, parse_line, read_jsonl, to_line, write_jsonl

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
annotations = texts | st.lists(texts | st.integers(-(2**40), 2**40), max_size=4)
examples = st.builds(
    Example,
    id=texts,
    source_id=texts,
    set=st.sampled_from(["static", "vr", "train"]),
    prompt=texts,
    target=texts,
    steps=st.lists(st.builds(StepRecord, annotation=annotations, srepr=texts), max_size=3),
    few_shot_prompt=st.none() | texts,
)


@given(examples)
def test_an_example_survives_its_line(example: Example) -> None:
    line = to_line(example)
    assert line.count("\n") == 1
    assert parse_line(line, Example, "line") == example


@given(st.floats(0, 1), st.floats(0, 1))
def test_scores_are_written_unrounded(first: float, second: float) -> None:
    score = Score(
        id="a", source_id="a", set="static", model="m", rouge2=first, bleu=second, gleu=0.0, ends_with_goal=True
    )
    assert parse_line(to_line(score), Score, "line") == score


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, 1)
    with pytest.raises(RuntimeError), replacing(path) as stream:
        stream.write("half")
        raise RuntimeError
    assert read_json(path, "a number") == 1
    assert list(tmp_path.iterdir()) == [path]


def test_sha256_of_the_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert sha256(path) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{}", "id"),
        ("nonsense", "line"),
        ('{"id": 1}', "id"),
        ('{"id":"a","source_id":"a","set":"moon","model":"m","text":""}', "set"),
        ('{"id":"a","source_id":"a","set":"vr","model":"m","text":"","extra":1}', "extra"),
    ],
)
def test_a_wrong_line_names_file_line_and_field(tmp_path: Path, line: str, named: str) -> None:
    path = tmp_path / "predictions.jsonl"
    write_jsonl(path, [Prediction(id="a", source_id="a", set="vr", model="m", text="")])
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(InputError) as caught:
        read_jsonl(path, Prediction)
    assert str(caught.value).startswith(f"{path}:2: {named}: ")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 200_000])
def test_a_file_that_is_no_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"results\.json: not valid JSON"):
        read_json(path, "anything")
