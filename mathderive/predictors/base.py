"""What a predictor is, and how its answers reach a file without being lost or asked for twice."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mathderive.core.errors import InputError
from mathderive.core.progress import ProgressCallback
from mathderive.records import Example, Prediction, parse_line, to_line, write_jsonl


class Predictor(Protocol):
    """Turns examples into predictions.

    Attributes:
        name: the model's name, a folder's name below `predictions/`.
    """

    name: str

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        """The units of work, a function of the examples alone: a resumed run must compute the same ones."""
        ...

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        """Yields each batch's predictions as soon as they are there, in any order of batches.

        Raises:
            InputError: nothing can be predicted at all (no such model, a refused key).
            UnansweredError: everything else is predicted.
        """
        ...


@runtime_checkable
class Spender(Protocol):
    """A predictor whose answers cost something."""

    name: str

    def note(self) -> str:
        """What was spent so far, in few words."""
        ...

    def unaccounted(self) -> int:
        """How many requests may have been paid for without an answer."""
        ...


class UnansweredError(InputError):
    """Some items have no prediction; asking again may bring one.

    Attributes:
        model: that was asked.
        count: of the items.
        why: and what the user can do; follows the count.
    """

    def __init__(self, model: str, count: int, why: str) -> None:
        self.model, self.count, self.why = model, count, why
        super().__init__(f"predictors: {model}: {count} item{'s' * (count != 1)} {why}")


def predict_set(predictor: Predictor, examples: Sequence[Example], path: Path, report: ProgressCallback) -> None:
    """Writes `path`: one prediction an example, in the examples' order.

    Finished batches are appended to a file beside it at once; after a kill, only batches that are not whole there
    are predicted again.

    Raises:
        UnansweredError: some items have no prediction; the others' are kept in the file beside it.
    """
    if path.exists():
        return
    partial = path.with_name(path.name + ".partial")
    batches = predictor.batches(examples)
    done = _finished(partial, batches, predictor.name)
    write_jsonl(partial, done.values())  # without what a kill left half-written
    what = f"{predictor.name} {path.stem}"
    report(what, len(done), len(examples))
    open_batches = [batch for batch in batches if not all(example.id in done for example in batch)]
    with partial.open("a", encoding="utf-8") as stream:
        for predictions in predictor.predict(open_batches):
            stream.write("".join(map(to_line, predictions)))
            stream.flush()
            os.fsync(stream.fileno())
            done.update((prediction.id, prediction) for prediction in predictions)
            report(what, len(done), len(examples), predictor.note() if isinstance(predictor, Spender) else "")
    write_jsonl(path, (done[example.id] for example in examples))
    partial.unlink()


def _finished(partial: Path, batches: Sequence[Sequence[Example]], model: str) -> dict[str, Prediction]:
    """The predictions of the batches that are whole in the partial file."""
    found: dict[str, Prediction] = {}
    if partial.exists():
        for line in partial.read_bytes().splitlines(keepends=True):
            try:
                prediction = parse_line(line.decode("utf-8"), Prediction, str(partial))
            except (InputError, UnicodeDecodeError):
                break  # a kill in the middle of a line
            if line.endswith(b"\n") and prediction.model == model:
                found[prediction.id] = prediction
    return {
        example.id: found[example.id]
        for batch in batches
        if all(example.id in found for example in batch)
        for example in batch
    }


def make_prediction(example: Example, model: str, text: str, **details: Any) -> Prediction:
    """A prediction for `example`; `details` are its `finish_reason`, `error` and `usage`.

    A lone surrogate, which UTF-8 cannot hold, becomes a question mark.
    """
    identity = {"id": example.id, "source_id": example.source_id, "set": example.set, "model": model}
    text = text.encode("utf-8", "replace").decode("utf-8")
    return Prediction.model_validate({**identity, "text": text, **details})
