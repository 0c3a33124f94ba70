"""Honest derivations: real ones, with other names, exchanged sides, repeated steps or detours."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sympy import Equality

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.perturbations import expression_exchange
from mathderive.symbolic.engine.texts import prompt
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.names import names_of, rename
from mathderive.symbolic.prompts import SEPARATOR, split_prompt
from mathderive.symbolic.vocabulary import VOCABULARY
from tests.validity_corpus.attacks.labels import UNITS
from tests.validity_corpus.corpus import Source
from tests.validity_corpus.corruptions import CORRUPTIONS

HONEST_CHANGES = ("intact", "intact", "step repeated", "mirrored step", "detour")


def honest_derivations(sources: Sequence[Source], seed: str) -> Iterator[tuple[str, str]]:
    """Prompts and correct answers, without end."""
    draw = 0
    while True:
        for source in sources:
            yield _changed(source, random.Random(f"{seed} {source.id} {draw}"), is_first=draw == 0)
        draw += 1


def _changed(source: Source, rng: random.Random, is_first: bool) -> tuple[str, str]:
    if is_first:
        return source.prompt, SEPARATOR.join(map(latex, source.derivation.equations))
    derivation, asked = source.derivation, source.prompt
    if rng.random() < 0.3:
        derivation = expression_exchange(derivation)
        asked = prompt(derivation, has_intermediate_clause(asked))
    lines = CORRUPTIONS[rng.choice(HONEST_CHANGES)](derivation, rng)
    equations = [line.equation for line in lines] if lines is not None else list(derivation.equations)
    if rng.random() < 0.7:
        names = _new_names([*derivation.equations, *equations], rng)
        renamed = (replace(step, equation=rename(step.equation, names)) for step in derivation.steps)
        asked = prompt(Derivation(tuple(renamed)), has_intermediate_clause(asked))
        equations = [rename(equation, names) for equation in equations]
    return asked, SEPARATOR.join(map(latex, equations))


def has_intermediate_clause(asked: str) -> bool:
    """Whether a prompt names equations to derive on the way; the step-removal variants do not."""
    return bool(split_prompt(asked).derive)


def _new_names(equations: Sequence[Equality], rng: random.Random) -> dict[str, str]:
    """Other names for all names of the equations, no two alike, and none like a number of the equations."""
    old = sorted(frozenset().union(*map(names_of, equations)))
    numbers = {name for name, unit in UNITS.items() if any(equation.has(unit) for equation in equations)}
    return dict(zip(old, rng.sample([name for name in VOCABULARY if name not in numbers], len(old)), strict=True))
