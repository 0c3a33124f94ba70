"""The operators of calculus: differentiation and integration, which stay unevaluated, and the evaluation of both."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from sympy import Derivative, Equality, Expr, Integral, Symbol
from sympy.core.basic import Basic

from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.engine.operators.arithmetic import with_operand
from mathderive.symbolic.engine.operators.functions import on_both_sides
from mathderive.symbolic.engine.operators.inverses import apply_and_compare, operands_by_letter
from mathderive.symbolic.engine.operators.operator import Arity, Comparison, DrawConstant, Number, Operator, Sides
from mathderive.symbolic.engine.zero import given_symbols, is_zero_given
from mathderive.symbolic.fast.integration import IntegralError, carry_out, evaluate_integral
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.parts import equation_parts
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

MAX_DERIVATIVE_ORDER = 12
"""Maximum order of a derivative that is evaluated."""


def _symbols(equation: Equality, _parts: Collection[Expr]) -> list[Expr]:
    """The symbols of the equation."""
    return [part for part in equation_parts(equation) if isinstance(part, Symbol)]


def _is_independent(premises: Sequence[Equality], equation: Equality, variable: Expr | None) -> bool:
    """Whether a variable is no constant of integration that the equation may tie to other constants.

    `0 = C - k` makes one constant depend on the other. So does `C + Integral(f(x), x) = Integral(g(x), x)`, in which
    each integral has a constant of its own.
    """
    constants = equation.free_symbols - given_symbols(premises)
    if variable not in constants:
        return True
    beside_integral = any(variable in side.free_symbols and side.has(Integral) for side in equation.args)
    return len(constants) == 1 and not beside_integral


def _differentiate(side: Expr, variable: Expr) -> Expr:
    """The unevaluated derivative; SymPy merges nested ones all the same."""
    return Derivative(side, variable)


def _integrate(side: Expr, variable: Expr) -> Expr:
    """The unevaluated integral; SymPy merges nested ones all the same."""
    return Integral(side, variable)


def _evaluate_derivatives(side: Expr) -> Expr:
    """Replaces the derivatives that the generator evaluates by their values, the longest first."""
    for derivative in _evaluated_derivatives(side):
        if derivative.derivative_count > MAX_DERIVATIVE_ORDER:
            raise TooLargeError(f"a derivative of order above {MAX_DERIVATIVE_ORDER}")
        side = replace(side, derivative, carry_out(derivative))
    return side


def _evaluated_derivatives(side: Expr) -> list[Derivative]:
    r"""The derivatives whose LaTeX does not contain `\int` (`\iint` does not contain it either), the longest first."""
    texts = {derivative: latex(derivative) for derivative in side.atoms(Derivative)}
    return [
        derivative
        for derivative in sorted(texts, key=lambda derivative: (-len(texts[derivative]), texts[derivative]))
        if r"\int" not in texts[derivative]
    ]


def _has_true_derivatives(premises: Sequence[Equality], equation: Equality, _operand: Expr | None) -> bool:
    """Whether no derivative that is evaluated is one of an integral or by a constant of integration.

    SymPy would evaluate the integral without a constant. And it takes a constant of integration for independent of all
    else, although functions and integrals may hold it: if `∫ f(x) dx = C + F(x)`, the left side depends on C too.
    """
    return all(
        not derivative.has(Integral)
        and _are_true_variables(premises, derivative.expr, [variable for variable, _ in derivative.variable_count])
        for side in equation.args
        for derivative in _evaluated_derivatives(side)
    )


def _evaluate_integrals(equation: Equality, _second: object, draw_constant: DrawConstant) -> Sides:
    """Replaces the integrals that the generator evaluates by their values; equal integrals have equal constants."""
    values = {integral: value + draw_constant() for integral, value in _integral_values(equation).items()}
    return equation.lhs.xreplace(values), equation.rhs.xreplace(values)


@lru_cache(maxsize=1)
def _integral_values(equation: Equality) -> Mapping[Integral, Expr]:
    r"""The integrals that are evaluated, outermost first, with their values without a constant.

    There are none if an integral prints `\iint`, `\iiint` or `\iiiint`. The guard and the operator ask in turn.
    """
    if any(_prints_merged(integral) for integral in equation.atoms(Integral)):
        return {}
    values: dict[Integral, Expr] = {}
    for side in equation.args:
        _find_integral_values(side, values)
    return values


def _find_integral_values(node: Expr, values: dict[Integral, Expr]) -> None:
    if not node.has(Integral) or node in values:
        return
    if isinstance(node, Integral):
        value = evaluate_integral(node)
        if value is not None:
            values[node] = value
            return
    for part in node.args:
        _find_integral_values(part, values)


def _has_true_integrals(premises: Sequence[Equality], equation: Equality, _operand: Expr | None) -> bool:
    """Whether the evaluation of the integrals loses no constant.

    SymPy evaluates an integral inside another without a constant, although the derivation may give it one. It takes
    a constant of integration for independent of all else, although functions and integrals may hold it, and a function
    that is integrated by for independent of its own arguments. And an
    integral of 0 is any constant already, so that the constant that is added to it says nothing.
    """
    try:
        values = _integral_values(equation)
    except (IntegralError, TooLargeError, *SYMPY_ERRORS):
        return True  # the operator fails and says why
    return all(
        _are_true_variables(premises, integral.function, integral.variables)
        and not _evaluates_inner_integrals(integral, value)
        and not (value.has(Integral) and is_zero_given(premises, integral.function))
        for integral, value in values.items()
    )


def _are_true_variables(premises: Sequence[Equality], expression: Expr, variables: Iterable[Expr]) -> bool:
    """Whether no variable is a constant of integration, or a function whose arguments stand beside it."""
    given = given_symbols(premises)
    return all(
        variable in given if isinstance(variable, Symbol) else not _has_arguments_beside(expression, variable)
        for variable in variables
    )


def _has_arguments_beside(expression: Basic, function: Expr) -> bool:
    """Whether an argument of a function occurs outside the function; `f(x)**x` has x beside f(x)."""
    if expression == function:
        return False
    if not expression.args:
        return expression in function.free_symbols
    return any(_has_arguments_beside(part, function) for part in expression.args)


def _evaluates_inner_integrals(integral: Integral, value: Expr) -> bool:
    """Whether an integral inside this one, or one over the same function, is not left as it is in the value."""
    is_repeated = any(len(limit) == 1 for limit in integral.limits[:-1])
    return is_repeated or not integral.function.atoms(Integral) <= value.atoms(Integral)


def _prints_merged(integral: Integral) -> bool:
    return 2 <= len(integral.limits) <= 4 and all(len(limit) == 1 for limit in integral.limits)


def _find_variable_of_derivative(operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    """Taking the variable off the derivatives once leaves the earlier sides."""
    new, before = comparison.new, comparison.before
    variables = _variables(comparison, Derivative)
    yield from operands_by_letter(operator, comparison, variables)
    for variable in variables:
        if _is_derivative(comparison, new.lhs, new.left, before.lhs, before.left, variable) and _is_derivative(
            comparison, new.rhs, new.right, before.rhs, before.right, variable
        ):
            yield (variable,)


def _is_derivative(
    comparison: Comparison, side: Expr, value: Number, before: Expr, inner: Number, variable: Symbol
) -> bool:
    if isinstance(side, Derivative):
        lowered = comparison.lower_derivative(side, variable)
        if lowered is not None:
            return comparison.close(lowered, inner)
    return comparison.close(value, comparison.number(Derivative(before, variable)))


def _find_variable_of_integral(operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    """Taking the variable off the integrals once leaves the earlier sides."""
    new, before = comparison.new, comparison.before
    variables = _variables(comparison, Integral)
    yield from operands_by_letter(operator, comparison, variables)
    for variable in variables:
        if _is_integral(comparison, new.lhs, before.left, variable) and _is_integral(
            comparison, new.rhs, before.right, variable
        ):
            yield (variable,)


def _is_integral(comparison: Comparison, side: Expr, inner: Number, variable: Symbol) -> bool:
    if not isinstance(side, Integral):
        return False
    lowered = comparison.lower_integral(side, variable)
    return lowered is not None and comparison.close(lowered, inner)


def _variables(comparison: Comparison, kind: type[Basic]) -> list[Symbol]:
    """The variables that the new equation's sides are derivatives or integrals by."""
    variables: dict[Symbol, None] = {}
    for side in comparison.new.sides:
        if isinstance(side, kind):
            limits = side.limits if isinstance(side, Integral) else side.variable_count
            variables |= dict.fromkeys(limit[0] for limit in limits if isinstance(limit[0], Symbol))
    return list(variables)


def _compare_evaluated_derivatives(operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    before = comparison.before
    if before.has_derivative and not (comparison.new.has_fingerprint and before.differentiates_integrals):
        yield from apply_and_compare(operator, comparison)


def _compare_evaluated_derivatives_of_integrals(
    operator: Operator, comparison: Comparison
) -> Iterator[tuple[Expr, ...]]:
    if comparison.before.differentiates_integrals:
        yield from apply_and_compare(operator, comparison)


def _recognise_antiderivatives(_operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    """Differentiates the expressions that replaced the integrals; nothing needs to be integrated."""
    if comparison.before.has_integral and comparison.replaces_integrals(carry_out=False):
        yield ()


def _carry_out_integrals(_operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    if comparison.before.has_integral and comparison.replaces_integrals(carry_out=True):
        yield ()


EVALUATE_DERIVATIVES = Operator(
    "evaluate_derivatives",
    Arity.EQUATION,
    sentence="the derivatives in {0} carried out",
    function=on_both_sides(_evaluate_derivatives),
    weight=50,
    guard=_has_true_derivatives,
    inverse=_compare_evaluated_derivatives,
    slow_inverse=_compare_evaluated_derivatives_of_integrals,
    has_derive_clause=True,
)
EVALUATE_INTEGRALS = Operator(
    "evaluate_integrals",
    Arity.EQUATION,
    sentence="the integrals in {0} carried out",
    function=_evaluate_integrals,
    weight=50,
    guard=_has_true_integrals,
    inverse=_recognise_antiderivatives,
    slow_inverse=_carry_out_integrals,
    introduces_constants=True,
    has_derive_clause=True,
)
DIFFERENTIATE = Operator(
    "differentiate",
    Arity.OPERAND,
    sentence="{0} differentiated by {operand}",
    function=with_operand(_differentiate),
    operands=_symbols,
    guard=_is_independent,
    inverse=_find_variable_of_derivative,
    inverse_is_quick=True,
)
INTEGRATE = Operator(
    "integrate",
    Arity.OPERAND,
    sentence="{0} integrated by {operand}",
    function=with_operand(_integrate),
    operands=_symbols,
    guard=_is_independent,
    inverse=_find_variable_of_integral,
    inverse_is_quick=True,
)
