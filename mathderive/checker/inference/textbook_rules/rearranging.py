"""Steps that rearrange one equation: multiples of it, a name that it is solved for, a function of both sides."""

from collections.abc import Callable, Iterator

from sympy import Add, Derivative, Expr, Integral, Mul, Pow, S, Symbol, acos, asin, atan, cos, exp, log, sin, sqrt, tan
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.inference.textbook_rules.identities import parts_as_names
from mathderive.checker.inference.textbook_rules.question import Rule, StepQuestion
from mathderive.checker.numeric.comparison import equal
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.fingerprints import close, fingerprint, is_zero, times
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

MAX_NAMES = 8
"""Maximum number of names that a multiplier is tested not to depend on."""

MAX_SIZE = 200
"""Maximum number of operations of an equation that is solved for a name."""

MAX_PEELED = 8
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
        if not _can_be_solved_for(name) or value.has(name):
            continue
        for fact in question.facts:
            for solution in _solutions(name, fact):
                if question.identities.same(value, solution):
                    yield Justification("solved", (name,), (fact.number,))
                    break


def _can_be_solved_for(name: Expr) -> bool:
    return isinstance(name, Symbol | AppliedUndef | Derivative | Integral)


def _solutions(name: Expr, fact: Fact) -> list[Expr]:
    """Expressions that a name is one of by an equation."""
    if max(map(size_of, fact.sides)) > MAX_SIZE:
        return []
    found: list[Expr] = []
    for side, other in (fact.sides, fact.sides[::-1]):
        if side.has(name) and not other.has(name):
            found += _undone(name, side, other)
    difference = fact.lhs - fact.rhs
    if not found and difference.has(name):
        found += _roots(name, difference)
    return found


def _undone(name: Expr, side: Expr, other: Expr) -> list[Expr]:
    """The values of a name, by undoing one operation after another."""
    values = [other]
    for _ in range(MAX_PEELED):
        if side == name:
            return values
        inside = [part for part in side.args if part.has(name)]
        if len(inside) != 1:
            return [root for value in values for root in _roots(name, side - value)] if len(values) == 1 else []
        part = inside[0]
        rest = [one for one in side.args if one is not part]
        undo = _inverse(side, part, rest)
        if undo is None:
            return []
        values = [value for one in values for value in undo(one)]
        side = part
    return []


def _inverse(side: Expr, part: Expr, rest: list[Expr]) -> Callable[[Expr], list[Expr]] | None:
    if isinstance(side, Add):
        return lambda value: [value - Add(*rest)]
    if isinstance(side, Mul):
        return lambda value: [value / Mul(*rest)]
    if isinstance(side, Pow):
        exponent, base = side.exp, side.base
        if part is base:
            return lambda value: [value ** (1 / exponent), *([-(value ** (1 / exponent))] if exponent.is_even else [])]
        return lambda value: [log(value) / log(base)]
    inverses: dict[object, Callable[[Expr], list[Expr]]] = {
        exp: lambda value: [log(value)],
        log: lambda value: [exp(value)],
        sin: lambda value: [asin(value)],
        cos: lambda value: [acos(value)],
        tan: lambda value: [atan(value)],
    }
    return inverses.get(side.func)


def _roots(name: Expr, difference: Expr) -> list[Expr]:
    """The roots of a polynomial of degree one or two in a name."""
    place = Symbol("solved for")
    try:
        polynomial = difference.xreplace({name: place})
        if polynomial.has(name) or not polynomial.is_polynomial(place):
            return []
        second = polynomial.diff(place, 2) / 2
        if second.has(place):
            return []
        first = polynomial.diff(place).xreplace({place: S.Zero})
        constant = polynomial.xreplace({place: S.Zero})
    except SYMPY_ERRORS:
        return []
    if is_zero(fingerprint(second)):
        return [] if is_zero(fingerprint(first)) else [-constant / first]
    root = sqrt(first**2 - 4 * second * constant)
    return [(-first + root) / (2 * second), (-first - root) / (2 * second)]


FUNCTIONS: tuple[Callable[[Expr], Expr], ...] = (
    exp,
    log,
    sqrt,
    lambda side: side**2,
    lambda side: 1 / side,
    sin,
    cos,
    tan,
)


def find_function(question: StepQuestion) -> Iterator[Justification]:
    functions = [*FUNCTIONS, *_powers(question.new.sides)]
    for fact in question.facts:
        for function in functions:
            try:
                sides = function(fact.lhs), function(fact.rhs)
            except SYMPY_ERRORS:
                continue
            if question.is_stated(sides):
                yield Justification("function_applied", (), (fact.number,))
                break


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
