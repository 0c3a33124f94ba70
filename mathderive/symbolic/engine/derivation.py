"""A derivation as data: steps of (equation, annotation), and the authors' JSON form of both.

A derivation, as Meadows et al. (2024) generate it, is an ordered list of equations with annotations that say where they
come from. An annotation is `premise`, the name of an operator that draws premises, or a tuple of an operator's name,
the 1-based number of the step it acts on and the operand. That first number is a reference, and so is the second for
operators on two equations; every other number is an operand (`("power", 5, 2)`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Equality, Expr, Integer

from mathderive.symbolic.engine.canonical import canonical_text
from mathderive.symbolic.engine.operators import OPERATORS, is_premise
from mathderive.symbolic.engine.operators.registry import FIRST_PREMISE
from mathderive.symbolic.srepr import SreprError, read_srepr, write_srepr

__all__ = [
    "Annotation",
    "AnnotationError",
    "Derivation",
    "SreprError",
    "Step",
    "annotation_from_json",
    "annotation_to_json",
    "canonical_form",
    "derivation_from_json",
    "read_operand",
    "read_srepr",
    "renumber",
    "step_references",
    "write_operand",
    "write_srepr",
]

Annotation = str | tuple[str | int, ...]
"""Where an equation comes from: the name of a premise operator, or operator, step numbers and operand."""


class AnnotationError(ValueError):
    """An annotation is malformed."""


@dataclass(frozen=True)
class Step:
    """One equation and its annotation."""

    equation: Equality
    annotation: Annotation


@dataclass(frozen=True)
class Derivation:
    """Steps in order; the last one is the goal."""

    steps: tuple[Step, ...]

    @property
    def equations(self) -> tuple[Equality, ...]:
        return tuple(step.equation for step in self.steps)

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        return tuple(step.annotation for step in self.steps)


def step_references(annotation: Annotation) -> tuple[int, ...]:
    """The 1-based numbers of the steps that an annotation refers to.

    Raises:
        AnnotationError: the annotation is malformed.
    """
    if isinstance(annotation, str):
        if not is_premise(annotation):
            known = ", ".join((FIRST_PREMISE, *filter(is_premise, OPERATORS)))
            raise AnnotationError(f"{annotation!r}: an annotation without a step is one of {known}")
        return ()
    operator = OPERATORS.get(str(annotation[0])) if annotation else None
    count = 1 if operator is None else max(1, operator.arity.references)
    references = annotation[1 : 1 + count]
    if len(references) != count or not all(isinstance(number, int) and number >= 1 for number in references):
        raise AnnotationError(f"{annotation!r}: expected {count} step number(s) after the operator")
    return tuple(int(number) for number in references)


def renumber(annotation: Annotation, numbers: dict[int, int]) -> Annotation:
    """The annotation with each step reference replaced by `numbers[reference]`; its operand stays."""
    references = step_references(annotation)
    if isinstance(annotation, str):
        return annotation
    renamed = tuple(numbers[reference] for reference in references)
    return (annotation[0], *renamed, *annotation[1 + len(references) :])


def annotation_from_json(value: object) -> Annotation:
    """Reads an annotation as the authors write it: a string or a list, where a number may be a string of digits.

    Raises:
        AnnotationError: the value is neither, or the annotation is malformed.
    """
    if isinstance(value, str):
        annotation: Annotation = value
    elif isinstance(value, Sequence) and value and all(type(item) in (str, int) for item in value):
        annotation = tuple(int(item) if isinstance(item, str) and _is_number(item) else item for item in value)
    else:
        raise AnnotationError(f"{value!r}: an annotation is a string or a list of strings and numbers")
    step_references(annotation)
    return annotation


def annotation_to_json(annotation: Annotation) -> str | list[str | int]:
    """Writes an annotation as the authors do: numbers of two and more digits become strings."""
    if isinstance(annotation, str):
        return annotation
    return [str(item) if isinstance(item, int) and item >= 10 else item for item in annotation]


def read_operand(operand: str | int) -> Expr:
    """Reads the operand of an annotation.

    Raises:
        SreprError: the text is not an expression.
    """
    expression = Integer(operand) if isinstance(operand, int) else read_srepr(operand)
    if not isinstance(expression, Expr):
        raise SreprError(f"{operand!r}: an operand is an expression")
    return expression


def write_operand(operand: Expr) -> str | int:
    """Writes an operand for an annotation: a natural number as it is, everything else as `srepr`."""
    if isinstance(operand, Integer) and operand.p >= 0:
        return operand.p
    return write_srepr(operand)


def derivation_from_json(steps: Sequence[tuple[object, str]]) -> Derivation:
    """Reads a derivation from pairs of (annotation in JSON form, `srepr` of the equation).

    Raises:
        AnnotationError: an annotation is malformed or refers to no earlier step.
        SreprError: a text is not an equation.
    """
    read = []
    for number, (annotation_json, text) in enumerate(steps, start=1):
        annotation = annotation_from_json(annotation_json)
        if any(reference >= number for reference in step_references(annotation)):
            raise AnnotationError(f"step {number}: {annotation!r} refers to no earlier step")
        equation = read_srepr(text)
        if not isinstance(equation, Equality):
            raise SreprError(f"step {number}: {text[:60]!r} is no equation")
        read.append(Step(equation, annotation))
    return Derivation(tuple(read))


def canonical_form(derivation: Derivation) -> str:
    """A text that two derivations share exactly if their equations are equal up to an injective renaming.

    The names of symbols and functions become numbers in an order that does not depend on the names; `canonical_text`
    says how. Sums, products and the minus signs that SymPy places by name are put in a fixed order, so equations that
    differ only by the place of such a sign share their text too. Annotations do not matter, because a model only sees
    the equations.
    """
    return canonical_text(derivation.equations)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9
