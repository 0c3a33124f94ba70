"""The operators that apply one function to both sides: cosine, sine, exponential, logarithm and expansion."""

from collections.abc import Callable, Iterator, Sequence

from sympy import Equality, Expr, Integral, cos, exp, log, sin

from mathderive.symbolic.bounds import check_exponential
from mathderive.symbolic.engine.operators.inverses import apply_and_compare
from mathderive.symbolic.engine.operators.operator import Arity, Comparison, Function, Guard, Operator
from mathderive.symbolic.engine.zero import has_no_zero_side, is_zero_given
from mathderive.symbolic.fast.expansion import multiply_out


def on_both_sides(transform: Callable[[Expr], Expr]) -> Function:
    """The function of an operator that does the same to both sides."""
    return lambda equation, _second, _draw: (transform(equation.lhs), transform(equation.rhs))


def compare_values(operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    """The inverse of an elementary function: applies it to the values of the sides, which takes no SymPy.

    SymPy's functions take an integral of zero, which it leaves as it is, for zero; its value is an unknown.
    """
    new, before = comparison.new, comparison.before
    if not all(after <= earlier for after, earlier in zip(new.names, before.names, strict=True)):
        return  # a name comes from nowhere
    if before.has_integral_of_zero or not new.has_fingerprint:
        yield from apply_and_compare(operator, comparison)
    else:
        left, right = comparison.function_of_sides(operator.name)
        if comparison.close(new.left, left) and comparison.close(new.right, right):
            yield ()


def _compare_expanded(operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    """The inverse of the expansion, which changes no value: the new equation must be expanded already."""
    new, before = comparison.new, comparison.before
    # Expansion splits integrals and derivatives of sums, which changes their fingerprints, but no others.
    is_algebraic = new.has_fingerprint and not before.has_integral and not before.has_derivative
    if is_algebraic and not all(comparison.same_sides):
        return
    if not all(after <= earlier for after, earlier in zip(new.names, before.names, strict=True)):
        return  # a name comes from nowhere
    if new.has_fingerprint and new.result_of(operator.name) is not None:
        return
    result = before.result_of(operator.name)
    if result is not None and comparison.states(result):
        yield ()


def _has_no_integral_of_zero(premises: Sequence[Equality], equation: Equality, _operand: Expr | None) -> bool:
    """Whether no side is an integral of zero, which SymPy's functions take for zero although it is any constant."""
    return not any(side.has(Integral) and is_zero_given(premises, side) for side in equation.args)


def _exponential(side: Expr) -> Expr:
    check_exponential(side)
    return exp(side)


def _function(name: str, transform: Callable[[Expr], Expr], guard: Guard = _has_no_integral_of_zero) -> Operator:
    return Operator(
        name,
        Arity.EQUATION,
        sentence=f"{name} of both sides of {{0}}",
        function=on_both_sides(transform),
        guard=guard,
        inverse=compare_values,
        inverse_is_quick=True,
    )


COS = _function("cos", cos)
SIN = _function("sin", sin)
EXP = _function("exp", _exponential)
LOG = _function("log", log, guard=has_no_zero_side)

EXPAND = Operator(
    "expand",
    Arity.EQUATION,
    sentence="{0} expanded",
    function=on_both_sides(multiply_out),
    inverse=_compare_expanded,
)
