"""Integrands whose antiderivative in SymPy distinguishes cases or is a function that no derivation contains.

The sampler refuses such values, so the kind of the integrand is all that needs to be known.
"""

from sympy import Expr, Mul, Pow, Symbol, cos, exp, sin


class IntegralError(ValueError):
    """The integral evaluates to an expression that no derivation may contain."""


def has_cases(term: Expr, variable: Symbol) -> bool:
    """Whether a product is of such a kind.

    The kinds are products of powers of which one has a symbolic exponent (`x**y`, with the case `y = -1`, and
    `(x + z)**y/x`, a Lerch function), powers of a binomial (`(x**z + a)**y`, a hypergeometric function), such powers of
    an exponential (`exp(x)**y`), the variable times a function of an exponential (`x*exp(exp(x))`, a hypergeometric
    function), and waves with a quadratic argument (Fresnel functions).
    """
    factors = [factor for factor in Mul.make_args(term) if factor.has(variable)]
    if _is_binomial(factors, variable):
        return True
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


def _is_binomial(factors: list[Expr], variable: Symbol) -> bool:
    """Whether a product is `x**p * (a + b*x**q)**c`, where c or q has symbols and q is no fraction.

    SymPy writes it as a Meijer G function. An integer q and a natural number c are left to other methods.
    """
    sums = [factor for factor in factors if factor.as_base_exp()[0].is_Add]
    if len(sums) != 1 or not all(_is_power_of(factor, variable) for factor in factors if factor not in sums):
        return False
    base, exponent = sums[0].as_base_exp()
    power = base.as_independent(variable, as_Add=True)[1].as_independent(variable, as_Add=False)[1]
    if not _is_power_of(power, variable) or base.subs(variable, 0) == 0 or exponent.has(variable):
        return False
    degree = power.as_base_exp()[1]
    if degree.is_number:
        return bool(degree.is_Integer) and not exponent.is_number
    return not (exponent.is_Integer and exponent.is_positive)


def _is_power_of(factor: Expr, variable: Symbol) -> bool:
    base, exponent = factor.as_base_exp()
    return base in (variable, 1 / variable) and not exponent.has(variable)


def _is_power_of_exponential(factor: Expr, variable: Symbol) -> bool:
    """Whether a factor is `(c*exp(a*x))**y` or `(c*z**(a*x))**y`."""
    if not isinstance(factor, Pow) or factor.exp.has(variable):
        return False
    inner = factor.base.as_independent(variable, as_Add=False)[1]
    if not isinstance(inner, exp | Pow):
        return False
    base, exponent = inner.base, inner.exp
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
