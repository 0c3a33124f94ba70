"""All textbook rules, in the order in which they are tried."""

from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.textbook_rules import calculus, combining, identity, rearranging, substituting
from mathderive.checker.inference.textbook_rules.question import Rule, StepQuestion

RULES: tuple[Rule, ...] = (
    *identity.RULES,
    *rearranging.RULES,
    *substituting.RULES,
    *calculus.RULES,
    *combining.RULES,
    *combining.SLOW_RULES,
)

NEW_NAME = Rule("new_name", "a new name for an expression", lambda question: iter(()))
"""The definition of a name that nothing used before."""

TERM_REPLACED = Rule("term_replaced", "{1} put into {0}", lambda question: iter(()))

SAME_DONE = Rule("same_done", "the same done to both sides of {0}", lambda question: iter(()))

SENTENCES = {rule.name: rule.sentence for rule in (*RULES, NEW_NAME, TERM_REPLACED, SAME_DONE)}
"""The explanation of each rule."""


def textbook_steps(question: StepQuestion) -> list[Justification]:
    """The ways in which a true equation follows in one step, by the first rule that gives any."""
    for rule in RULES:
        found = list(dict.fromkeys(rule.find(question)))
        if found:
            return found
    return []
