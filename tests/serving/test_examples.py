"""The page's examples are what they are said to be: unseen ones of the data that `checkpoints/mini` learnt from."""

import json
from importlib import resources
from pathlib import Path

from mathderive.config.loading import load_config
from mathderive.serving.make_examples import MOST_CHARACTERS, MOST_STEPS, choose
from mathderive.symbolic.prompts import split_prompt
from tfds_builders.derivations.generation import make_example, sample, split_by_hash, split_sizes

EXAMPLES = json.loads(resources.files("mathderive.serving").joinpath("examples.json").read_text())


def test_each_is_an_unseen_example_of_the_released_checkpoints_data() -> None:
    config = load_config(Path(__file__).parents[2] / "configs" / "mini.yaml", [])
    assert config.data
    found = []
    for example in EXAMPLES:
        attempt = int(example["id"].removesuffix("-static"))
        (candidate,) = [
            candidate
            for candidate in sample(config.data.sampling, config.run.seed, attempt)
            if candidate.prompt == example["prompt"]
        ]
        assert split_by_hash(candidate.canonical_hash, split_sizes(config.data)) == "static"
        assert len(candidate.steps) <= MOST_STEPS
        assert len(candidate.target) <= MOST_CHARACTERS
        found.append(make_example(candidate, "static"))
    assert choose(found) == EXAMPLES


def test_they_are_told_apart_and_can_be_taken_apart() -> None:
    assert len({example["name"] for example in EXAMPLES}) == len(EXAMPLES) == 6
    for example in EXAMPLES:
        assert len(split_prompt(example["prompt"]).premises) >= 1
