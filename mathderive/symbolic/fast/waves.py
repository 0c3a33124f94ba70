"""Antiderivatives of squared sines and cosines in the form of SymPy's heuristic algorithm."""

from sympy import Expr, Pow, Symbol, cos, sin


def integrate_squared_wave(term: Expr, variable: Symbol) -> Expr | None:
    """Integrates `cos(a*x + b)**2`, the same with a sine, and either of them times x, where a is a number."""
    square = term / variable if term.is_Mul else term
    if not isinstance(square, Pow) or square.exp != 2 or not isinstance(square.base, sin | cos):
        return None
    argument = square.base.args[0]
    polynomial = argument.as_poly(variable)
    if polynomial is None or polynomial.degree() != 1 or not polynomial.LC().is_number:
        return None
    slope, sine, cosine = polynomial.LC(), sin(argument), cos(argument)
    sign = 1 if isinstance(square.base, cos) else -1
    other = sine if isinstance(square.base, cos) else cosine
    if term.is_Mul:
        mean = variable**2 * sine**2 / 4 + variable**2 * cosine**2 / 4
        return mean + sign * variable * sine * cosine / (2 * slope) - other**2 / (4 * slope**2)
    return variable * sine**2 / 2 + variable * cosine**2 / 2 + sign * sine * cosine / (2 * slope)
