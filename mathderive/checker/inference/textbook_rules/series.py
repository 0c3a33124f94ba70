r"""The first terms of a series: `e^{x} = 1 + x + \frac{x^{2}}{2} + \dots`.

The dots stand for whatever is missing, so such an equation is true if the terms are those with which the power series
of the other side begins, all of them up to the highest power.
"""

from math import factorial

from sympy import Add, Expr, Poly, S, Symbol

from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.inference.textbook_rules.question import Rule
from mathderive.checker.numeric.comparison import equal
from mathderive.checker.numeric.definitions import Definitions, has_infinity
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

MAX_DEGREE = 8
"""Maximum power of the variable."""

MAX_SIZE = 200
"""Maximum number of operations of a derivative of the expanded side."""

FIRST_TERMS = Rule("first_terms", "the first terms of the power series in {operand}")


def first_terms(new: Fact, definitions: Definitions) -> Justification | None:
    """The justification of an equation that gives the first terms of a power series about zero; None for others."""
    for sides in (new.sides, new.sides[::-1]):
        side, other = definitions.unfolded(sides, everything=True)
        terms = Add.make_args(other)
        dots = [term for term in terms if _is_dots(term)]
        if len(dots) != 1 or side.has(OpaqueTerm):
            continue
        written = Add(*(term for term in terms if term is not dots[0]))
        if written.has(OpaqueTerm):
            continue
        for variable in sorted(written.free_symbols & side.free_symbols, key=str):
            if isinstance(variable, Symbol) and _begins(side, written, variable, definitions):
                return Justification(FIRST_TERMS.name, (variable,), ())
    return None


def _is_dots(term: Expr) -> bool:
    coefficient, rest = term.as_coeff_Mul()
    return coefficient in (S.One, S.NegativeOne) and isinstance(rest, OpaqueTerm) and rest.name.startswith(r"\dots")


def _begins(side: Expr, written: Expr, variable: Symbol, definitions: Definitions) -> bool:
    """Whether the power series of a side in a variable begins with the written polynomial."""
    if not written.is_polynomial(variable):
        return False
    try:
        coefficients = Poly(written, variable).all_coeffs()[::-1]
        if not 1 < len(coefficients) <= MAX_DEGREE + 1:
            return False
        derivative = side
        for order, coefficient in enumerate(coefficients):
            if size_of(derivative) > MAX_SIZE:
                return False
            value = derivative.xreplace({variable: S.Zero}) / factorial(order)
            if not _same(value, coefficient, definitions):
                return False
            derivative = derivative.diff(variable)
    except SYMPY_ERRORS:
        return False
    return True


def _same(value: Expr, coefficient: Expr, definitions: Definitions) -> bool:
    sides: Sides = (value, coefficient)
    if any(map(has_infinity, sides)):
        return False
    return value == coefficient or equal(*sides, definitions)
