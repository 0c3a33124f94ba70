"""All textbook rules, in the order in which they are tried."""

from sympy import Expr

from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.textbook_rules import calculus, combining, identity, rearranging, substituting
from mathderive.checker.inference.textbook_rules.question import Rule, StepQuestion
from mathderive.checker.inference.textbook_rules.series import FIRST_TERMS
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm

RULES: tuple[Rule, ...] = (
    *identity.RULES,
    *rearranging.RULES,
    *substituting.RULES,
    *calculus.RULES,
    *combining.RULES,
)

SLOW_RULES = combining.SLOW_RULES

NEW_NAME = Rule("new_name", "a new name for an expression")
"""The definition of a name that nothing used before."""

TERM_REPLACED = Rule("term_replaced", "{1} put into {0}")

SAME_DONE = Rule("same_done", "the same done to both sides of {0}")

SENTENCES = {
    rule.name: rule.sentence for rule in (*RULES, *SLOW_RULES, NEW_NAME, TERM_REPLACED, SAME_DONE, FIRST_TERMS)
}
"""The explanation of each rule."""


def textbook_steps(question: StepQuestion) -> list[Justification]:
    """The ways in which a true equation follows in one step; by a slow rule only if there is no other."""
    found: dict[Justification, None] = {}
    for rule in RULES:
        found |= dict.fromkeys(step for step in rule.find(question) if is_allowed(step, question))
        if found:
            question.identities.limit_work()  # further steps matter only to what the goal depends on
    if not found:
        for rule in SLOW_RULES:
            found |= dict.fromkeys(step for step in rule.find(question) if is_allowed(step, question))
    return list(found)


def is_allowed(step: Justification, question: StepQuestion) -> bool:
    r"""Whether at most one equation of a step ends in dots: `\dots` stands for something else in each equation."""
    open_ended = {fact.number for fact in question.facts if any(map(has_dots, fact.sides))}
    return len(open_ended.intersection(step.steps)) < 2


def has_dots(side: Expr) -> bool:
    """Whether an expression ends in dots."""
    return any("dots" in term.name for term in side.atoms(OpaqueTerm))
