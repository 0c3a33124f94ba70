"""Recognises premises that are ordinary differential equations."""

from sympy import Derivative, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.integrals import standing_for
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.definitions import Definitions, DifferentialEquation
from mathderive.checker.numeric.evaluator import MAX_ORDER
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.fast.integration import IntegralError, carry_out
from mathderive.symbolic.parts import order_of
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS


def differential_equation(sides: Sides, definitions: Definitions) -> tuple[str, DifferentialEquation] | None:
    """The function that an equation describes, with its highest derivative as an expression in lower ones.

    It is None for other equations. The derivative has to stand where arithmetic can isolate it, as in
    `m y'' + k y = f(x)`.
    """
    sides = _with_derivatives(sides, definitions)
    for derivative in sorted(sides[0].atoms(Derivative) | sides[1].atoms(Derivative), key=_rank):
        function, ((variable, order), *others) = derivative.expr, derivative.variable_count
        if others or not isinstance(function, AppliedUndef) or function.args != (variable,):
            continue
        if not (isinstance(variable, Symbol) and order.is_Integer and order <= MAX_ORDER):
            continue
        name = function.func.__name__
        if definitions.has(function) or definitions.has(variable) or name in definitions.differential:
            continue
        for side, other in (sides, sides[::-1]):
            body = standing_for(derivative, side, other) if side.has(derivative) and not other.has(derivative) else None
            if body is not None and not definitions.has_integral(body):
                return name, DifferentialEquation(variable, int(order), body)
    return None


def _with_derivatives(sides: Sides, definitions: Definitions) -> Sides:
    """The sides with derivatives in place of the functions that are defined as such: with `z = y'`, `z'` is `y''`."""
    bodies = {
        part: definitions.exact[part]
        for side in sides
        for part in side.atoms(AppliedUndef)
        if part in definitions.exact and definitions.exact[part].has(Derivative)
    }
    if not bodies:
        return sides
    try:
        return carry_out(sides[0].xreplace(bodies)), carry_out(sides[1].xreplace(bodies))
    except (IntegralError, TooLargeError, *SYMPY_ERRORS):
        return sides


def _rank(derivative: Derivative) -> tuple[int, str]:
    return -order_of(derivative), str(derivative)
