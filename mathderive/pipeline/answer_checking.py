"""Every answer checked, on all cores, in files that a kill leaves whole or unfinished but never wrong.

A set's verdicts are appended to a file beside their place as they come, in the answers' order; after a kill, the lines
that are whole there are kept.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mathderive.checker.checker import unchecked
from mathderive.checker.supervision import EQUATION_LIMITS, CheckOutcome, CheckRequest, check_in, check_request
from mathderive.checker.verdicts import Validity
from mathderive.core.errors import InputError
from mathderive.core.progress import ProgressCallback
from mathderive.core.workers import WorkerProcess, run_in_workers
from mathderive.metrics.checked_answers import CheckedAnswer, checked_answer
from mathderive.records import Example, Prediction, parse_line, read_jsonl, to_line, write_jsonl


@dataclass(frozen=True)
class AnswersToCheck:
    """The answers of one model to one set, and the file for their verdicts."""

    path: Path
    answers: Sequence[tuple[Example, Prediction]]

    @property
    def partial(self) -> Path:
        return self.path.with_name(self.path.name + ".partial")

    @cached_property
    def done(self) -> list[CheckedAnswer]:
        """What an earlier call has checked: the first lines that are whole and those of the first answers."""
        if self.path.exists():
            return read_jsonl(self.path, CheckedAnswer)
        found: list[CheckedAnswer] = []
        lines = self.partial.read_bytes().splitlines(keepends=True) if self.partial.exists() else []
        for line, (example, _) in zip(lines, self.answers, strict=False):
            try:
                line_of = parse_line(line.decode("utf-8"), CheckedAnswer, str(self.partial))
            except (InputError, UnicodeDecodeError):
                break  # a kill in the middle of a line
            if not line.endswith(b"\n") or line_of.id != example.id:
                break
            found.append(line_of)
        return found


def check_answers(
    jobs: Sequence[AnswersToCheck], workers: int, report: ProgressCallback
) -> Iterator[list[CheckedAnswer]]:
    """Yields each job's verdicts, in the answers' order, when their file is written.

    Args:
        jobs: whose files are in folders of one stamp: what is there already is taken for right.
        workers: processes; 0 is one per core. No influence on the verdicts.
        report: is told how many answers are checked.

    Raises:
        InputError: a worker was killed from outside; what was checked is kept.
    """
    wanted = sum(len(job.answers) for job in jobs)
    count = sum(len(job.done) for job in jobs)
    open_questions = (
        (example.prompt, prediction.text) for job in jobs for example, prediction in job.answers[len(job.done) :]
    )
    report("answers checked", count, wanted)
    with closing(run_in_workers(check_request, _check, open_questions, workers, EQUATION_LIMITS)) as found:
        for job in jobs:
            done = list(job.done)
            if not job.path.exists():
                write_jsonl(job.partial, done)  # without what a kill left half-written
                with job.partial.open("a", encoding="utf-8") as stream:
                    for example, prediction in job.answers[len(done) :]:
                        done.append(checked_answer(example, prediction, next(found)))
                        stream.write(to_line(done[-1]))
                        stream.flush()
                        count += 1
                        report("answers checked", count, wanted)
                write_jsonl(job.path, done)
                job.partial.unlink()
            yield done


def _check(worker: WorkerProcess[CheckRequest, CheckOutcome], question: tuple[str, str]) -> Validity:
    """The verdict on an answer to a prompt; undecided where the prompt has a form of its own."""
    prompt, text = question
    try:
        return check_in(worker, prompt, text)
    except ValueError as error:
        return unchecked(text, f"the prompt cannot be read: {error}")
