"""Is an equation true? The slow judge of the checker: both sides as power series near random points.

An equation is true where it holds for all values of its names, given what the premises define. Its integrals may be
any antiderivatives, as long as those that an earlier equation has fixed stay: after `∫ f dx = F + C`, the left side is
that antiderivative, and with two constants in one equation the second is what the first makes it. An equation that
only another choice would make true is neither true nor false but *depends*; nor is one decided that the series
cannot express or that two points judge differently.

Names have complex values near 1, except in equations with branches (roots, logarithms, absolute values, inverse
functions): those are judged at positive values of the names, and are false as soon as they fail at one point.

Premises that define nothing are conditions. The judge solves one condition for a plain name, numerically, and judges
equations at the solutions; with other conditions nothing is decided, unless the caller gives a *witness*: definitions
that satisfy the conditions, in place of the premises. What is false for a witness is not true in every model.

Nothing here knows a rule of differentiation or integration, and nothing is shared with `mathderive.checker`.
"""

import enum
from collections.abc import Iterable, Sequence
from math import comb

from mpmath import mp
from sympy import Derivative, Equality, Integral, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from tests.validity_corpus.conditions import solve_condition
from tests.validity_corpus.model import DIGITS, DegreeError, HiddenChoiceError, Model, UndecidableError
from tests.validity_corpus.point import Point, State
from tests.validity_corpus.premises import has_branches, required_digits, sort_premises

MOVES = 6
"""How many times a bad point (a pole, a large value) is replaced."""

EXTRA_DEGREES = 4
"""Degrees that the series of a side has left after all derivatives; fixing a choice in it may cost some."""

MAX_DEGREE = 14

BRANCH_POINTS = 16
"""The number of points for an equation with branches, or with a condition; half of them have to be good ones."""

FAILURES = 3
"""The number of those at which an equation with integrals has to fail."""

MAX_COMPUTED_DIGITS = 300_000
"""The largest number of digits of all coefficients of a series, where more digits than usual are needed."""


class Truth(enum.Enum):
    TRUE = "true"
    FALSE = "false"
    DEPENDS = "depends"
    UNDECIDED = "undecided"


class Judge:
    """Judges the equations of derivations from the same premises.

    Args:
        premises: the equations that are given, or a witness for them.
        equations: all equations that will be judged, so that all have the same variables.
        constants: the names of integration constants.
        seed: the seed of the points.
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
        everything = (*premises, *equations)
        operated = {name for equation in everything for name in _operated_by(equation)}
        sorted_premises = sort_premises(premises, operated)
        self._functions = sorted_premises.functions
        self._names, self._conditions = sorted_premises.names, sorted_premises.conditions
        self._constants = frozenset(constants)
        self._seed, self._count = seed, points
        names = set().union(*(equation.atoms(Symbol) for equation in everything))
        self._axes = sorted(names - (self._constants - operated) - {*self._names}, key=lambda name: name.name)
        self._degree = min(MAX_DEGREE, EXTRA_DEGREES + max(map(self._order, everything)))
        self._premises_have_branches = any(map(has_branches, premises))
        self._everything = everything
        # A choice that makes an equation hold may be missed at some points.
        self._may_choose = any(one.has(Integral) for one in everything)
        self._digits: int | None = None
        self._points: dict[tuple[int, int, bool], Point] = {}
        self._verdicts: dict[tuple[State, Equality], tuple[Truth, State, str]] = {}

    def truth(self, equation: Equality, state: State = ()) -> tuple[Truth, State]:
        """Whether the equation is true after the equations of `state`, and the state after it."""
        key = (state, equation)
        if key not in self._verdicts:
            self._verdicts[key] = self._truth_with_digits(equation, state)
        return self._verdicts[key][:2]

    def reason(self, equation: Equality, state: State = ()) -> str:
        """Why an equation is undecided."""
        return self._verdicts[(state, equation)][2]

    def _truth_with_digits(self, equation: Equality, state: State) -> tuple[Truth, State, str]:
        try:
            self._digits = self._digits or required_digits(self._everything)
        except UndecidableError as error:
            return Truth.UNDECIDED, state, str(error)
        coefficients = comb(len(self._axes) + self._degree, self._degree)
        if self._digits > DIGITS and coefficients * self._digits > MAX_COMPUTED_DIGITS:
            return Truth.UNDECIDED, state, "too many digits for so many names"
        with mp.workdps(self._digits):
            return self._truth(equation, state)

    def _truth(self, equation: Equality, state: State) -> tuple[Truth, State, str]:
        is_real = self._premises_have_branches or any(map(has_branches, (equation, *state)))
        # Such an equation may hold in one region and fail in another.
        has_regions = bool(self._conditions) or has_branches(equation)
        count = BRANCH_POINTS if has_regions else self._count
        enough = (FAILURES if has_regions else min(count, 2)) if self._may_choose else 1
        found, reason = [], ""
        for number in range(count):
            for move in range(MOVES):
                try:
                    found.append(self._point(number, move, is_real).holds(equation, state))
                    break
                except HiddenChoiceError as error:
                    return Truth.UNDECIDED, state, str(error)
                except UndecidableError as error:
                    reason = str(error)
                except DegreeError:
                    return Truth.UNDECIDED, state, "more derivatives than are computed"
            failures = [holds for holds, _ in found].count(False)
            if failures >= enough and (failures == len(found) or (has_regions and (True, True) not in found)):
                return self._what_fails(equation, state), state, ""
        if len(found) < (count // 2 if has_regions else count) or len({*found}) > 1:
            return Truth.UNDECIDED, state, reason or "the points differ"
        if found[0][0]:
            if found[0][1] and self._shares_constant(equation, state):
                return Truth.DEPENDS, state, ""
            return Truth.TRUE, (*state, equation) if found[0][1] else state, ""
        return self._what_fails(equation, state), state, ""

    def _what_fails(self, equation: Equality, state: State) -> Truth:
        """The truth of an equation that fails after those of `state`."""
        depends = state and self.truth(equation)[0] is Truth.TRUE
        return Truth.DEPENDS if depends else Truth.FALSE

    def _shares_constant(self, equation: Equality, state: State) -> bool:
        """Whether all constants of an equation that fixes an integral are those of earlier equations.

        It would tie the integral to another one, which nothing asks for.
        """
        named = equation.free_symbols & self._constants
        return bool(named) and named <= set().union(*(one.free_symbols for one in state))

    def _point(self, number: int, move: int, is_real: bool) -> Point:
        key = (number, move, is_real)
        if key not in self._points:
            salt = f"{self._seed} {number} {move}"
            # Large values are what makes most points bad ones.
            model = Model(self._axes, self._degree, self._functions, salt, is_real=is_real, reach=10 / (1 + move))
            for name, body in self._names.items():
                model.values[name] = model.evaluate(body)
            if self._conditions:
                solve_condition(model, self._conditions)
            self._points[key] = Point(model, self._constants)
        return self._points[key]

    def _order(self, expression: Basic) -> int:
        """How many derivatives stand within one another, those of definitions included."""
        deepest = max(map(self._order, expression.args), default=0)
        if isinstance(expression, Derivative):
            return deepest + sum(count.p for _, count in expression.variable_count if count.is_Integer)
        if isinstance(expression, AppliedUndef):
            bodies = self._functions.get((expression.func.__name__, len(expression.args)), ())
            return max([deepest, *(self._order(body) for _, body in bodies)])
        return deepest


def _operated_by(equation: Equality) -> set[Symbol]:
    """The variables of derivatives and integrals."""
    by = (limit[0] for node in equation.atoms(Derivative, Integral) for limit in node.args[1:])
    return {name for variable in by for name in variable.atoms(Symbol)}
