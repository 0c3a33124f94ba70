"""Sampling derivations: the generator of Meadows et al. (2024), as a function of (settings, seed, attempt).

A candidate grows step by step: the sampler draws an operator, the equation that it acts on and its operand, and keeps
the result if it is a new equation of moderate size. When a step builds on enough others, these steps are the
derivation. All random numbers come from one stream that is made from seed and attempt, so a derivation does not depend
on which others were sampled before it, or in which process.
"""

import random

from sympy import Equality, Expr, Symbol
from sympy.core import random as sympy_random

from mathderive.core.random_streams import keyed_seed
from mathderive.symbolic.engine.derivation import Annotation, Derivation, write_operand
from mathderive.symbolic.engine.history import History, is_acceptable
from mathderive.symbolic.engine.operators import Arity, Operator, OperatorError, apply_operator
from mathderive.symbolic.engine.operators.application import no_constant
from mathderive.symbolic.engine.operators.premises import draw_premise
from mathderive.symbolic.engine.operators.registry import FIRST_PREMISE, operators_by_arguments
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import target

Proposal = tuple[Equality, Annotation]
"""An equation that may become the next step, with its annotation."""


def sample_derivation(settings: SamplingSettings, seed: int, attempt: int) -> Derivation | None:
    """Samples the candidate of this number under this seed; None where it was abandoned or came out too long.

    The same arguments give the same result in any process and whatever was sampled before.
    """
    rng = candidate_rng(seed, attempt)
    sympy_random.seed(0)
    length = _draw_length(settings, rng)
    history = History()
    premise = draw_premise(history, settings.names, rng)
    if premise is None:
        return None
    history.append(premise, FIRST_PREMISE)
    failed = 0
    while history.chain_length() < length:
        operator = draw_operator(settings, len(history) > 1, rng)
        proposal = propose_step(operator, history, settings, rng)
        if proposal is not None and operator.introduces_constants and proposal[1] in history.annotations:
            continue
        if proposal is not None and is_welcome(proposal[0], history, settings):
            history.append(*proposal)
            continue
        failed += 1
        if failed >= settings.max_failed_steps:
            return None
    derivation = history.latest_chain()
    if settings.max_characters is not None and len(target(derivation)) > settings.max_characters:
        return None
    return derivation


def candidate_rng(seed: int, attempt: int) -> random.Random:
    """The random stream of one candidate."""
    return random.Random(keyed_seed(f"mathderive derivation {seed} {attempt}"))


def is_welcome(equation: Equality, history: History, settings: SamplingSettings) -> bool:
    """Whether an equation is new and acceptable as a step."""
    return (
        history.is_new(equation)
        and is_acceptable(equation, settings.max_equation_characters)
        and not history.is_ambiguous_with(equation)
    )


def draw_operator(settings: SamplingSettings, has_two_equations: bool, rng: random.Random) -> Operator:
    """Draws a number of arguments, then an operator with that number."""
    group = rng.choices(operators_by_arguments(), settings.arity_weights)[0]
    allowed = [operator for operator in group if has_two_equations or operator.arity is not Arity.TWO_EQUATIONS]
    return rng.choices(allowed, [settings.operator_weights[operator.name] for operator in allowed])[0]


def propose_step(
    operator: Operator,
    history: History,
    settings: SamplingSettings,
    rng: random.Random,
    acts_on: int | None = None,
) -> Proposal | None:
    """Draws the equations and the operand that the operator needs and applies it; None where that is not possible.

    With `acts_on` the step's first reference is that step. SymPy's own random state, which orders its reasoning, is
    set to the same value for each step, so that nothing depends on earlier computations.
    """
    sympy_random.seed(0)
    if operator.arity is Arity.PREMISE:
        assert operator.draw_premise is not None
        premise = operator.draw_premise(history, settings.names, rng)
        return None if premise is None else (premise, operator.name)
    if operator.arity is Arity.TWO_EQUATIONS:
        if operator.draw_pair is not None:
            pair = operator.draw_pair(history, rng, acts_on)
        else:
            pair = _draw_any_pair(operator, history, rng, acts_on)
        return None if pair is None else (pair[2], (operator.name, pair[0], pair[1]))
    number = history.draw_step(rng) if acts_on is None else acts_on
    return _propose_on_equation(operator, number, history, settings, rng)


def _propose_on_equation(
    operator: Operator, number: int, history: History, settings: SamplingSettings, rng: random.Random
) -> Proposal | None:
    """A proposal by an operator on one equation, with or without an operand."""
    equation = history.equations[number - 1]
    annotation: tuple[str | int, ...] = (operator.name, number)
    if operator.introduces_constants and annotation in history.annotations:
        return equation, annotation
    operand: Expr | None = None
    if operator.arity is Arity.OPERAND:
        operand = _draw_operand(operator, equation, history, rng)
        if operand is None:
            return None
        annotation = (*annotation, write_operand(operand))
    if operator.guard is not None and not operator.guard(history.premises(), equation, operand):
        return None

    def draw_constant() -> Symbol:
        free = history.free_names(settings.names)
        if not free:
            raise OperatorError("no name is left for an integration constant")
        return Symbol(rng.choice(free))

    try:
        return apply_operator(operator, equation, operand, draw_constant), annotation
    except OperatorError:
        return None


def _draw_operand(operator: Operator, equation: Equality, history: History, rng: random.Random) -> Expr | None:
    """Draws an operand; None where there is none."""
    assert operator.operands is not None
    candidates = operator.operands(equation, history.parts)
    if not candidates:
        return None
    return rng.choice(candidates)


def _draw_any_pair(
    operator: Operator, history: History, rng: random.Random, acts_on: int | None
) -> tuple[int, int, Equality] | None:
    """Draws two different steps and applies an operator that has no draw of its own."""
    first = history.draw_step(rng) if acts_on is None else acts_on
    second = rng.choice([number for number in range(1, len(history) + 1) if number != first])
    try:
        result = apply_operator(operator, history.equations[first - 1], history.equations[second - 1], no_constant)
    except OperatorError:
        return None
    return first, second, result


def _draw_length(settings: SamplingSettings, rng: random.Random) -> int:
    """Draws the number of steps from a normal distribution that is cut off at both ends."""
    while True:
        length = round(rng.gauss(settings.length_mean, settings.length_std))
        if settings.length_min <= length <= settings.length_max:
            return length
