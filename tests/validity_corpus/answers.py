"""Judges whole answers: are those that a search returns as verified true, and is their goal derived?

Nothing here is shared with `mathderive.checker`: the judge evaluates power series (`truth`), and tries the operators
anew (`follows`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal, NamedTuple

from sympy import Equality

from mathderive.records import Record
from mathderive.symbolic.latex.parser import LatexError, parse, parse_equation, readings
from mathderive.symbolic.prompts import SEPARATOR, split_prompt
from tests.validity_corpus.definitions import definitions_of_new_names
from tests.validity_corpus.follows import Follows, Search
from tests.validity_corpus.point import State
from tests.validity_corpus.truth import Judge, Truth

_FIRST_TOKEN = re.compile(r"\\?[A-Za-z]+|\\")

MAX_READINGS = 8
"""Maximum number of readings of an equation that are judged before it counts as false."""


class ReturnedAnswer(Record):
    """An answer that a search returned as verified.

    Attributes:
        answers: the number of answers, the greedy one included, after which the search had it.
    """

    id: str
    prompt: str
    text: str
    answers: int


class JudgedAnswer(Record):
    """The judge's opinion of an answer.

    Attributes:
        judgement: true: all its equations are true, or give an expression a new name, and one of them states the goal.
            refuted: an equation is false, or none states the goal. unclear: the judge cannot decide.
        derived: whether the judge finds that the goal follows from the premises, one operator an equation. It misses
            operands that stand in no equation.
        reason: the equation that decides, and why.
    """

    answer: ReturnedAnswer
    judgement: Literal["true", "refuted", "unclear"]
    derived: bool
    reason: str


@dataclass(frozen=True)
class Soundness:
    """The judge's opinions of the answers that a search with a budget of n answers returns as verified.

    Attributes:
        underived: the number of true answers whose derivation the judge does not find.
    """

    n: int
    returned: int
    true: int
    refuted: int
    unclear: int
    underived: int

    @property
    def share(self) -> float:
        """The share of true answers among those that the judge decides; NaN if there are none."""
        decided = self.true + self.refuted
        return self.true / decided if decided else float("nan")


class _Line(NamedTuple):
    """An equation of an answer; `place` is that of the link in its chain."""

    text: str
    place: int
    equation: Equality


def judge_answers(answers: Sequence[ReturnedAnswer], workers: int = 1) -> Iterator[JudgedAnswer]:
    """Yields the judge's opinion of each answer, in order."""
    if workers == 1:
        yield from map(judge_answer, answers)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(judge_answer, answers)


def soundness(judged: Iterable[JudgedAnswer], sizes: Sequence[int]) -> list[Soundness]:
    """Counts the opinions for each budget.

    A search whose budget is n answers returns those that it had after at most n; with another budget it draws the same
    answers.
    """
    everything = list(judged)
    found = []
    for n in sizes:
        within = [one for one in everything if one.answer.answers <= n]
        opinions = [one.judgement for one in within]
        true, refuted, unclear = (opinions.count(kind) for kind in ("true", "refuted", "unclear"))
        underived = sum(one.judgement == "true" and not one.derived for one in within)
        found.append(Soundness(n, len(within), true, refuted, unclear, underived))
    return found


def judge_answer(answer: ReturnedAnswer) -> JudgedAnswer:
    """Judges an answer to its prompt."""
    try:
        asked = split_prompt(answer.prompt)
        premises = list(map(parse_equation, asked.premises))
        requested = list(map(parse_equation, (*asked.derive, asked.goal)))
        first, *others = answer.text.split(SEPARATOR)
        lines = [line for text in (_restored(first, asked.premises), *others) for line in _links(text)]
    except (LatexError, ValueError) as error:
        return JudgedAnswer(answer=answer, judgement="unclear", derived=False, reason=f"not parsed: {error}")
    equations = [line.equation for line in lines]
    definitions = definitions_of_new_names([*premises, *requested], equations)
    premises += [equations[number - 1] for number in sorted(definitions)]
    given = set().union(*(premise.free_symbols for premise in premises))
    constants = set().union(*(equation.free_symbols for equation in (*requested, *equations))) - given
    judge = Judge(premises, [*equations, *requested], constants, answer.id)
    search = Search(Judge([], [*premises, *equations, *requested], constants, answer.id, points=1), answer.id)
    judgement, reason = _truth_of(lines, judge)
    goal = requested[-1]
    if judgement != "refuted" and all(search.says_again(goal, one) is Follows.NOT for one in equations):
        judgement, reason = "refuted", "no equation states the goal"
    derived = judgement == "true" and _derives(goal, premises, equations, search)
    return JudgedAnswer(answer=answer, judgement=judgement, derived=derived, reason=reason)


def _restored(text: str, premises: Sequence[str]) -> str:
    """Returns the premise that a first equation is without its first token, which some models never write."""
    bare = "".join(text.split())
    for premise in premises:
        whole = "".join(premise.split())
        if bare and whole.endswith(bare) and _FIRST_TOKEN.fullmatch(whole.removesuffix(bare)):
            return premise
    return text


def _links(text: str) -> list[_Line]:
    """Parses an equation, or a chain `a = b = c`, whose links are equations."""
    sides = parse(text)
    if len(sides) < 2:
        raise ValueError(f"no equation: {text}")
    return [_Line(text, place, Equality(*pair, evaluate=False)) for place, pair in enumerate(pairwise(sides))]


def _truth_of(lines: Sequence[_Line], judge: Judge) -> tuple[Literal["true", "refuted", "unclear"], str]:
    """Judges the equations in turn; a false one decides, wherever it stands."""
    state: State = ()
    unclear = ""
    for line in lines:
        truth, after = judge.truth(line.equation, state)
        if truth is Truth.FALSE and not _may_be_read_as_true(line, judge, state):
            return "refuted", f"false: {line.text}"
        if truth is not Truth.TRUE and not unclear:
            unclear = f"{truth.value} {judge.reason(line.equation, state)}: {line.text}"
        state = after
    return ("unclear", unclear) if unclear else ("true", "")


def _may_be_read_as_true(line: _Line, judge: Judge, state: State) -> bool:
    """Whether another reading of an equation, which is false in the usual one, is not."""
    others = (sides[line.place : line.place + 2] for sides in islice(readings(line.text), MAX_READINGS))
    return any(judge.truth(Equality(*sides, evaluate=False), state)[0] is not Truth.FALSE for sides in others)


def _derives(goal: Equality, premises: Sequence[Equality], lines: Sequence[Equality], search: Search) -> bool:
    """Whether the goal is among the lines that follow, one operator each, from premises and such lines."""
    known = list(premises)
    for line in lines:
        repeats = any(search.says_again(line, one) is not Follows.NOT for one in known)
        if not repeats and search.follows(line, known) is Follows.NOT:
            continue
        known.append(line)
        if search.says_again(line, goal) is not Follows.NOT:
            return True
    return False
