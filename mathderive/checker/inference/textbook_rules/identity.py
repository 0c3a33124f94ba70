"""Steps that replace expressions by equal ones: identities by themselves, and identities applied to an equation."""

from collections.abc import Iterator

from sympy import Expr

from mathderive.checker.inference.integrals import outer_integrals
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.textbook_rules.question import Rule, StepQuestion


def _find_identity(question: StepQuestion) -> Iterator[Justification]:
    new = question.new
    if question.identities.same(new.lhs, new.rhs) or _is_integrated(question, new.lhs, new.rhs):
        yield Justification("identity", (), ())


def _find_applied_identity(question: StepQuestion) -> Iterator[Justification]:
    for fact in question.facts:
        if question.is_stated(fact.sides):
            yield Justification("applied_identity", (), (fact.number,))


def _find_integration_rule(question: StepQuestion) -> Iterator[Justification]:
    """Steps that write an indefinite integral otherwise: by parts, with a constant factor before it, as a sum."""
    new, same = question.new, question.identities.same
    for fact in question.facts:
        for left, right in (fact.sides, fact.sides[::-1]):
            for kept, changed in (new.sides, new.sides[::-1]):
                if same(kept, left) and _is_integrated(question, changed, right):
                    yield Justification("integration_rule", (), (fact.number,))


def _is_integrated(question: StepQuestion, one: Expr, other: Expr) -> bool:
    """Whether expressions with integrals are equal for some constants of integration.

    Where an integral is evaluated, a new name has to be its constant.
    """
    counts = [len(outer_integrals(side)) for side in (one, other)]
    if not any(counts) or (not all(counts) and not question.fresh):
        return False
    return question.identities.same_with_constants(one, other, question.fresh)


RULES = (
    Rule("identity", "an identity", _find_identity),
    Rule("applied_identity", "an identity applied to {0}", _find_applied_identity),
    Rule("integration_rule", "the integrals in {0} written otherwise", _find_integration_rule),
)
