"""What the premises of a derivation say about its names, and how precisely its equations have to be computed.

A premise *defines* a function of distinct symbols (`f(x, y) = x y`), or a plain name (`V = I R`, `x = -2`), by an
expression that does not contain it. Any other premise (`x^2 = 4`, `f'(x) = f(x)`) is a *condition*.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sympy import E, Equality, Expr, Mul, Pow, Rational, Symbol, exp, preorder_traversal
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from tests.validity_corpus.model import DIGITS, Definition, UndecidableError

BRANCHED = frozenset(
    (
        *("Abs", "sign", "conjugate", "re", "im", "arg", "log", "Ei", "Ci", "li"),
        *("asin", "acos", "atan", "acot", "asinh", "acosh", "atanh"),
    )
)
"""Functions that have branches, or whose value depends on whether their argument is real."""

MAX_EXTRA_DIGITS = 1100
"""The largest power of ten between two numbers that are told apart."""


@dataclass
class Premises:
    """Sorted premises.

    Attributes:
        functions: definitions of functions, by name and number of arguments.
        names: definitions of plain names, each after those that its expression uses.
        conditions: premises that define nothing.
    """

    functions: dict[tuple[str, int], list[Definition]] = field(default_factory=dict)
    names: dict[Symbol, Expr] = field(default_factory=dict)
    conditions: list[Equality] = field(default_factory=list)


def sort_premises(premises: Iterable[Equality], variables: Iterable[Symbol] = ()) -> Premises:
    """Sorts premises into definitions and conditions.

    A name is defined once: a second equation for it is a condition, and so is one that would define a name by itself
    through others.

    Args:
        premises: the equations that are given.
        variables: names that something is differentiated or integrated by; they are not defined where another name
            of the premise can be.
    """
    found = Premises()
    kept = frozenset(variables)
    for premise in premises:
        if not (_takes_function(found, premise) or _takes_name(found, premise, kept)):
            found.conditions.append(premise)
    return found


def _takes_function(found: Premises, premise: Equality) -> bool:
    for left, right in (premise.args, premise.args[::-1]):
        if not isinstance(left, AppliedUndef) or not all(isinstance(argument, Symbol) for argument in left.args):
            continue
        is_sound = len({*left.args}) == len(left.args) and left.func not in {p.func for p in right.atoms(AppliedUndef)}
        key = (left.func.__name__, len(left.args))
        if is_sound and all(arguments != left.args for arguments, _ in found.functions.get(key, ())):
            found.functions.setdefault(key, []).append((left.args, right))
            return True
    return False


def _takes_name(found: Premises, premise: Equality, kept: frozenset[Symbol]) -> bool:
    sides = [(left, right) for left, right in (premise.args, premise.args[::-1]) if isinstance(left, Symbol)]
    for left, right in sorted(sides, key=lambda pair: pair[0] in kept):
        expanded = right.xreplace(found.names)
        if left in found.names or expanded.has(left):
            continue
        found.names = {name: body.xreplace({left: expanded}) for name, body in found.names.items()}
        found.names[left] = expanded
        return True
    return False


def has_branches(expression: Basic) -> bool:
    """Whether an expression's value may depend on a branch, or on whether its names are real."""
    return any(
        type(node).__name__ in BRANCHED or (isinstance(node, Pow) and not node.exp.is_Integer and node.base != E)
        for node in preorder_traversal(expression)
    )


def required_digits(expressions: Sequence[Basic]) -> int:
    """How many digits tell the largest and the smallest numbers of the expressions apart.

    Raises:
        UndecidableError: there are too many.
    """
    extra = max(map(_magnitude, expressions), default=0)
    if extra > MAX_EXTRA_DIGITS:
        raise UndecidableError("numbers too large or too small")
    return DIGITS + 6 * extra


def _magnitude(expression: Basic) -> int:
    """The power of ten by which values of an expression may differ from one, as far as its numbers show it."""
    if isinstance(expression, Rational):
        digits = len(str(abs(expression.p))) + len(str(expression.q)) - 2
        return digits if digits > 2 else 0
    parts = list(map(_magnitude, expression.args))
    if isinstance(expression, Mul):
        return sum(parts)
    if isinstance(expression, Pow | exp):
        exponent = expression.args[-1]
        largest = max((abs(int(number)) for number in exponent.atoms(Rational)), default=0)
        if isinstance(expression, Pow) and parts[0]:
            return max(1, largest) * parts[0]
        return max(largest // 2 if largest > 12 else 0, *parts)
    return max(parts, default=0)
