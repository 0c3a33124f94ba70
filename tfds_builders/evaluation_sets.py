"""Which examples are evaluated: by default as many as the paper's tables have, each with all of its variants."""

import hashlib
from collections.abc import Mapping

from mathderive.config.schema import EvaluationSettings
from mathderive.core.errors import InputError
from mathderive.records import EVALUATION_SETS, EvaluationSet, Example
from mathderive.symbolic.evaluation_sets import REQUIRED_SETS


def choose_examples(
    splits: Mapping[EvaluationSet, list[Example]], settings: EvaluationSettings, seed: int
) -> dict[EvaluationSet, list[Example]]:
    """Draws `settings.examples` source examples among those with all four variants and a short enough derivation.

    The draw ranks sources by a hash of (seed, source), so it does not depend on the order or number of the others
    more than it must. With `settings.examples` null, every example of every set is taken.

    Returns:
        The chosen examples by set, in the dataset's order.

    Raises:
        InputError: no example qualifies.
    """
    if settings.examples is None:
        return {name: splits[name] for name in EVALUATION_SETS}
    eligible = {example.source_id for example in splits["static"] if len(example.target) <= settings.max_characters}
    for name in REQUIRED_SETS:
        eligible &= {example.source_id for example in splits[name]}
    if not eligible:
        raise InputError(
            f"evaluation: no example has a variant in each of {', '.join(REQUIRED_SETS)} and at most "
            f"{settings.max_characters} characters; expected a larger data.sizes.static"
        )
    chosen = set(sorted(eligible, key=lambda source: _rank(seed, source))[: settings.examples])
    return {name: [example for example in splits[name] if example.source_id in chosen] for name in EVALUATION_SETS}


def _rank(seed: int, source: str) -> str:
    return hashlib.sha256(f"evaluation {seed} {source}".encode()).hexdigest()
