"""The eighteen operators of Meadows et al. (2024), in one table.

Sampling, replaying, perturbing and checking all go through this table. Operators are pure: the one choice that one
of them makes, the name of an integration constant, is made by a callable passed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import comb, prod

from sympy import Add, Derivative, Dummy, Equality, Expr, Integral, Mul, Pow, Symbol, cos, exp, expand, log, sin
from sympy.polys.polyerrors import BasePolynomialError

from mathderive.symbolic.bounds import (
    UNIT,
    TooLargeError,
    check_exponential,
    check_expression,
    check_power,
    expression_size,
    tower_height,
)
from mathderive.symbolic.engine.derivation import (
    Annotation,
    AnnotationError,
    SreprError,
    read_operand,
    step_references,
)
from mathderive.symbolic.fast.integration import IntegralError, carry_out, evaluate_integral
from mathderive.symbolic.fast.relations import NotAnEquationError, relate
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.names import names_of

_PROBE = Dummy()

MAX_DERIVATIVE_ORDER = 12
MAX_EXPANDED_TERMS = 1000
"""An equation of 350 characters has far fewer terms."""

Sides = tuple[Expr, Expr]
DrawConstant = Callable[[], Symbol]
"""Gives the constant of the next evaluated integral; raises `OperatorError` where there is none left."""


class OperatorError(ValueError):
    """The operator does not apply; the message says why."""


class Arity(Enum):
    """What an operator needs."""

    PREMISE = "nothing"
    EQUATION = "one equation"
    OPERAND = "an equation and an operand"
    TWO_EQUATIONS = "two equations"


@dataclass(frozen=True)
class Operator:
    """A name, what it needs, and how the sides of its result are made.

    `function` takes the equation acted on, what else is needed (an operand, the second equation, or nothing) and
    the source of constants. A premise follows from nothing, so it has none.
    """

    name: str
    arity: Arity
    function: Callable[[Equality, Expr | Equality | None, DrawConstant], Sides] | None = None


def apply(annotation: Annotation, equations: Sequence[Equality], draw_constant: DrawConstant) -> Equality:
    """Carries out an annotation on the equations of the steps before it.

    Raises:
        OperatorError: the annotation is a premise, unknown or malformed, refers to no step, cannot be carried
            out, or gives what is no equation or too large.
    """
    operator = OPERATORS.get(str(annotation[0])) if isinstance(annotation, tuple) and annotation else None
    if operator is None or operator.function is None:
        raise OperatorError(f"{annotation!r} derives nothing")
    try:
        references = step_references(annotation)
        operands = annotation[1 + len(references) :]
        operand = read_operand(operands[0]) if operands else None
    except (AnnotationError, SreprError) as error:
        raise OperatorError(str(error)) from None
    if max(references) > len(equations):
        raise OperatorError(f"{annotation!r} refers to a step that is not there")
    if len(operands) != (operator.arity is Arity.OPERAND):
        raise OperatorError(f"{annotation!r}: {operator.name} takes {operator.arity.value}")
    second = equations[references[1] - 1] if operator.arity is Arity.TWO_EQUATIONS else operand
    return apply_operator(operator, equations[references[0] - 1], second, draw_constant)


def apply_operator(
    operator: Operator, equation: Equality, second: Expr | Equality | None, draw_constant: DrawConstant
) -> Equality:
    """Carries out an operator on an equation and its operand or second equation.

    Raises:
        OperatorError: it cannot be carried out, or gives what is no equation or too large.
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


SYMPY_ERRORS = (
    *(ValueError, TypeError, AttributeError, ArithmeticError, LookupError, NotImplementedError, RecursionError),
    BasePolynomialError,
)
"""What SymPy is known to raise on sound but unusual expressions, such as a derivative by something no variable."""


def _on_both_sides(transform: Callable[[Expr], Expr]) -> Callable[..., Sides]:
    return lambda equation, _second, _draw: (transform(equation.lhs), transform(equation.rhs))


def _with_operand(transform: Callable[[Expr, Expr], Expr]) -> Callable[..., Sides]:
    return lambda equation, operand, _draw: (transform(equation.lhs, operand), transform(equation.rhs, operand))


def _exponential(side: Expr) -> Expr:
    check_exponential(side)
    return exp(side)


def _power(side: Expr, exponent: Expr) -> Expr:
    check_power(side, exponent)
    return side**exponent


def _differentiate(side: Expr, variable: Expr) -> Expr:
    """Unevaluated; SymPy merges nested derivatives all the same."""
    return Derivative(side, variable)


def _integrate(side: Expr, variable: Expr) -> Expr:
    """Unevaluated; SymPy merges nested integrals all the same."""
    return Integral(side, variable)


def multiplied_out(side: Expr) -> Expr:
    """`expand(side)`.

    Raises:
        TooLargeError: it would have more than `MAX_EXPANDED_TERMS` terms.
    """
    if _expanded_terms(side) > MAX_EXPANDED_TERMS:
        raise TooLargeError(f"the expansion would have more than {MAX_EXPANDED_TERMS} terms")
    return expand(side)


def _expanded_terms(expression: Expr) -> int:
    """How many terms a sum, product or natural power expands to, before like terms are collected."""
    if isinstance(expression, Add):
        return sum(_expanded_terms(term) for term in expression.args)
    if isinstance(expression, Mul):
        return prod(_expanded_terms(factor) for factor in expression.args)
    if isinstance(expression, Pow) and expression.exp.is_Integer and expression.exp.is_positive:
        return comb(_expanded_terms(expression.base) + int(expression.exp) - 1, int(expression.exp))
    return 1


def _evaluate_derivatives(side: Expr) -> Expr:
    r"""Carries out every derivative whose LaTeX holds no `\int` (which `\iint` does not hold either)."""
    texts = {derivative: latex(derivative) for derivative in side.atoms(Derivative)}
    for derivative in sorted(texts, key=lambda derivative: (-len(texts[derivative]), texts[derivative])):
        if derivative.derivative_count > MAX_DERIVATIVE_ORDER:
            raise TooLargeError(f"a derivative of order above {MAX_DERIVATIVE_ORDER}")
        if r"\int" not in texts[derivative]:
            side = replace(side, derivative, carry_out(derivative))
    return side


def _evaluate_integrals(equation: Equality, _second: object, draw_constant: DrawConstant) -> Sides:
    r"""Replaces the integrals that the generator evaluates, unless one prints `\iint`, `\iiint` or `\iiiint`."""
    if any(_prints_merged(integral) for integral in equation.atoms(Integral)):
        return equation.lhs, equation.rhs
    values: dict[Integral, Expr] = {}
    left = _with_values(equation.lhs, values, draw_constant)
    return left, _with_values(equation.rhs, values, draw_constant)


def _with_values(node: Expr, values: dict[Integral, Expr], draw_constant: DrawConstant) -> Expr:
    """The expression with its integrals replaced, outermost first; equal integrals have equal constants."""
    if not node.has(Integral):
        return node
    if isinstance(node, Integral) and node not in values:
        value = evaluate_integral(node)
        if value is not None:
            values[node] = value + draw_constant()
    if node in values:
        return values[node]
    return node.func(*[_with_values(part, values, draw_constant) for part in node.args])


def _prints_merged(integral: Integral) -> bool:
    return 2 <= len(integral.limits) <= 4 and all(len(limit) == 1 for limit in integral.limits)


def substitute(equation: Equality, old: Expr, new: Expr) -> Equality | None:
    """`equation.subs(old, new)`; None where that changes nothing.

    Raises:
        OperatorError: the result is no equation or too large, or SymPy cannot carry it out.
    """
    try:
        sides = _substitute(equation, old, new)
        return None if sides == equation.args else relate(*sides)
    except (NotAnEquationError, TooLargeError) as error:
        raise OperatorError(f"substitution: {error}") from None
    except SYMPY_ERRORS as error:
        raise OperatorError(f"substitution: SymPy raises {type(error).__name__}") from error


def _substitute(equation: Equality, old: Expr, new: Expr) -> Sides:
    left, right = (_substitute_in_side(side, old, new) for side in equation.args)
    return left, right


def _substitute_in_side(side: Expr, old: Expr, new: Expr) -> Expr:
    """SymPy's `subs`, where there can be something to replace and nothing grows out of hand."""
    if not names_of(old) <= names_of(side):
        return side
    if tower_height(side) + tower_height(new) >= 2 and (size := expression_size(new, {})) != UNIT:
        check_expression(replace(side, old, _PROBE), {_PROBE: size})
    return replace(side, old, new)


def _substitute_left_for_right(equation: Equality, rule: Equality, _draw: DrawConstant) -> Sides:
    return _substitute(equation, rule.lhs, rule.rhs)


def _substitute_right_for_left(equation: Equality, rule: Equality, _draw: DrawConstant) -> Sides:
    return _substitute(equation, rule.rhs, rule.lhs)


OPERATORS: dict[str, Operator] = {
    operator.name: operator
    for operator in (
        Operator("get_premise", Arity.PREMISE),
        Operator("renaming_premise", Arity.PREMISE),
        Operator("cos", Arity.EQUATION, _on_both_sides(cos)),
        Operator("sin", Arity.EQUATION, _on_both_sides(sin)),
        Operator("exp", Arity.EQUATION, _on_both_sides(_exponential)),
        Operator("log", Arity.EQUATION, _on_both_sides(log)),
        Operator("expand", Arity.EQUATION, _on_both_sides(multiplied_out)),
        Operator("evaluate_derivatives", Arity.EQUATION, _on_both_sides(_evaluate_derivatives)),
        Operator("evaluate_integrals", Arity.EQUATION, _evaluate_integrals),
        Operator("add", Arity.OPERAND, _with_operand(lambda side, operand: side + operand)),
        Operator("minus", Arity.OPERAND, _with_operand(lambda side, operand: side - operand)),
        Operator("times", Arity.OPERAND, _with_operand(lambda side, operand: side * operand)),
        Operator("divide", Arity.OPERAND, _with_operand(lambda side, operand: side / operand)),
        Operator("power", Arity.OPERAND, _with_operand(_power)),
        Operator("differentiate", Arity.OPERAND, _with_operand(_differentiate)),
        Operator("integrate", Arity.OPERAND, _with_operand(_integrate)),
        Operator("substitute_LHS_for_RHS", Arity.TWO_EQUATIONS, _substitute_left_for_right),
        Operator("substitute_RHS_for_LHS", Arity.TWO_EQUATIONS, _substitute_right_for_left),
    )
}
"""Every operator by name; a derivation's first premise is annotated `premise`, later ones `get_premise`."""
