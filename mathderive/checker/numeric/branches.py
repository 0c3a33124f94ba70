"""Finds where functions with branches change from one branch to another.

Between two such places both sides of an equation are analytic, so a few random points decide it there. For example,
`sqrt((x - 9)**2)` is `9 - x` at every point below 9; the values found here lead to points on the other side as well.
"""

from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from itertools import islice, pairwise

from flint import acb, acb_poly, arb, fmpq
from sympy import Add, Expr, Float, Mul, Poly, Pow, Rational, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef, Function
from sympy.core.numbers import ImaginaryUnit

from mathderive.checker.numeric.definitions import MAX_UNFOLDED, Definitions
from mathderive.checker.numeric.evaluator import BudgetError, Evaluator
from mathderive.checker.numeric.functions import PIECEWISE
from mathderive.checker.numeric.points import Stream
from mathderive.checker.numeric.taylor import UnsupportedError, head
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

SCALES = tuple(fmpq(10) ** power for power in (-4, -2, 1, 2, 4))
"""Sizes of the values that are tried for a name; the usual points are between 0.05 and 5."""

FACTORS = (fmpq(1, 2), fmpq(3, 2), fmpq(12))
"""Multiples of the numbers in an argument, and of their inverses, that are tried for a name."""

MAX_DEGREE = 12
"""Maximum degree of a polynomial whose roots are computed."""

MAX_NAMES = 3
"""Maximum number of names in such a polynomial."""

MAX_VALUES = 60
"""Maximum number of values tried for one equation."""


def branch_arguments(expressions: Sequence[Expr], definitions: Definitions) -> Iterator[Expr]:
    """The arguments of functions with branches, and the bases of roots, also in the definitions of names."""
    for expression in expressions:
        for one in definitions.closure(expression):
            for part in one.atoms(Function, Pow):
                if _has_branch(part):
                    yield part.args[0]


def _has_branch(part: Function | Pow) -> bool:
    if isinstance(part, Pow):
        return not part.exp.is_Integer and not part.base.is_positive
    return part.func.__name__ in PIECEWISE


def has_branches(expressions: Sequence[Expr], definitions: Definitions) -> bool:
    """Whether functions with branches occur in expressions, or in the definitions of their names."""
    return next(branch_arguments(expressions, definitions), None) is not None


def values_on_other_branches(
    expressions: Sequence[Expr], definitions: Definitions, stream: Stream, fixed: Collection[Symbol]
) -> Iterator[dict[str, acb]]:
    """Values of names, at least one for every branch that functions with branches are found to have.

    For an argument that is a polynomial in a name, there is one between any two of its roots. For others, the values
    have many sizes, and the sizes of the numbers in the argument.

    Args:
        stream: gives the values of the other names in a polynomial.
        fixed: names that keep their values.
    """
    changing = _changing_arguments(expressions, definitions)
    found = (values for one in changing for values in _values(one, definitions, stream, fixed))
    return islice(found, MAX_VALUES)


def _changing_arguments(expressions: Sequence[Expr], definitions: Definitions) -> list[Expr]:
    """The arguments that may change their sign."""
    arguments = {_unfolded(one, definitions) for one in branch_arguments(expressions, definitions)}
    # In an order that is the same in every process, because only the first values are tried.
    return sorted((one for one in arguments if not _is_positive(one, definitions)), key=str)


def _unfolded(argument: Expr, definitions: Definitions) -> Expr:
    """The argument with the bodies of definitions in place of names, as far as that is possible."""
    for _ in range(MAX_UNFOLDED):
        for name in sorted(argument.atoms(Symbol, AppliedUndef) & definitions.exact.keys(), key=str):
            try:
                argument = argument.xreplace({name: definitions.exact[name]})
            except SYMPY_ERRORS:
                continue
    return argument.xreplace({number: Rational(number) for number in argument.atoms(Float)})


def _is_positive(expression: Basic, definitions: Definitions) -> bool:
    """Whether an expression is positive because names are and positive parts make it up."""
    if isinstance(expression, Symbol):
        return not definitions.has(expression) or _is_positive(definitions.exact[expression], definitions)
    if isinstance(expression, Add | Mul):
        return all(_is_positive(part, definitions) for part in expression.args)
    if isinstance(expression, Pow):
        return _is_positive(expression.base, definitions) and not expression.exp.has(Function, ImaginaryUnit)
    return expression.is_Number and bool(expression.is_positive)


def _values(
    argument: Expr, definitions: Definitions, stream: Stream, fixed: Collection[Symbol]
) -> Iterator[dict[str, acb]]:
    numbers = {abs(Fraction(int(one.p), int(one.q))) for one in argument.atoms(Rational)} - {0, 1}
    sizes = [fmpq(*size.as_integer_ratio()) for one in sorted(numbers) for size in (one, 1 / one)]
    names = {name for name in definitions.names_under(argument) if isinstance(name, Symbol)}
    for name in sorted((name for name in names - set(fixed) if not definitions.has(name)), key=str):
        yield from _between_roots(argument, name, definitions, stream)
        jitter = fmpq(1 + int(2**20 * stream.point(0).number(f"scale of {name.name}")), 2**20)
        for size in (*SCALES, *(factor * one for one in sizes for factor in FACTORS)):
            yield {name.name: acb(size * (1 + jitter / 4))}


def _between_roots(argument: Expr, name: Symbol, definitions: Definitions, stream: Stream) -> Iterator[dict[str, acb]]:
    """Values between the positive roots of a polynomial in a name, with the values of the names in its coefficients."""
    point = stream.point(0)
    try:
        polynomial = Poly(argument, name)
        if polynomial.degree() > MAX_DEGREE or len(argument.free_symbols) > MAX_NAMES:
            return
        polynomial = polynomial.sqf_part()  # roots that coincide cannot be told apart
        evaluator = Evaluator(definitions, point)
        coefficients = [head(evaluator.value(one)) for one in reversed(polynomial.all_coeffs())]
        roots = acb_poly([acb(one.mid()) for one in coefficients]).roots()
    except (BudgetError, UnsupportedError, OverflowError, ValueError, *SYMPY_ERRORS):
        return
    places = sorted(float(root.real.mid()) for root in roots if root.imag.contains(0) and root.real.mid() > 0)
    others = {other.name: point.value(other.name) for other in argument.free_symbols - {name}}
    ends = [0.0, *places, 2 * places[-1] + 1] if places else []
    for low, high in pairwise(ends):
        yield {**others, name.name: acb((arb(low) + arb(high)) / 2)}
