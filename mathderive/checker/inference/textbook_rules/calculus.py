"""Steps of calculus that carry out what they apply: derivatives and integrals of both sides."""

from collections.abc import Iterator

from sympy import Derivative, Integral, S, Symbol

from mathderive.checker.inference.facts import Fact
from mathderive.checker.inference.integrals import outer_integrals
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.textbook_rules.question import Rule, StepQuestion

MAX_VARIABLES = 4
"""Maximum number of variables by which an equation is differentiated or integrated."""


def _variables(question: StepQuestion, fact: Fact) -> list[Symbol]:
    """The variables of a step's derivatives and integrals, and then other names of the equation."""
    found: dict[Symbol, None] = {}
    for part in (question.new.equation, fact.equation):
        for derivative in sorted(part.atoms(Derivative), key=str):
            found |= dict.fromkeys(one for one, _ in derivative.variable_count if isinstance(one, Symbol))
        for integral in sorted(part.atoms(Integral), key=str):
            found |= dict.fromkeys(limit[0] for limit in integral.limits if isinstance(limit[0], Symbol))
    return list(found)[:MAX_VARIABLES]


def find_differentiated(question: StepQuestion) -> Iterator[Justification]:
    for fact in question.facts:
        # An equation such as `f'(x) = 0` usually says where it holds.
        for variable in _variables(question, fact) if S.Zero not in fact.sides else ():
            sides = tuple(Derivative(side, variable, evaluate=False) for side in fact.sides)
            if question.is_stated((sides[0], sides[1])):
                yield Justification("differentiated", (variable,), (fact.number,))


def _find_integrated(question: StepQuestion) -> Iterator[Justification]:
    new, same = question.new, question.identities.same
    has_integrals = all(outer_integrals(side) for side in new.sides)
    if not question.fresh and not has_integrals:
        return
    for fact in question.facts:
        for variable in _variables(question, fact):
            left, right = (Derivative(side, variable, evaluate=False) for side in new.sides)
            for one, other in (fact.sides, fact.sides[::-1]):
                if same(left, one) and same(right, other):
                    yield Justification("integrated", (variable,), (fact.number,))


def _find_integrated_between(question: StepQuestion) -> Iterator[Justification]:
    """Both sides integrated between the bounds of an integral in the new equation."""
    limits = {
        integral.limits[0]
        for integral in question.new.equation.atoms(Integral)
        if len(integral.limits) == 1 and len(integral.limits[0]) == 3
    }
    for fact in question.facts:
        for limit in sorted(limits, key=str) if not fact.has_integral else ():
            if question.is_stated((Integral(fact.lhs, limit), Integral(fact.rhs, limit))):
                yield Justification("integrated", (limit[0],), (fact.number,))


RULES = (
    Rule("differentiated", "{0} differentiated by {operand} and evaluated", find_differentiated),
    Rule("integrated", "{0} integrated by {operand} and evaluated", _find_integrated),
    Rule("integrated_between", "{0} integrated between bounds", _find_integrated_between),
)
