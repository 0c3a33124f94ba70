"""The sentence that explains to a person which operator or rule gives an equation."""

from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.textbook_rules.steps import SENTENCES
from mathderive.symbolic.engine.operators import OPERATORS
from mathderive.symbolic.latex.printer import latex


def sentence(justification: Justification) -> str:
    """Explains a justification in one line, with its formulas between dollar signs."""
    sources = [f"equation {number}" if number else "what is given" for number in justification.steps]
    operand = ", ".join(f"${latex(operand)}$" for operand in justification.operands)
    pattern = SENTENCES.get(justification.operator) or OPERATORS[justification.operator].sentence
    both = " and ".join(sources[:2])
    if len(sources) > 1 and 0 not in justification.steps[:2]:
        both = "equations {} and {}".format(*justification.steps)
    return pattern.format(*sources, operand=operand, both=both)
