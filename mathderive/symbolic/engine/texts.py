"""A derivation as the texts of an example: the prompt that a model is given and the target that it should write.

The forms are those of the released examples of Meadows et al. (2024), character by character.
"""

from mathderive.symbolic.engine.derivation import Annotation, Derivation
from mathderive.symbolic.engine.operators import OPERATORS, is_premise
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import SEPARATOR, Prompt, join_prompt


def prompt(derivation: Derivation, with_intermediate: bool = True) -> str:
    """The question to a model: `Given P1 and P2, then derive X, then obtain G`.

    P are the premises of any kind, X the results of operators with a derive clause, G is the last equation.

    Args:
        with_intermediate: false leaves the `then derive` clauses out, which makes the step-removal variant.
    """
    *before, last = derivation.steps
    premises = tuple(latex(step.equation) for step in before if is_premise(step.annotation))
    derive = tuple(latex(step.equation) for step in before if with_intermediate and is_intermediate(step.annotation))
    return join_prompt(Prompt(premises, derive, latex(last.equation)))


def target(derivation: Derivation) -> str:
    """The reference answer: every equation, in order."""
    return SEPARATOR.join(latex(step.equation) for step in derivation.steps)


def is_intermediate(annotation: Annotation) -> bool:
    """Whether the step has a `then derive` clause of its own, unless it is the last step."""
    operator = None if isinstance(annotation, str) else OPERATORS.get(str(annotation[0]))
    return operator is not None and operator.has_derive_clause


def has_intermediate(derivation: Derivation) -> bool:
    """Whether the prompt has a `then derive` clause, so that there is one to remove."""
    return any(is_intermediate(step.annotation) for step in derivation.steps[:-1])
