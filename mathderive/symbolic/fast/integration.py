"""Decides which integrals the generator evaluates, and evaluates them.

The rule of Meadows et al. (2024) has a side effect that is part of their data: an integral `i` is evaluated if
`str(simplify(i)) != str(simplify(i.doit()))`. SymPy's `simplify` takes factors and terms that do not depend on the
variable out of the integral and, if there are any, evaluates the rest. So an integral without such factors and terms is
evaluated, and for any other the two texts decide. For example, `∫ 2x dx` and `∫ x*y dx` stay as they are, while
`∫ e^x dx`, `∫ (x + y) dx` and `∫ (x - y)/z dx` are evaluated.

SymPy's `doit` also changes integrals for which it finds no antiderivative: it evaluates the derivatives and integrals
within the integrand and takes factors out of the integral. Where the two texts then differ, the integral is replaced by
a value that still holds integrals.

Both `doit` and `simplify` are imitated here with the antiderivatives of this package, which are bounded by size and
method, never by the clock.
"""

from collections.abc import Mapping
from functools import lru_cache

from sympy import Derivative, Expr, Integral, Mul, Pow, S, Symbol, Tuple, cos, exp, factor_terms, log, sin
from sympy.core import random as sympy_random

from mathderive.symbolic.fast.antiderivatives import find_antiderivative, is_large_power
from mathderive.symbolic.fast.differentiation import differentiate
from mathderive.symbolic.fast.integrals_with_cases import IntegralError
from mathderive.symbolic.fast.simplification import simplify_without_evaluation
from mathderive.symbolic.fast.towers import undo_derivative
from mathderive.symbolic.names import rename, to_pattern

MAX_OPERATIONS = 60
"""Maximum number of operations in an integrand without an antiderivative that is factorised."""


@lru_cache(maxsize=20_000)
def evaluate_integral(integral: Integral) -> Expr | None:
    """The expression that the generator replaces an integral by, without a constant; None where the integral stays.

    Raises:
        IntegralError: the value distinguishes cases.
    """
    pattern, names = to_pattern(integral)
    result = _evaluate_pattern(pattern)
    sympy_random.seed(0)  # so that later work does not depend on whether the result was cached
    return _in_names(result, names)


def _in_names(result: Expr | None, names: Mapping[str, str]) -> Expr | None:
    """Renames the result for a pattern back to the original names; NaN stands for a result with cases."""
    if result is S.NaN:
        raise IntegralError("the integral evaluates to cases")
    return None if result is None else rename(result, names)


@lru_cache(maxsize=20_000)
def _evaluate_pattern(integral: Integral) -> Expr | None:
    """`evaluate_integral` for all integrals that are equal up to renaming; NaN where that raises.

    It always starts from the same random state, so that the result does not depend on the first caller.
    """
    sympy_random.seed(0)
    try:
        value = _carry_out_integral(integral)
    except IntegralError:
        return S.NaN
    return value if _is_replaced(integral, value) else None


def _is_replaced(integral: Integral, value: Expr) -> bool:
    """Whether the texts of an integral and its value differ once both are simplified."""
    if value == integral:
        return False
    is_replaced = _is_clearly_replaced(factor_terms(integral), value)
    if is_replaced is not None:
        return is_replaced
    try:
        return str(_simplify(integral)) != str(_simplify(value))
    except IntegralError:
        return True  # the text differs from that of every value, as a text with cases does


def _is_clearly_replaced(factored: Expr, value: Expr) -> bool | None:
    """Decides from an integral with its constant factors taken out, as simplifying is slow; None where it must be done.

    Simplifying leaves an integral without constant factors an integral. It evaluates the product of a constant and an
    integral in the form of its value, unless that has sums.
    """
    if isinstance(factored, Integral):
        return None if isinstance(value, Integral) else True
    if value == factored:
        return False
    is_indefinite = all(len(limit) == 1 for part in factored.atoms(Integral) for limit in part.limits)
    if not factored.is_Mul or not is_indefinite or value.has(Integral):
        return None
    if any(factor.as_base_exp()[0].is_Add for factor in Mul.make_args(value)):
        return None
    if any(part.args[0].is_Add for part in value.atoms(log)):
        return None  # a factor may have been taken out of the logarithm
    if value.has(sin) and value.has(cos):
        return None  # simplifying writes their quotient as a tangent
    has_cases = _has_cases_without_factors(factored)
    return None if has_cases and factored.has(Derivative) else has_cases  # simplifying may cancel a derivative's factor


def _has_cases_without_factors(factored: Expr) -> bool:
    """Whether an integral with a value would have cases without its constant factors, as `y*exp(x*y)` by x has."""
    if not factored.has(exp, sin, cos) and all(power.exp.is_number for power in factored.atoms(Pow)):
        return False
    try:
        carry_out(factored)
    except IntegralError:
        return True
    return False


def _simplify(expression: Expr) -> Expr:
    """`_simplified` from a cache, with the random state that it starts from."""
    sympy_random.seed(0)
    result = _simplified(expression)
    sympy_random.seed(0)
    return result


@lru_cache(maxsize=5_000)
def _simplified(expression: Expr) -> Expr:
    """Returns `simplify(expression)`, which ends by evaluating the derivatives and integrals that are left."""
    if isinstance(expression, Integral):
        factored = factor_terms(expression)
        if isinstance(factored, Integral):
            return Integral(_simplify(factored.function), *factored.limits)
        expression = factored
    inner = {part: Integral(_simplify(part.function), *part.limits) for part in expression.atoms(Integral)}
    return carry_out(simplify_without_evaluation(expression.xreplace(inner)))


def carry_out(expression: Expr) -> Expr:
    """Evaluates the derivatives in an expression, and those integrals that have an antiderivative.

    Raises:
        IntegralError: the value of an integral distinguishes cases.
    """
    if isinstance(expression, Integral):
        return _carry_out_integral(expression)
    if not expression.has(Integral, Derivative):
        return expression
    parts = [carry_out(part) if isinstance(part, Expr) else part for part in expression.args]
    if isinstance(expression, Derivative):
        return _carry_out_derivative(*parts)
    return expression.func(*parts)


def _carry_out_derivative(expression: Expr, *counts: Tuple) -> Expr:
    """Evaluates a derivative without `doit`, which would try the remaining integrals again, without limits."""
    if len(counts) == 1 and counts[0][1] == 1 and isinstance(counts[0][0], Symbol):
        return differentiate(expression, counts[0][0])
    value = Derivative(expression, *counts, evaluate=True)
    is_negated_sum = value.is_Mul and value.args[0] == -1 and len(value.args) == 2
    return -value.args[1] if is_negated_sum else value  # SymPy 1.5.1 keeps no sign before a sum


def _carry_out_integral(integral: Integral) -> Expr:
    """Returns `integral.doit()`: the value, in which the integrals over some of the variables may remain."""
    first, *bounds = integral.limits[0]
    undone = None if bounds else undo_derivative(integral.function, first)
    limits = integral.limits if undone is None else integral.limits[1:]
    result = carry_out(integral.function if undone is None else undone)
    remaining: list[Tuple] = []
    for limit in limits:
        variable, *bounds = limit
        if _is_blocked(limit, remaining):
            result = _factor_out(Integral(result, limit))
            remaining.append(limit)
            continue
        antiderivative = find_antiderivative(result, variable)
        if antiderivative is None:
            result = _factor_out(_factor(Integral(result, limit)))
            remaining.append(limit)
        else:
            result = _between(antiderivative, variable, bounds) if bounds else antiderivative
    return result


def _is_blocked(limit: Tuple, remaining: list[Tuple]) -> bool:
    """Whether an integral over one of the earlier variables, which remains, keeps this one from being evaluated."""
    variable, *bounds = limit
    names = set().union(*(bound.free_symbols for bound in bounds)) if bounds else {variable}
    return any(earlier[0] in names for earlier in remaining)


def _factor_out(integral: Expr) -> Expr:
    """Takes factors out of an integral if there are any."""
    factored = _factor(integral)
    return integral if isinstance(factored, Integral) else factored


@lru_cache(maxsize=1000)
def _factor(expression: Expr) -> Expr:
    """Factorises integrals by symbols, whose integrands must be small.

    SymPy takes an undefined function that is integrated by for a factor that does not depend on itself.
    Results are cached, because most integrals have no factors and are then factorised once more.
    """
    variables = [limit[0] for integral in expression.atoms(Integral) for limit in integral.limits]
    if not all(isinstance(variable, Symbol) for variable in variables):
        return expression
    if expression.count_ops() > MAX_OPERATIONS or any(map(is_large_power, expression.atoms(Pow))):
        return expression
    return expression.factor()


def _between(antiderivative: Expr, variable: Expr, bounds: list[Expr]) -> Expr:
    """Inserts the bounds: two give a difference; a single one, left by a substitution, replaces the variable."""
    upper = antiderivative.subs(variable, bounds[-1])
    return upper - antiderivative.subs(variable, bounds[0]) if len(bounds) == 2 else upper
