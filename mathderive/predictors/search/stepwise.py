"""The strategy `stepwise`: samples continue beginnings that the checker has verified.

The equations of every sample are checked one after the other. The longest verified beginning of each is kept, and the
next samples continue the most promising one: the one that derives most of what the prompt asks for, then the longest.
Every time that a beginning is continued it becomes less promising, so a search that is stuck goes back. If a beginning
of a sample is a verified answer already, the rest of the sample is cut off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mathderive.checker.judging import MAX_EQUATIONS
from mathderive.checker.reading.answers import split_answer
from mathderive.checker.verdicts import TRUE
from mathderive.predictors.search.checkers import Checker, Checkers
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
        requested: the number of equations that the prompt asks for and that it derives.
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


@dataclass(frozen=True)
class Walk:
    """The check of a sample, equation by equation.

    Attributes:
        beginning: the longest verified beginning without a repeated equation.
        requested: as in `Node`.
        answer: the shortest beginning that is a verified answer.
        pushes: the number of equations that were checked.
    """

    beginning: tuple[str, ...] = ()
    requested: int = 0
    answer: str | None = None
    pushes: int = 0


@dataclass
class _Tree:
    """The verified beginnings of the answer to a question, and the samples that were checked."""

    nodes: dict[tuple[str, ...], Node] = field(default_factory=lambda: {(): Node(())})
    seen: set[str] = field(default_factory=set)

    def choose(self) -> Node:
        """The most promising node; of equally promising ones, the one that was found first."""
        return max(self.nodes.values(), key=lambda node: node.promise)

    def grow(self, walk: Walk, sample: SampledAnswer) -> None:
        """Adds the verified beginning of a sample."""
        share = len(SEPARATOR.join(walk.beginning)) / max(1, len(sample.text))
        node = Node(walk.beginning, walk.requested, share * sample.log_probability)
        self.nodes.setdefault(walk.beginning, node)


class Stepwise:
    """Draws continuations of verified beginnings; the trees of the questions are kept from round to round."""

    def __init__(self, sampler: ContinuingSampler, settings: SamplerSettings, seed: int) -> None:
        self._sampler, self._settings, self._seed = sampler, settings, seed
        self._trees: dict[str, _Tree] = {}

    def draw(self, questions: Sequence[Question], numbers: Sequence[int]) -> list[list[SampledAnswer]]:
        """The greedy answer, or samples that continue the chosen beginning of the answer to each question."""
        examples = [one.example for one in questions]
        if list(numbers) == [0]:
            return self._sampler.sample(examples, numbers, self._settings, self._seed)
        chosen = [self._tree(one).choose() for one in questions]
        for node in chosen:
            node.visits += 1
        beginnings = [
            Beginning(example, node.equations, numbers) for example, node in zip(examples, chosen, strict=True)
        ]
        drawn = self._sampler.continue_answers(beginnings, self._settings, self._seed)
        return [
            [one._replace(log_probability=node.log_probability + one.log_probability) for one in samples]
            for node, samples in zip(chosen, drawn, strict=True)
        ]

    def check(self, questions: Sequence[Question], checkers: Checkers) -> None:
        """Walks along the new answers, and checks as a whole those that seem to be verified."""
        jobs = [(one, text) for one in questions for text in one.answers if text not in self._tree(one).seen]
        complete: list[tuple[Question, str]] = []
        for (question, text), walk, seconds in checkers.work(_walk, jobs):
            question.pushes += walk.pushes
            question.seconds += seconds
            tree = self._tree(question)
            tree.grow(walk, question.answers[text])
            if walk.answer is not None:
                question.shorten(text, walk.answer)
                complete.append((question, walk.answer))
            tree.seen.add(walk.answer or text)
        checkers.check(complete)

    def _tree(self, question: Question) -> _Tree:
        return self._trees.setdefault(question.example.id, _Tree())


def _walk(checker: Checker, job: tuple[Question, str]) -> Walk:
    """Checks the equations of an answer until one is not true, or until the answer is verified."""
    question, text = job
    try:
        state = checker.states.start(question.example.prompt)
    except ValueError:
        return Walk()  # the prompt cannot be read
    walk, is_whole = Walk(), True
    wanted = len(state.verdict.open_intermediates)
    equations = split_answer(text)[:MAX_EQUATIONS]
    for number, equation in enumerate(equations, start=1):
        state = state.push(equation)
        walk = replace(walk, pushes=number)
        step = state.verdict.step
        assert step is not None
        if step.truth not in TRUE:
            break
        if state.verdict.verified:
            return replace(walk, answer=SEPARATOR.join(equations[:number]))
        is_whole = is_whole and state.verdict.verified_so_far and not step.redundant
        if is_whole:
            requested = wanted - len(state.verdict.open_intermediates)
            walk = replace(walk, beginning=tuple(equations[:number]), requested=requested)
    return walk
