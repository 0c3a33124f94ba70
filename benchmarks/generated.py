"""Generated examples for the model's benchmarks, as texts and as token ids."""

import tempfile
from itertools import islice
from pathlib import Path

from peer import LONGEST

from mathderive.config.schema import DataSettings, ModelSettings, SplitSizes
from mathderive.core.progress import progress
from mathderive.model.tokenizer import train_tokenizer
from mathderive.training.input_pipeline import TokenPair, tokenize
from tfds_builders.derivations.generation import preview


def make_texts(count: int, seed: int) -> list[tuple[str, str]]:
    """Generates prompts and derivations with the paper's sampling settings."""
    settings = DataSettings(sizes=SplitSizes(train=count, validation=1, static=1))
    pairs = []
    with progress("examples") as report:
        for example in islice(preview(settings, seed, "train"), count):
            pairs.append((example.prompt, example.target))
            report("generated", len(pairs), count)
    return pairs


def make_examples(count: int, seed: int) -> list[TokenPair]:
    """Generates such texts and encodes them by a tokenizer that is trained on them."""
    pairs = make_texts(count, seed)
    with tempfile.TemporaryDirectory() as folder:
        texts = [text for pair in pairs for text in pair]
        tokenizer = train_tokenizer(texts, Path(folder), ModelSettings().vocab_size)
    return tokenize(pairs, tokenizer, LONGEST, LONGEST)
