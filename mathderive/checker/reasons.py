"""The sentence that explains to a person which operator gives an equation."""

from mathderive.checker.inference.matching import Justification
from mathderive.symbolic.engine.operators import OPERATORS
from mathderive.symbolic.latex.printer import latex


def sentence(way: Justification) -> str:
    """Explains a justification in one line, with its formulas between dollar signs."""
    sources = [f"equation {number}" if number else "what is given" for number in way.steps]
    operand = ", ".join(f"${latex(operand)}$" for operand in way.operands)
    return OPERATORS[way.operator].sentence.format(*sources, operand=operand)
