"""Decides whether one operator gives an equation, by trying all operators on all earlier equations in plain SymPy.

The eighteen operators of Meadows et al. (2024) are written here once more, from their description. Their results are
compared with the equation in two ways: as expressions (*exactly*), and by value at a random point (*loosely*). By
value, sums and products may be written in another way, but an unevaluated derivative or integral equals only itself.
Two careful readers may differ about an equation that follows loosely only.
"""

import enum
import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from mpmath import mp
from sympy import (
    Add,
    Derivative,
    Equality,
    Expr,
    Integer,
    Integral,
    Mul,
    Pow,
    Rational,
    Symbol,
    Tuple,
    cos,
    exp,
    expand,
    log,
    preorder_traversal,
    sin,
)
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef, Subs

from tests.validity_corpus.model import CONSTANTS, IN_ELEMENTARY_TERMS, SPECIAL
from tests.validity_corpus.truth import Judge, Truth

MAX_EXPONENT = 1_000
"""Maximum exponent that a side is raised to."""

DIGITS = 30

Operator = Callable[[Expr, Expr], Expr]
ADDED: tuple[Operator, ...] = (lambda side, operand: side + operand, lambda side, operand: side - operand)
MULTIPLIED: tuple[Operator, ...] = (lambda side, operand: side * operand, lambda side, operand: side / operand)


class Follows(enum.Enum):
    EXACTLY = "exactly"
    LOOSELY = "loosely"
    NOT = "not"


Sides = tuple[Expr, Expr]


class Values:
    """Values of expressions at one random point.

    Functions, derivatives and integrals have made-up values, which are equal where their parts have equal values.
    """

    def __init__(self, salt: str) -> None:
        self._salt = salt
        self._memory: dict[Basic, Any] = {}

    def __call__(self, expression: Basic) -> Any:
        if expression not in self._memory:
            with mp.workdps(DIGITS):
                self._memory[expression] = self._value(expression)
        return self._memory[expression]

    def equal(self, first: Any, second: Any) -> bool:
        return bool(
            abs(first - second) <= mp.mpf(10) ** (-DIGITS // 2) * max(abs(first), abs(second), mp.mpf(10) ** -8)
        )

    def same(self, first: Expr, second: Expr) -> bool:
        """Whether two expressions have the same value, or are the same expression where they have none."""
        try:
            return first == second or self.equal(self(first), self(second))
        except (ArithmeticError, ValueError):
            return False

    def _value(self, expression: Basic) -> Any:
        if isinstance(expression, Rational):
            return mp.mpc(expression.p) / expression.q
        if expression in CONSTANTS:
            return mp.mpc(CONSTANTS[expression]())
        if isinstance(expression, Symbol):
            return self._made_up(f"symbol {expression.name}")
        if isinstance(expression, AppliedUndef | Derivative | Integral | Tuple | Subs):
            kind = expression.func.__name__ if isinstance(expression, AppliedUndef) else type(expression).__name__
            return self._made_up(" ".join([kind, *(mp.nstr(self(part), 12) for part in expression.args)]))
        parts = [self(part) for part in expression.args]
        match expression:
            case Add():
                return mp.fsum(parts)
            case Mul():
                return mp.fprod(parts)
            case Pow():
                return mp.power(*self._bounded(parts))
            case exp():
                return mp.exp(*self._bounded(parts))
            case log() if len(parts) == 1:
                return mp.log(parts[0])
            case cos() | sin():
                return (mp.cos if isinstance(expression, cos) else mp.sin)(*self._bounded(parts))
        kind = type(expression).__name__
        if kind in IN_ELEMENTARY_TERMS and len(parts) == 1:
            return getattr(mp, kind)(parts[0])
        if kind in SPECIAL and len(parts) == 1:
            return SPECIAL[kind](parts[0])
        return self._made_up(" ".join([kind, *(mp.nstr(part, 12) for part in parts)]))

    @staticmethod
    def _bounded(parts: list[Any]) -> list[Any]:
        if any(abs(part) > 1e6 for part in parts):
            raise OverflowError("a large value")
        return parts

    def _made_up(self, what: str) -> Any:
        digest = hashlib.sha256(f"{self._salt} {what}".encode()).digest()
        halves = [mp.mpf(int.from_bytes(half, "big")) / 2**128 for half in (digest[:16], digest[16:])]
        return mp.mpc(halves[0] + mp.mpf("0.3"), halves[1] + mp.mpf("0.2"))


class Search:
    """The search over operators.

    Args:
        rewriting: a judge without premises, which takes every function for an unknown one.
        salt: the seed of the random point.
    """

    def __init__(self, rewriting: Judge, salt: str) -> None:
        self._rewriting = rewriting
        self.values = Values(salt)
        self._found: dict[tuple[Equality, tuple[Equality, ...]], Follows] = {}

    def says_again(self, equation: Equality, earlier: Equality) -> Follows:
        """Whether an equation repeats an earlier one, mirrored or not."""
        if equation.args in (earlier.args, earlier.args[::-1]):
            return Follows.EXACTLY
        alike = any(self._same_sides(equation.args, sides) for sides in (earlier.args, earlier.args[::-1]))
        return Follows.LOOSELY if alike else Follows.NOT

    def follows(self, equation: Equality, earlier: Sequence[Equality]) -> Follows:
        """Whether one operator gives the equation, or its mirror image, from earlier ones."""
        key = (equation, tuple(earlier))
        if key not in self._found:
            self._found[key] = self._best(equation, earlier)
        return self._found[key]

    def supports(self, equation: Equality, earlier: Sequence[Equality]) -> set[frozenset[int]]:
        """Returns the sets of positions of earlier equations from which some operator gives the equation."""
        return {positions for _, positions in self._ways(equation, earlier)}

    def _best(self, equation: Equality, earlier: Sequence[Equality]) -> Follows:
        loosely = False
        for how, _ in self._ways(equation, earlier):
            if how is Follows.EXACTLY:
                return Follows.EXACTLY
            loosely = True
        return Follows.LOOSELY if loosely else Follows.NOT

    def _ways(self, equation: Equality, earlier: Sequence[Equality]) -> Iterator[tuple[Follows, frozenset[int]]]:
        """Yields all ways to an equation, fast searches first, with the positions of the equations they start from."""
        mirror_images = (equation.args, equation.args[::-1])
        for wanted in mirror_images:
            for positions, given in self._results(wanted, earlier):
                if given == wanted:
                    yield Follows.EXACTLY, positions
                elif self._same_sides(given, wanted):
                    yield Follows.LOOSELY, positions
        for wanted in mirror_images:
            yield from ((Follows.LOOSELY, positions) for positions in self._by_substitution(wanted, earlier))
            for position, one in enumerate(earlier):
                if (
                    self._by_operand(wanted, one.args)
                    or self._by_exponent(wanted, one.args)
                    or self._by_rewriting(wanted, one.args)
                ):
                    yield Follows.LOOSELY, frozenset({position})

    def _same_sides(self, first: Sides, second: Sides) -> bool:
        return all(self.values.same(a, b) for a, b in zip(first, second, strict=True))

    def _results(self, wanted: Sides, earlier: Sequence[Equality]) -> Iterator[tuple[frozenset[int], Sides]]:
        """Yields the results of operators, with the positions of the equations that they start from."""
        operands = _operands(Tuple(*wanted, *(side for one in earlier for side in one.args)))
        for position, one in enumerate(earlier):
            for given in self._from_one(wanted, one.args, operands):
                yield frozenset({position}), given
            for rule, other in enumerate(earlier):
                for old, new in (other.args, other.args[::-1]) if rule != position else ():
                    for given in _attempt(partial(_substitute, old, new), one.args):
                        yield frozenset({position, rule}), given

    def _from_one(self, wanted: Sides, sides: Sides, operands: Sequence[Expr]) -> Iterator[Sides]:
        for transform in (cos, sin, exp, log, expand, _evaluate_derivatives):
            yield from _attempt(transform, sides)
        symbols = sorted(Tuple(*wanted, *sides).atoms(Symbol), key=str)
        exponents = sorted(Tuple(*wanted, *sides).atoms(Integer), key=int)
        for name in symbols:
            yield from _attempt(partial(_differentiate, name), sides)
            yield from _attempt(partial(_integrate, name), sides)
        for exponent in (*symbols, *exponents, Integer(2)):
            yield from _attempt(partial(_raise_to, exponent), sides)
        if self._by_operand(wanted, sides):
            yield from _with_operands((wanted[0] - sides[0], wanted[1] - sides[1], *operands), ADDED, sides)
            yield from _with_operands((wanted[0] / sides[0], wanted[1] / sides[1], *operands), MULTIPLIED, sides)
        elif 0 in wanted and 0 in sides:
            yield from _with_operands((*operands, *(-operand for operand in operands)), MULTIPLIED, sides)

    def _by_operand(self, wanted: Sides, given: Sides) -> bool:
        """Whether adding an operand to both sides, or multiplying them by it, gives the wanted sides.

        Equations between zeros are left out, because a factor of zero could give anything.
        """
        try:
            (left, right), (old_left, old_right) = map(self.values, wanted), map(self.values, given)
            if self.values.equal(left - old_left, right - old_right) and abs(left - old_left) > 1e-12:
                return True
            if min(abs(old_left), abs(old_right), abs(left), abs(right)) < 1e-12:
                return False
            return self.values.equal(left / old_left, right / old_right)
        except (ArithmeticError, ValueError):
            return False

    def _by_exponent(self, wanted: Sides, given: Sides) -> bool:
        """Whether the wanted sides are powers of the given ones, with an exponent that they contain."""
        exponents = {part.exp for side in wanted for part in side.atoms(Pow)}
        powers = (_attempt(partial(_raise_to, exponent), given) for exponent in exponents)
        return any(self._same_sides(sides, wanted) for found in powers for sides in found)

    def _by_rewriting(self, wanted: Sides, given: Sides) -> bool:
        """Whether evaluating derivatives or integrals, or expanding, turns the given sides into the wanted ones."""
        state: tuple[Equality, ...] = ()
        # Sides without integrals are compared first, because that is fast.
        for old, new in sorted(zip(given, wanted, strict=True), key=lambda pair: len(pair[0].atoms(Integral))):
            if old != new:
                truth, state = self._rewriting.truth(Equality(old, new, evaluate=False), state)
                if truth is not Truth.TRUE:
                    return False
        return True

    def _by_substitution(self, wanted: Sides, earlier: Sequence[Equality]) -> Iterator[frozenset[int]]:
        """Yields pairs of equations, of which the second turns the first and the wanted one into the same equation."""
        for rule, other in enumerate(earlier):
            for old, new in (other.args, other.args[::-1]):
                for target in _attempt(partial(_substitute, old, new), wanted):
                    for position, one in enumerate(earlier):
                        for given in _attempt(partial(_substitute, old, new), one.args):
                            if position != rule and self._same_sides(given, target):
                                yield frozenset({position, rule})


def _substitute(old: Expr, new: Expr, side: Expr) -> Expr:
    return side.subs(old, new)


def _differentiate(name: Symbol, side: Expr) -> Expr:
    return Derivative(side, name)


def _integrate(name: Symbol, side: Expr) -> Expr:
    return Integral(side, name)


def _raise_to(exponent: Expr, side: Expr) -> Expr:
    if exponent.is_Integer and abs(int(exponent)) > MAX_EXPONENT:
        raise ValueError("SymPy would compute an integer of any length")
    return side**exponent


def _apply(operator: Operator, operand: Expr, side: Expr) -> Expr:
    return operator(side, operand)


def _attempt(transform: Callable[[Expr], Expr], sides: Sides) -> Iterator[Sides]:
    """Yields the transformed sides, or nothing where SymPy cannot make them."""
    try:
        left, right = map(transform, sides)
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError, NotImplementedError, RecursionError):
        return
    yield left, right


def _with_operands(operands: Sequence[Expr], operators: Sequence[Operator], given: Sides) -> Iterator[Sides]:
    for operand in operands:
        for apply in operators:
            yield from _attempt(partial(_apply, apply, operand), given)


def _operands(expression: Basic) -> list[Expr]:
    return list(dict.fromkeys(part for part in preorder_traversal(expression) if isinstance(part, Expr)))


def _evaluate_derivatives(side: Expr) -> Expr:
    """Evaluates the derivatives that contain no integral."""
    for derivative in sorted(side.atoms(Derivative), key=lambda node: -node.count_ops()):
        if not derivative.has(Integral):
            side = side.subs(derivative, derivative.doit())
    return side
