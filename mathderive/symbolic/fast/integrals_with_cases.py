"""Integrands whose antiderivative in SymPy distinguishes cases or is a function that no derivation contains.

The sampler refuses such values, so the kind of the integrand is all that needs to be known.
"""

from sympy import Expr, Mul, Pow, Symbol, cos, exp, sin


class IntegralError(ValueError):
    """The integral evaluates to an expression that no derivation may contain."""


def has_cases(term: Expr, variable: Symbol) -> bool:
    """Whether a product is of such a kind.

    The kinds are products of powers of which one has a symbolic exponent (`x**y`, with the case `y = -1`, and
    `(x + z)**y/x`, a Lerch function), such powers of an exponential (`exp(x)**y`), the variable times a function of an
    exponential (`x*exp(exp(x))`, a hypergeometric function), and waves with a quadratic argument (Fresnel functions).
    """
    factors = [factor for factor in Mul.make_args(term) if factor.has(variable)]
    if all(_is_simple_power(factor, variable) for factor in factors):
        return any(isinstance(factor, Pow) and not factor.exp.is_number for factor in factors)
    if len(factors) == 1:
        return _is_power_of_exponential(factors[0], variable) or (
            isinstance(factors[0], sin | cos) and _is_quadratic(factors[0].args[0], variable)
        )
    return (
        len(factors) == 2
        and variable in factors
        and any(
            _is_of_exponential(factor, variable) or _is_power_of_exponential(factor, variable) for factor in factors
        )
    )


def has_constant_denominator(expression: Expr, variable: Symbol) -> bool:
    """Whether an expression is divided by one that does not depend on the variable and may be zero."""
    return any(
        isinstance(factor, Pow)
        and factor.exp.is_negative
        and not factor.base.has(variable)
        and factor.base.is_zero is not False
        for factor in Mul.make_args(expression)
    )


def _is_simple_power(factor: Expr, variable: Symbol) -> bool:
    """Whether a factor is a power of an expression that is linear in the variable or in its inverse."""
    base, exponent = (factor.base, factor.exp) if isinstance(factor, Pow) else (factor, variable**0)
    if exponent.has(variable):
        return False
    return _degree(base, variable) == 1 or _degree(base.xreplace({1 / variable: variable}), variable) == 1


def _is_power_of_exponential(factor: Expr, variable: Symbol) -> bool:
    """Whether a factor is `exp(a*x)**y` or `(z**(a*x))**y`."""
    if not isinstance(factor, Pow) or factor.exp.has(variable) or not isinstance(factor.base, exp | Pow):
        return False
    base, exponent = (factor.base.base, factor.base.exp)
    return not base.has(variable) and _degree(exponent, variable) == 1


def _is_of_exponential(factor: Expr, variable: Symbol) -> bool:
    """Whether a factor is `f(c*exp(a*x))` with an exponential, a sine or a cosine."""
    if not isinstance(factor, exp | sin | cos):
        return False
    inner = factor.args[0].as_independent(variable, as_Add=False)[1]
    return isinstance(inner, exp) and _degree(inner.args[0], variable) == 1


def _degree(expression: Expr, variable: Symbol) -> int:
    polynomial = expression.as_poly(variable)
    return -1 if polynomial is None else int(polynomial.degree())


def _is_quadratic(expression: Expr, variable: Symbol) -> bool:
    """Whether an expression is a quadratic polynomial that is multiplied out; SymPy finds no others."""
    return _degree(expression, variable) == 2 and expression == expression.expand()
