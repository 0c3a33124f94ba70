"""The strategy `stepwise`: samples are checked equation by equation, and continue what is verified.

The equations of all samples of an answer are judged together (`pool.py`), so the answer may take its steps from several
samples. Of every sample, the verified beginning is kept. Every second round continues the most promising one: the one
that derives most of what the prompt asks for, then the longest. A beginning becomes less promising every time that it
is continued, so a search that is stuck goes back. The rounds between them sample from the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from mathderive.checker.judging import MAX_EQUATIONS
from mathderive.checker.reading.answers import split_answer
from mathderive.predictors.search.checkers import Checker, Checkers
from mathderive.predictors.search.pool import Pool
from mathderive.predictors.search.question import Question
from mathderive.predictors.search.sampler import Beginning, ContinuingSampler, SampledAnswer
from mathderive.predictors.settings import SamplerSettings
from mathderive.symbolic.prompts import SEPARATOR

REQUESTED_WORTH = 2
"""Number of other equations that an equation which the prompt asks for is worth."""

VISIT_COST = 2
"""Number of equations by which a beginning is worth less each time that it was continued."""


@dataclass
class Node:
    """A verified beginning of an answer.

    Attributes:
        requested: the number of premises and requested equations in it.
        log_probability: an estimate of the model's, by the beginning's share of the characters of a sample.
        visits: how often it was continued.
    """

    equations: tuple[str, ...]
    requested: int = 0
    log_probability: float = 0.0
    visits: int = 0

    @property
    def promise(self) -> int:
        return len(self.equations) + REQUESTED_WORTH * self.requested - VISIT_COST * self.visits


@dataclass
class _Tree:
    """The verified beginnings of the answer to a question, and what its samples have verified together."""

    pool: Pool
    nodes: dict[tuple[str, ...], Node] = field(default_factory=lambda: {(): Node(())})
    walked: int = 0
    rounds: int = 0

    def choose(self) -> Node:
        """By turns the start and the most promising node; of equally promising ones, the one that was found first."""
        self.rounds += 1
        if self.rounds % 2 == 0:
            return self.nodes[()]
        return max(self.nodes.values(), key=lambda node: node.promise)

    def grow(self, sample: SampledAnswer) -> None:
        """Adds the verified beginning of a sample."""
        verified = frozenset(self.pool.equations)
        beginning = tuple(dict.fromkeys(takewhile(verified.__contains__, _equations(sample.text))))
        share = len(SEPARATOR.join(beginning)) / max(1, len(sample.text))
        requested = len(self.pool.requested.intersection(beginning))
        self.nodes.setdefault(beginning, Node(beginning, requested, share * (sample.log_probability or 0.0)))


class Stepwise:
    """Draws continuations of verified beginnings; the trees of the questions are kept from round to round."""

    def __init__(self, sampler: ContinuingSampler, settings: SamplerSettings, seed: int) -> None:
        self._sampler, self._settings, self._seed = sampler, settings, seed
        self._trees: dict[str, _Tree] = {}

    def draw(self, questions: Sequence[Question], numbers: Sequence[int]) -> list[list[SampledAnswer]]:
        """The greedy answer, or samples that continue the chosen beginning of the answer to each question."""
        if list(numbers) == [0]:
            return self._sampler.sample([one.example for one in questions], numbers, self._settings, self._seed)
        chosen = [self._tree(one).choose() for one in questions]
        for node in chosen:
            node.visits += 1
        beginnings = [
            Beginning(one.example, node.equations, numbers) for one, node in zip(questions, chosen, strict=True)
        ]
        drawn = self._sampler.continue_answers(beginnings, self._settings, self._seed)
        return [
            [one._replace(log_probability=node.log_probability + (one.log_probability or 0.0)) for one in samples]
            for node, samples in zip(chosen, drawn, strict=True)
        ]

    def check(self, questions: Sequence[Question], checkers: Checkers) -> None:
        """Judges the new samples' equations, and checks as a whole an answer that they seem to verify."""
        complete: list[tuple[Question, str]] = []
        jobs = [(self._tree(one), one.texts[self._tree(one).walked :]) for one in questions]
        for question, (job, completing, seconds) in zip(questions, checkers.work(_judge, jobs), strict=True):
            tree, texts = job
            question.seconds += seconds
            question.pushes = tree.pool.pushes
            tree.walked += len(texts)
            for text in dict.fromkeys(texts):
                tree.grow(question.answers[text])
            if completing is not None:
                answer = tree.pool.take_answer()
                question.replace(completing, answer)
                complete.append((question, answer))
        checkers.check(complete)

    def _tree(self, question: Question) -> _Tree:
        return self._trees.setdefault(question.example.id, _Tree(Pool(question.example.prompt)))


def _judge(checker: Checker, job: tuple[_Tree, Sequence[str]]) -> str | None:
    """Adds to the pool what the samples verify; returns the sample that completes an answer, if one does."""
    tree, texts = job
    try:
        state = tree.pool.begin(checker.states)
    except ValueError:
        return None  # the prompt cannot be read
    for text in texts:
        state = tree.pool.take_skipped(tree.pool.take(state, _equations(text)))
        if tree.pool.answer is not None:
            return text
    return None


def _equations(text: str) -> list[str]:
    return split_answer(text)[:MAX_EQUATIONS]
