"""Decides whether two expressions are equal whatever the names in them are, so that no premise is needed.

Derivatives and integrals are carried out. A name that a premise defines is a function of the names that none defines,
so that its derivatives are not taken for 0.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property

from sympy import Derivative, Expr, Function, Integral, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.inference.truth import Context
from mathderive.checker.numeric.applications import Scope
from mathderive.checker.numeric.comparison import Comparer, precision
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.evaluator import BudgetError, Evaluator, IntegralClasses
from mathderive.checker.numeric.points import Stream
from mathderive.checker.numeric.taylor import UnsupportedError, head
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm

MAX_WORK = 25_000
"""Maximum count of values that are computed for one equation; beyond it, nothing more is found equal."""

MAX_FURTHER_WORK = 4_000
"""Maximum work once a step has been found."""

EXACT_POINTS = 8
"""Work of an exact comparison, in rough values: it takes more points and bits."""

APPLICATION = 8
"""Work of a function of the premises, in other operations."""

NODES = 64
"""Number of places at which a definite integral is evaluated."""

DRAWS = (0, 1)
"""Numbers of the points of the rough values."""

ROUGH_BITS = 160
"""Bits of the rough values."""

TOLERANCE = 1e-12
"""Maximum relative distance of equal rough values."""

LARGEST = 1e150
"""Bound on the real and imaginary parts of rough values."""

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
        on_every_branch: bool = False,
        tied: Collection[Symbol] = (),
    ) -> None:
        """
        Args:
            stream: the points.
            defined: the names that premises define.
            symbols: all names that may occur.
            closed: terms that stand for an expression.
            on_every_branch: whether expressions have to be equal on every branch of the functions in them.
            tied: names that may depend on others, so that nothing is known of their derivatives.
        """
        self._stream = stream
        self._defined = [name for name in sorted(defined, key=str) if name not in closed]
        self._symbols, self._closed, self._on_every_branch = symbols, closed, on_every_branch
        self._tied = frozenset(tied)
        self._rough: dict[Expr, Rough] = {}
        self._scopes = [Scope({}) for _ in DRAWS]
        self._classes: list[IntegralClasses] = [[] for _ in DRAWS]
        self._known: dict[Sides, bool] = {}
        self._left = MAX_WORK

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

    def limit_work(self) -> None:
        """Leaves little work for further comparisons."""
        self._left = min(self._left, MAX_FURTHER_WORK)

    def unfolded(self, expression: Expr) -> Expr:
        """The expression with the closed forms of the terms that have one."""
        return expression.xreplace(self._closed) if self._closed else expression

    def same(self, first: Expr, second: Expr) -> bool:
        """Whether two expressions are equal; equal indefinite integrals have the same constant."""
        if first == second:
            return True
        if (first, second) not in self._known:
            pair = self._with_tied_parts_as_names(first, second)
            self._known[first, second] = self._may_be_same(*pair) and self._compare(*pair)
        return self._known[first, second]

    def _with_tied_parts_as_names(self, first: Expr, second: Expr) -> Sides:
        if not self._tied:
            return first, second

        def is_tied(part: Expr) -> bool:
            return isinstance(part, Derivative | Integral) and not self._tied.isdisjoint(part.free_symbols)

        (first, second), _ = parts_as_names(first, second, which=is_tied)
        return first, second

    def same_with_constants(self, first: Expr, second: Expr, fresh: Collection[Symbol]) -> bool:
        """Whether two expressions with indefinite integrals are equal for some constants of integration.

        Args:
            fresh: the names that may be constants of integration.
        """
        if not self._may_spend(EXACT_POINTS * (self._work(first, {}) + self._work(second, {}))):
            return False
        context = Context(self._stream, definitions=self._definitions.copy())
        return bool(context.decide_strictly((first, second), fresh).holds)

    def _may_spend(self, work: int) -> bool:
        """Notes work; False where it would be too much."""
        if work > self._left:
            return False
        self._left -= work
        return True

    def _work(self, node: Basic, known: Mapping[Basic, object]) -> int:
        """About how many values an expression takes.

        Args:
            known: parts that take none.
        """
        if node in known:
            return 0
        inside = 1 + sum(self._work(part, known) for part in node.args)
        if isinstance(node, AppliedUndef):
            return APPLICATION * inside
        if isinstance(node, Derivative):
            return 2 * inside
        if isinstance(node, Integral) and any(len(limit) > 1 for limit in node.limits):
            return NODES * inside
        return inside

    def _compare(self, first: Expr, second: Expr) -> bool:
        if not self._may_spend(EXACT_POINTS * (self._work(first, {}) + self._work(second, {}))):
            return False
        try:
            comparer = Comparer(self._definitions, self._stream)
            found = comparer.compare(first, second, random_constants=True, only_equality=True)
            return bool(found.holds) and (found.on_every_branch or not self._on_every_branch)
        except (BudgetError, UnsupportedError):
            return False

    def _may_be_same(self, first: Expr, second: Expr) -> bool:
        """Whether the rough values of two expressions agree, where they have any."""
        values = self.rough_values(first), self.rough_values(second)
        if values[0] is None or values[1] is None:
            return True
        return all(
            abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1e-30) for a, b in zip(values[0], values[1], strict=True)
        )

    def rough_values(self, expression: Expr) -> Rough:
        """The values of an expression at two points; None where they are not known."""
        if expression not in self._rough:
            self._rough[expression] = self._roughly(expression)
        return self._rough[expression]

    def _roughly(self, expression: Expr) -> Rough:
        if not self._may_spend(len(DRAWS) * self._work(expression, self._scopes[0].known)):
            return None
        found: list[complex] = []
        for draw in DRAWS:
            with precision(ROUGH_BITS):
                try:
                    point, classes = self._stream.point(draw), self._classes[draw]
                    evaluator = Evaluator(self._definitions, point, random_constants=True, classes=classes)
                    evaluator.base = self._scopes[draw]  # what is equal in two expressions is evaluated once
                    value = head(evaluator.value(expression))
                    if value.rel_accuracy_bits() < ROUGH_BITS // 2:
                        return None
                    found.append(complex(float(value.real.mid()), float(value.imag.mid())))
                except (BudgetError, UnsupportedError, OverflowError, ValueError):
                    return None
        return rough(found)


def rough(values: Iterable[complex]) -> Rough:
    """Values as rough ones; None if one is none, or so large that its absolute value may overflow."""
    found = tuple(values)
    return found if all(abs(one.real) < LARGEST and abs(one.imag) < LARGEST for one in found) else None


def is_unknown(part: Expr) -> bool:
    """Whether algebra sees nothing of the inside of a part."""
    return isinstance(part, Derivative | Integral | AppliedUndef)


def parts_as_names(
    *expressions: Expr, which: Callable[[Expr], bool] = is_unknown
) -> tuple[tuple[Expr, ...], dict[Expr, Expr]]:
    """The expressions with a new name for each part of a kind, and what each name is for."""
    names: dict[Expr, Expr] = {}
    for expression in expressions:
        for part in _outermost_parts(expression, which):
            names.setdefault(part, Symbol(f"part {len(names)}"))
    replaced = tuple(expression.xreplace(names) for expression in expressions)
    return replaced, {name: part for part, name in names.items()}


def _outermost_parts(expression: Expr, which: Callable[[Expr], bool]) -> Iterator[Expr]:
    if which(expression):
        yield expression
        return
    for part in expression.args:
        if isinstance(part, Expr):
            yield from _outermost_parts(part, which)
