"""The training data that a round goes back to: prompts to sample, and pairs that the model was trained on at first."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mathderive.model.tokenizer import load_tokenizer
from mathderive.pipeline.self_training.selection import TrainingExample
from mathderive.records import Example
from mathderive.symbolic.prompts import Pair
from mathderive.training.shards import read_recipe, read_shard


class Pairs(Protocol):
    """Pairs of prompt and target by their number, such as a list of them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Pair: ...


class ShardPairs:
    """The examples of tokenised shards as texts, which are decoded when they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Reads the token ids of all files.

        Raises:
            InputError: a file is missing or damaged.
        """
        self._tokenizer = load_tokenizer(folder / "tokenizer")
        self._pairs = [pair for name in read_recipe(folder).files for pair in read_shard(folder / name)]

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Pair:
        source, target = self._pairs[index]
        return self._tokenizer.decode(source.tolist()), self._tokenizer.decode(target.tolist())


def prompts_of_round(examples: Sequence[Example], number: int, count: int, seed: int) -> list[Example]:
    """The training examples to sample in a round, without their targets.

    The rounds go through a random order of all examples, again and again; no example is in a round twice.

    Args:
        number: the round, from 1.
        count: number of prompts in a round; all of them where there are fewer.
    """
    order = random.Random(f"{seed} self-training prompts").sample(examples, len(examples))
    count = min(count, len(order))
    chosen = [order[place % len(order)] for place in range((number - 1) * count, number * count)]
    return [example.model_copy(update={"target": "", "steps": []}) for example in chosen]


def choose_originals(originals: Pairs, count: int, seed: int, purpose: str) -> list[TrainingExample]:
    """Draws different pairs; all of them where there are fewer than `count`."""
    numbers = random.Random(f"{seed} {purpose}").sample(range(len(originals)), min(count, len(originals)))
    chosen = [(number, originals[number]) for number in numbers]
    return [
        TrainingExample(id=f"original-{number}", origin="original", prompt=prompt, target=target)
        for number, (prompt, target) in chosen
    ]
