"""Chooses the evaluated examples: by default as many as the paper evaluates, each with all required variants."""

import hashlib
from collections.abc import Mapping

from mathderive.config.schema import EvaluationSettings
from mathderive.core.errors import InputError
from mathderive.records import EVALUATION_SETS, EvaluationSet, Example
from mathderive.symbolic.engine.evaluation_sets import REQUIRED_SETS


def choose_examples(
    splits: Mapping[EvaluationSet, list[Example]], settings: EvaluationSettings, seed: int
) -> dict[EvaluationSet, list[Example]]:
    """Draws `settings.examples` static examples, and takes their variants in every set.

    Drawn are static examples that have a derivation of at most `settings.max_characters` and a variant in every
    required set; no variant is required of derivations that people wrote. They are ranked by a hash of (seed, source),
    so that adding or removing other examples changes the choice as little as possible. With `settings.examples` null,
    every example of every set is taken.

    Returns:
        The chosen examples by set, in the dataset's order.

    Raises:
        InputError: no example qualifies.
    """
    if settings.examples is None:
        return {name: splits[name] for name in EVALUATION_SETS}
    eligible = {example.source_id for example in splits["static"] if len(example.target) <= settings.max_characters}
    if settings.source == "physics":
        lacking, remedy = "", "a larger evaluation.max_characters"
    else:
        lacking, remedy = f"a variant in each of {', '.join(REQUIRED_SETS)} and ", "a larger data.sizes.static"
        for name in REQUIRED_SETS:
            eligible &= {example.source_id for example in splits[name]}
    if not eligible:
        raise InputError(
            f"evaluation: no example has {lacking}at most {settings.max_characters} characters; expected {remedy}"
        )
    chosen = set(sorted(eligible, key=lambda source: _rank(seed, source))[: settings.examples])
    return {name: [example for example in splits[name] if example.source_id in chosen] for name in EVALUATION_SETS}


def _rank(seed: int, source: str) -> str:
    return hashlib.sha256(f"evaluation {seed} {source}".encode()).hexdigest()
