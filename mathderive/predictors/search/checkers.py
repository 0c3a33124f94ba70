"""Several supervised checkers that work in parallel."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

from mathderive.checker.checker import unreadable
from mathderive.checker.supervised_states import SupervisedStates
from mathderive.checker.supervision import ChildOwner, SupervisedChecker
from mathderive.checker.verdicts import Validity
from mathderive.predictors.search.question import Question

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Checker:
    """Checks whole answers, and answers equation by equation; each in a child process that starts when first asked."""

    answers: SupervisedChecker
    states: SupervisedStates


class Checkers:
    """Checkers, each of which works on one job at a time; a context manager."""

    def __init__(self, count: int, seed: str) -> None:
        self._threads = ThreadPoolExecutor(count)
        self._all = [Checker(SupervisedChecker(seed=seed), SupervisedStates(seed=seed)) for _ in range(count)]
        self._free: SimpleQueue[Checker] = SimpleQueue()
        for checker in self._all:
            self._free.put(checker)

    def __enter__(self) -> "Checkers":
        return self

    def __exit__(self, *_: object) -> None:
        owners: list[ChildOwner] = [owner for checker in self._all for owner in (checker.answers, checker.states)]
        for owner in owners:
            owner.stop()
        self._threads.shutdown(cancel_futures=True)

    def work(
        self, function: Callable[[Checker, JobT], ResultT], jobs: Sequence[JobT]
    ) -> Iterator[tuple[JobT, ResultT, float]]:
        """Each job with the function's result and the seconds that it took, in the jobs' order."""

        def work_when_free(job: JobT) -> tuple[JobT, ResultT, float]:
            checker, started = self._free.get(), time.monotonic()
            try:
                return job, function(checker, job), time.monotonic() - started
            finally:
                self._free.put(checker)

        return self._threads.map(work_when_free, jobs)

    def check(self, answers: Iterable[tuple[Question, str]]) -> None:
        """Gives answers their verdicts."""
        for (question, text), verdict, seconds in self.work(_check, [*answers]):
            question.verdicts[text] = verdict
            question.seconds += seconds


def _check(checker: Checker, job: tuple[Question, str]) -> Validity:
    question, text = job
    try:
        return checker.answers.check(question.example.prompt, text)
    except ValueError as error:
        return unreadable(text, error)
