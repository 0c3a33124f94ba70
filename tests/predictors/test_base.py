"""Each prediction is written once and in order, even after a kill."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.predictors.base import make_prediction, predict_set
from mathderive.records import Example, Prediction, read_jsonl

EXAMPLES = [
    Example(id=f"{index}-static", source_id=str(index), set="static", prompt=f"p{index}", target="t", steps=[])
    for index in range(10)
]


class Echo:
    """Repeats prompts in batches of three and lists the examples it was asked; stops after `patience` batches."""

    name = "echo"

    def __init__(self, patience: int = 99) -> None:
        self.patience = patience
        self.asked: list[str] = []

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        backwards = list(reversed(examples))
        return [backwards[start : start + 3] for start in range(0, len(backwards), 3)]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        for batch in batches:
            if not self.patience:
                raise KeyboardInterrupt
            self.patience -= 1
            self.asked += [example.id for example in batch]
            yield [make_prediction(example, self.name, example.prompt) for example in batch]


def quiet(what: str, done: int, wanted: int, note: str = "") -> None:
    pass


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "static.jsonl"
    predict_set(Echo(), EXAMPLES, path, quiet)
    return path.read_bytes()


def test_predictions_are_in_the_order_of_the_examples(tmp_path: Path) -> None:
    path = tmp_path / "static.jsonl"
    predict_set(Echo(), EXAMPLES, path, quiet)
    assert [prediction.id for prediction in read_jsonl(path, Prediction)] == [example.id for example in EXAMPLES]
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=40, deadline=None)
@given(patience=st.integers(0, 4), lost=st.integers(0, 400))
def test_a_cut_file_is_completed_from_its_whole_batches(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, patience: int, lost: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "static.jsonl"
    first = Echo(patience)
    try:
        predict_set(first, EXAMPLES, path, quiet)
    except KeyboardInterrupt:
        partial = path.with_name("static.jsonl.partial")
        partial.write_bytes(partial.read_bytes()[: max(0, partial.stat().st_size - lost)])
    second = Echo()
    predict_set(second, EXAMPLES, path, quiet)
    assert path.read_bytes() == whole
    if lost == 0:
        assert sorted(first.asked + second.asked) == sorted(example.id for example in EXAMPLES)
