"""Prints an example for a terminal: its prompt, then its steps with their operators."""

from mathderive.records import Example
from mathderive.symbolic.engine.derivation import Annotation, derivation_from_json, read_operand, step_references
from mathderive.symbolic.latex.printer import latex


def display(example: Example) -> str:
    """Returns several lines: the id, the prompt, and for each step its number, its annotation and its equation."""
    derivation = derivation_from_json([(step.annotation, step.srepr) for step in example.steps])
    origins = [_origin(annotation) for annotation in derivation.annotations]
    width = max(map(len, origins))
    steps = [
        f"{number:3}  {origin:{width}}  {latex(equation)}"
        for number, (origin, equation) in enumerate(zip(origins, derivation.equations, strict=True), start=1)
    ]
    return "\n".join([example.id, f"     {example.prompt}", *steps])


def _origin(annotation: Annotation) -> str:
    r"""`premise`, `differentiate 3 x`, `substitute_LHS_for_RHS 4 1`: operator, steps, operand."""
    if isinstance(annotation, str):
        return annotation
    references = step_references(annotation)
    operands = annotation[1 + len(references) :]
    return " ".join([str(annotation[0]), *map(str, references), *(latex(read_operand(item)) for item in operands)])
