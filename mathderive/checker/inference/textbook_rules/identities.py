"""Decides whether two expressions are equal whatever the names in them are, so that no premise is needed.

Derivatives and integrals are carried out. A name that a premise defines is a function of the names that none defines,
so that its derivatives are not taken for 0.
"""

import math
from collections.abc import Collection, Mapping
from functools import cached_property

from sympy import Derivative, Expr, Function, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.integrals import outer_integrals
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.inference.truth import Context
from mathderive.checker.numeric.comparison import Comparer, precision
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.evaluator import BudgetError, Evaluator
from mathderive.checker.numeric.points import Stream
from mathderive.checker.numeric.taylor import UnsupportedError, head
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm

MAX_EXACT = 80
"""Maximum number of exact comparisons for one equation; nearly all pairs are told apart by rough values."""

DRAWS = (0, 1)
"""Numbers of the points of the rough values."""

ROUGH_BITS = 160
"""Bits of the rough values."""

TOLERANCE = 1e-12
"""Maximum relative distance of equal rough values."""

MAX_BASE = 6
"""Maximum number of names that a defined name is a function of."""

Rough = tuple[complex, ...] | None


class Identities:
    """Compares expressions without premises."""

    def __init__(
        self,
        stream: Stream,
        defined: Collection[Symbol],
        symbols: Collection[Symbol],
        closed: Mapping[OpaqueTerm, Expr],
    ) -> None:
        """
        Args:
            stream: the points.
            defined: the names that premises define.
            symbols: all names that may occur.
            closed: terms that stand for an expression.
        """
        self._stream = stream
        self._defined = [name for name in sorted(defined, key=str) if name not in closed]
        self._symbols, self._closed = symbols, closed
        self._rough: dict[Expr, Rough] = {}
        self._known: dict[Sides, bool] = {}
        self._left = MAX_EXACT

    @cached_property
    def _definitions(self) -> Definitions:
        found = Definitions()
        for term, body in self._closed.items():
            found.define(term, body)
        free = [one for one in sorted(self._symbols, key=str) if one not in self._defined]
        base = [one for one in free if not isinstance(one, OpaqueTerm)][:MAX_BASE]
        for name in self._defined if base else ():
            found.define(name, Function(f"{name.name} as a function")(*base))
        return found

    def same(self, first: Expr, second: Expr) -> bool:
        """Whether two expressions are equal; equal indefinite integrals have the same constant."""
        if first == second:
            return True
        if (first, second) not in self._known:
            self._known[first, second] = self._may_be_same(first, second) and self._compare(first, second)
        return self._known[first, second]

    def same_sides(self, first: Sides, second: Sides) -> bool:
        """Whether both sides of two equations are equal, in this order."""
        return self.same(first[0], second[0]) and self.same(first[1], second[1])

    def same_with_constants(self, first: Expr, second: Expr, fresh: Collection[Symbol]) -> bool:
        """Whether two expressions with indefinite integrals are equal for some constants of integration.

        Args:
            fresh: the names that may be constants of integration.
        """
        if self._left <= 0:
            return False
        self._left -= 1
        context = Context(self._stream, definitions=self._definitions.copy())
        return bool(context.decide_strictly((first, second), fresh).holds)

    def _compare(self, first: Expr, second: Expr) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        try:
            comparer = Comparer(self._definitions, self._stream)
            return bool(comparer.compare(first, second, random_constants=True).holds)
        except (BudgetError, UnsupportedError):
            return False

    def _may_be_same(self, first: Expr, second: Expr) -> bool:
        """Whether the rough values of two expressions agree, where they have any."""
        values = self._rough_values(first), self._rough_values(second)
        if values[0] is None or values[1] is None:
            return True
        return all(
            abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1e-30) for a, b in zip(values[0], values[1], strict=True)
        )

    def _rough_values(self, expression: Expr) -> Rough:
        """The values of an expression at two points; None where they are not known or depend on constants."""
        if expression not in self._rough:
            self._rough[expression] = self._roughly(expression)
        return self._rough[expression]

    def _roughly(self, expression: Expr) -> Rough:
        if outer_integrals(expression):
            return None
        found: list[complex] = []
        for draw in DRAWS:
            with precision(ROUGH_BITS):
                try:
                    value = head(Evaluator(self._definitions, self._stream.point(draw)).value(expression))
                    if value.rel_accuracy_bits() < ROUGH_BITS // 2:
                        return None
                    found.append(complex(float(value.real.mid()), float(value.imag.mid())))
                except (BudgetError, UnsupportedError, OverflowError, ValueError):
                    return None
        return tuple(found) if all(math.isfinite(abs(one)) for one in found) else None


def parts_as_names(*expressions: Expr) -> tuple[tuple[Expr, ...], dict[Expr, Expr]]:
    """The expressions with a new name for every derivative, integral and function of a premise, and what each is for.

    Algebra sees nothing of the inside of these parts.
    """
    names: dict[Expr, Expr] = {}
    for expression in expressions:
        for part in sorted(_outermost_parts(expression), key=str):
            names.setdefault(part, Symbol(f"part {len(names)}"))
    replaced = tuple(expression.xreplace(names) for expression in expressions)
    return replaced, {name: part for part, name in names.items()}


def _outermost_parts(expression: Expr) -> set[Expr]:
    if isinstance(expression, Derivative | Integral | AppliedUndef):
        return {expression}
    return set().union(*(_outermost_parts(part) for part in expression.args if isinstance(part, Expr)))
