"""Sentences that say how an operator derives an equation."""

from mathderive.checker.inference.matching import Justification
from mathderive.symbolic.latex.printer import latex

SENTENCES = {
    "expand": "{0} expanded",
    "evaluate_derivatives": "the derivatives in {0} carried out",
    "evaluate_integrals": "the integrals in {0} carried out",
    "add": "{operand} added to {0}",
    "minus": "{operand} subtracted from {0}",
    "times": "{0} times {operand}",
    "divide": "{0} divided by {operand}",
    "power": "{0} to the power of {operand}",
    "differentiate": "{0} differentiated by {operand}",
    "integrate": "{0} integrated by {operand}",
    "substitute_LHS_for_RHS": "{0} with the left side of {1} replaced by its right side",
    "substitute_RHS_for_LHS": "{0} with the right side of {1} replaced by its left side",
    "renaming_premise": "a new name for {operand}",
    **{name: f"{name} of both sides of {{0}}" for name in ("cos", "sin", "exp", "log")},
}


def sentence(justification: Justification) -> str:
    """A line for the reader, with its formulas between dollar signs."""
    sources = [f"equation {number}" if number else "what is given" for number in justification.steps]
    return SENTENCES[justification.operator].format(
        *sources, operand=", ".join(f"${latex(o)}$" for o in justification.operands)
    )
