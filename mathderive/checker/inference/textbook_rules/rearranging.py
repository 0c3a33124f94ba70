"""Steps that rearrange one equation: multiples of it, a name that it is solved for, a function of both sides."""

import cmath
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sympy import Add, Derivative, Expr, Integral, Mul, Pow, S, Symbol, acos, asin, atan, cos, exp, log, sin, sqrt, tan
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.inference.textbook_rules.identities import Rough, parts_as_names, rough
from mathderive.checker.inference.textbook_rules.question import Rule, StepQuestion
from mathderive.checker.numeric.comparison import equal
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.fingerprints import close, fingerprint, is_zero, times
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

MAX_NAMES = 8
"""Maximum number of names that a multiplier is tested not to depend on."""

MAX_SIZE = 200
"""Maximum number of operations of an equation that is solved for a name."""

MAX_UNDONE = 8
"""Maximum number of operations that are undone to solve for a name."""

_NO_DEFINITIONS = Definitions()


def find_rearranged(question: StepQuestion) -> Iterator[Justification]:
    for fact in question.facts:
        if is_multiple(question, question.difference, fact.lhs - fact.rhs):
            yield Justification("rearranged", (), (fact.number,))


def is_multiple(question: StepQuestion, new: Expr, old: Expr) -> bool:
    """Whether a difference is another one times an expression that is neither zero nor infinite in the model.

    The expression has to be independent of a name on which the other difference depends. So it has a value where the
    other difference is zero, and the new difference is zero there too.
    """
    (first, second), parts = parts_as_names(*map(question.identities.unfolded, (new, old)))
    for name in sorted(second.free_symbols, key=str)[:MAX_NAMES]:
        elsewhere = Symbol(f"{name.name} elsewhere")
        moved, moved_old = (side.xreplace({name: elsewhere}) for side in (first, second))
        if is_zero(fingerprint(moved_old)) or close(fingerprint(second), fingerprint(moved_old)):
            continue
        if is_zero(fingerprint(moved)):
            continue  # the new equation says nothing
        pairs = (first, moved_old), (moved, second)
        if not close(*(times(fingerprint(a), fingerprint(b)) for a, b in pairs)):
            continue
        if not equal(first * moved_old, moved * second, _NO_DEFINITIONS):
            continue
        multiplier = moved / moved_old
        if _is_number(multiplier) or question.is_nonzero(multiplier.xreplace(parts)):
            return True
    return False


def _is_number(multiplier: Expr) -> bool:
    values = fingerprint(multiplier).values
    return bool(abs(values - values[0]).max() < 1e-9 * abs(values[0]))


def _find_solved(question: StepQuestion) -> Iterator[Justification]:
    new = question.new
    for name, value in (new.sides, new.sides[::-1]):
        if not isinstance(name, Symbol | AppliedUndef | Derivative | Integral) or value.has(name):
            continue
        for fact in question.facts:
            for solution in _solutions(name, fact):
                if question.identities.same(value, solution.value) and all(map(question.is_nonzero, solution.divisors)):
                    yield Justification("solved", (name,), (fact.number,))
                    break


class Solution(NamedTuple):
    """A value that a name may have by an equation, and what was divided by to find it."""

    value: Expr
    divisors: tuple[Expr, ...] = ()


def _solutions(name: Expr, fact: Fact) -> list[Solution]:
    if max(map(size_of, fact.sides)) > MAX_SIZE:
        return []
    found: list[Solution] = []
    for side, other in (fact.sides, fact.sides[::-1]):
        if side.has(name) and not other.has(name):
            found += _undone(name, side, Solution(other))
    return found or _roots(name, fact.lhs - fact.rhs)


def _undone(name: Expr, side: Expr, start: Solution) -> list[Solution]:
    """The values of a name, by undoing one operation after another."""
    found = [start]
    for _ in range(MAX_UNDONE):
        if side == name:
            return found
        inside = [part for part in side.args if part.has(name)]
        if len(inside) != 1:
            return _roots(name, side - start.value) if found == [start] else []
        rest = [one for one in side.args if one is not inside[0]]
        found = [
            Solution(value, (*before.divisors, *divisors))
            for before in found
            for value, divisors in _inverted(side, inside[0], rest, before.value)
        ]
        side = inside[0]
    return []


INVERSES: dict[object, Callable[[Expr], Expr]] = {exp: log, log: exp, sin: asin, cos: acos, tan: atan}
"""Functions, and the functions that undo them."""


def _inverted(side: Expr, part: Expr, rest: list[Expr], value: Expr) -> list[Solution]:
    """The values of a part of a side that has a value."""
    if isinstance(side, Add):
        return [Solution(value - Add(*rest))]
    if isinstance(side, Mul):
        return [Solution(value / Mul(*rest), (Mul(*rest),))]
    if isinstance(side, Pow) and part is side.base:
        root = value ** (1 / side.exp)
        divisors = (value,) if side.exp.could_extract_minus_sign() else ()
        return [Solution(root, divisors), *([Solution(-root, divisors)] if side.exp.is_even else [])]
    if isinstance(side, Pow):
        return [Solution(log(value) / log(side.base), (log(side.base),))]
    inverse = INVERSES.get(side.func)
    return [] if inverse is None else [Solution(inverse(value))]


def _roots(name: Expr, difference: Expr) -> list[Solution]:
    """The roots of a polynomial of degree one or two in a name."""
    place = Symbol("solved for")
    try:
        polynomial = difference.xreplace({name: place})
        if not polynomial.has(place) or polynomial.has(name) or not polynomial.is_polynomial(place):
            return []
        second = polynomial.diff(place, 2) / 2
        if second.has(place):
            return []
        first = polynomial.diff(place).xreplace({place: S.Zero})
        constant = polynomial.xreplace({place: S.Zero})
    except SYMPY_ERRORS:
        return []
    if is_zero(fingerprint(second)):
        return [] if is_zero(fingerprint(first)) else [Solution(-constant / first, (first,))]
    root = sqrt(first**2 - 4 * second * constant)
    return [Solution((-first + sign * root) / (2 * second), (second,)) for sign in (S.One, S.NegativeOne)]


class AppliedFunction(NamedTuple):
    """A function of expressions, and the same function of numbers."""

    of_expression: Callable[[Expr], Expr]
    of_number: Callable[[complex], complex]


FUNCTIONS = (
    AppliedFunction(exp, cmath.exp),
    AppliedFunction(log, cmath.log),
    AppliedFunction(sqrt, cmath.sqrt),
    AppliedFunction(lambda side: side**2, lambda value: value**2),
    AppliedFunction(lambda side: 1 / side, lambda value: 1 / value),
    AppliedFunction(sin, cmath.sin),
    AppliedFunction(cos, cmath.cos),
    AppliedFunction(tan, cmath.tan),
)


def find_function(question: StepQuestion) -> Iterator[Justification]:
    rough_values = question.identities.rough_values
    for fact in question.facts:
        left, right = map(rough_values, fact.sides)
        functions = [
            function.of_expression
            for function in FUNCTIONS
            if question.may_state(_applied(function, left), _applied(function, right))
        ]
        for function in (*functions, *_powers(question.new.sides)):
            try:
                sides = function(fact.lhs), function(fact.rhs)
            except SYMPY_ERRORS:
                continue
            if question.is_stated(sides):
                yield Justification("function_applied", (), (fact.number,))
                break


def _applied(function: AppliedFunction, values: Rough) -> Rough:
    """The rough values of a function; None where they are not known."""
    if values is None:
        return None
    try:
        return rough(map(function.of_number, values))
    except (ArithmeticError, ValueError):
        return None


def _powers(sides: Sides) -> Iterator[Callable[[Expr], Expr]]:
    """The powers, roots and exponentials that an equation may have been made with."""
    for side in sides:
        if isinstance(side, Pow):
            yield _raised_to(side.exp)
            yield _power_of(side.base)


def _raised_to(exponent: Expr) -> Callable[[Expr], Expr]:
    return lambda side: side**exponent


def _power_of(base: Expr) -> Callable[[Expr], Expr]:
    return lambda side: base**side


RULES = (
    Rule("rearranged", "{0} rearranged", find_rearranged),
    Rule("solved", "{0} solved for {operand}", _find_solved),
    Rule("function_applied", "a function applied to both sides of {0}", find_function),
)
