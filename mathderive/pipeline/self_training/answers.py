"""A model's answers to prompts, sampled in batches and checked in parallel.

Each prompt becomes a line of a file, with its distinct answers and the checker's findings. The lines of a batch are
appended together; after a kill, the batches whose lines are whole are kept.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mathderive.checker.supervision import EQUATION_LIMITS, CheckOutcome, CheckRequest, check_request
from mathderive.checker.verdicts import Validity
from mathderive.core.progress import ProgressCallback
from mathderive.core.resumable import ResumableFile
from mathderive.core.workers import WorkerProcess, run_in_workers
from mathderive.pipeline.answer_checking import check_in_worker
from mathderive.predictors.search import Sampler
from mathderive.predictors.settings import SamplerSettings
from mathderive.records import Example, Record, parse_line, read_jsonl, to_line, write_jsonl
from mathderive.symbolic.prompts import SEPARATOR

BATCH_SIZE = 16
"""Number of prompts that are sampled together; a killed run repeats at most two batches."""


class CheckedText(Record):
    """One of the distinct answers to a prompt.

    Attributes:
        samples: the number of samples with this text.
        verified: whether the checker verifies it.
        kept: the answer without its irrelevant and redundant steps, if it is verified, states every requested equation,
            and has no such step any more; else null.
    """

    text: str
    samples: int
    verified: bool
    kept: str | None


class AnsweredPrompt(Record):
    """A prompt with a model's answers; `tokens` counts those of all samples."""

    id: str
    prompt: str
    tokens: int
    answers: list[CheckedText]

    @property
    def verified(self) -> int:
        """The number of verified samples."""
        return sum(answer.samples for answer in self.answers if answer.verified)


@dataclass(frozen=True)
class Sampling:
    """How prompts are answered.

    Attributes:
        model: gives the samples.
        settings: temperature and truncation.
        numbers: the numbers of the samples of each prompt; `[0]` is the greedy answer alone.
        seed: with the prompt's id and the sample's number, it determines a sample.
        checker_seed: with the texts, it determines the points at which equations are tested.
        workers: number of processes that check; 0 is one per core. No influence on the verdicts.
    """

    model: Sampler
    settings: SamplerSettings
    numbers: Sequence[int]
    seed: int
    checker_seed: str
    workers: int


@dataclass(frozen=True)
class _Job:
    """A distinct answer to check; `tokens` are those of all samples of its prompt."""

    example: Example
    tokens: int
    text: str
    samples: int
    seed: str


def answer_prompts(
    sampling: Sampling, examples: Sequence[Example], path: Path, on_progress: ProgressCallback
) -> list[AnsweredPrompt]:
    """Writes the answers to the prompts of examples to `path`, shorter prompts first; their targets are not read.

    Returns:
        The lines of the file.

    Raises:
        InputError: a worker was killed from outside; the answers so far are kept.
    """
    if path.exists():
        return read_jsonl(path, AnsweredPrompt)
    ordered = sorted(examples, key=lambda example: (len(example.prompt), example.id))
    batches = [ordered[start : start + BATCH_SIZE] for start in range(0, len(ordered), BATCH_SIZE)]
    partial = path.with_name(path.name + ".partial")
    file = ResumableFile(partial, to_line, lambda line: parse_line(line, AnsweredPrompt, str(partial)))
    done = _whole_batches(list(file.read()), batches)
    on_progress("prompts", len(done), len(ordered))
    jobs = _draw(sampling, batches[-(-len(done) // BATCH_SIZE) :])
    checked = run_in_workers(check_request, _check, jobs, sampling.workers, EQUATION_LIMITS)
    with file.resume(done) as append, closing(checked):
        waiting: list[AnsweredPrompt] = []
        for _, group in groupby(checked, key=lambda found: found[0].example.id):
            waiting.append(_answered(list(group)))
            if len(waiting) == BATCH_SIZE or len(done) + len(waiting) == len(ordered):
                append(waiting)
                done += waiting
                waiting = []
                on_progress("prompts", len(done), len(ordered))
    write_jsonl(path, done)
    partial.unlink()
    return done


def _whole_batches(lines: list[AnsweredPrompt], batches: Sequence[Sequence[Example]]) -> list[AnsweredPrompt]:
    """The lines of the first batches, as far as they are whole."""
    kept = 0
    for batch in batches:
        if [line.id for line in lines[kept : kept + len(batch)]] != [example.id for example in batch]:
            break
        kept += len(batch)
    return lines[:kept]


def _draw(sampling: Sampling, batches: Sequence[Sequence[Example]]) -> Iterator[_Job]:
    """Samples each batch when its first answer is asked for; yields the distinct answers to each prompt in order."""
    for batch in batches:
        drawn = sampling.model.sample(batch, sampling.numbers, sampling.settings, sampling.seed)
        for example, samples in zip(batch, drawn, strict=True):
            texts = [sample.text for sample in samples]
            tokens = sum(sample.tokens for sample in samples)
            for text in dict.fromkeys(texts):
                yield _Job(example, tokens, text, texts.count(text), sampling.checker_seed)


def _check(worker: WorkerProcess[CheckRequest, CheckOutcome], job: _Job) -> tuple[_Job, CheckedText]:
    """Checks an answer and, if it is verified, the answer without the steps that it does not need."""

    def check(text: str) -> Validity:
        return check_in_worker(worker, CheckRequest(job.example.prompt, text, seed=job.seed))

    verdict = check(job.text)
    kept = None
    if verdict.verified:
        needed = SEPARATOR.join(step.text for step in verdict.steps if not (step.irrelevant or step.redundant))
        again = verdict if needed == job.text else check(needed)
        kept = needed if is_worth_keeping(again) else None
    return job, CheckedText(text=job.text, samples=job.samples, verified=verdict.verified, kept=kept)


def is_worth_keeping(verdict: Validity) -> bool:
    """Whether an answer is verified, states every requested equation, and has no step of an error category."""
    has_error = any(step.category is not None for step in verdict.steps)
    return verdict.verified and all(verdict.intermediates_present) and not has_error


def _answered(checked: Sequence[tuple[_Job, CheckedText]]) -> AnsweredPrompt:
    job = checked[0][0]
    answers = [text for _, text in checked]
    return AnsweredPrompt(id=job.example.id, prompt=job.example.prompt, tokens=job.tokens, answers=answers)
