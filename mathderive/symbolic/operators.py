"""The eighteen operators of Meadows et al. (2024), in one table.

Sampling, replaying, perturbing and checking all go through `apply`. Operators are pure: the only choice one makes,
the name of an integration constant, is made by a callable passed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import comb

from sympy import Add, Derivative, Dummy, Equality, Expr, Function, Integral, Mul, Pow, Symbol, cos, exp, expand, log, sin
from sympy.core.basic import Basic

from mathderive.symbolic.bounds import TooLargeError, check_exponential, check_expression, check_power, expression_size, has_risky_power
from mathderive.symbolic.derivation import Annotation, read_operand, step_references
from mathderive.symbolic.integration import IntegralError, evaluate_integral
from mathderive.symbolic.relations import NotAnEquationError, relate
from mathderive.symbolic.printer import raw_latex

DrawConstant = Callable[[], Symbol]
"""Gives the integration constant of the next evaluated integral."""

MAX_DERIVATIVE_ORDER = 12
MAX_EXPANDED_TERMS = 1000


class OperatorError(ValueError):
    """The operator does not apply; the message says why."""


class Arity(Enum):
    """What an operator acts on, besides nothing at all."""

    PREMISE = 0
    EQUATION = 1
    OPERAND = 2
    TWO_EQUATIONS = 3

    @property
    def drawn_as(self) -> "Arity":
        return Arity.OPERAND if self is Arity.TWO_EQUATIONS else self


@dataclass(frozen=True)
class Operator:
    """`function` takes an equation, its operand (an expression, the second equation, or None) and the source of
    integration constants, and returns both sides of the result; premises have none."""

    name: str
    arity: Arity
    function: Callable[[Equality, Expr|Equality|None, DrawConstant], tuple[Expr, Expr]] | None = None


def apply(
    annotation: Annotation, equations: Sequence[Equality], draw_constant: DrawConstant
) -> Equality:
    """Applies an annotation to the equations of the steps before it.

    Raises:
        OperatorError: it is a premise, unknown, refers to no step, or SymPy cannot carry it out; also where the
            result is no equation (SymPy decides it) or would be too large.
    """
    operator = OPERATORS.get(annotation[0]) if isinstance(annotation, tuple) else None
    if operator is None or operator.function is None:
        raise OperatorError(f"{annotation!r} derives nothing")
    try:
        references = [equations[number - 1] for number in step_references(annotation)]
    except IndexError:
        raise OperatorError(f"{annotation!r} refers to a step that is not there") from None
    operand: Expr | Equality | None = None
    if operator.arity is Arity.TWO_EQUATIONS:
        operand = references[1]
    elif operator.arity is Arity.OPERAND:
        operand = read_operand(annotation[2])
    return run(operator, references[0], operand, draw_constant)


def run(operator, equation, operand, draw_constant):
    try:
        return relate(*operator.function(equation, operand, draw_constant))
    except (IntegralError, NotAnEquationError, TooLargeError) as error:
        raise OperatorError(str(error)) from error
    except (ValueError, TypeError, AttributeError, NotImplementedError, RecursionError, ArithmeticError) as error:
        raise OperatorError(f"{operator.name}: {type(error).__name__}: {error}") from error


def _on_sides(transform):
    return lambda equation, operand, draw: (transform(equation.lhs), transform(equation.rhs))

def _with_operand(transform):
    return lambda equation, operand, draw: (transform(equation.lhs, operand), transform(equation.rhs, operand))


def _exponential(side):
    check_exponential(side)
    return exp(side)

def _power(side, exponent):
    check_power(side, exponent)
    return side**exponent

def _expand(side):
    if expanded_terms(side) > MAX_EXPANDED_TERMS:
        raise TooLargeError("the expansion would be too long")
    return expand(side)

def _differentiate(side, variable):
    return Derivative(side, variable)

def _integrate(side, variable):
    return Integral(side, variable)

def _evaluate_derivatives(side):
    for derivative in sorted(side.atoms(Derivative), key=lambda d: -len(str(d))):
        if r"\int" not in raw_latex(derivative):
            side = side.subs(derivative, derivative.doit())
    return side

def _evaluate_integrals(equation, operand, draw):
    if any(2<=len(i.limits)<=4 and all(len(l)==1 for l in i.limits) for i in equation.atoms(Integral)): return equation.lhs, equation.rhs
    def walk(e):
        if isinstance(e, Integral):
            r = evaluate_integral(e)
            if r is not None: return r+draw()
        if not e.args or not e.has(Integral): return e
        return e.func(*[walk(a) for a in e.args])
    return walk(equation.lhs), walk(equation.rhs)

def _sub_l(eq, other, draw):
    return eq.lhs.subs(other.lhs, other.rhs), eq.rhs.subs(other.lhs, other.rhs)
def _sub_r(eq, other, draw):
    return eq.lhs.subs(other.rhs, other.lhs), eq.rhs.subs(other.rhs, other.lhs)

def expanded_terms(e):
    if isinstance(e, Add): return sum(map(expanded_terms, e.args))
    if isinstance(e, Mul):
        n=1
        for a in e.args: n*=expanded_terms(a)
        return n
    if isinstance(e, Pow) and e.exp.is_Integer and e.exp.p>0:
        k=expanded_terms(e.base)
        return comb(k+e.exp.p-1, e.exp.p)
    return 1

OPERATORS = {o.name: o for o in (
 Operator('get_premise', Arity.PREMISE), Operator('renaming_premise', Arity.PREMISE),
 Operator('cos', Arity.EQUATION, _on_sides(cos)),
 Operator('sin', Arity.EQUATION, _on_sides(sin)),
 Operator('exp', Arity.EQUATION, _on_sides(_exponential)),
 Operator('log', Arity.EQUATION, _on_sides(log)),
 Operator('expand', Arity.EQUATION, _on_sides(_expand)),
 Operator('evaluate_derivatives', Arity.EQUATION, _on_sides(_evaluate_derivatives)),
 Operator('evaluate_integrals', Arity.EQUATION, _evaluate_integrals),
 Operator('add', Arity.OPERAND, _with_operand(lambda a,b:a+b)),
 Operator('minus', Arity.OPERAND, _with_operand(lambda a,b:a-b)),
 Operator('times', Arity.OPERAND, _with_operand(lambda a,b:a*b)),
 Operator('divide', Arity.OPERAND, _with_operand(lambda a,b:a/b)),
 Operator('power', Arity.OPERAND, _with_operand(_power)),
 Operator('differentiate', Arity.OPERAND, _with_operand(_differentiate)),
 Operator('integrate', Arity.OPERAND, _with_operand(_integrate)),
 Operator('substitute_LHS_for_RHS', Arity.TWO_EQUATIONS, _sub_l),
 Operator('substitute_RHS_for_LHS', Arity.TWO_EQUATIONS, _sub_r),
)}


def substitute(eq, old, new):
    return run(Operator('s', Arity.TWO_EQUATIONS, lambda e, o, d: (e.lhs.subs(old,new), e.rhs.subs(old,new))), eq, None, None)
