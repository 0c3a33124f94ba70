"""Labels for attempts: which lines are false, and that the goal was not derived."""

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Equality, I, Integer, Symbol, pi

from mathderive.symbolic.latex.parser import LatexError, parse_equation
from mathderive.symbolic.names import names_of
from tests.validity_corpus.attacks.attempt import Attempt
from tests.validity_corpus.definitions import definitions_of_new_names
from tests.validity_corpus.follows import Follows, Search
from tests.validity_corpus.point import State
from tests.validity_corpus.truth import Judge, Truth

UNITS = {"i": I, r"\pi": pi}


@dataclass(frozen=True)
class LabelledAttempt:
    """An attempt that must not be verified.

    Attributes:
        attempt: the prompt and the text.
        not_true: the numbers, from 1, of lines that are false in some model of the premises.
    """

    attempt: Attempt
    not_true: tuple[int, ...]


def label(attempt: Attempt, seed: str) -> LabelledAttempt | None:
    """Labels an attempt; None where the judge cannot show that it must not be verified.

    It is shown where a line is false, or where the goal follows in one step neither from the honest lines nor from
    any line that does.
    """
    lines = [_equation(text, attempt) for text in attempt.lines]
    model = [_equation(text, attempt) for text in attempt.witness or attempt.premises]
    known = [equation for equation in model if equation is not None]
    if len(known) < len(model):
        return None
    constants = {Symbol(name) for name in attempt.constants}
    asked = [_equation(text, attempt) for text in (*attempt.premises, *attempt.derive, attempt.goal)]
    definitions = definitions_of_new_names([equation for equation in asked if equation is not None], lines)
    known += [line for number, line in enumerate(lines, start=1) if line is not None and number in definitions]
    wanted = attempt.judged or range(1, len(lines) + 1)
    judged = {number: lines[number - 1] for number in wanted if number not in definitions}
    present = {number: equation for number, equation in judged.items() if equation is not None}
    goal = _equation(attempt.goal, attempt)
    present_or_goal = [equation for equation in (*present.values(), goal) if equation is not None]
    judge = Judge(_related(known, present_or_goal), list(present.values()), constants, seed)
    not_true = _false_lines(judge, present)
    if not_true:
        return LabelledAttempt(attempt, not_true)
    if goal is None:
        return None
    search = Search(Judge([], [line for line in (*lines, goal) if line is not None], constants, seed, points=1), seed)
    premises = [equation for text in attempt.premises if (equation := _equation(text, attempt)) is not None]
    closure = _derived_lines(goal, lines, attempt.honest, premises, definitions, judge, search)
    repeats = any(search.says_again(goal, line) is not Follows.NOT for line in closure)
    if repeats or search.follows(goal, closure) is not Follows.NOT:
        return None
    return LabelledAttempt(attempt, ())


def _equation(text: str, attempt: Attempt) -> Equality | None:
    try:
        equation = parse_equation(text)
        units = {Symbol(name): UNITS[name] for name in attempt.units}
        return Equality(*(side.xreplace(units) for side in equation.args), evaluate=False)
    except (LatexError, ValueError):
        return None  # no equation, or one that differentiates by the imaginary unit


def _related(premises: Sequence[Equality], equations: Sequence[Equality]) -> list[Equality]:
    """The premises that share names with the equations, directly or through other premises; the others cost time."""
    names = frozenset().union(*map(names_of, equations))
    while True:
        found = [premise for premise in premises if names_of(premise) & names]
        more = names.union(*map(names_of, found))
        if more == names:
            return found
        names = more


def _false_lines(judge: Judge, equations: dict[int, Equality]) -> tuple[int, ...]:
    found = []
    state: State = ()
    for number, equation in equations.items():
        truth, state = judge.truth(equation, state)
        if truth is Truth.FALSE:
            found.append(number)
    return tuple(found)


def _derived_lines(
    goal: Equality,
    lines: Sequence[Equality | None],
    honest: int,
    premises: Sequence[Equality],
    definitions: frozenset[int],
    judge: Judge,
    search: Search,
) -> list[Equality]:
    """The honest lines, later ones that state a premise, and those that may follow from them.

    Lines whose sides are both zero in the model say nothing. Identities are no steps of a derivation, but a reader may
    let one stand, so they count as derived here.
    """
    found = [line for line in lines[:honest] if line is not None]
    stated = {sides for premise in premises for sides in (premise.args, premise.args[::-1])}
    for number, line in enumerate(lines[honest:], start=honest + 1):
        if line is None or line.args in (goal.args, goal.args[::-1]):
            continue
        if line.lhs == line.rhs or line.args in stated or number in definitions:
            found.append(line)
            continue
        zeros = (Equality(side, Integer(0), evaluate=False) for side in line.args)
        if all(judge.truth(zero)[0] is Truth.TRUE for zero in zeros):
            continue
        if search.follows(line, found) is not Follows.NOT:
            found.append(line)
    return found
