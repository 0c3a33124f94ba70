"""Real derivations and the goals that attacks pretend to reach from their premises."""

import random
from collections.abc import Callable, Iterator

from sympy import Expr, Integer, cos, sin

from mathderive.symbolic.engine.operators import is_premise
from mathderive.symbolic.latex.printer import latex
from tests.validity_corpus.attacks.attempt import GoalKind, Setting
from tests.validity_corpus.corpus import Source

GOAL_KINDS: tuple[GoalKind, ...] = ("true", "false", "absurd")

MAX_GOAL_CHARACTERS = 120
"""The longest side of a goal; attacks repeat it several times."""


def _with_cosine(side: Expr) -> Expr:
    return side.replace(sin, cos) if side.has(sin) else side.replace(cos, sin) + 1


FALSIFIERS: tuple[Callable[[Expr, Expr], Expr], ...] = (
    lambda side, other: -side,
    lambda side, other: 2 * side,
    lambda side, other: side + 1,
    lambda side, other: side**2,
    lambda side, other: side + other,
    lambda side, other: other,
    lambda side, other: Integer(0),
    lambda side, other: _with_cosine(side),
)
"""Ways to make another side for an equation, from its side and another expression of the derivation."""


def settings_of(source: Source, seed: str) -> Iterator[Setting]:
    """The settings of a derivation with each kind of goal; those that it has."""
    derivation = source.derivation
    premises = tuple(step.equation for step in derivation.steps if is_premise(step.annotation))
    derived = [
        step.equation
        for step in derivation.steps
        if not is_premise(step.annotation)
        and all(len(latex(side)) <= MAX_GOAL_CHARACTERS for side in step.equation.args)
    ]
    for kind in GOAL_KINDS:
        rng = random.Random(f"{seed} {source.id} {kind}")
        if kind == "absurd":
            yield Setting(source, premises, ("1", "0"), kind, rng)
        elif derived:
            equation = rng.choice(derived)
            left, right = equation.args
            if kind == "false":
                others = [side for one in derivation.equations for side in one.args]
                made = [falsify(right, rng.choice(others)) for falsify in FALSIFIERS]
                right = rng.choice([side for side in made if side not in (left, right)])
            yield Setting(source, premises, (latex(left), latex(right)), kind, rng)
