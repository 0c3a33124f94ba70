"""Decides whether an equation is true, by numeric evaluation at random points.

An equation is true if both sides have the same value at the points, after functions are replaced by their definitions,
derivatives and integrals are carried out, and constants of integration are chosen. The constant of an indefinite
integral is open until an equation gives the integral's value; then the integral has that value, unless an equation
introduces its own name for the constant. `docs/validity.md` says how points, tolerance and domains are chosen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from sympy import Derivative, Expr, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.constants import NEGLIGIBLE, constants_exist
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
"""Maximum distance of equal values, relative to the largest term."""

DIFFERENT = 1e-5
"""Minimum distance of different values, relative to the largest term; between the two, the comparison is undecided."""

MIN_POINTS = 3
"""Minimum number of points at which both sides need a value."""

MAX_UNFOLDED = 3
"""Maximum depth of definitions within definitions that are followed to find integrals."""

MAX_CANDIDATE_NAMES = 4
"""Maximum number of names, beside those of the premises, among which a new one may be an alias of an old one."""


@dataclass(frozen=True)
class Decision:
    """Whether an equation is true.

    Attributes:
        holds: None where that is not known.
        reason: why it is false or not known.
        counterexample: values of names at which a false equation fails.
        alias: two names that have to be one constant of integration for the equation to be true.
    """

    holds: bool | None
    reason: str = ""
    counterexample: dict[str, str] | None = None
    alias: tuple[Symbol, Symbol] | None = None


@dataclass(frozen=True)
class IntegralValue:
    """The value that an equation gives an indefinite integral.

    Attributes:
        constants: the names in the value that the integrand lacks.
        requested: whether an equation of the prompt gives the value, not one of the answer.
    """

    integral: Integral
    value: Expr
    constants: frozenset[Symbol]
    requested: bool


@dataclass
class Context:
    """The assumptions before an equation, and the values that earlier equations give integrals.

    Attributes:
        definitions: the assumptions about names.
        integral_values: what earlier equations say integrals are.
        requested: the equations that the prompt asks for and that were not looked at yet; true ones name constants.
        unresolved: premises that no definition of a name makes true.
    """

    definitions: Definitions = field(default_factory=Definitions)
    integral_values: list[IntegralValue] = field(default_factory=list)
    requested: list[Sides] = field(default_factory=list)
    premise_symbols: set[Symbol] = field(default_factory=set)
    requested_symbols: set[Symbol] = field(default_factory=set)
    unresolved: list[str] = field(default_factory=list)

    def take_premise(self, sides: Sides) -> None:
        """Notes the name that a premise defines, or that it defines none, so that no point need obey it."""
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
        """Notes the values that a true equation gives indefinite integrals."""
        sides = self._unfolded(sides)
        for side, other in (sides, sides[::-1]):
            if other.has(Integral):
                continue
            for integral in outer_integrals(side):
                value = standing_for(integral, side, other)
                if value is None or value.has(Integral):
                    continue
                known = self._values_of(integral)
                if any(one.value == value and one.requested == requested for one in known):
                    continue
                if self._is_antiderivative(value, integral):
                    constants = frozenset(value.free_symbols - integral.function.free_symbols)
                    new = IntegralValue(integral, value, constants, requested)
                    self._identify(new, known)
                    self.integral_values.append(new)

    def _identify(self, new: IntegralValue, known: Sequence[IntegralValue]) -> None:
        """Makes two constants of one integral the same constant."""
        for one in known:
            for name in new.constants - one.constants - self.premise_symbols:
                for other in one.constants - new.constants:
                    if holds(new.value.xreplace({name: other}), one.value, self.definitions):
                        alias = self._alias(name, other)
                        if alias is not None:
                            self.definitions.exact[alias[0]] = alias[1]

    def _alias(self, name: Symbol, other: Symbol) -> tuple[Symbol, Symbol] | None:
        """The two names as an alias and what it stands for; None where they are the same or cannot be made so."""
        name, other = self.definitions.root(name), self.definitions.root(other)
        return None if name == other or self.definitions.has(name) else (name, other)

    def _is_antiderivative(self, value: Expr, integral: Integral) -> bool:
        return holds(derivative_by(value, integral), integral.function, self.definitions)

    def _unfolded(self, sides: Sides) -> Sides:
        """The sides with the integrals in place of functions that are defined as integrals."""
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

    def take_requested(self) -> None:
        """Notes the integrals' values in those equations of the prompt that are true."""
        wanted, self.requested = self.requested, []
        for equation in wanted:
            self.requested_symbols |= {symbol for side in equation for symbol in side.free_symbols}
        for equation in wanted:
            names = frozenset().union(*(side.free_symbols for side in equation)) - self.premise_symbols
            decision = self._decision(equation, names)
            self.assume(decision)
            if decision.holds:
                self.take_equation(equation, requested=True)

    def decide(self, sides: Sides, fresh: Collection[Symbol]) -> Decision:
        """Whether an equation is true.

        Args:
            fresh: names that no earlier equation has.
        """
        decision = self._decision(sides, fresh)
        if decision.holds is False and self.unresolved:
            return Decision(None, f"not true by definitions alone; there is {self.unresolved[0]}")
        return decision

    def assume(self, decision: Decision) -> None:
        """Makes the names that a true equation needs to be one constant the same."""
        if decision.alias is not None:
            self.definitions.exact[decision.alias[0]] = decision.alias[1]

    def _decision(self, sides: Sides, fresh: Collection[Symbol]) -> Decision:
        try:
            with np.errstate(all="ignore"):
                decision = self._decide(self._unfolded(sides), fresh)
                if decision.holds is False:
                    alias = self._needed_alias(sides, fresh)
                    return decision if alias is None else Decision(True, alias=alias)
                return decision
        except (BudgetError, UnsupportedError) as error:
            return Decision(None, str(error))

    def _needed_alias(self, sides: Sides, fresh: Collection[Symbol]) -> tuple[Symbol, Symbol] | None:
        """A name that the prompt asks for and a constant of integration that make the equation true as one name."""
        constants = {symbol for side in sides for symbol in side.free_symbols} - self.premise_symbols
        if len(constants) > MAX_CANDIDATE_NAMES:
            return None
        for name in sorted(constants & set(fresh) & self.requested_symbols, key=str):
            for other in sorted(constants - {name}, key=str):
                alias = self._alias(name, other)
                if alias is None:
                    continue
                trial = replace(self, definitions=self.definitions.with_alias(*alias))
                if trial._decide(trial._unfolded(sides), ()).holds:
                    return alias
        return None

    def _decide(self, sides: Sides, fresh: Collection[Symbol]) -> Decision:
        integrals = [part for side in sides for part in side.atoms(Integral) if all(len(li) == 1 for li in part.limits)]
        if not integrals:
            return self._compare(sides, {})
        names = {symbol for side in sides for symbol in side.free_symbols}
        said: dict[Integral, Expr] = {}
        said_last: dict[Integral, Expr] = {}
        wished: dict[Integral, Expr] = {}
        for integral in dict.fromkeys(integrals):
            values = self._values_of(integral)
            by_answer = [one.value for one in values if not one.requested]
            by_prompt = [one.value for one in values if one.requested and one.constants & names]
            if by_answer:
                said[integral], said_last[integral] = by_answer[0], by_answer[-1]
            if by_prompt:
                wished[integral] = by_prompt[0]
        first = self._compare(sides, said)
        choices: tuple[dict[Integral, Expr], ...] = (said_last, {**said, **wished}, {})
        if first.holds or any(self._compare(sides, choice).holds for choice in choices if choice != said):
            return Decision(True)
        if fresh or len(said) < len(set(integrals)):
            found = constants_exist(sides, self.definitions, {} if fresh else said)
            if found is None:
                return Decision(None, "no constant of integration was found that makes it true")
            if found:
                return Decision(True)
            if first.holds is False:
                return Decision(False, f"whatever the constants of integration; {first.reason}", first.counterexample)
        return first

    def _values_of(self, integral: Integral) -> list[IntegralValue]:
        return [
            known
            for known in self.integral_values
            if known.integral.variables == integral.variables
            and holds(known.integral.function, integral.function, self.definitions)
        ]

    def _compare(self, sides: Sides, bound: Mapping[Integral, Expr]) -> Decision:
        """Compares the sides; a derivative by a function is tried in both its interpretations."""
        by_function = any(
            isinstance(variable, AppliedUndef)
            for side in sides
            for derivative in side.atoms(Derivative)
            for variable, _ in derivative.variable_count
        )
        decision = self._compare_values(sides, bound, by_function)
        return decision if decision.holds or not by_function else self._compare_values(sides, bound, False)

    def _compare_values(self, sides: Sides, bound: Mapping[Integral, Expr], independent: bool) -> Decision:
        """Compares the sides at the points of each region; they are equal if they are so in one region."""
        sides = without_common_terms(sides)
        worst: Decision | None = None
        usable_anywhere = False
        apart = np.inf  # the smallest difference of the sides in earlier regions
        for region in range(len(REGIONS)):
            evaluator = Evaluator(self.definitions, region, bound=bound, independent=independent)
            left, right = np.broadcast_arrays(evaluator.value(sides[0]), evaluator.value(sides[1]))
            usable = np.isfinite(left) & np.isfinite(right)
            if any(side.has(Integral) for side in sides) or self.definitions.exact:
                finer = Evaluator(self.definitions, region, MORE_NODES, bound=bound, independent=independent)
                for side, values in zip(sides, (left, right), strict=True):
                    usable &= np.abs(finer.value(side) - values) <= SAME * (np.abs(values) + 1e-9)
            if usable.sum() < min(MIN_POINTS, left.size):
                continue
            usable_anywhere = True
            scale = np.broadcast_to(evaluator.scale(sides[0]) + evaluator.scale(sides[1]), left.shape)
            off = np.abs(left - right) / (scale + NEGLIGIBLE)
            # If the terms are too large to resolve the earlier difference, agreement here is inconclusive.
            same = usable & (off <= SAME) & (scale * SAME < apart)
            if same.sum() >= min(2, left.size):
                return Decision(True)
            different = usable & (off >= DIFFERENT)
            if different.sum() < usable.sum():
                worst = worst or Decision(None, "too close to tell")
                continue
            apart = min(apart, float(np.abs(left - right)[different].min()))
            if worst is None or worst.holds is None:
                place = int(np.argmax(np.where(different, off, -1)))
                worst = self._counterexample(sides, evaluator, place, left, right)
        if worst is not None:
            return worst
        return Decision(
            None, "too few values are accurate" if usable_anywhere else "there is no value at any point tried"
        )

    def _counterexample(self, sides: Sides, evaluator: Evaluator, place: int, left: Array, right: Array) -> Decision:
        example: dict[str, str] = {}
        names = {name for side in sides for name in side.atoms(Symbol, AppliedUndef) if not self.definitions.has(name)}
        for name in sorted(names, key=str):
            values = evaluator.value(name)
            example[latex(name)] = _number(values[place % values.size])
        reason = f"the left side is {_number(left[place])} where the right one is {_number(right[place])}"
        return Decision(False, reason, example)


def is_name(expression: Expr) -> bool:
    """Whether the expression can be defined: a symbol, or an undefined function of distinct symbols."""
    if isinstance(expression, AppliedUndef):
        distinct = len(set(expression.args)) == len(expression.args)
        return distinct and all(isinstance(part, Symbol) for part in expression.args)
    return isinstance(expression, Symbol)


def _number(value: complex) -> str:
    if abs(value.imag) <= 1e-12 * abs(value):
        return f"{value.real:.6g}"
    return f"{value.real:.6g} {'-' if value.imag < 0 else '+'} {abs(value.imag):.6g} i"
