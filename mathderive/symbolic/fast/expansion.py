"""Multiplying products out, with a bound on the number of terms that is checked before the work begins.

Logarithms of exponentials are written out too.
"""

from math import comb, prod

from sympy import Add, Expr, Mul, Pow, exp, expand, log

from mathderive.symbolic.bounds import TooLargeError

MAX_EXPANDED_TERMS = 1000
"""Maximum number of terms of an expansion; an equation of 350 characters has far fewer."""


def multiply_out(side: Expr) -> Expr:
    """Returns `expand(side)`.

    Raises:
        TooLargeError: the result would have more than `MAX_EXPANDED_TERMS` terms.
    """
    if _count_expanded_terms(side) > MAX_EXPANDED_TERMS:
        raise TooLargeError(f"the expansion would have more than {MAX_EXPANDED_TERMS} terms")
    return expand(side)


def _count_expanded_terms(expression: Expr) -> int:
    """The number of terms of an expanded sum, product or natural power, before like terms are collected."""
    if isinstance(expression, Add):
        return sum(_count_expanded_terms(term) for term in expression.args)
    if isinstance(expression, Mul):
        return prod(_count_expanded_terms(factor) for factor in expression.args)
    if isinstance(expression, Pow) and expression.exp.is_Integer and expression.exp.is_positive:
        return comb(_count_expanded_terms(expression.base) + int(expression.exp) - 1, int(expression.exp))
    return 1


def expand_logarithms_of_exponentials(expression: Expr, variable: Expr) -> Expr:
    """Writes each `log(c*exp(u))` as `u + log(c)` if u depends on the variable and c does not.

    A power with the variable in its exponent is an exponential too, so `log(x**x)` becomes `x*log(x)`.
    """
    values: dict[Expr, Expr] = {}
    for logarithm in expression.atoms(log):
        exponents = {factor: _exponent(factor, variable) for factor in Mul.make_args(logarithm.args[0])}
        exponent = Add(*(part for part in exponents.values() if part is not None))
        constant = Mul(*(factor for factor, part in exponents.items() if part is None))
        if exponent.has(variable) and not constant.has(variable):
            values[logarithm] = exponent + log(constant)
    return expression.xreplace(values) if values else expression


def _exponent(factor: Expr, variable: Expr) -> Expr | None:
    """The u of a factor `exp(u)`, in which no logarithm of an exponential is left; None for any other factor."""
    if isinstance(factor, exp):
        return factor.args[0]
    if not isinstance(factor, Pow) or not factor.exp.has(variable):
        return None
    base, exponent = factor.base, factor.exp
    while isinstance(base, Pow):
        base, exponent = base.base, base.exp * exponent
    return expand_logarithms_of_exponentials(exponent * log(base), variable)
