"""Labels for attempts: which lines are false, and that the goal was not derived."""

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Equality, I, Integer, Symbol, pi
from sympy.core.function import AppliedUndef

from mathderive.symbolic.latex.parser import LatexError, parse_equation
from mathderive.symbolic.renaming import names_of
from tests.validity_corpus.attacks.attempt import Attempt
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
    wanted = attempt.judged or range(1, len(lines) + 1)
    judged = {number: lines[number - 1] for number in wanted}
    present = {number: equation for number, equation in judged.items() if equation is not None}
    judge = Judge(known, list(present.values()), constants, seed)
    not_true = _false_lines(judge, present)
    if not_true:
        return LabelledAttempt(attempt, not_true)
    goal = _equation(attempt.goal, attempt)
    if goal is None or _is_derived(goal, lines, attempt.honest, judge, constants, seed):
        return None
    return LabelledAttempt(attempt, ())


def _equation(text: str, attempt: Attempt) -> Equality | None:
    try:
        equation = parse_equation(text)
        units = {Symbol(name): UNITS[name] for name in attempt.units}
        return Equality(*(side.xreplace(units) for side in equation.args), evaluate=False)
    except (LatexError, ValueError):
        return None  # no equation, or one that differentiates by the imaginary unit


def _false_lines(judge: Judge, equations: dict[int, Equality]) -> tuple[int, ...]:
    found = []
    state: State = ()
    for number, equation in equations.items():
        truth, state = judge.truth(equation, state)
        if truth is Truth.FALSE:
            found.append(number)
    return tuple(found)


def _is_derived(
    goal: Equality,
    lines: Sequence[Equality | None],
    honest: int,
    judge: Judge,
    constants: set[Symbol],
    seed: str,
) -> bool:
    """Whether the goal may follow from the honest lines, or from what follows from those.

    Lines whose sides are both zero in the model say nothing. Identities are no steps of a derivation, but a reader may
    let one stand, so what follows from one counts as derived.
    """
    equations = [line for line in lines if line is not None]
    search = Search(Judge([], [*equations, goal], constants, seed, points=1), seed)
    closure = [line for line in lines[:honest] if line is not None]
    for line in lines[honest:]:
        if line is None or line.args in (goal.args, goal.args[::-1]):
            continue
        if line.lhs == line.rhs:
            closure.append(line)
            continue
        is_void = all(judge.truth(Equality(side, Integer(0), evaluate=False))[0] is Truth.TRUE for side in line.args)
        if is_void:
            continue
        if _defines(line, closure) or search.follows(line, closure) is not Follows.NOT:
            closure.append(line)
    repeats = any(search.says_again(goal, line) is not Follows.NOT for line in closure)
    return repeats or search.follows(goal, closure) is not Follows.NOT


def _defines(line: Equality, before: Sequence[Equality]) -> bool:
    """Whether a line gives a new name to an expression."""
    used = frozenset().union(*map(names_of, before))
    return any(isinstance(side, AppliedUndef) and side.func.__name__ not in used for side in line.args)
