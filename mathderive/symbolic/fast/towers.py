"""Powers with the variable in base and exponent, such as `x**x`, their derivatives and their logarithms."""

from sympy import Derivative, Expr, Integral, Mul, Pow, cancel, exp, log
from sympy.core.function import AppliedUndef

from mathderive.symbolic.fast.integrals_with_cases import IntegralError, has_constant_denominator


def undo_derivative(integrand: Expr, variable: Expr) -> Expr | None:
    """Returns `c*F` for the unevaluated integrand `c*dF/dx`, if F has a power with the variable in base and exponent.

    Raises:
        IntegralError: c divides by something that may be zero.
    """
    factor, derivative = integrand.as_independent(variable, as_Add=False)
    if not isinstance(derivative, Derivative) or variable not in derivative.variables:
        return None
    if derivative.has(AppliedUndef) or not has_tower(derivative, variable):
        return None
    if has_constant_denominator(factor, variable):
        raise IntegralError("an integral evaluates to cases")
    return factor * _with_exponentials(lower_derivative(derivative, variable), variable)


def lower_derivative(derivative: Derivative, variable: Expr) -> Expr:
    """Takes a variable off a derivative once."""
    variables = list(derivative.variables)
    variables.remove(variable)
    return Derivative(derivative.expr, *variables) if variables else derivative.expr


def _with_exponentials(power: Expr, variable: Expr) -> Expr:
    """Writes a power as an exponential if its base has functions or is a tower of `1/x`, as SymPy does."""
    if not isinstance(power, Pow):
        return power
    base, exponent = power.base, power.exp
    if isinstance(base, Pow):
        if isinstance(base.base, exp):
            return exp(exponent * base.exp * base.base.args[0])
        inner, inverse = base.base.as_base_exp()
        if not has_tower(base, variable) or inner != variable or inverse == 1:
            return power
        return exp(exponent * base.exp * inverse * log(inner))
    if not any(part.has(variable) for part in base.atoms(log, exp)):
        return power
    return exp(exponent * (base.args[0] if isinstance(base, exp) else log(base)))


def undo_tower(term: Expr, variable: Expr) -> Expr | None:
    """Returns `c*F` for `c*dF/dx`, where F is a power with the variable in base and exponent or its exponential."""
    if not term.has(log) or not has_tower(term, variable):
        return None
    for factor in Mul.make_args(term):
        if factor.has(Integral):
            continue  # SymPy does not find these
        if isinstance(factor, Pow) and factor.base.has(variable) and factor.exp.has(variable):
            inner = factor.exp * log(factor.base)
        elif isinstance(factor, exp) and has_tower(factor, variable):
            inner = factor.args[0]
        else:
            continue
        constant = cancel(term / factor / inner.diff(variable))
        if not constant.has(variable):
            return constant * _with_exponentials(factor, variable)
    return None


def has_tower(expression: Expr, variable: Expr) -> bool:
    """Whether an expression holds a power with the variable in base and exponent."""
    return any(power.base.has(variable) and power.exp.has(variable) for power in expression.atoms(Pow))
