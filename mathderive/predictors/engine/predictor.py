"""The engine as a predictor: it answers with the eighteen operators and no model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mathderive.core.workers import Ended, Limits, WorkerProcess, mark, run_in_workers
from mathderive.predictors.base import make_prediction
from mathderive.predictors.engine.answering import Answer, answer
from mathderive.predictors.engine.deriving import Bounds
from mathderive.predictors.search import EXHAUSTED, VERIFIED
from mathderive.predictors.settings import EngineSettings
from mathderive.records import Example, Prediction
from mathderive.symbolic.prompts import repeat_prompt

LIMITS = Limits(memory_bytes=2**30, cpu_seconds=10.0)
"""Limits for one round of a search, which takes 0.03 s on average; the libraries take 0.2 GB of the memory."""

BATCH_SIZE = 4
"""Number of examples that one worker answers in turn; a killed run repeats at most so many for each worker."""


@dataclass(frozen=True)
class EngineRequest:
    """A prompt with what decides its answer."""

    prompt: str
    bounds: Bounds
    seed: str


def answer_request(request: EngineRequest) -> Answer | str:
    """The answer, or the reason why the prompt cannot be read; marks each answer so far."""
    mark(None)
    try:
        return answer(request.prompt, request.bounds, request.seed, mark)
    except ValueError as error:
        return str(error)


class Engine:
    """Answers with a bounded search of the operators.

    Args:
        name: the name in the predictions.
        seed: with the texts, it determines the points at which equations are tested.
        workers: number of processes that search.
    """

    def __init__(self, name: str, settings: EngineSettings, seed: str, workers: int) -> None:
        self.name = name
        self._bounds = Bounds(expansions=settings.expansions, operations=settings.operations)
        self._seed, self._workers = seed, workers

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        return [list(examples[start : start + BATCH_SIZE]) for start in range(0, len(examples), BATCH_SIZE)]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        yield from run_in_workers(answer_request, self._answer_all, batches, self._workers, LIMITS)

    def _answer_all(
        self, worker: WorkerProcess[EngineRequest, Answer | str], batch: Sequence[Example]
    ) -> list[Prediction]:
        return [self._answer(worker, example) for example in batch]

    def _answer(self, worker: WorkerProcess[EngineRequest, Answer | str], example: Example) -> Prediction:
        request = EngineRequest(example.prompt, self._bounds, self._seed)
        found = worker.ask(request)
        if isinstance(found, Ended) and found.for_memory and found.had_worked:
            found = worker.ask(request)  # earlier requests may have filled the memory
        if isinstance(found, str):
            return make_prediction(example, self.name, "", error=f"the prompt cannot be read: {found}")
        if isinstance(found, Ended):
            found = found.mark or Answer(repeat_prompt(example.prompt))
        reason = VERIFIED if found.is_verified else EXHAUSTED
        usage = {"expanded_equations": found.expanded}
        return make_prediction(example, self.name, found.text, finish_reason=reason, usage=usage)
