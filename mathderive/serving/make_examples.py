"""Writes the page's examples, examples.json, from the static split of the released checkpoint's data.

    ./run.sh data --config configs/mini.yaml
    python -m mathderive.serving.make_examples runs/mini/data/derivations/mini/7.0.0

`checkpoints/mini` was not trained on this split. The chosen examples are the first short ones whose derivations use
different operators. No model's answers influence the choice.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from mathderive.records import Example
from mathderive.symbolic.engine.operators import is_premise
from tfds_builders.example_features import read_examples

COUNT = 6
MOST_STEPS = 6
MOST_CHARACTERS = 350
"""Maximum length of a derivation."""

_WORDS = {
    "minus": "subtract",
    "times": "multiply",
    "power": "raise to a power",
    "evaluate_derivatives": "evaluate",
    "evaluate_integrals": "evaluate",
    "substitute_LHS_for_RHS": "substitute",
    "substitute_RHS_for_LHS": "substitute",
    "cos": "take cosines",
    "sin": "take sines",
    "exp": "exponentiate",
    "log": "take logarithms",
}
"""Plain words for operator names."""


def choose(examples: Iterable[Example]) -> list[dict[str, str]]:
    """Chooses the contents of `examples.json`."""
    chosen: list[dict[str, str]] = []
    seen: list[set[str]] = []
    for example in examples:
        operators = _operators(example)
        is_short = len(example.steps) <= MOST_STEPS and len(example.target) <= MOST_CHARACTERS
        if is_short and set(operators) not in seen and len(chosen) < COUNT:
            seen.append(set(operators))
            chosen.append({"id": example.id, "name": _name(operators), "prompt": example.prompt})
    return chosen


def _operators(example: Example) -> list[str]:
    annotations = [step.annotation for step in example.steps]
    names = [annotation if isinstance(annotation, str) else str(annotation[0]) for annotation in annotations]
    return [name for name in names if not is_premise(name)]


def _name(operators: Sequence[str]) -> str:
    return ", ".join(_WORDS.get(name, name) for name in operators).capitalize()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mathderive.serving.make_examples", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the dataset")
    chosen = choose(read_examples(parser.parse_args().folder, "static"))
    Path(__file__).with_name("examples.json").write_text(json.dumps(chosen, indent=1) + "\n")


if __name__ == "__main__":
    main()
