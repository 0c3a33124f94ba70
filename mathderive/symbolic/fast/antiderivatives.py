"""Antiderivatives by SymPy's algorithms, each of them only where it is sure to end soon.

The work is bounded by size and method, never by the clock. SymPy's heuristic Risch and Meijer G algorithms can run for
hours and are not used. Its rule-based algorithm can too, and is used only for small integrands with functions of linear
arguments; two of its rules, undoing a derivative and undoing the chain rule, are implemented here, and those that lead
to special functions in `special_integrals`.
"""

from collections.abc import Callable
from functools import lru_cache
from math import comb

from sympy import (
    Add,
    Derivative,
    Expr,
    Function,
    Integral,
    Mul,
    Piecewise,
    Poly,
    Pow,
    S,
    Symbol,
    Tuple,
    cancel,
    cos,
    degree,
    exp,
    expand,
    log,
    sin,
)
from sympy.core import random as sympy_random
from sympy.core.function import AppliedUndef
from sympy.core.sorting import default_sort_key
from sympy.integrals.manualintegrate import manualintegrate
from sympy.integrals.rationaltools import ratint
from sympy.integrals.risch import risch_integrate
from sympy.integrals.trigonometry import trigintegrate
from sympy.simplify.fu import sincos_to_sum

from mathderive.symbolic.fast.expansion import expand_logarithms_of_exponentials
from mathderive.symbolic.fast.integrals_with_cases import IntegralError, has_cases, has_constant_denominator
from mathderive.symbolic.fast.simplification import take_out_sign
from mathderive.symbolic.fast.special_integrals import SPECIAL_FUNCTIONS, is_within_reach, special_antiderivative
from mathderive.symbolic.fast.towers import has_tower, lower_derivative, undo_tower
from mathderive.symbolic.fast.undetermined_coefficients import integrate_polynomial
from mathderive.symbolic.names import names_of, rename, to_pattern

MAX_OPERATIONS = 30
"""Maximum number of operations in an integrand that is tried."""

MAX_RULE_OPERATIONS = 10
"""Maximum number of operations in an integrand that is given to SymPy's rule-based algorithm."""

MAX_TERMS = 20
"""Maximum number of terms that an integrand may expand to."""

MAX_TERMS_OF_POWER = 1000
"""Maximum number of terms that a power of a sum may have when it is multiplied out."""

INNER = Symbol("u")
"""The variable that replaces an undefined function; no pattern has this name."""

ELEMENTARY = (sin, cos, exp, log)
CHAIN: dict[type, Callable[[Expr], Expr]] = {sin: lambda inner: -cos(inner), cos: sin, exp: exp}
"""Antiderivatives of the functions for which the chain rule is undone."""


def find_antiderivative(integrand: Expr, variable: Expr) -> Expr | None:
    """An antiderivative of an integrand in which nothing is left to evaluate; None where no method finds one.

    Raises:
        IntegralError: the antiderivative distinguishes cases.
    """
    pattern, names = to_pattern(Tuple(integrand, variable))
    result = _pattern_antiderivative(*pattern)
    sympy_random.seed(0)  # so that later work does not depend on whether the result was cached
    if result is S.NaN:
        raise IntegralError("the integral evaluates to cases")
    return None if result is None else rename(result, names)


@lru_cache(maxsize=20_000)
def _pattern_antiderivative(integrand: Expr, variable: Expr) -> Expr | None:
    """An antiderivative; None where no method finds one, and NaN where it distinguishes cases."""
    sympy_random.seed(0)
    try:
        if isinstance(variable, Symbol):
            result = _find_antiderivative(integrand, variable)
        else:
            result = _antiderivative_by_function(integrand, variable)
    except IntegralError:
        return S.NaN
    if result is not None and not names_of(result) <= names_of(integrand) | names_of(variable):
        return None  # a sum over the roots of a polynomial, which binds a new name
    return result


def _antiderivative_by_function(integrand: Expr, function: Expr) -> Expr | None:
    """Integrates by an undefined function as by a symbol; its derivatives count as independent of it, as in SymPy."""
    if any(part.has(function) for part in integrand.atoms(Integral)):
        return None
    derivatives = sorted(integrand.atoms(Derivative), key=default_sort_key)
    places: dict[Expr, Expr] = {part: Symbol(f"{INNER}{number}") for number, part in enumerate(derivatives)}
    places[function] = INNER
    result = _find_antiderivative(integrand.xreplace(places), INNER)
    return None if result is None else result.xreplace({place: part for part, place in places.items()})


def _find_antiderivative(integrand: Expr, variable: Expr) -> Expr | None:
    """Tries one method after another."""
    integrand = expand_logarithms_of_exponentials(integrand, variable)  # as SymPy's Risch algorithm does
    if not integrand.has(variable):
        return integrand * variable
    if not integrand.is_Add and any(power.base == 0 for power in integrand.atoms(Pow)):
        return S.Zero if isinstance(integrand.as_independent(variable)[1], Pow) else None
    if any(is_large_power(power) for power in integrand.atoms(Pow)):
        return None
    polynomial = integrand.as_poly(variable)
    if polynomial is not None:
        return _antiderivative_of_polynomial(polynomial)
    if not _is_out_of_reach(integrand, variable):
        result = _by_risch(integrand, variable)
        if result is None and integrand.is_Add:
            result = _special_antiderivative(integrand, variable)
        if result is not None:
            return result
    if integrand.is_Add:
        return _antiderivative_by_terms(integrand, variable)
    return _antiderivative_of_term(integrand, variable)


def _antiderivative_of_polynomial(polynomial: Poly) -> Expr:
    """Integrates a polynomial in one variable.

    Coefficients that are no rational functions of independent parts are brought over one denominator, and not
    multiplied out, as SymPy 1.5.1 does.
    """
    if not polynomial.domain.is_EX:
        return polynomial.integrate().as_expr()
    terms = polynomial.terms()
    return Add(
        *(take_out_sign(cancel(value / (power + 1))) * polynomial.gen ** (power + 1) for (power,), value in terms)
    )


def is_large_power(power: Pow) -> bool:
    """Whether a power of a sum has too many terms when it is multiplied out."""
    if not power.exp.is_Integer or not power.base.is_Add:
        return False
    return comb(abs(int(power.exp)) + len(power.base.args) - 1, len(power.base.args) - 1) > MAX_TERMS_OF_POWER


def _antiderivative_of_term(integrand: Expr, variable: Expr) -> Expr | None:
    """Integrates a term by SymPy's algorithms, then by special functions, and then the terms that it expands to."""
    constant, term = integrand.as_independent(variable)
    if has_cases(term, variable):
        raise IntegralError("an integral evaluates to cases")
    result = None if _is_out_of_reach(term, variable) else _elementary_antiderivative(term, variable)
    for method in (_undo_inner_function, _undo_chain_rule_of_undefined, undo_tower, _special_antiderivative):
        if result is None:
            result = method(term, variable)
    if result is None and (linear := sincos_to_sum(term).expand(deep=False)).is_Add and is_within_reach(term, variable):
        result = special_antiderivative(linear, variable, _quick_antiderivative, is_direct=False)
    if result is not None:
        return _without_cases(constant * result)
    expanded = _expand(integrand)
    return _antiderivative_by_terms(expanded, variable) if expanded.is_Add else None


def _expand(integrand: Expr) -> Expr:
    """Multiplies out an integrand, after powers and products of waves, if few terms can result."""
    terms = 1
    for factor in Mul.make_args(integrand):
        base, exponent = factor.as_base_exp()
        if exponent.is_Integer and exponent.is_positive:
            terms *= len(Add.make_args(base)) ** min(int(exponent), MAX_TERMS)
    if terms > MAX_TERMS or integrand.count_ops() > MAX_OPERATIONS:
        return integrand
    return sincos_to_sum(integrand).expand(deep=False)


def _elementary_antiderivative(term: Expr, variable: Expr) -> Expr | None:
    """Tries SymPy's algorithms for single terms in SymPy's order."""
    if isinstance(term, Pow) and not term.exp.has(variable) and _is_linear(term.base, variable):
        return _power_of_linear(term, variable)
    for method in (_rational, trigintegrate, _by_risch, integrate_polynomial, _undo_chain_rule, _by_rules):
        result = method(term, variable)
        if result is not None:
            return _without_cases(result)
    return None


def _special_antiderivative(integrand: Expr, variable: Expr) -> Expr | None:
    """Integrates by special functions what the Risch algorithm leaves of an integrand."""
    elementary, rest = S.Zero, integrand
    if not _is_out_of_reach(integrand, variable):
        elementary, rest = _risch_parts(integrand, variable) or (S.Zero, integrand)
    if not is_within_reach(rest, variable) or (integrand.is_Add and elementary == 0):
        return None  # the terms of a sum are integrated one by one
    result = special_antiderivative(rest, variable, _quick_antiderivative)
    if result is S.NaN:
        raise IntegralError("an integral evaluates to cases")
    return None if result is None else elementary + result


def _quick_antiderivative(term: Expr, variable: Expr) -> Expr | None:
    """Tries the fastest algorithms for a term that a substitution or integration by parts has left.

    The Risch algorithm does not end for some exponentials over powers of the variable, which the table has.
    """
    polynomial = term.as_poly(variable)
    if polynomial is not None:
        return polynomial.integrate().as_expr()
    if _is_out_of_reach(term, variable):
        return None
    if isinstance(term, Pow) and not term.exp.has(variable) and _is_linear(term.base, variable):
        return _power_of_linear(term, variable)
    has_denominator = any(part.exp.is_negative and part.has(variable) for part in term.atoms(Pow))
    for method in (_rational, _undo_chain_rule) if has_denominator else (_by_risch, _undo_chain_rule):
        result = method(term, variable)
        if result is not None:
            return expand(_without_cases(result), deep=False)
    return None


def _power_of_linear(power: Pow, variable: Expr) -> Expr:
    """Integrates a power of a linear expression; SymPy distinguishes cases unless the exponent is a number."""
    if power.exp == -1:
        result = log(power.base)
    elif power.exp.is_Number:
        result = power.base ** (power.exp + 1) / (power.exp + 1)
    else:
        raise IntegralError("an integral evaluates to cases")
    return result / power.base.diff(variable)


def _rational(term: Expr, variable: Expr) -> Expr | None:
    return ratint(term, variable) if term.is_rational_function(variable) else None


def _by_risch(integrand: Expr, variable: Expr) -> Expr | None:
    """Integrates by the Risch algorithm for exponentials and logarithms."""
    parts = _risch_parts(integrand, variable)
    if parts is None or parts[1] != 0:
        return None
    result = _without_cases(parts[0])
    return Add(*(_with_reduced_coefficient(term, variable) for term in result.args)) if result.is_Add else result


def _with_reduced_coefficient(term: Expr, variable: Expr) -> Expr:
    """Writes a sum before a power of the variable over one denominator and with its own sign, as SymPy 1.5.1 does."""
    coefficient, power = term.as_independent(variable, as_Add=False)
    if power.as_base_exp()[0] != variable or not any(factor.is_Add for factor in Mul.make_args(coefficient)):
        return term
    reduced = cancel(coefficient)
    return (reduced if reduced.is_rational_function() else take_out_sign(reduced)) * power


@lru_cache(maxsize=1000)
def _risch_parts(integrand: Expr, variable: Expr) -> tuple[Expr, Expr] | None:
    """An elementary integral and the integrand of the rest, which has none; None where the algorithm does not apply.

    Results are cached, because an integrand of one term is tried as a whole and then as a term.
    """
    if any(part.args[0].has(exp) and part.has(variable) for part in integrand.atoms(log)):
        return None  # for a logarithm of an exponential, SymPy's loop over its powers never ends
    try:
        result, rest = risch_integrate(integrand, variable, separate_integral=True)
    except (NotImplementedError, AttributeError):  # the latter where it has divided by zero
        return None
    if result == 0 and rest:
        return result, integrand  # as SymPy does, because the algorithm has rewritten the integrand
    return result, rest.function if rest else S.Zero


def _without_cases(result: Expr) -> Expr:
    if result.has(Piecewise, S.NaN):
        raise IntegralError("an integral evaluates to cases")
    return result


def _antiderivative_by_terms(integrand: Expr, variable: Expr) -> Expr | None:
    """Integrates term by term, without the terms' constant factors, which may hide cases.

    A term without an antiderivative counts before one with cases, as in SymPy.
    """
    values: list[Expr | None] = []
    has_cases = False
    for term in integrand.args:
        constant, body = term.as_independent(variable, as_Add=False)
        try:
            value = find_antiderivative(body, variable)
            values.append(None if value is None else constant * value)
        except IntegralError:
            has_cases = True
    if None in values:
        return None
    if has_cases:
        raise IntegralError("an integral evaluates to cases")
    return Add(*values)


def _undo_inner_function(term: Expr, variable: Expr) -> Expr | None:
    """Integrates `g(f(x))*df/dx`, where f is an undefined function, by substitution."""
    for factor in Mul.make_args(term):
        if not isinstance(factor, Derivative) or variable not in factor.variables or not factor.has(AppliedUndef):
            continue
        inner = lower_derivative(factor, variable)
        outer = (term / factor).subs(inner, INNER)
        has_symbolic_power = any(power.exp.free_symbols for power in outer.atoms(Pow))
        is_power = isinstance(outer, Pow) and not outer.base.has(exp)  # SymPy leaves powers of exponentials
        if not outer.has(variable) and (is_power or not has_symbolic_power):
            result = find_antiderivative(outer, INNER)
            return None if result is None else result.subs(INNER, inner)
    return None


def _undo_chain_rule_of_undefined(term: Expr, variable: Expr) -> Expr | None:
    return _undo_chain_rule(term, variable) if term.has(Derivative) else None


def _undo_chain_rule(integrand: Expr, variable: Expr) -> Expr | None:
    """Returns `c*F(u)` for `c*f(u)*du/dx`, where f is a sine, cosine or exponential and F its antiderivative.

    Raises:
        IntegralError: c divides by something that may be zero.
    """
    factor: Expr
    factors = integrand.as_ordered_factors()
    for factor in factors:
        if isinstance(factor, sin) and factor.has(variable) and cos(factor.args[0]) in factors:
            constant = cancel(integrand / factor / factor.diff(variable))
            if not constant.has(variable):
                return constant * factor**2 / 2
    for factor in factors:
        if factor.func in CHAIN and factor.has(variable):
            inner = factor.args[0]
            constant = cancel(integrand / factor / inner.diff(variable))
            if not constant.has(variable):
                if has_constant_denominator(constant, variable):
                    raise IntegralError("an integral evaluates to cases")
                return constant * CHAIN[factor.func](inner)
    return None


def _by_rules(integrand: Expr, variable: Expr) -> Expr | None:
    """Integrates by SymPy's rule-based algorithm (by parts, by substitution) where it is sure to end soon.

    With symbolic powers, sums in a denominator or two logarithms, it searches for seconds and hardly ever succeeds.
    """
    functions = [part for part in integrand.atoms(Function) if part.has(variable)]
    powers = [part for part in integrand.atoms(Pow) if part.has(variable)]
    if (
        integrand.count_ops() > MAX_RULE_OPERATIONS
        or not all(_is_linear(part.args[0], variable) for part in functions)
        or sum(isinstance(part, log) for part in functions) > 1
        or any(not part.exp.is_Number or (part.exp.is_negative and part.base.is_Add) for part in powers)
    ):
        return None
    result = manualintegrate(integrand, variable)
    return None if result.has(Integral, *SPECIAL_FUNCTIONS) else result


def _is_out_of_reach(integrand: Expr, variable: Expr) -> bool:
    """Whether an integrand is too large or of a kind for which SymPy has no antiderivative.

    These kinds are undefined functions of the variable, powers with the variable in base and exponent, and powers of
    non-linear terms with a symbolic exponent.
    """
    if integrand.count_ops() > MAX_OPERATIONS or has_tower(integrand, variable):
        return True
    for part in integrand.atoms(AppliedUndef, Function, Integral, Derivative):
        if part != variable and part.has(variable) and not isinstance(part, ELEMENTARY):
            return True
    return any(
        power.base == 0
        or (power.base.has(variable) and not power.exp.is_Number and not _is_linear(power.base, variable))
        for power in integrand.atoms(Pow)
    )


def _is_linear(expression: Expr, variable: Expr) -> bool:
    return bool(expression.is_polynomial(variable)) and degree(expression, variable) <= 1
