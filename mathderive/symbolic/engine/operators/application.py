"""Applying an operator to equations."""

from sympy import Equality, Expr, Symbol

from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.engine.operators.operator import DrawConstant, Operator, OperatorError, Sides
from mathderive.symbolic.fast.integration import IntegralError
from mathderive.symbolic.fast.relations import NotAnEquationError, relate
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS


def apply_operator(
    operator: Operator, equation: Equality, second: Expr | Equality | None, draw_constant: DrawConstant
) -> Equality:
    """Applies an operator to an equation and its operand or second equation.

    Raises:
        OperatorError: it cannot be carried out, or the result is not an equation or is too large.
    """
    if operator.function is None:
        raise OperatorError(f"{operator.name} derives nothing")
    try:
        return relate(*operator.function(equation, second, draw_constant))
    except OperatorError:
        raise
    except (IntegralError, NotAnEquationError, TooLargeError) as error:
        raise OperatorError(f"{operator.name}: {error}") from None
    except SYMPY_ERRORS as error:
        raise OperatorError(f"{operator.name}: SymPy raises {type(error).__name__}") from error


def sides_given_by(operator: Operator, equation: Equality, second: Expr | Equality | None) -> Sides | None:
    """The sides of the result; None where the operator fails or needs a constant."""
    try:
        result = apply_operator(operator, equation, second, no_constant)
    except OperatorError:
        return None
    return result.lhs, result.rhs


def no_constant() -> Symbol:
    """A source of constants that has none.

    Raises:
        OperatorError: always.
    """
    raise OperatorError("constants are not drawn here")
