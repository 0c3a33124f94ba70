"""Sampling derivations: the generator of Meadows et al. (2024), as a function of (settings, seed, attempt).

A candidate grows step by step: draw an operator, what it acts on and its operand; keep the result if it is a new
equation of moderate size. When some step builds on enough others, that chain is the derivation. All randomness
comes from one stream made from seed and attempt, so a derivation does not depend on which others were sampled
before it, or in which process.
"""

import hashlib
import random

from sympy import Equality, Expr, Integer, Symbol
from sympy.core import random as sympy_random

from mathderive.symbolic.engine.derivation import SEPARATOR, SUBSTITUTIONS, Annotation, Derivation, write_operand
from mathderive.symbolic.engine.history import History, equation_parts, is_acceptable
from mathderive.symbolic.engine.operators import OPERATORS, Arity, Operator, OperatorError, apply_operator
from mathderive.symbolic.engine.premises import draw_premise, draw_renaming_premise
from mathderive.symbolic.engine.settings import OPERATORS_BY_ARGUMENTS, OperatorWeights, SamplingSettings
from mathderive.symbolic.engine.zero import is_zero_given
from mathderive.symbolic.latex.printer import latex

__all__ = [
    "OperatorWeights",
    "SamplingSettings",
    "candidate_rng",
    "propose_step",
    "sample_derivation",
]

UNIT_INTEGERS = (-1, 0, 1)

Proposal = tuple[Equality, Annotation]


def sample_derivation(settings: SamplingSettings, seed: int, attempt: int) -> Derivation | None:
    """The candidate of that number under that seed; None where it was abandoned or came out too long.

    The same arguments give the same result in any process and whatever was sampled before.
    """
    rng = candidate_rng(seed, attempt)
    sympy_random.seed(0)
    length = _draw_length(settings, rng)
    history = History()
    premise = draw_premise(history, settings.names, rng)
    if premise is None:
        return None
    history.append(premise, "premise")
    failed = 0
    while history.chain_length() < length:
        operator = draw_operator(settings, len(history) > 1, rng)
        proposal = propose_step(operator, history, settings, rng)
        if proposal is not None and operator.name == "evaluate_integrals" and proposal[1] in history.annotations:
            continue
        if proposal is not None and is_welcome(proposal[0], history, settings):
            history.append(*proposal)
            continue
        failed += 1
        if failed >= settings.max_failed_steps:
            return None
    derivation = history.latest_chain()
    if settings.max_characters is not None and target_length(derivation) > settings.max_characters:
        return None
    return derivation


def candidate_rng(seed: int, attempt: int) -> random.Random:
    """The random stream of one candidate."""
    digest = hashlib.sha256(f"mathderive derivation {seed} {attempt}".encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))


def target_length(derivation: Derivation) -> int:
    """The number of characters of the derivation as target text."""
    texts = [latex(equation) for equation in derivation.equations]
    return len(SEPARATOR.join(texts))


def is_welcome(equation: Equality, history: History, settings: SamplingSettings) -> bool:
    """Whether an equation is new and may enter."""
    return history.is_new(equation) and is_acceptable(equation, settings.max_equation_characters)


def draw_operator(settings: SamplingSettings, substitutable: bool, rng: random.Random) -> Operator:
    """A number of arguments, then an operator with so many; substitutions only where there are two equations."""
    names = rng.choices(OPERATORS_BY_ARGUMENTS, settings.arity_weights)[0]
    allowed = [name for name in names if substitutable or name not in SUBSTITUTIONS]
    return OPERATORS[rng.choices(allowed, [getattr(settings.operator_weights, name) for name in allowed])[0]]


def propose_step(
    operator: Operator,
    history: History,
    settings: SamplingSettings,
    rng: random.Random,
    acts_on: int | None = None,
) -> Proposal | None:
    """Draws what the operator needs and applies it; None where that is not possible.

    With `acts_on` the step's first reference is that step. SymPy's own random state, which orders its reasoning,
    is set to the same for each step, so that nothing depends on what was computed before.
    """
    sympy_random.seed(0)
    if operator.arity is Arity.PREMISE:
        draw = draw_premise if operator.name == "get_premise" else draw_renaming_premise
        premise = draw(history, settings.names, rng)
        return None if premise is None else (premise, operator.name)
    if operator.arity is Arity.TWO_EQUATIONS:
        found = history.draw_substitution(operator.name == "substitute_LHS_for_RHS", rng, acts_on)
        return None if found is None else (found[2], (operator.name, found[0], found[1]))
    number = history.draw_step(rng) if acts_on is None else acts_on
    equation = history.equations[number - 1]
    annotation: tuple[str | int, ...] = (operator.name, number)
    operand: Expr | None = None
    if operator.name == "evaluate_integrals" and annotation in history.annotations:
        return equation, annotation
    if operator.arity is Arity.OPERAND:
        candidates = _operands(operator, equation, history)
        if not candidates:
            return None
        operand = rng.choice(candidates)
        if operator.name == "divide" and is_zero_given(history.premises(), operand):
            return None
        annotation = (*annotation, write_operand(operand))

    def draw_constant() -> Symbol:
        free = history.free_names(settings.names)
        if not free:
            raise OperatorError("no name is left for an integration constant")
        return Symbol(rng.choice(free))

    try:
        return apply_operator(operator, equation, operand, draw_constant), annotation
    except OperatorError:
        return None


def _draw_length(settings: SamplingSettings, rng: random.Random) -> int:
    while True:
        length = round(rng.gauss(settings.length_mean, settings.length_std))
        if settings.length_min <= length <= settings.length_max:
            return length


def _operands(operator: Operator, equation: Equality, history: History) -> list[Expr]:
    """What an operator with an operand can draw: a symbol to differentiate or integrate by, a symbol or an integer
    of the equation for an exponent, any subexpression so far for the rest; integers other than -1, 0 and 1 only
    as exponents, where those three are not."""
    if operator.name in ("differentiate", "integrate"):
        return [part for part in equation_parts(equation) if isinstance(part, Symbol)]
    if operator.name == "power":
        return [part for part in equation_parts(equation) if isinstance(part, Symbol) or _is_large_integer(part)]
    return [part for part in history.parts if not _is_large_integer(part)]


def _is_large_integer(part: Expr) -> bool:
    return isinstance(part, Integer) and part.p not in UNIT_INTEGERS
