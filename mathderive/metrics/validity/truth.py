"""Is an equation true? Numeric evaluation at random points, given what names stand for.

True means: both sides have the same value at the points, once functions are replaced by their definitions, derivatives
and integrals carried out, and constants of integration chosen. An indefinite integral's constant is open until an
equation says what the integral is; from then on that is what it stands for, unless an equation brings in a name of its
own for the constant. `docs/validity.md` says how points, tolerance and domains are chosen.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from sympy import Derivative, Expr, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.metrics.validity.integrals import holds, outer_integrals, standing_for
from mathderive.metrics.validity.meaning import (
    MORE_NODES,
    REGIONS,
    BudgetError,
    Definitions,
    Meaning,
)
from mathderive.metrics.validity.taylor import Array, UnsupportedError
from mathderive.symbolic.printer import latex

Sides = tuple[Expr, Expr]

SAME = 1e-8
"""Values closer than this, relative to the largest term, are the same."""

DIFFERENT = 1e-5
"""Values further apart than this differ; in between, nothing is said."""

MIN_POINTS = 3
"""Fewer points than this at which both sides have a value say nothing."""

GRID = {1: 9, 2: 5, 3: 4}
"""Values of each variable of integration, by how many there are, when constants are solved for."""

STARTS = (0.0, 1.0, -1.0, 0.4 + 0.5j, -0.6 - 0.3j)
"""Where the search for a constant begins that an equation is not linear in."""


@dataclass(frozen=True)
class Finding:
    """Whether an equation is true; None where that is not known, with the reason."""

    holds: bool | None
    reason: str = ""
    counterexample: dict[str, str] | None = None


@dataclass(frozen=True)
class Binding:
    """What an equation said an indefinite integral is.

    Attributes:
        constants: the names in it that its integrand lacks.
        requested: the prompt's wish says so, not an equation of the output.
    """

    integral: Integral
    value: Expr
    constants: frozenset[Symbol]
    requested: bool


@dataclass
class Context:
    """What is known before an equation.

    Attributes:
        bindings: what equations have said that integrals are.
        requested: the equations that the prompt wants; true ones name constants of integration.
        unresolved: premises whose truth cannot be arranged by giving names values.
    """

    definitions: Definitions = field(default_factory=Definitions)
    bindings: list[Binding] = field(default_factory=list)
    requested: list[Sides] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)

    def take_premise(self, sides: Sides) -> None:
        """Notes what a premise defines; or that it says something else, which no point need obey."""
        for name, body in (sides, sides[::-1]):
            if is_name(name) and not self.definitions.has(name) and not body.has(name):
                self.definitions.define(name, body)
                return
        for side, other in (sides, sides[::-1]):
            # Turned around, an equation of functions would say what their argument is.
            names = side.atoms(AppliedUndef) or (set() if other.has(AppliedUndef) else side.free_symbols)
            for name in sorted(names, key=str):
                if not other.has(name) and not self.definitions.has(name):
                    body = standing_for(name, side, other)
                    if body is not None and is_name(name) and not body.has(name):
                        self.definitions.define(name, body)
                        return
        if not holds(*sides, self.definitions):
            self.unresolved.append("a premise that defines nothing")

    def take_equation(self, sides: Sides, requested: bool = False) -> None:
        """Notes what a true equation says an indefinite integral is, if it does."""
        for side, other in (sides, sides[::-1]):
            for integral in outer_integrals(side):
                if other.has(Integral):
                    continue
                value = standing_for(integral, side, other)
                if value is None or value.has(Integral) or any(b.value == value for b in self._bindings_of(integral)):
                    continue
                if self.is_antiderivative(value, integral):
                    constants = frozenset(value.free_symbols - integral.function.free_symbols)
                    self.bindings.append(Binding(integral, value, constants, requested))

    def is_antiderivative(self, value: Expr, integral: Integral) -> bool:
        return holds(_derivative(value, integral), integral.function, self.definitions)

    def decide(self, sides: Sides, fresh: Collection[Symbol]) -> Finding:
        """Whether an equation is true.

        Args:
            fresh: names that no earlier equation has.
        """
        wanted, self.requested = self.requested, []
        for equation in wanted:
            symbols = frozenset().union(*(side.free_symbols for side in equation))
            if any(map(outer_integrals, equation)) and self._finding(equation, symbols).holds:
                self.take_equation(equation, requested=True)
        finding = self._finding(sides, fresh)
        if finding.holds is False and self.unresolved:
            return Finding(None, f"not true by definitions alone; there is {self.unresolved[0]}")
        return finding

    def _finding(self, sides: Sides, fresh: Collection[Symbol]) -> Finding:
        try:
            with np.errstate(all="ignore"):
                return self._decide(sides, fresh)
        except (BudgetError, UnsupportedError) as error:
            return Finding(None, str(error))

    def _decide(self, sides: Sides, fresh: Collection[Symbol]) -> Finding:
        integrals = [part for side in sides for part in side.atoms(Integral) if all(len(li) == 1 for li in part.limits)]
        if not integrals:
            return self._compare(sides, {})
        names = {symbol for side in sides for symbol in side.free_symbols}
        by_prompt: set[Symbol] = set()
        bound: list[dict[Integral, Expr]] = [{}]
        open_ones = []
        for integral in dict.fromkeys(integrals):
            known = self._bindings_of(integral)
            said = [b for b in known if not b.requested] or [b for b in known if b.constants & names]
            by_prompt |= {symbol for b in known for symbol in b.constants}
            if said:
                bound = [{**others, integral: b.value} for others in bound for b in (said[0], said[-1])][:4]
            else:
                open_ones.append(integral)
        first = None
        for choice in bound:
            finding = self._compare(sides, choice)
            if finding.holds:
                return finding
            first = first or finding
        plain = self._compare(sides, {}) if bound != [{}] else first
        assert first is not None
        assert plain is not None
        if plain.holds:
            return plain
        release = set(fresh) - by_prompt
        if open_ones or release:
            choice = {} if release else bound[0]
            with_constants = self._with_constants(sides, choice)
            if with_constants is None:
                return Finding(None, "no constant of integration was found that makes it true")
            if with_constants:
                return Finding(True)
            return Finding(False, f"whatever the constants of integration; {first.reason}", first.counterexample)
        return first

    def _bindings_of(self, integral: Integral) -> list[Binding]:
        return [
            binding
            for binding in self.bindings
            if binding.integral.variables == integral.variables
            and holds(binding.integral.function, integral.function, self.definitions)
        ]

    def _compare(self, sides: Sides, bound: Mapping[Integral, Expr]) -> Finding:
        """Compares the sides at the points of each region, until it is true in one."""
        worst: Finding | None = None
        usable_anywhere = False
        for region in range(len(REGIONS)):
            meaning = Meaning(self.definitions, region, bound=bound)
            left, right = np.broadcast_arrays(meaning.value(sides[0]), meaning.value(sides[1]))
            usable = np.isfinite(left) & np.isfinite(right)
            if any(side.has(Integral) for side in sides) or self.definitions.exact:
                finer = Meaning(self.definitions, region, MORE_NODES, bound=bound)
                for side, values in zip(sides, (left, right), strict=True):
                    usable &= np.abs(finer.value(side) - values) <= SAME * (np.abs(values) + 1e-9)
            if usable.sum() < min(MIN_POINTS, left.size):
                continue
            usable_anywhere = True
            scale = np.broadcast_to(meaning.scale(sides[0]) + meaning.scale(sides[1]), left.shape)
            off = np.abs(left - right) / np.where(scale > 0, scale, 1)
            same = usable & (off <= SAME)
            if same.sum() >= min(2, left.size):
                return Finding(True)
            different = usable & (off >= DIFFERENT)
            if different.sum() < usable.sum():
                worst = worst or Finding(None, "too close to tell")
            elif worst is None or worst.holds is None:
                place = int(np.argmax(np.where(different, off, -1)))
                worst = self._counterexample(sides, meaning, place, left, right)
        if worst is not None:
            return worst
        return Finding(None, "too few values are accurate" if usable_anywhere else "it has no value at any point tried")

    def _counterexample(self, sides: Sides, meaning: Meaning, place: int, left: Array, right: Array) -> Finding:
        example: dict[str, str] = {}
        names = {name for side in sides for name in side.atoms(Symbol, AppliedUndef) if not self.definitions.has(name)}
        for name in sorted(names, key=str):
            values = meaning.value(name)
            example[latex(name)] = _number(values[place % values.size])
        reason = f"the left side is {_number(left[place])} where the right one is {_number(right[place])}"
        return Finding(False, reason, example)

    def _with_constants(self, sides: Sides, bound: Mapping[Integral, Expr]) -> bool | None:
        """Whether open integrals can have constants that make the equation true; None where that was not found out."""
        integrals = [integral for side in sides for integral in outer_integrals(side) if integral not in bound]
        classes = self._classes(list(dict.fromkeys(integrals)))
        variables = sorted({variable for group in classes for variable in group[0].variables}, key=str)
        if not classes or len(variables) not in GRID:
            return False if not classes else None
        answers = [self._solve(sides, bound, classes, variables, region, point) for region in (0, 1) for point in (0, 3)]
        if any(answer is False for answer in answers):
            # A branch or a pole in one region says nothing about the other.
            return all(answer is True for answer in answers[:2]) or all(answer is True for answer in answers[2:])
        return True if all(answers) else None

    def _classes(self, integrals: Sequence[Integral]) -> list[list[Integral]]:
        """Integrals that are the same one, and so have the same constant, together."""
        classes: list[list[Integral]] = []
        for integral in integrals:
            for group in classes:
                if group[0].variables == integral.variables and holds(
                    group[0].function, integral.function, self.definitions
                ):
                    group.append(integral)
                    break
            else:
                classes.append([integral])
        return classes

    def _solve(
        self,
        sides: Sides,
        bound: Mapping[Integral, Expr],
        classes: list[list[Integral]],
        variables: list[Symbol],
        region: int,
        point: int,
    ) -> bool | None:
        """Solves for the constants on a grid of the variables of integration, where all other names stay put."""
        steps = GRID[len(variables)]
        low, high = REGIONS[region]
        line = low + (high - low) * (np.arange(steps) + 0.37) / steps
        grid = np.array(list(product(line, repeat=len(variables))), complex).T
        values = dict(zip(variables, grid, strict=True))

        def residual(constants: Sequence[complex]) -> tuple[Array, Array]:
            of = {integral: np.full(1, c) for group, c in zip(classes, constants, strict=True) for integral in group}
            meaning = Meaning(self.definitions, region, values=values, bound=bound, constants=of, point=point)
            difference = meaning.value(sides[0]) - meaning.value(sides[1])
            scale = meaning.scale(sides[0]) + meaning.scale(sides[1])
            shape = grid.shape[1:]
            return np.broadcast_to(difference, shape), np.broadcast_to(scale, shape)

        nothing = np.zeros(len(classes))
        start, scale = residual(nothing)
        usable = np.isfinite(start)
        if usable.sum() < MIN_POINTS:
            return None
        units = np.eye(len(classes))
        slopes = [residual(unit)[0] - start for unit in units]
        mixture = np.linspace(0.7, 1.9, len(classes))
        predicted = start + sum(m * slope for m, slope in zip(mixture, slopes, strict=True))
        actual, more = residual(mixture)
        if not (np.abs(actual - predicted)[usable] <= SAME * (scale + more)[usable]).all():
            return self._search(residual, usable) if len(classes) == 1 else None
        columns = []
        for group, slope in zip(classes, slopes, strict=True):
            others = [v for v in variables if v not in group[0].variables]
            keys = [tuple(values[v][place] for v in others) for place in range(grid.shape[1])]
            columns += [np.where([key == one for key in keys], slope, 0) for one in dict.fromkeys(keys)]
        matrix = np.array(columns).T[usable]
        solution = np.linalg.lstsq(matrix, -start[usable], rcond=None)[0]
        left_over = np.abs(matrix @ solution + start[usable])
        return bool((left_over <= 1e2 * SAME * (1e-9 + scale[usable] + np.abs(matrix) @ np.abs(solution))).all())

    def _search(self, residual: Callable[[Sequence[complex]], tuple[Array, Array]], usable: Array) -> bool | None:
        """Looks for the constant that the equation is not linear in, from several starts, by the secant method."""
        first = int(np.flatnonzero(usable)[0])
        converged = 0
        for start in STARTS:
            before, here = complex(start), complex(start) + 0.01
            value = residual([before])[0][first]
            for _ in range(25):
                now, scale = (array[first] for array in residual([here]))
                if not np.isfinite(now) or now == value:
                    break
                if abs(now) <= 1e-12 * scale:
                    break
                before, here, value = here, here - now * (here - before) / (now - value), now
            difference, scale = residual([here])
            if not np.isfinite(difference[first]) or abs(difference[first]) > SAME * scale[first]:
                continue
            converged += 1
            if (np.abs(difference)[usable] <= 1e2 * SAME * scale[usable]).all():
                return True
        return False if converged >= MIN_POINTS else None


def is_name(expression: Expr) -> bool:
    """Whether it can be defined: a symbol, or an undefined function of distinct symbols."""
    if isinstance(expression, AppliedUndef):
        distinct = len(set(expression.args)) == len(expression.args)
        return distinct and all(isinstance(part, Symbol) for part in expression.args)
    return isinstance(expression, Symbol)


def _derivative(value: Expr, integral: Integral) -> Expr:
    return Derivative(value, *[(variable, 1) for variable in integral.variables], evaluate=False)


def _number(value: complex) -> str:
    if abs(value.imag) <= 1e-12 * abs(value):
        return f"{value.real:.6g}"
    return f"{value.real:.6g} {'-' if value.imag < 0 else '+'} {abs(value.imag):.6g} i"
