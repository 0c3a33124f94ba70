"""The searches that are compared with `generate`, and the prompts for the comparison."""

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
    """Maximum number of generated tokens: more than the first cache holds, except for beams without a penalty.

    Without a penalty, a random model repeats itself, and several beams have the same tokens in another order. Their
    scores are then equal to rounding error.
    """
    return 70 if search.num_beams == 1 or search.repetition_penalty > 1 else 20


def prompts(config: T5Config) -> dict[str, np.ndarray]:
    """A hundred prompts of up to 40 tokens."""
    return random_prompts(config, seed=7, rows=100, longest=40)


def sharpened(params: Mapping[str, np.ndarray], config: T5Config) -> dict[str, np.ndarray]:
    """The same model, with larger logits if its head is tied.

    Otherwise its logits are almost equal. Then two of a thousand hypotheses have the same score to rounding error, and
    chance decides which of them a search keeps, in PyTorch as well as here.
    """
    factor = np.float32(10 if config.tie_word_embeddings else 1)
    return {**params, "decoder/final_norm/scale": params["decoder/final_norm/scale"] * factor}


def sources_of(batch: dict[str, np.ndarray]) -> list[list[int]]:
    """The rows of a padded batch as lists."""
    return [ids[mask].tolist() for ids, mask in zip(batch["input_ids"], batch["encoder_mask"], strict=True)]


def assert_same(found: list[list[int]], generated: np.ndarray, config: T5Config) -> None:
    """Compares outputs with `generate`, which adds padding, or in beam search more ends, after the end."""
    for row, expected in zip(found, generated.tolist(), strict=True):
        assert row == expected[: len(row)]
        assert row[-1] == config.eos_token_id or len(row) == len(expected)
        assert set(expected[len(row) :]) <= {config.pad_token_id, config.eos_token_id}
