"""Checks every answer on all cores.

The verdicts on a set are appended to a file beside their final place, in the answers' order; after a kill, the whole
lines of that file are kept.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path

from mathderive.checker.checker import unreadable
from mathderive.checker.supervision import EQUATION_LIMITS, CheckOutcome, CheckRequest, check_in, check_request
from mathderive.checker.verdicts import Validity
from mathderive.core.progress import ProgressCallback
from mathderive.core.resumable import ResumableFile
from mathderive.core.workers import WorkerProcess, run_in_workers
from mathderive.metrics.checked_answers import CheckedAnswer, checked_answer
from mathderive.records import Example, Prediction, Rules, parse_line, read_jsonl, to_line, write_jsonl


@dataclass(frozen=True)
class AnswersToCheck:
    """The answers of one model to one set, the file for their verdicts, and the steps that count as one."""

    path: Path
    answers: Sequence[tuple[Example, Prediction]]
    rules: Rules = "paper"

    @property
    def partial(self) -> ResumableFile[CheckedAnswer]:
        """The file of the verdicts so far."""
        path = self.path.with_name(self.path.name + ".partial")
        return ResumableFile(path, to_line, lambda line: parse_line(line, CheckedAnswer, str(path)))

    @cached_property
    def done(self) -> list[CheckedAnswer]:
        """The verdicts from an earlier call: those on the first answers, as far as their lines are whole."""
        if self.path.exists():
            return read_jsonl(self.path, CheckedAnswer)
        found = zip(self.partial.read(), self.answers, strict=False)
        return [checked for checked, _ in takewhile(lambda pair: pair[0].id == pair[1][0].id, found)]


def check_answers(
    jobs: Sequence[AnswersToCheck], workers: int, on_progress: ProgressCallback, seed: str = ""
) -> Iterator[list[CheckedAnswer]]:
    """Yields each job's verdicts, in the answers' order, when their file is written.

    Args:
        jobs: the answers; files of theirs that are there already must have the same stamp.
        workers: number of worker processes; 0 is one per core. No influence on the verdicts.
        on_progress: is called with the number of checked answers.
        seed: with the texts, it determines the points at which equations are tested.

    Raises:
        InputError: a worker was killed from outside; the verdicts so far are kept.
    """
    wanted = sum(len(job.answers) for job in jobs)
    count = sum(len(job.done) for job in jobs)
    open_questions = (
        CheckRequest(example.prompt, prediction.text, seed=seed, counts_missing=True, rules=job.rules)
        for job in jobs
        for example, prediction in job.answers[len(job.done) :]
    )
    on_progress("answers checked", count, wanted)
    with closing(run_in_workers(check_request, check_in_worker, open_questions, workers, EQUATION_LIMITS)) as verdicts:
        for job in jobs:
            done = list(job.done)
            if not job.path.exists():
                with job.partial.resume(done) as append:
                    for example, prediction in job.answers[len(done) :]:
                        done.append(checked_answer(example, prediction, next(verdicts)))
                        append(done[-1:])
                        count += 1
                        on_progress("answers checked", count, wanted)
                write_jsonl(job.path, done)
            job.partial.path.unlink(missing_ok=True)  # a kill may come between the two
            yield done


def check_in_worker(worker: WorkerProcess[CheckRequest, CheckOutcome], request: CheckRequest) -> Validity:
    """The verdict on an answer to a prompt; undecided where the prompt cannot be parsed."""
    try:
        return check_in(worker, request)
    except ValueError as error:
        return unreadable(request.output, error)
