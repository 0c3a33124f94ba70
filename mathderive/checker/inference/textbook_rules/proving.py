"""Proves an equation that cannot be tested: one of terms that cannot be evaluated, or beside premises without a model.

The rules here need no test: what they give is true if the equations that they take are. So they take true equations
only, never divide by what may be zero, choose no branch, and differentiate or integrate nothing but laws.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sympy import Derivative, Expr, Integral, Mul, Pow, Symbol, cancel, exp
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.facts import size_of
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.inference.textbook_rules import calculus, combining, rearranging, substituting
from mathderive.checker.inference.textbook_rules.question import StepQuestion
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm
from mathderive.symbolic.names import names_of
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

MAX_SIZE = 120
"""Maximum number of operations of a divisor."""


@dataclass(frozen=True)
class Rewriting:
    """An equation that follows because a term in it is replaced by an equal one, with the rule and the equations."""

    sides: Sides
    rule: str
    steps: tuple[int, ...]


def proofs(
    question: StepQuestion, rewritings: Iterator[Rewriting], restricted: Collection[Symbol]
) -> list[Justification]:
    """The ways in which true equations prove another one; the first that is found.

    Args:
        question: its facts are true equations, and its identities hold on every branch.
        rewritings: further equations that follow from true ones.
        restricted: names that may be zero.
    """
    question = replace(question, is_nonzero=lambda divisor: is_never_zero(divisor, restricted))
    laws = replace(question, facts=[fact for fact in question.facts if question.is_law(fact)])
    finders: tuple[Callable[[], Iterator[Justification]], ...] = (
        lambda: _equal_sides(question),
        lambda: rearranging.find_rearranged(question),
        lambda: combining.find_sum(question),
        lambda: substituting.find_put_in(question),
        lambda: substituting.find_several_put_in(question),
        lambda: combining.find_multiple_added(question),
        lambda: rearranging.find_function(question),
        lambda: calculus.find_differentiated(laws),
        lambda: _rewritten(question, rewritings),
    )
    for finder in finders:
        found = list(dict.fromkeys(finder()))
        if found:
            return found
    return []


def _equal_sides(question: StepQuestion) -> Iterator[Justification]:
    for fact in question.facts:
        if question.is_stated(fact.sides):
            yield Justification("applied_identity", (), (fact.number,))


def _rewritten(question: StepQuestion, rewritings: Iterator[Rewriting]) -> Iterator[Justification]:
    for one in rewritings:
        if question.is_stated(one.sides):
            yield Justification(one.rule, (), one.steps)
            return


def is_never_zero(divisor: Expr, restricted: Collection[Symbol]) -> bool:
    """Whether an expression is a product of powers of numbers, exponentials and names that are not zero."""
    if size_of(divisor) > MAX_SIZE:
        return False
    try:
        factors = Mul.make_args(cancel(divisor))
    except SYMPY_ERRORS:
        return False
    return all(_is_nonzero_factor(factor, restricted) for factor in factors)


def _is_nonzero_factor(factor: Expr, restricted: Collection[Symbol]) -> bool:
    if isinstance(factor, Pow) and factor.exp.is_number:
        return _is_nonzero_factor(factor.base, restricted)
    if factor.is_number:
        return factor.is_zero is False and factor.is_finite is not False
    if isinstance(factor, Symbol):
        return not isinstance(factor, OpaqueTerm) and factor not in restricted
    return isinstance(factor, exp)


def is_law(sides: Sides, definitions: Mapping[Basic, Expr]) -> bool:
    """Whether an equation says something about functions everywhere, and not about the place where they have a value.

    Args:
        definitions: the definitions of names and functions in the model.
    """
    for side, other in (sides, sides[::-1]):
        if definitions.get(side) == other and (isinstance(side, AppliedUndef) or not other.is_number):
            return True
        if other.is_number and not any(r"\nabla" in name for name in names_of(side)):
            return False
    return any(side.has(AppliedUndef, Derivative, Integral) or side.atoms(OpaqueTerm) for side in sides)


def names_that_may_be_zero(equations: Sequence[Sides]) -> set[Symbol]:
    """The names that an equation of a number alone restricts."""
    return {
        name
        for sides in equations
        for side, other in (sides, sides[::-1])
        if other.is_number
        for name in side.free_symbols
        if not side.has(Derivative, Integral, AppliedUndef)
    }
