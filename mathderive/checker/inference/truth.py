"""Is an equation true? Numeric evaluation at random points, given what names stand for.

True means: both sides have the same value at the points, once functions are replaced by their definitions, derivatives
and integrals carried out, and constants of integration chosen. An indefinite integral's constant is open until an
equation says what the integral is; from then on that is what it stands for, unless an equation brings in a name of its
own for the constant. `docs/validity.md` says how points, tolerance and domains are chosen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sympy import Derivative, Expr, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.constants import NOTHING, constants_exist
from mathderive.checker.inference.integrals import derivative_by, holds, outer_integrals, standing_for
from mathderive.checker.inference.rewriting import Sides, without_common_terms
from mathderive.checker.numeric.evaluator import (
    MORE_NODES,
    REGIONS,
    BudgetError,
    Definitions,
    Evaluator,
)
from mathderive.checker.numeric.taylor import Array, UnsupportedError
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

SAME = 1e-8
"""Values closer than this, relative to the largest term, are the same."""

DIFFERENT = 1e-5
"""Values further apart than this differ; in between, nothing is said."""

MIN_POINTS = 3
"""Fewer points than this at which both sides have a value say nothing."""

MAX_UNFOLDED = 3
"""Definitions within definitions that are followed to find integrals."""

MAX_CONSTANTS = 4
"""Names beside those of the premises among which a new one may be another name for an old one."""


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
    premise_symbols: set[Symbol] = field(default_factory=set)
    requested_symbols: set[Symbol] = field(default_factory=set)
    unresolved: list[str] = field(default_factory=list)

    def take_premise(self, sides: Sides) -> None:
        """Notes what a premise defines; or that it says something else, which no point need obey."""
        self.premise_symbols |= {symbol for side in sides for symbol in side.atoms(Symbol)}
        for name, body in (sides, sides[::-1]):
            if is_name(name) and not self.definitions.has(name) and not body.has(name):
                self.definitions.define(name, body)
                return
        for side, other in (sides, sides[::-1]):
            # Turned around, an equation of functions would say what their argument is.
            names = side.atoms(AppliedUndef) or (set() if other.has(AppliedUndef) else side.free_symbols)
            for name in sorted(names, key=str):
                if is_name(name) and not other.has(name) and not self.definitions.has(name):
                    body = standing_for(name, side, other)
                    if body is not None and not body.has(name):
                        self.definitions.define(name, body)
                        return
        if not holds(*sides, self.definitions):
            self.unresolved.append("a premise that defines nothing")

    def take_equation(self, sides: Sides, requested: bool = False) -> None:
        """Notes what a true equation says an indefinite integral is, if it does."""
        sides = self._unfolded(sides)
        for side, other in (sides, sides[::-1]):
            if other.has(Integral):
                continue
            for integral in outer_integrals(side):
                value = standing_for(integral, side, other)
                if value is None or value.has(Integral):
                    continue
                known = self._bindings_of(integral)
                if any(binding.value == value and binding.requested == requested for binding in known):
                    continue
                if self._is_antiderivative(value, integral):
                    constants = frozenset(value.free_symbols - integral.function.free_symbols)
                    binding = Binding(integral, value, constants, requested)
                    self._identify(binding, known)
                    self.bindings.append(binding)

    def _identify(self, new: Binding, known: Sequence[Binding]) -> None:
        """Two constants of one integral are the same constant."""
        for binding in known:
            for name in new.constants - binding.constants - self.premise_symbols:
                for other in binding.constants - new.constants:
                    if holds(new.value.xreplace({name: other}), binding.value, self.definitions):
                        self._equate(name, other)

    def _equate(self, name: Symbol, other: Symbol) -> Symbol | None:
        """Makes a name another name for a second one; returns the one that stands for the other from here on."""
        name, other = self.definitions.root(name), self.definitions.root(other)
        if name == other or self.definitions.has(name):
            return None
        self.definitions.exact[name] = other
        return name

    def _is_antiderivative(self, value: Expr, integral: Integral) -> bool:
        return holds(derivative_by(value, integral), integral.function, self.definitions)

    def _unfolded(self, sides: Sides) -> Sides:
        """The sides with functions that stand for integrals replaced by these."""
        for _ in range(MAX_UNFOLDED):
            bodies = {
                part: self.definitions.exact[part]
                for side in sides
                for part in side.atoms(AppliedUndef)
                if part in self.definitions.exact and self.definitions.exact[part].has(Integral)
            }
            if not bodies:
                break
            try:
                sides = (sides[0].xreplace(bodies), sides[1].xreplace(bodies))
            except SYMPY_ERRORS:
                break  # a derivative by such a function
        return sides

    def decide(self, sides: Sides, fresh: Collection[Symbol]) -> Finding:
        """Whether an equation is true.

        Args:
            fresh: names that no earlier equation has.
        """
        wanted, self.requested = self.requested, []
        for equation in wanted:
            self.requested_symbols |= {symbol for side in equation for symbol in side.free_symbols}
        for equation in wanted:
            names = frozenset().union(*(side.free_symbols for side in equation)) - self.premise_symbols
            if self._finding(equation, names).holds:
                self.take_equation(equation, requested=True)
        finding = self._finding(sides, fresh)
        if finding.holds is False and self.unresolved:
            return Finding(None, f"not true by definitions alone; there is {self.unresolved[0]}")
        return finding

    def _finding(self, sides: Sides, fresh: Collection[Symbol]) -> Finding:
        try:
            with np.errstate(all="ignore"):
                finding = self._decide(self._unfolded(sides), fresh)
                if finding.holds is False and self._with_one_constant(sides, fresh):
                    return Finding(True)
                return finding
        except (BudgetError, UnsupportedError) as error:
            return Finding(None, str(error))

    def _with_one_constant(self, sides: Sides, fresh: Collection[Symbol]) -> bool:
        """Whether an equation is true if a name that the prompt wants is another name for a constant of integration."""
        constants = {symbol for side in sides for symbol in side.free_symbols} - self.premise_symbols
        if len(constants) > MAX_CONSTANTS:
            return False
        for name in sorted(constants & set(fresh) & self.requested_symbols, key=str):
            for other in sorted(constants - {name}, key=str):
                equated = self._equate(name, other)
                if equated is None:
                    continue
                if self._decide(self._unfolded(sides), ()).holds:
                    return True
                del self.definitions.exact[equated]
        return False

    def _decide(self, sides: Sides, fresh: Collection[Symbol]) -> Finding:
        integrals = [part for side in sides for part in side.atoms(Integral) if all(len(li) == 1 for li in part.limits)]
        if not integrals:
            return self._compare(sides, {})
        names = {symbol for side in sides for symbol in side.free_symbols}
        said: dict[Integral, Expr] = {}
        said_last: dict[Integral, Expr] = {}
        wished: dict[Integral, Expr] = {}
        for integral in dict.fromkeys(integrals):
            known = self._bindings_of(integral)
            by_output = [binding.value for binding in known if not binding.requested]
            by_prompt = [binding.value for binding in known if binding.requested and binding.constants & names]
            if by_output:
                said[integral], said_last[integral] = by_output[0], by_output[-1]
            if by_prompt:
                wished[integral] = by_prompt[0]
        first = self._compare(sides, said)
        choices: tuple[dict[Integral, Expr], ...] = (said_last, {**said, **wished}, {})
        if first.holds or any(self._compare(sides, choice).holds for choice in choices if choice != said):
            return Finding(True)
        if fresh or len(said) < len(set(integrals)):
            found = constants_exist(sides, self.definitions, {} if fresh else said)
            if found is None:
                return Finding(None, "no constant of integration was found that makes it true")
            if found:
                return Finding(True)
            if first.holds is False:
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
        """Compares the sides; where there is a derivative by a function, in both meanings it can have."""
        by_function = any(
            isinstance(variable, AppliedUndef)
            for side in sides
            for derivative in side.atoms(Derivative)
            for variable, _ in derivative.variable_count
        )
        finding = self._compare_values(sides, bound, by_function)
        return finding if finding.holds or not by_function else self._compare_values(sides, bound, False)

    def _compare_values(self, sides: Sides, bound: Mapping[Integral, Expr], independent: bool) -> Finding:
        """Compares the sides at the points of each region, until it is true in one."""
        sides = without_common_terms(sides)
        worst: Finding | None = None
        usable_anywhere = False
        apart = np.inf  # how far the sides were apart in an earlier region, at least
        for region in range(len(REGIONS)):
            meaning = Evaluator(self.definitions, region, bound=bound, independent=independent)
            left, right = np.broadcast_arrays(meaning.value(sides[0]), meaning.value(sides[1]))
            usable = np.isfinite(left) & np.isfinite(right)
            if any(side.has(Integral) for side in sides) or self.definitions.exact:
                finer = Evaluator(self.definitions, region, MORE_NODES, bound=bound, independent=independent)
                for side, values in zip(sides, (left, right), strict=True):
                    usable &= np.abs(finer.value(side) - values) <= SAME * (np.abs(values) + 1e-9)
            if usable.sum() < min(MIN_POINTS, left.size):
                continue
            usable_anywhere = True
            scale = np.broadcast_to(meaning.scale(sides[0]) + meaning.scale(sides[1]), left.shape)
            off = np.abs(left - right) / (scale + NOTHING)
            # Where the terms are so large that a difference as before would not be seen, none is no news.
            same = usable & (off <= SAME) & (scale * SAME < apart)
            if same.sum() >= min(2, left.size):
                return Finding(True)
            different = usable & (off >= DIFFERENT)
            if different.sum() < usable.sum():
                worst = worst or Finding(None, "too close to tell")
                continue
            apart = min(apart, float(np.abs(left - right)[different].min()))
            if worst is None or worst.holds is None:
                place = int(np.argmax(np.where(different, off, -1)))
                worst = self._counterexample(sides, meaning, place, left, right)
        if worst is not None:
            return worst
        return Finding(None, "too few values are accurate" if usable_anywhere else "it has no value at any point tried")

    def _counterexample(self, sides: Sides, meaning: Evaluator, place: int, left: Array, right: Array) -> Finding:
        example: dict[str, str] = {}
        names = {name for side in sides for name in side.atoms(Symbol, AppliedUndef) if not self.definitions.has(name)}
        for name in sorted(names, key=str):
            values = meaning.value(name)
            example[latex(name)] = _number(values[place % values.size])
        reason = f"the left side is {_number(left[place])} where the right one is {_number(right[place])}"
        return Finding(False, reason, example)


def is_name(expression: Expr) -> bool:
    """Whether it can be defined: a symbol, or an undefined function of distinct symbols."""
    if isinstance(expression, AppliedUndef):
        distinct = len(set(expression.args)) == len(expression.args)
        return distinct and all(isinstance(part, Symbol) for part in expression.args)
    return isinstance(expression, Symbol)


def _number(value: complex) -> str:
    if abs(value.imag) <= 1e-12 * abs(value):
        return f"{value.real:.6g}"
    return f"{value.real:.6g} {'-' if value.imag < 0 else '+'} {abs(value.imag):.6g} i"
