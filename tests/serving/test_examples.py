"""The page's examples come from data that `checkpoints/mini` was not trained on."""

import json
from importlib import resources
from pathlib import Path

from mathderive.config.loading import load_config
from mathderive.serving.make_examples import MOST_CHARACTERS, MOST_STEPS, choose
from mathderive.serving.page import constants_script, load_examples
from mathderive.symbolic.prompts import Prompt, join_prompt, repeat_prompt, split_prompt
from tfds_builders.derivations.generation import make_example, sample, split_by_hash, split_sizes

EXAMPLES = json.loads(resources.files("mathderive.serving").joinpath("examples.json").read_text())


def _attempt(example: dict[str, str]) -> int:
    return int(example["id"].removesuffix("-static"))


def test_each_example_is_in_the_static_split_of_the_checkpoints_data() -> None:
    config = load_config(Path(__file__).parents[2] / "configs" / "mini.yaml", [])
    assert config.data
    found = []
    in_order = sorted(EXAMPLES, key=_attempt)
    for example in in_order:
        attempt = _attempt(example)
        (candidate,) = [
            candidate
            for candidate in sample(config.data, config.run.seed, attempt)
            if candidate.prompt == example["prompt"]
        ]
        assert split_by_hash(candidate.canonical_hash, split_sizes(config.data)) == "static"
        assert len(candidate.steps) <= MOST_STEPS
        assert len(candidate.target) <= MOST_CHARACTERS
        found.append(make_example(candidate, "static"))
    assert choose(found) == in_order


def test_examples_have_different_names_and_well_formed_prompts() -> None:
    assert len({example["name"] for example in EXAMPLES}) == len(EXAMPLES) == 6
    for example in EXAMPLES:
        assert len(split_prompt(example["prompt"]).premises) >= 1


def test_the_page_gets_each_example_as_the_package_splits_it() -> None:
    for example, shown in zip(EXAMPLES, load_examples(), strict=True):
        parts = Prompt(tuple(shown["premises"]), tuple(shown["derive"]), shown["goal"])
        assert join_prompt(parts) == example["prompt"] == shown["prompt"]


def test_the_pages_words_are_the_packages() -> None:
    lines = dict(line.removeprefix("export const ").split(" = ", 1) for line in constants_script().splitlines())
    constants = {name: json.loads(value.removesuffix(";")) for name, value in lines.items()}
    assert constants["SEPARATOR"].join(["x = 1", "y = 2"]) == repeat_prompt("Given x = 1, then obtain y = 2")
