"""The ways to search that are compared with `generate`, and the prompts they are compared on."""

from collections.abc import Mapping

import numpy as np

from mathderive.model.config import T5Config
from mathderive.model.search_settings import SearchSettings
from tests.support.torch_t5 import random_prompts

SEARCHES = {
    "greedy": SearchSettings(),
    "greedy, penalty": SearchSettings(repetition_penalty=2.5),
    "2 beams": SearchSettings(num_beams=2),
    "2 beams, penalty": SearchSettings(num_beams=2, repetition_penalty=2.5),
    "the paper's validation": SearchSettings(num_beams=2, repetition_penalty=2.5, early_stopping=True),
    "4 beams": SearchSettings(num_beams=4),
    "4 beams, penalty": SearchSettings(num_beams=4, repetition_penalty=2.5),
    "4 beams, short and early": SearchSettings(num_beams=4, early_stopping=True, length_penalty=-0.5),
    "4 beams, long": SearchSettings(num_beams=4, length_penalty=2.0),
}


def limit(search: SearchSettings) -> int:
    """Tokens that are generated at most: more than the first cache holds, but where a random model goes in circles.

    Beams without a penalty do, and then say the same in another order: scores that are equal to rounding error.
    """
    return 70 if search.num_beams == 1 or search.repetition_penalty > 1 else 20


def prompts(config: T5Config) -> dict[str, np.ndarray]:
    """A hundred prompts of up to 40 tokens."""
    return random_prompts(config, seed=7, rows=100, longest=40)


def sharpened(params: Mapping[str, np.ndarray], config: T5Config) -> dict[str, np.ndarray]:
    """The same model, surer of itself where its head is tied.

    Its logits are almost equal otherwise, and of a thousand hypotheses two have the same score to rounding error: which
    of them a search keeps is then chance, ours as well as PyTorch's.
    """
    factor = np.float32(10 if config.tie_word_embeddings else 1)
    return {**params, "decoder/final_norm/scale": params["decoder/final_norm/scale"] * factor}


def sources_of(batch: dict[str, np.ndarray]) -> list[list[int]]:
    """The rows of a padded batch as lists."""
    return [ids[mask].tolist() for ids, mask in zip(batch["input_ids"], batch["encoder_mask"], strict=True)]


def assert_same(found: list[list[int]], generated: np.ndarray, config: T5Config) -> None:
    """`generated` is filled up after the end, by beam search with more ends; ours stop there."""
    for row, expected in zip(found, generated.tolist(), strict=True):
        assert row == expected[: len(row)]
        assert row[-1] == config.eos_token_id or len(row) == len(expected)
        assert set(expected[len(row) :]) <= {config.pad_token_id, config.eos_token_id}
