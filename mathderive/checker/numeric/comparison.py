"""Compares two expressions at random points.

Balls that do not meet prove that two values differ. Balls that meet show equality only if no digits were lost: the
precision has to exceed the size of every number on the way several times over, else it is raised or the point is
inconclusive.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from flint import acb, ctx
from sympy import Expr, Integral

from mathderive.checker.numeric.any_branch import AnyBranchEvaluator
from mathderive.checker.numeric.branches import has_branches
from mathderive.checker.numeric.definitions import Definitions, has_infinity
from mathderive.checker.numeric.evaluator import BudgetError, Evaluator
from mathderive.checker.numeric.points import Point, Stream
from mathderive.checker.numeric.sizes import CANCELLED, GUARD, vanishes
from mathderive.checker.numeric.taylor import UnsupportedError, Value, head

PRECISION, MAX_PRECISION = 512, 4096
"""Bits of the first evaluation, and the most that are tried."""

POINTS, MORE_POINTS, MAX_POINTS = 4, 6, 16
"""Numbers of points: of most equations, of those with branches, and the most where few have a value."""

MIN_POINTS = 2
"""Minimum number of conclusive points for equality."""

NO_KEY = Stream(b"")
"""The points of comparisons that only find candidates."""

Outcome = Literal["same", "different", "unclear", "undefined"]


@dataclass(frozen=True)
class Comparison:
    """The comparison of two expressions.

    Attributes:
        holds: None where it is inconclusive.
        reason: why it is not True.
        point: a point at which the sides differ.
        values: the sides' values there.
        on_every_branch: whether it is True on every branch of the functions in it, also far from the points.
    """

    holds: bool | None
    reason: str = ""
    point: Point | None = None
    values: tuple[acb, ...] = field(default=())
    on_every_branch: bool = False

    @property
    def depends_on_point(self) -> bool:
        """Whether the expressions are equal at some points and differ at others."""
        return self.holds is None and self.point is not None


class OpenConstantError(UnsupportedError):
    """The comparison depends on a constant of integration that is open."""


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Sets the working precision for a block."""
    before, ctx.prec = ctx.prec, bits
    try:
        yield
    finally:
        ctx.prec = before


class Comparer:
    """Compares expressions under definitions at the points of a stream.

    Attributes:
        met_open_constant: whether an open constant of integration was met so far.
    """

    def __init__(self, definitions: Definitions, stream: Stream, points: Sequence[Point] | None = None) -> None:
        """
        Args:
            points: the points that satisfy further conditions, in place of all points of the stream.
        """
        self._definitions = definitions
        self._stream = stream
        self._points = points
        self.met_open_constant = False
        self._signs: tuple[bool, ...] = ()
        """The signs of the free numbers at the last point."""

    def compare(
        self,
        left: Expr,
        right: Expr,
        bound: Mapping[Integral, Expr] | None = None,
        random_constants: bool = False,
        only_equality: bool = False,
    ) -> Comparison:
        """Compares two expressions.

        Args:
            bound: integrals and their known values.
            random_constants: whether open constants of integration are random numbers.
            only_equality: whether it is enough to know if they are equal; the first difference then ends the
                comparison, with `holds` False also where another point would have left it open.

        Raises:
            OpenConstantError: a constant of integration is open, and not to be random.
            BudgetError, UnsupportedError: as `Evaluator.value`.
        """
        if has_infinity(left) or has_infinity(right):
            return Comparison(None, "infinity is no number")
        if self._stream.values and self._points is None:
            wanted = least = 1  # such a stream tests an equation that is true at enough other points
        else:
            # The solutions of a condition may differ, so that all of them count.
            wanted, least = (POINTS, MIN_POINTS) if self._points is None else (len(self._points), 1)
        branching = has_branches((left, right), self._definitions)
        tests_signs = branching and not self._stream.values
        if tests_signs:
            if self._points is None and self._same_on_every_branch(left, right, bound, random_constants):
                return Comparison(True, on_every_branch=True)
            wanted = max(wanted, MORE_POINTS)
        same = 0
        usable = False
        found: Comparison | None = None
        signs: set[tuple[bool, ...]] = set()
        for place, point in enumerate(self.points()):
            if place >= wanted and (found or (same >= least and (not tests_signs or _are_all(signs)))):
                break
            outcome, values = self._at(left, right, point, bound, random_constants)
            usable = usable or outcome != "undefined"
            if outcome == "same":
                same += 1
                signs.add(self._signs)
            elif outcome == "different":
                if found is not None and not same and self._points is None:
                    return found
                found = found or Comparison(False, _difference(*values), point, values)
                if only_equality:
                    return found
        if found is not None:
            if same:
                return Comparison(None, "it is true at some points and false at others", found.point, found.values)
            return found
        if same >= least and tests_signs and not _are_all(signs):
            return Comparison(None, "it is not known for all signs of the constants in it")
        if same >= least:
            return Comparison(True, on_every_branch=not branching)
        return Comparison(None, "too few values are accurate" if usable else "there is no value at any point tried")

    def _same_on_every_branch(
        self, left: Expr, right: Expr, bound: Mapping[Integral, Expr] | None, random_constants: bool
    ) -> bool:
        """Whether two expressions are equal on random branches of their functions, and so on all."""
        outcomes: list[Outcome] = []
        for draw in range(POINTS):
            try:
                outcome, _ = self._at(
                    left, right, self._stream.point(draw), bound, random_constants, AnyBranchEvaluator
                )
            except OpenConstantError:
                raise
            except UnsupportedError:
                return False
            if outcome == "different":
                return False
            outcomes.append(outcome)
        return outcomes.count("same") >= MIN_POINTS

    def points(self) -> Iterator[Point]:
        if self._points is not None:
            yield from self._points
            return
        for draw in range(MAX_POINTS):
            yield self._stream.point(draw)

    def _at(
        self,
        left: Expr,
        right: Expr,
        point: Point,
        bound: Mapping[Integral, Expr] | None,
        random_constants: bool,
        evaluator_class: type[Evaluator] = Evaluator,
    ) -> tuple[Outcome, tuple[acb, ...]]:
        bits = PRECISION
        while True:
            with precision(bits):
                evaluator = evaluator_class(self._definitions, point, bound=bound, random_constants=random_constants)
                try:
                    values = head(evaluator.value(left)), head(evaluator.value(right))
                except OverflowError:
                    return "unclear", ()
                if evaluator.is_ambiguous:
                    raise UnsupportedError("a derivative by a name that stands for an expression")
                self._signs = tuple(evaluator.negative.values())
                self.met_open_constant = self.met_open_constant or bool(evaluator.met_unknowns)
                if self.met_open_constant and not random_constants:
                    raise OpenConstantError("an integral whose constant is open")
                outcome = meet(values[0], values[1], evaluator.size)
            if outcome != "unclear" or bits >= MAX_PRECISION:
                return outcome, values
            wanted = GUARD + CANCELLED * evaluator.size
            if not bits < wanted <= MAX_PRECISION:
                return outcome, ()
            bits = wanted


def _are_all(signs: Collection[tuple[bool, ...]]) -> bool:
    """Whether all combinations of the signs of some numbers are there; some numbers may not be met at every point."""
    count = max(map(len, signs), default=0)
    return sum(len(one) == count for one in signs) == 2**count


def meet(left: Value, right: Value, size: int) -> Outcome:
    """The relation of two values, given the size of the numbers that they were computed from."""
    return _meet(head(left) - head(right), size)


def _meet(difference: acb, size: int) -> Outcome:
    if not difference.is_finite():
        return "undefined"
    if not difference.contains(0):
        return "different"
    return "same" if vanishes(difference, size) else "unclear"


def equal(
    left: Expr, right: Expr, definitions: Definitions, stream: Stream = NO_KEY, random_constants: bool = False
) -> bool:
    """Whether two expressions are shown to be equal.

    Args:
        random_constants: whether integrals may occur; those that share their variable and integrand are equal then.
    """
    try:
        comparer = Comparer(definitions, stream)
        return bool(comparer.compare(left, right, random_constants=random_constants, only_equality=True).holds)
    except (BudgetError, UnsupportedError):
        return False


def shown(value: acb) -> str:
    """A value with six digits."""
    try:
        number = complex(float(value.real.mid()), float(value.imag.mid()))
    except (OverflowError, ValueError):
        return value.str(6, radius=False)
    if abs(number.imag) <= 1e-12 * abs(number):
        return f"{number.real:.6g}"
    return f"{number.real:.6g} {'-' if number.imag < 0 else '+'} {abs(number.imag):.6g} i"


def _difference(left: acb, right: acb) -> str:
    return f"the left side is {shown(left)} where the right one is {shown(right)}"
