"""The perturbations of an example that keep or change its meaning in a known way (Meadows et al., 2024).

Variable renaming (VR), expression exchange (EE) and alternative goal (AG) give another derivation. Step removal (SR)
changes only the prompt: `texts.prompt` leaves its `then derive` clauses out.
"""

import random
from collections.abc import Mapping

from sympy import Equality, Expr
from sympy.core import random as sympy_random

from mathderive.symbolic.engine.derivation import Annotation, Derivation, Step, read_operand, write_operand
from mathderive.symbolic.engine.history import History
from mathderive.symbolic.engine.operators import OPERATORS, Arity
from mathderive.symbolic.engine.sampling import draw_operator, is_welcome, propose_step
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.names import names_in_order, rename
from mathderive.symbolic.vocabulary import RENAMING_LETTERS


def variable_renaming(derivation: Derivation, rng: random.Random) -> Derivation | None:
    """Renames every symbol and function to a different one of eleven letters that are not in the vocabulary.

    Returns:
        None where there are more names than letters.
    """
    names = names_of_derivation(derivation)
    if len(names) > len(RENAMING_LETTERS):
        return None
    return rename_derivation(derivation, dict(zip(names, rng.sample(RENAMING_LETTERS, len(names)), strict=True)))


def names_of_derivation(derivation: Derivation) -> list[str]:
    """The names of symbols and functions in equations and operands, in order of appearance."""
    expressions = [expression for step in derivation.steps for expression in (step.equation, *_operands(step))]
    return list(dict.fromkeys(name for expression in expressions for name in names_in_order(expression)))


def rename_derivation(derivation: Derivation, names: Mapping[str, str]) -> Derivation:
    """Renames every symbol and function; expressions are built anew, so the order of terms changes with the names.

    Args:
        names: an injective map from all of `names_of_derivation`.
    """
    return Derivation(
        tuple(Step(rename(step.equation, names), _renamed(step.annotation, names)) for step in derivation.steps)
    )


def expression_exchange(derivation: Derivation) -> Derivation:
    """Exchanges the sides of every equation, and each operator with its mirror; applied twice, it changes nothing."""
    return Derivation(
        tuple(
            Step(
                Equality(step.equation.rhs, step.equation.lhs, evaluate=False),
                step.annotation
                if isinstance(step.annotation, str)
                else (_mirror(step.annotation[0]), *step.annotation[1:]),
            )
            for step in derivation.steps
        )
    )


def alternative_goal(derivation: Derivation, settings: SamplingSettings, rng: random.Random) -> Derivation | None:
    """Replaces the last step by another random step, not a premise, that acts on the step before it.

    Its equation differs from those of all earlier steps; it may be the old goal, reached by another operator. The
    earlier steps stay as they are, so some of them may no longer lead to the goal.

    Returns:
        None where none of `settings.max_failed_steps` draws gives such a step.
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


def _mirror(name: str | int) -> str | int:
    """The operator that does the same once the sides of all equations have changed places."""
    operator = OPERATORS.get(str(name))
    return name if operator is None or operator.mirror is None else operator.mirror


def _operands(step: Step) -> list[Expr]:
    """The operands that an annotation holds as text."""
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
    """The items of an annotation after the operator's name."""
    return () if isinstance(annotation, str) else annotation[1:]
