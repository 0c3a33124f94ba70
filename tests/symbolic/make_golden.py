"""Writes golden.json: a few generated derivations with all their texts.

    python tests/symbolic/make_golden.py

Run it again only when the generator or the printer changes on purpose, and review the difference.
"""

import json
import random
from pathlib import Path
from typing import Any

from mathderive.symbolic.engine.derivation import Derivation, annotation_to_json, canonical_form, write_srepr
from mathderive.symbolic.engine.perturbations import alternative_goal, expression_exchange, variable_renaming
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import has_intermediate, prompt, target

SEED = 7
COUNT = 6


def describe(derivation: Derivation) -> dict[str, Any]:
    return {
        "steps": [[annotation_to_json(step.annotation), write_srepr(step.equation)] for step in derivation.steps],
        "prompt": prompt(derivation),
        "step_removal": prompt(derivation, with_intermediate=False),
        "target": target(derivation),
        "canonical": canonical_form(derivation),
    }


def golden() -> list[dict[str, Any]]:
    """The first derivations under `SEED` whose prompt has a `then derive` clause, with their variants."""
    settings = SamplingSettings()
    items: list[dict[str, Any]] = []
    attempt = 0
    while len(items) < COUNT:
        derivation = sample_derivation(settings, SEED, attempt)
        if derivation is not None and has_intermediate(derivation):
            rng = random.Random(attempt)
            variants = {
                "vr": variable_renaming(derivation, rng),
                "ee": expression_exchange(derivation),
                "ag": alternative_goal(derivation, settings, rng),
            }
            described = {name: target(variant) for name, variant in variants.items() if variant is not None}
            items.append({"attempt": attempt, **describe(derivation), "variants": described})
        attempt += 1
    return items


if __name__ == "__main__":
    path = Path(__file__).parent / "golden.json"
    path.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
