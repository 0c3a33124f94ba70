"""The predictor interface, and the loop that writes each prediction to its file exactly once."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mathderive.core.errors import InputError
from mathderive.core.progress import ProgressCallback
from mathderive.core.resumable import ResumableFile
from mathderive.records import AnswerSeconds, Example, Prediction, parse_line, to_line, write_jsonl


class Predictor(Protocol):
    """Turns examples into predictions.

    Attributes:
        name: the model's name, and its folder's name below `predictions/`.
    """

    name: str

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        """Divides the examples into units of work.

        The result depends on the examples alone, so that a resumed run computes the same batches.
        """
        ...

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        """Yields each batch's predictions as soon as they are complete, in any order of batches.

        Raises:
            InputError: nothing can be predicted at all, for example because the endpoint refuses the key.
            UnansweredError: some items got no prediction; all others have been yielded.
        """
        ...


@runtime_checkable
class Spender(Protocol):
    """A predictor whose predictions cost money."""

    name: str

    def note(self) -> str:
        """The spending so far, in a few words for the progress display."""
        ...

    def unaccounted(self) -> int:
        """The number of requests that may have been billed although no answer arrived."""
        ...


@runtime_checkable
class SlowStarter(Protocol):
    """A predictor whose first answers take longer than later ones.

    Attributes:
        start_note: what it does before them, in a word for the progress display; empty once they are there.
    """

    start_note: str


@runtime_checkable
class Timed(Protocol):
    """A predictor that measures how long each answer takes.

    Attributes:
        seconds: the time of every answer so far, by the example's id.
    """

    seconds: dict[str, float]


class UnansweredError(InputError):
    """Some items have no prediction; running the same command again may bring one.

    Attributes:
        model: the model's name.
        count: the number of items without a prediction.
        why: the reason and the remedy; continues a sentence that begins with the count.
    """

    def __init__(self, model: str, count: int, why: str) -> None:
        self.model, self.count, self.why = model, count, why
        super().__init__(f"predictors: {model}: {count} item{'s' * (count != 1)} {why}")


def predict_set(predictor: Predictor, examples: Sequence[Example], path: Path, on_progress: ProgressCallback) -> None:
    """Writes one prediction per example to `path`, in the order of the examples.

    Each finished batch is appended at once to a partial file beside `path`. After a kill, only batches that are not
    complete in that file are predicted again. Nothing happens if `path` exists. The times of a `Timed` predictor are in
    a file of their own, because predictions of the same questions are equal and times are not.

    Raises:
        UnansweredError: some items have no prediction; the others stay in the partial file.
    """
    if path.exists():
        return
    partial = path.with_name(path.name + ".partial")
    file = ResumableFile(partial, to_line, lambda line: parse_line(line, Prediction, str(partial)))
    batches = predictor.batches(examples)
    done = _select_finished(file, batches, predictor.name)
    what = f"{predictor.name} {path.stem}"
    if examples:
        note = predictor.start_note if isinstance(predictor, SlowStarter) else ""
        on_progress(what, len(done), len(examples), note if len(done) < len(examples) else "")
    open_batches = [batch for batch in batches if not all(example.id in done for example in batch)]
    times = ResumableFile(seconds_path(path), to_line, lambda line: parse_line(line, AnswerSeconds, str(path)))
    known = [one for one in times.read() if one.id in done]
    noting = times.resume(known) if isinstance(predictor, Timed) else nullcontext(lambda _: None)
    with file.resume(done.values()) as append, noting as note_seconds:
        for predictions in predictor.predict(open_batches):
            append(predictions)
            if isinstance(predictor, Timed):
                note_seconds(AnswerSeconds(id=one.id, seconds=predictor.seconds[one.id]) for one in predictions)
            done.update((prediction.id, prediction) for prediction in predictions)
            on_progress(what, len(done), len(examples), predictor.note() if isinstance(predictor, Spender) else "")
    write_jsonl(path, (done[example.id] for example in examples))
    partial.unlink()


def seconds_path(predictions: Path) -> Path:
    """The file beside a set's predictions that holds how long they took, one JSON object a line."""
    return predictions.with_suffix(".seconds")


def _select_finished(
    file: ResumableFile[Prediction], batches: Sequence[Sequence[Example]], model: str
) -> dict[str, Prediction]:
    """Returns the predictions of all batches that are complete in the partial file, by example id."""
    found = {prediction.id: prediction for prediction in file.read() if prediction.model == model}
    return {
        example.id: found[example.id]
        for batch in batches
        if all(example.id in found for example in batch)
        for example in batch
    }


def make_prediction(example: Example, model: str, text: str, **details: Any) -> Prediction:
    """Makes the prediction of `text` for `example`; `details` are its `finish_reason`, `error` and `usage`.

    A lone surrogate, which UTF-8 cannot hold, becomes a question mark.
    """
    identity = {"id": example.id, "source_id": example.source_id, "set": example.set, "model": model}
    text = text.encode("utf-8", "replace").decode("utf-8")
    return Prediction.model_validate({**identity, "text": text, **details})
