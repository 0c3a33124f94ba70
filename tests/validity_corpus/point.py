"""Decides whether an equation holds near one point, and which integrals and constants it fixes there.

An equation such as `∫ f dx = F + C` says which antiderivative its integral is. If an equation does not hold at first,
the integrals that nothing has fixed yet are chosen anew, by Newton's method on whole series. If it still does not hold,
its new constants of integration, which are numbers, are solved for.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from typing import Any

from mpmath import mp, mpf
from sympy import (
    Abs,
    Add,
    Derivative,
    Equality,
    Expr,
    Integral,
    Mul,
    Pow,
    S,
    Symbol,
    cos,
    cosh,
    pi,
    preorder_traversal,
    sin,
)
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from tests.validity_corpus.model import Choice, HiddenChoiceError, Model, UndecidableError, agree
from tests.validity_corpus.series import Series, SingularError, constant, monomials, padded

State = tuple[Equality, ...]
"""The earlier equations that fixed an integral or a constant, in order."""

Improve = Callable[[Equality, list[Choice], list[Choice], int, dict[Symbol, Series]], Series]
"""Improves the choice at a position among the open ones, given the equation, the fixed choices and the values."""

PASSES = 4
"""Newton steps for each unknown. One is enough where the integral is a term or a factor of its side."""

LEAST_DEGREE = 3
"""The degree to which the sides have to be known; with fewer, some choice could make any equation hold."""

MAX_CORES = 8
"""The largest number of equations that are tried in place of one."""

MAX_UNKNOWNS = 80
"""The largest number of coefficients that are solved for at once."""


class Point:
    """One model, and the choices and values that equations fix in it.

    Args:
        model: a model without fixed choices.
        constants: the names of integration constants.
    """

    def __init__(self, model: Model, constants: Iterable[Symbol]) -> None:
        self._model = model
        self._constants = frozenset(constants)
        # Names that premises define have their value from the start.
        self._fixed: dict[State, tuple[list[Choice], dict[Symbol, Series]]] = {(): ([], dict(model.values))}

    def holds(self, equation: Equality, state: State) -> tuple[bool, bool]:
        """Whether the equation holds after those of `state`, and whether something had to be fixed for it.

        Raises:
            UndecidableError: it cannot be decided at this point.
            DegreeError: the series have too few degrees.
        """
        self._enter(state)
        if self._agree(equation):
            return True, False
        if not (self._fix_integrals(equation) or self._fix_constants(equation, state)):
            return False, False
        self._fixed[(*state, equation)] = (self._model.choices, self._model.values)
        return True, True

    def _enter(self, state: State) -> None:
        if state not in self._fixed and not self.holds(state[-1], state[:-1])[1]:
            raise UndecidableError("an earlier equation fixes nothing at this point")
        choices, values = self._fixed[state]
        self._assume(choices, values)

    def _assume(self, choices: list[Choice], values: dict[Symbol, Series]) -> None:
        self._model.choices, self._model.values = list(choices), dict(values)
        self._model.forget()

    def _agree(self, equation: Equality) -> bool:
        decision = self._decision(equation)
        if decision is None:
            raise UndecidableError("the digits do not decide")
        return decision

    def _decision(self, equation: Equality) -> bool | None:
        left, right = map(self._model.evaluate, equation.args)
        return agree(left, right, LEAST_DEGREE)

    def _difference(self, equation: Equality) -> Series:
        left, right = map(self._model.evaluate, equation.args)
        return left - right

    def _fix_integrals(self, equation: Equality) -> bool:
        """Chooses the open integrals such that the equation holds; changes nothing where that is impossible."""
        before, values = list(self._model.choices), dict(self._model.values)
        opened = list(self._model.open_choices)
        starts = (None, *self._likely_values(equation)) if opened else ()
        for core, start in product(cores(equation), starts):
            under_derivative = any(derivative.has(Integral, AppliedUndef) for derivative in core.atoms(Derivative))
            for improve in (self._newton, self._linear) if under_derivative else (self._newton,):
                self._assume(before, values)
                if self._choose(core, before, self._started(opened, start), values, improve) and self._decision(
                    equation
                ):
                    return True
        self._assume(before, values)
        if opened and any(len(part.limits) > 1 or part.function.has(Integral) for part in equation.atoms(Integral)):
            # The choice for the inner integral changes the choices that the outer one has.
            raise HiddenChoiceError("an open integral within an integral")
        return False

    def _likely_values(self, equation: Equality) -> list[Expr]:
        """Returns the sums that contain an integration constant, with and without their numerical term."""
        sums = [part for part in preorder_traversal(equation) if part.is_Add and part.free_symbols & self._constants]
        return list(dict.fromkeys(value for part in sums for value in (part, part - part.as_coeff_Add()[0])))

    def _started(self, opened: list[Choice], start: Expr | None) -> list[Choice]:
        """Returns the open integrals with the value of a likely expression as their first guess.

        The guess matters where an integral stands in a power, because there are several roots.
        """
        if start is None:
            return list(opened)
        value = self._model.evaluate(start)
        axes = [self._model.axes.index(choice.variable) for choice in opened]
        return [replace(choice, value=value.coefficient_of(axis, 0)) for choice, axis in zip(opened, axes, strict=True)]

    def _choose(
        self,
        equation: Equality,
        before: list[Choice],
        opened: list[Choice],
        values: dict[Symbol, Series],
        improve: Improve,
    ) -> bool:
        distance = mp.inf
        for _ in range(PASSES):
            self._assume([*before, *opened], values)
            if self._decision(equation):
                return True
            last, distance = distance, self._difference(equation).norm()
            # Coefficient by coefficient, each step is right to a higher degree, and higher coefficients may grow.
            if distance > last / 2 and improve != self._linear:
                break
            for position, choice in enumerate(opened):
                opened[position] = replace(choice, value=improve(equation, before, opened, position, values))
        self._assume([*before, *opened], values)
        return bool(self._decision(equation))

    def _newton(
        self,
        equation: Equality,
        before: list[Choice],
        opened: list[Choice],
        position: int,
        values: dict[Symbol, Series],
    ) -> Series:
        """Improves a choice by a Newton step on the difference of the sides."""
        choice, step_size = opened[position], _step_size()
        axis = self._model.axes.index(choice.variable)

        def difference(value: Series) -> Series:
            self._assume([*before, *_with_value(opened, position, value)], values)
            return self._difference(equation).coefficient_of(axis, 0)

        now = difference(choice.value)
        moved = difference(choice.value + constant(choice.value.axes, choice.value.degree, step_size))
        try:
            step = now * (moved - now).scaled(1 / step_size).reciprocal()
        except SingularError:
            return choice.value
        return choice.value - padded(step, choice.value.degree)

    def _linear(
        self,
        equation: Equality,
        before: list[Choice],
        opened: list[Choice],
        position: int,
        values: dict[Symbol, Series],
    ) -> Series:
        """Improves a choice coefficient by coefficient, for equations that contain only derivatives of it."""
        choice, step_size = opened[position], _step_size()
        axis = self._model.axes.index(choice.variable)
        places = [
            (degree, place)
            for degree in range(choice.value.degree + 1)
            for place, exponents in enumerate(monomials(choice.value.axes, degree))
            if not exponents[axis]
        ]
        if len(places) > MAX_UNKNOWNS:
            raise UndecidableError("too many unknowns")

        def difference(value: Series) -> list[Any]:
            self._assume([*before, *_with_value(opened, position, value)], values)
            return _dense(self._difference(equation))

        now = difference(choice.value)
        columns = []
        for degree, place in places:
            moved = difference(_moved(choice.value, degree, place, step_size))
            columns.append([(b - a) / step_size for a, b in zip(now, moved, strict=True)])
        value = choice.value
        for (degree, place), amount in zip(places, _solved(columns, now), strict=True):
            value = _moved(value, degree, place, -amount)
        return value

    def _fix_constants(self, equation: Equality, state: State) -> bool:
        """Gives one of the equation's new constants a value other than zero with which the equation holds.

        The value may depend on other constants, where something is differentiated by them, and on nothing else.
        """
        model = self._model
        choices, values = list(model.choices), dict(model.values)
        old = set().union(*(earlier.free_symbols for earlier in state))
        constants = equation.free_symbols & self._constants
        for name in sorted(constants - old - {*values} - {*model.axes}, key=str):
            # A constant in a power has several roots; the value of another constant is the likely one.
            for core, start in product(cores(equation), (name, *sorted(constants - {name}, key=str))):
                self._assume(choices, values)
                value = self._root(core, name, model.evaluate(start))
                if value is None:
                    continue
                self._assume(choices, {**values, name: value})
                if value.norm() > mp.mpf(10) ** (-mp.dps // 3) and self._decision(equation):
                    return True
        self._assume(choices, values)
        return False

    def _root(self, equation: Equality, name: Symbol, value: Series) -> Series | None:
        """Solves for the value of a constant with which the sides are equal; other constants may vary."""
        choices, values = list(self._model.choices), dict(self._model.values)
        others = [axis for axis, variable in enumerate(self._model.axes) if variable not in self._constants]

        def difference(value: Series) -> Series:
            self._assume(choices, {**values, name: value})
            found = self._difference(equation)
            for axis in others:
                found = found.coefficient_of(axis, 0)
            return found

        step_size = _step_size()
        step = constant(value.axes, value.degree, step_size)
        for _ in range(PASSES):
            now = difference(value)
            slope = (difference(value + step) - now).scaled(1 / step_size)
            try:
                value = value - padded(now * slope.reciprocal(), value.degree)
            except SingularError:
                return None
        return value


def cores(equation: Equality) -> list[Equality]:
    """Equations that imply the given one and are easier to solve, without what both sides have in common.

    `(1 + a)^x = (1 + b)^x` becomes `a = b`, and `cos(a) = cos(b)` becomes `a = b` or `a = -b`.
    """
    found: list[Equality] = []
    waiting: list[tuple[Basic, Basic]] = [equation.args]
    while waiting and len(found) < MAX_CORES:
        sides = waiting.pop(0)
        inside = _inside(*sides)
        waiting += inside
        if not inside:
            found.append(Equality(*sides, evaluate=False))
    return found


def _inside(left: Basic, right: Basic) -> list[tuple[Basic, Basic]]:
    for side, other in ((left, right), (right, left)):
        if isinstance(side, cos | cosh) and other == 1:
            return [(side.args[0], S.Zero)]
    if type(left) is not type(right) or not left.args or isinstance(left, AppliedUndef | Integral | Derivative):
        return []
    ours, theirs = list(left.args), list(right.args)
    if isinstance(left, Add | Mul):
        common = [part for part in ours if part in theirs]
        ours, theirs = ([part for part in parts if part not in common] for parts in (ours, theirs))
        return [(left.func(*ours), right.func(*theirs))] if common and ours and theirs else []
    differing = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    if len(differing) != 1:
        return []
    ((a, b),) = differing
    if isinstance(left, cos | cosh | Abs) or (isinstance(left, Pow) and left.exp == right.exp and left.exp.is_even):
        return [(a, b), (a, -b)]
    return [(a, b), (a, pi - b)] if isinstance(left, sin) else [(a, b)]


def _step_size() -> Any:
    """Returns the step of an unknown from which the change of the sides is measured."""
    return mpf(10) ** (-mp.dps * 2 // 5)


def _with_value(opened: list[Choice], position: int, value: Series) -> list[Choice]:
    """Returns the choices with another value of one of them."""
    return [*opened[:position], replace(opened[position], value=value), *opened[position + 1 :]]


def _dense(series: Series) -> list[Any]:
    return [
        coefficient
        for degree, part in enumerate(series.parts)
        for coefficient in (part or [0] * len(monomials(series.axes, degree)))
    ]


def _moved(series: Series, degree: int, place: int, by: Any) -> Series:
    """Returns the series with one coefficient changed."""
    parts = list(series.parts)
    part = list(parts[degree] or [0] * len(monomials(series.axes, degree)))
    part[place] += by
    parts[degree] = part
    return Series(series.axes, parts)


def _solved(columns: list[list[Any]], wanted: list[Any]) -> list[Any]:
    """Solves `sum x_i columns_i = wanted` by elimination, as far as it has a solution; free unknowns are zero."""
    rows = [[*row, target] for *row, target in zip(*columns, wanted, strict=True)]
    small = mp.mpf(10) ** (-mp.dps // 4)
    pivots: list[tuple[int, int]] = []
    top = 0
    for column in range(len(columns)):
        sizes = [abs(row[column]) for row in rows[top:]]
        if not sizes or max(sizes) < small:
            continue
        best = top + sizes.index(max(sizes))
        rows[top], rows[best] = rows[best], rows[top]
        pivot = rows[top]
        for number, row in enumerate(rows):
            if number != top and row[column]:
                factor = row[column] / pivot[column]
                rows[number] = [a - factor * b for a, b in zip(row, pivot, strict=True)]
        pivots.append((top, column))
        top += 1
    solution: list[Any] = [mp.mpf(0)] * len(columns)
    for place, column in pivots:
        solution[column] = rows[place][-1] / rows[place][column]
    return solution
