"""Writes the page's examples, examples.json, from the static split of the released checkpoint's data.

    ./run.sh data --config configs/mini.yaml
    python -m mathderive.serving.make_examples runs/mini/data/derivations/mini/9.0.0

`checkpoints/mini` was not trained on this split. The chosen examples are the first short ones whose derivations use
different operators. The model's answers do not influence the choice. They decide the order: examples whose answer is
verified come first.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from mathderive.checker.supervision import SupervisedChecker
from mathderive.config.loading import load_config
from mathderive.core.bundled import BUNDLED
from mathderive.predictors.t5 import T5Model
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


Chosen = list[dict[str, str]]
"""The contents of `examples.json`."""


def choose(examples: Iterable[Example]) -> Chosen:
    """Chooses examples, in their order."""
    chosen: Chosen = []
    seen: list[set[str]] = []
    for example in examples:
        operators = _operators(example)
        is_short = len(example.steps) <= MOST_STEPS and len(example.target) <= MOST_CHARACTERS
        if is_short and set(operators) not in seen and len(chosen) < COUNT:
            seen.append(set(operators))
            chosen.append({"id": example.id, "name": _name(operators), "prompt": example.prompt})
    return chosen


def verified_first(chosen: Chosen) -> Chosen:
    """Puts the examples first whose answer by `checkpoints/mini`, decoded as the server does, is verified there."""
    decoding = load_config(BUNDLED / "configs" / "quick.yaml", []).decoding
    model = T5Model("mini", str(BUNDLED / "checkpoints" / "mini"), decoding)
    answers = model.complete([model.encode(one["prompt"]) for one in chosen])
    with SupervisedChecker() as checker:
        verdicts = [
            checker.check(one["prompt"], answer.text, rules="textbook")
            for one, answer in zip(chosen, answers, strict=True)
        ]
    unverified = [not verdict.verified for verdict in verdicts]
    return [chosen[place] for place in sorted(range(len(chosen)), key=unverified.__getitem__)]


def _operators(example: Example) -> list[str]:
    annotations = [step.annotation for step in example.steps]
    names = [annotation if isinstance(annotation, str) else str(annotation[0]) for annotation in annotations]
    return [name for name in names if not is_premise(name)]


def _name(operators: Sequence[str]) -> str:
    return ", ".join(_WORDS.get(name, name) for name in operators).capitalize()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mathderive.serving.make_examples", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the dataset")
    chosen = verified_first(choose(read_examples(parser.parse_args().folder, "static")))
    Path(__file__).with_name("examples.json").write_text(json.dumps(chosen, indent=1) + "\n")


if __name__ == "__main__":
    main()
