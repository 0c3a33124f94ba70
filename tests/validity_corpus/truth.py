"""Is an equation true? The slow judge of the validity checker: both sides as power series near random points.

An equation is true where it holds for all values of its names, given what the premises define. Its integrals may be
any antiderivatives, as long as those that an earlier equation has fixed stay: `∫ f dx = F + C` says which one the
left side is from there on, and with two constants in one equation the second is what the first makes it. An equation
that only another choice would make true is neither true nor false but *depends*; nor is one decided that the series
cannot express or that two points judge differently.

Nothing here knows a rule of differentiation or integration, and nothing is shared with `mathderive.metrics.validity`.
"""

import enum
from collections.abc import Iterable, Sequence

from mpmath import mp
from sympy import Derivative, Equality, Integral, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from tests.validity_corpus.model import DIGITS, Definition, DegreeError, HiddenChoiceError, Model, UndecidableError
from tests.validity_corpus.point import Point, State

MOVES = 6
"""A point that is a bad one (a pole, a large value) is replaced so many times."""

EXTRA_DEGREES = 4
"""Degrees that the series of a side has left after all derivatives; fixing a choice in it may cost some."""

MAX_DEGREE = 14


class Truth(enum.Enum):
    TRUE = "true"
    FALSE = "false"
    DEPENDS = "depends"
    UNDECIDED = "undecided"


def definitions_of(premises: Iterable[Equality]) -> dict[tuple[str, int], list[Definition]]:
    """What premises define: an undefined function of just the symbols of the other side, whichever side it is.

    Raises:
        ValueError: a premise is no definition.
    """
    found: dict[tuple[str, int], list[Definition]] = {}
    for premise in premises:
        for left, right in (premise.args, premise.args[::-1]):
            if isinstance(left, AppliedUndef) and {*left.args} == right.free_symbols:
                found.setdefault((left.func.__name__, len(left.args)), []).append((left.args, right))
                break
        else:
            raise ValueError(f"{premise} defines nothing")
    return found


class Judge:
    """Judges the equations of derivations from the same premises.

    Args:
        premises: what is given.
        equations: all equations that will be judged, so that all have the same variables.
        constants: the names of integration constants.
        seed: of the points.
        points: how many of them have to agree.
    """

    def __init__(
        self,
        premises: Sequence[Equality],
        equations: Sequence[Equality],
        constants: Iterable[Symbol],
        seed: str,
        points: int = 2,
    ) -> None:
        self.definitions = definitions_of(premises)
        self._constants = frozenset(constants)
        self._seed, self._count = seed, points
        everything = (*premises, *equations)
        names = set().union(*(equation.atoms(Symbol) for equation in everything))
        operated = {name for equation in everything for name in _operated_by(equation)}
        self._axes = sorted(names - (self._constants - operated), key=lambda name: name.name)
        self._degree = min(MAX_DEGREE, EXTRA_DEGREES + max(map(self._order, everything)))
        self._points: dict[tuple[int, int], Point] = {}
        self._verdicts: dict[tuple[State, Equality], tuple[Truth, State, str]] = {}

    def truth(self, equation: Equality, state: State = ()) -> tuple[Truth, State]:
        """Whether the equation is true after the equations of `state`, and the state after it."""
        key = (state, equation)
        if key not in self._verdicts:
            with mp.workdps(DIGITS):
                self._verdicts[key] = self._truth(equation, state)
        return self._verdicts[key][:2]

    def reason(self, equation: Equality, state: State = ()) -> str:
        """Why an equation is undecided."""
        return self._verdicts[(state, equation)][2]

    def _truth(self, equation: Equality, state: State) -> tuple[Truth, State, str]:
        found, reason = [], ""
        for number in range(self._count):
            for move in range(MOVES):
                try:
                    found.append(self._point(number, move).holds(equation, state))
                    break
                except HiddenChoiceError as error:
                    return Truth.UNDECIDED, state, str(error)
                except UndecidableError as error:
                    reason = str(error)
                except DegreeError:
                    return Truth.UNDECIDED, state, "more derivatives than are computed"
        if len(found) < self._count or len({*found}) > 1:
            return Truth.UNDECIDED, state, reason or "the points differ"
        holds, fixes = found[0]
        if holds:
            return Truth.TRUE, (*state, equation) if fixes else state, ""
        depends = state and self.truth(equation)[0] is Truth.TRUE
        return Truth.DEPENDS if depends else Truth.FALSE, state, ""

    def _point(self, number: int, move: int) -> Point:
        if (number, move) not in self._points:
            model = Model(self._axes, self._degree, self.definitions, f"{self._seed} {number} {move}")
            self._points[number, move] = Point(model, self._constants)
        return self._points[number, move]

    def _order(self, expression: Basic) -> int:
        """How many derivatives stand within one another, those of definitions included."""
        deepest = max(map(self._order, expression.args), default=0)
        if isinstance(expression, Derivative):
            return deepest + sum(count.p for _, count in expression.variable_count if count.is_Integer)
        if isinstance(expression, AppliedUndef):
            bodies = self.definitions.get((expression.func.__name__, len(expression.args)), ())
            return max([deepest, *(self._order(body) for _, body in bodies)])
        return deepest


def _operated_by(equation: Equality) -> set[Symbol]:
    """The variables of derivatives and integrals."""
    by = (limit[0] for node in equation.atoms(Derivative, Integral) for limit in node.args[1:])
    return {name for variable in by for name in variable.atoms(Symbol)}
