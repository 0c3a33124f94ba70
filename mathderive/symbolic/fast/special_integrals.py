"""Antiderivatives that a substitution or integration by parts takes from a table of special functions.

The table and the order of the methods are those of SymPy 1.5.1's rule-based algorithm, whose answers the released
derivations contain. So are the forms of the answers: `∫ cos(e^x) dx` is `Ci(e^x)`, and `∫ log(log(x)) dx` is
`x*log(log(x)) - Ei(log(x))`. SymPy's own algorithm follows every rule to its end, which takes seconds to hours. Here at
most `MAX_DEPTH` substitutions and integrations by parts follow each other.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sympy import (
    Add,
    Ci,
    Derivative,
    Ei,
    Expr,
    Function,
    I,
    Integral,
    Mul,
    Pow,
    S,
    Si,
    Symbol,
    cos,
    erf,
    erfi,
    exp,
    expand,
    expint,
    li,
    log,
    pi,
    sin,
    sqrt,
    uppergamma,
)

from mathderive.symbolic.fast.differentiation import differentiate

MAX_DEPTH = 2
"""Maximum number of substitutions and integrations by parts in a row."""

OUTER_FUNCTIONS = (exp, log, sin, cos)

MAX_OPERATIONS = 12
"""Maximum number of operations in a term that is tried."""

SPECIAL_FUNCTIONS = (Ei, Si, Ci, li, erf, erfi, expint, uppergamma)
"""Functions that the table brings in."""

Method = Callable[[Expr, Symbol], Expr | None]
"""Returns an antiderivative of an integrand by a variable; None where there is none, and NaN where it has cases."""


class _Substitution(NamedTuple):
    """The integral of `constant * integrand(u) du`, where u is `inner`."""

    inner: Expr
    constant: Expr
    integrand: Expr


def is_within_reach(term: Expr, variable: Symbol) -> bool:
    """Whether a term is small and built from elementary functions, without the variable in base and exponent."""
    if term.count_ops() > MAX_OPERATIONS:
        return False
    for part in term.atoms(Function, Pow, Derivative, Integral):
        if not part.has(variable):
            continue
        if isinstance(part, Pow):
            if part.base.has(variable) and (part.exp.has(variable) or isinstance(part.base, exp)):
                return False
        elif not isinstance(part, OUTER_FUNCTIONS):
            return False
    return True


def special_antiderivative(
    integrand: Expr, variable: Symbol, elementary: Method, is_direct: bool = True
) -> Expr | None:
    """Integrates by the table, by a substitution or by parts, in this order.

    Args:
        integrand: a term, or a sum of which each term is integrated.
        elementary: integrates what remains after a substitution or by parts; it is tried before the table.
        is_direct: whether SymPy would try Meijer G functions, which give the cosine integral another form.

    Returns:
        An antiderivative; None where no method finds one, and NaN where SymPy's answer distinguishes cases.
    """
    return _Search(elementary, is_direct=is_direct, depth=MAX_DEPTH).integrate_sum(integrand, variable)


class _Search(NamedTuple):
    """The search for an antiderivative.

    Attributes:
        elementary: see `special_antiderivative`.
        is_direct: whether nothing has been substituted yet.
        depth: the number of substitutions and integrations by parts that may follow.
    """

    elementary: Method
    is_direct: bool
    depth: int

    def integrate_sum(self, integrand: Expr, variable: Symbol) -> Expr | None:
        values = []
        for term in Add.make_args(integrand):
            constant, body = term.as_independent(variable, as_Add=False)
            value = None if self.depth == MAX_DEPTH and not integrand.is_Add else self.elementary(body, variable)
            if value is None:
                value = self.integrate_term(body, variable)
            if value is None:
                return None
            values.append(constant * value)
        result = Add(*values)
        return expand(result, deep=False) if self.is_direct and result.has(Ci) else result

    def integrate_term(self, term: Expr, variable: Symbol) -> Expr | None:
        value = _look_up(term, variable, self.is_direct)
        if value is not None or self.depth == 0:
            return value
        place = Symbol(f"u{self.depth}")
        substitutions = list(_substitutions(term, variable, place))
        if not substitutions and term.has(exp):
            substitutions = list(_substitute(term, exp(variable), variable, place))
        for inner, constant, rest in substitutions:
            value = _Search(self.elementary, is_direct=False, depth=self.depth - 1).integrate_rest(rest, place)
            if value is not None:
                return S.NaN if _may_divide_by_zero(constant) else constant * value.subs(place, inner)
        return self.by_parts(term, variable)

    def integrate_rest(self, rest: Expr, variable: Symbol) -> Expr | None:
        """Integrates what a substitution or integration by parts leaves, as a whole or term by term."""
        if not rest.is_Add:
            value = self.integrate_sum(rest, variable)
            if value is not None:
                return value
        expanded = expand(rest, deep=False)
        return self.integrate_sum(expanded, variable) if expanded.is_Add else None

    def by_parts(self, term: Expr, variable: Symbol) -> Expr | None:
        """Integrates a product by differentiating one factor; a single function is a product with 1."""
        first = _factor_to_differentiate(term, variable)
        second = term / first
        if first is S.One:
            return None
        is_direct = self.is_direct and (second is S.One or not first.has(log))
        search = self._replace(depth=self.depth - 1, is_direct=is_direct)
        integral = variable if second is S.One else search.integrate_rest(second, variable)
        if integral is None or integral is S.NaN:
            return None
        rest = search.integrate_rest(integral * differentiate(first, variable), variable)
        return None if rest is None else expand(first * integral, deep=False) - rest


def _factor_to_differentiate(term: Expr, variable: Symbol) -> Expr:
    """The factor that integration by parts differentiates, in SymPy's order; 1 if there is none.

    It is a single function, all logarithms of a product, a power of the variable, or the function over such a power.
    """
    if isinstance(term, OUTER_FUNCTIONS):
        return term
    factors = Mul.make_args(term)
    logarithms = [factor for factor in factors if isinstance(factor, log)]
    if logarithms:
        return Mul(*logarithms)
    powers = [factor for factor in factors if factor.as_base_exp()[0] == variable]
    if len(factors) != 2 or len(powers) != 1 or not isinstance(term / powers[0], exp | sin | cos):
        return S.One
    exponent = powers[0].as_base_exp()[1]
    if exponent.is_Integer and exponent != -1:
        return powers[0] if exponent.is_positive else term / powers[0]
    return S.One


def _substitutions(integrand: Expr, variable: Symbol, place: Symbol) -> Iterator[_Substitution]:
    """Yields the substitutions that leave no variable, with `place` for the expression that is substituted."""
    for inner in dict.fromkeys(_inner_parts(integrand, variable)):
        if inner != variable and inner.has(variable):
            yield from _substitute(integrand, inner, variable, place)


def _substitute(integrand: Expr, inner: Expr, variable: Symbol, place: Symbol) -> Iterator[_Substitution]:
    """Yields the substitution of an expression if it leaves no variable and changes the integrand."""
    replaced = _replace_inner(integrand / differentiate(inner, variable), inner, place)
    if not replaced.has(variable):
        constant, rest = replaced.as_independent(place, as_Add=False)
        if rest != integrand.subs(variable, place):
            yield _Substitution(inner, constant, rest)


def _inner_parts(term: Expr, variable: Symbol) -> Iterator[Expr]:
    """Yields the expressions that may be substituted, in SymPy's order."""
    if isinstance(term, OUTER_FUNCTIONS):
        yield term.args[0]
    elif isinstance(term, Add | Mul):
        for part in term.args:
            yield part
            yield from _inner_parts(part, variable)
    elif isinstance(term, Pow):
        if not term.exp.has(variable):
            yield term.base
        elif not term.base.has(variable):
            yield term.exp


def _replace_inner(expression: Expr, inner: Expr, place: Symbol) -> Expr:
    """Replaces an expression; where it is a logarithm, powers of its argument become exponentials."""
    if isinstance(inner, log):
        base = inner.args[0]
        expression = expression.replace(
            lambda part: isinstance(part, Pow) and part.base == base, lambda part: exp(part.exp * place)
        )
        return expression.subs([(inner, place), (base, exp(place))])
    return expression.subs(inner, place)


def _may_divide_by_zero(constant: Expr) -> bool:
    """Whether SymPy asks if the denominator of a constant is zero."""
    denominator = constant.as_numer_denom()[1]
    return any(factor.free_symbols and factor.is_zero is not False for factor in Mul.make_args(denominator))


def _look_up(integrand: Expr, variable: Symbol, is_direct: bool) -> Expr | None:
    """Integrates a term by the table."""
    power, functions = S.Zero, []
    for factor in Mul.make_args(integrand):
        base, exponent = factor.as_base_exp() if isinstance(factor, Pow) else (factor, S.One)
        if base == variable and not exponent.has(variable):
            power += exponent
        else:
            functions.append(factor)
    if len(functions) == 2 and power == 0:
        return _integrate_damped_wave(functions[0], functions[1], variable)
    if len(functions) != 1:
        return None
    (function,) = functions
    if isinstance(function, exp | cos | sin) and power == -1:
        return _integrate_over_variable(function, variable, is_direct)
    if isinstance(function, exp | cos | sin) and _has_symbolic_power(function.args[0], variable):
        return S.NaN if is_direct else None  # a hypergeometric or incomplete gamma function
    if isinstance(function, Pow) and isinstance(function.base, log) and function.exp == -1 and power == 0:
        return _integrate_inverse_logarithm(function.base.args[0], variable)
    if not isinstance(function, exp | cos | sin):
        return None
    if power == 0:
        return _integrate_quadratic(function, variable, is_direct)
    if not isinstance(function, exp) or (is_direct and power.is_Integer):
        return None
    return _integrate_with_power(function, power, variable)


def _integrate_damped_wave(first: Expr, second: Expr, variable: Symbol) -> Expr | None:
    """`∫ exp(a*x + b) * sin(c*x + d) dx`, and the same with a cosine."""
    wave, growth = (second, first) if isinstance(first, exp) else (first, second)
    if not isinstance(growth, exp) or not isinstance(wave, sin | cos):
        return None
    a, c = (differentiate(factor.args[0], variable) for factor in (growth, wave))
    if a.has(variable) or c.has(variable):
        return None
    return a * growth * wave / (a**2 + c**2) - c * growth * wave.fdiff() / (a**2 + c**2)


def _has_symbolic_power(argument: Expr, variable: Symbol) -> bool:
    """Whether an argument is a power of the variable whose exponent is no number, apart from a constant factor."""
    power = argument.as_independent(variable, as_Add=False)[1]
    return isinstance(power, Pow) and power.base == variable and not power.exp.is_number and not power.exp.has(variable)


def _integrate_inverse_logarithm(argument: Expr, variable: Symbol) -> Expr | None:
    """`∫ dx / log(a*x + b)`."""
    slope = differentiate(argument, variable)
    return None if slope.has(variable) else li(argument) / slope


def _integrate_over_variable(function: Expr, variable: Symbol, is_direct: bool) -> Expr | None:
    """`∫ f(a*x**n + b) / x dx` where f is an exponential, cosine or sine.

    Where nothing was substituted, SymPy finds the integral as a Meijer G function, whose form of the cosine integral
    has two logarithms more.
    """
    offset, term = function.args[0].as_independent(variable, as_Add=True)
    power = term.as_independent(variable, as_Add=False)[1]
    base, degree = power.as_base_exp()
    if base != variable or degree.has(variable):
        return None
    if isinstance(function, exp):
        return exp(offset) * Ei(term) / degree
    cosine_integral = Ci(term)
    if is_direct and offset == 0:
        cosine_integral += log(term**2) / 2 - log(term)
    if isinstance(function, cos):
        return (cos(offset) * cosine_integral - sin(offset) * Si(term)) / degree
    return (sin(offset) * cosine_integral + cos(offset) * Si(term)) / degree


def _integrate_quadratic(function: Expr, variable: Symbol, is_direct: bool) -> Expr | None:
    """`∫ exp(a*x**2 + b*x + c) dx`."""
    polynomial = function.args[0].as_poly(variable)
    if not isinstance(function, exp) or polynomial is None or polynomial.degree() != 2:
        return None
    a, b, c = polynomial.all_coeffs()
    if is_direct and b == c == 0 and not a.is_number:
        return _integrate_gaussian(a, variable)
    factor = exp(c - b**2 / (4 * a)) / 2
    if a.is_negative:
        return sqrt(pi / -a) * factor * erf((-2 * a * variable - b) / (2 * sqrt(-a)))
    return sqrt(pi / a) * factor * erfi((2 * a * variable + b) / (2 * sqrt(a)))


def _integrate_gaussian(coefficient: Expr, variable: Symbol) -> Expr:
    """`∫ exp(a*x**2) dx` with symbols in a, which SymPy finds as a Meijer G function; NaN where that has cases.

    There is a case where a may be zero, and a number that is lifted to the Riemann surface where a factor is a sum.
    """
    sign = -1 if coefficient.could_extract_minus_sign() else 1
    factors = Mul.make_args(sign * coefficient)
    if any(factor.is_Add or _may_be_zero(factor) for factor in factors):
        return S.NaN
    root = Mul(*map(sqrt, factors))
    if sign < 0:
        return sqrt(pi) * erf(variable * root) / (2 * root)
    return -I * sqrt(pi) * erf(I * variable * root) / (2 * root)


def _may_be_zero(factor: Expr) -> bool:
    """Whether SymPy solves `factor = 0`; not so for undefined functions, and not for the square of a symbol."""
    base, exponent = factor.as_base_exp()
    if exponent.is_negative or not factor.free_symbols or (isinstance(base, Symbol) and exponent == 2):
        return False
    return isinstance(base, Symbol | sin | cos | log) or base.is_Add


def _integrate_with_power(function: Expr, power: Expr, variable: Symbol) -> Expr | None:
    """`∫ x**p * exp(a*x) dx` where p is no natural number."""
    slope = function.args[0] / variable
    if slope.has(variable) or (power.is_Integer and power.is_nonnegative):
        return None
    return variable**power * (-slope * variable) ** -power * uppergamma(power + 1, -slope * variable) / slope
