"""The perturbations of an example that keep or change its meaning in a known way (Meadows et al., 2024).

Variable renaming (VR), expression exchange (EE) and alternative goal (AG) give another derivation; step removal (SR)
changes the prompt alone and lives in `mathderive.symbolic.prompts`.
"""

import random
from collections.abc import Mapping

from sympy import Equality, Expr
from sympy.core import random as sympy_random

from mathderive.symbolic.engine.derivation import Annotation, Derivation, Step, read_operand, write_operand
from mathderive.symbolic.engine.history import History
from mathderive.symbolic.engine.operators import Arity
from mathderive.symbolic.engine.sampling import draw_operator, is_welcome, propose_step
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.names import names_in_order, rename
from mathderive.symbolic.vocabulary import RENAMING_LETTERS

_EXCHANGED = {
    "substitute_LHS_for_RHS": "substitute_RHS_for_LHS",
    "substitute_RHS_for_LHS": "substitute_LHS_for_RHS",
}


def variable_renaming(derivation: Derivation, rng: random.Random) -> Derivation | None:
    """Every name, of symbols and functions alike, becomes a different letter that the vocabulary does not have.

    Returns:
        None where there are more names than the eleven letters.
    """
    names = names_of_derivation(derivation)
    if len(names) > len(RENAMING_LETTERS):
        return None
    return rename_derivation(derivation, dict(zip(names, rng.sample(RENAMING_LETTERS, len(names)), strict=True)))


def names_of_derivation(derivation: Derivation) -> list[str]:
    """The names of symbols and functions, those of the annotations' operands included, in order of appearance."""
    expressions = [expression for step in derivation.steps for expression in (step.equation, *_operands(step))]
    return list(dict.fromkeys(name for expression in expressions for name in names_in_order(expression)))


def rename_derivation(derivation: Derivation, names: Mapping[str, str]) -> Derivation:
    """The derivation with every name replaced; it is built anew, so the order of terms changes with the names.

    Args:
        names: an injective map of all of `names_of_derivation`.
    """
    return Derivation(
        tuple(Step(rename(step.equation, names), _renamed(step.annotation, names)) for step in derivation.steps)
    )


def expression_exchange(derivation: Derivation) -> Derivation:
    """The two sides of every equation change places, and so do the two substitutions; its own inverse."""
    return Derivation(
        tuple(
            Step(
                Equality(step.equation.rhs, step.equation.lhs, evaluate=False),
                step.annotation
                if isinstance(step.annotation, str)
                else (_EXCHANGED.get(str(step.annotation[0]), step.annotation[0]), *step.annotation[1:]),
            )
            for step in derivation.steps
        )
    )


def alternative_goal(derivation: Derivation, settings: SamplingSettings, rng: random.Random) -> Derivation | None:
    """The last step is done anew: another random step, no premise, whose first reference is the step before it.

    Its equation is new among the earlier steps; it may be the old goal by another way. Length and prefix stay, and
    nothing is extracted again, so that some earlier step may no longer lead to the goal.

    Returns:
        None where `settings.max_failed_steps` draws gave none.
    """
    *prefix, goal = derivation.steps
    sympy_random.seed(rng.getrandbits(64))
    history = History()
    for step in prefix:
        history.append(step.equation, step.annotation)
    for _ in range(settings.max_failed_steps):
        operator = draw_operator(settings, len(history) > 1, rng)
        if operator.arity is Arity.PREMISE:
            continue
        proposal = propose_step(operator, history, settings, rng, acts_on=len(history))
        if proposal is None or Step(*proposal) == goal or not is_welcome(proposal[0], history, settings):
            continue
        return Derivation((*prefix, Step(*proposal)))
    return None


def _operands(step: Step) -> list[Expr]:
    """The expressions that an annotation holds as text."""
    return [read_operand(item) for item in _arguments(step.annotation) if isinstance(item, str)]


def _renamed(annotation: Annotation, names: Mapping[str, str]) -> Annotation:
    if isinstance(annotation, str):
        return annotation
    renamed = [
        write_operand(rename(read_operand(item), names)) if isinstance(item, str) else item
        for item in _arguments(annotation)
    ]
    return (annotation[0], *renamed)


def _arguments(annotation: Annotation) -> tuple[str | int, ...]:
    """What follows the operator's name."""
    return () if isinstance(annotation, str) else annotation[1:]
