"""PyTorch's BERT as the oracle: random models that score pairs of texts, and folders with such a model."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from mathderive.model.bert import BertRegressor
from mathderive.model.bert_weights import name_table
from mathderive.model.config import BertConfig
from mathderive.model.parameters import network_shapes

VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "and", "frac", "sin", "cos", "log", "cl", "##s", "se", "##p"),
    *"\\{}[]()=+-*/^_,.0123456789abcdefghijklmnopqrstuvwxyz",
    *(f"##{character}" for character in "0123456789abcdefghijklmnoqrtuvwxyz"),
]
"""Vocabulary of a WordPiece tokenizer for LaTeX: letters, digits and a few words."""

CONFIG = BertConfig(
    vocab_size=len(VOCABULARY),
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=40,
    max_position_embeddings=512,
)
GOLDEN = replace(CONFIG, vocab_size=50, max_position_embeddings=64)
BASE = BertConfig(
    vocab_size=30522,
    hidden_size=768,
    num_hidden_layers=12,
    num_attention_heads=12,
    intermediate_size=3072,
    max_position_embeddings=512,
)
"""The shape of `bleurt-base-512`."""


EQUATION = r"\frac{d}{d x} f{(x)} = \cos{(x)}"
PAIRS = [
    ("", ""),
    ("", EQUATION),
    (EQUATION, ""),
    (EQUATION, EQUATION),
    ("x = 1", "y = 2"),
    ("y = 2", "x = 1"),
    *((" and ".join([EQUATION] * count), " and ".join([EQUATION] * (9 - count))) for count in range(1, 9)),
    (EQUATION + " and " + "x = 1 and " * 3000, EQUATION),
    (EQUATION, "y" * 10_000),
    (EQUATION + " and " + EQUATION * 40, EQUATION * 60),
    ("[SEP] \ud800 [CLS]", "\\\\ % & # {"),
]
"""Predictions and references: empty, equal, short, of many lengths, cut on either side, and hostile."""


def description(config: BertConfig) -> dict[str, Any]:
    """The `config.json` of such a BERT."""
    return {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "id2label": {"0": "LABEL_0"},
        **vars(config),
    }


def random_tensors(config: BertConfig, seed: int) -> dict[str, np.ndarray]:
    """Random tensors by Hugging Face's names, on a scale where every part of the network matters."""
    rng = np.random.default_rng(seed)
    shapes = network_shapes(BertRegressor, config)
    tensors = {}
    for theirs, (ours, transposed) in name_table(config).items():
        shape = shapes[ours][::-1] if transposed else shapes[ours]
        numbers = rng.standard_normal(shape) * (1.0 if "embeddings" in theirs else shape[-1] ** -0.5)
        if theirs.endswith(".bias"):
            numbers = rng.normal(0.0, 0.1, shape)
        elif "LayerNorm" in theirs:
            numbers = rng.uniform(0.8, 1.2, shape)
        tensors[theirs] = numbers.astype(np.float32)
    return tensors


def random_batch(config: BertConfig, seed: int, length: int) -> dict[str, np.ndarray]:
    """Pairs of texts of several lengths; the first one has the maximum length."""
    rng = np.random.default_rng(seed)
    lengths = np.array([length, 3, length // 2, length - 1])[:, None]
    position = np.arange(length)
    return {
        "input_ids": rng.integers(0, config.vocab_size, (len(lengths), length)),
        "mask": position < lengths,
        "segment_ids": ((position >= lengths // 3) & (position < lengths)).astype(np.int64),
    }


def write_bleurt(folder: Path, config: BertConfig = CONFIG, seed: int = 0, **changes: Any) -> Path:
    """Writes a folder with a random BLEURT and its tokenizer, without PyTorch; `changes` apply to `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(random_tensors(config, seed), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**description(config), **changes}), encoding="utf-8")
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCABULARY), encoding="utf-8")
    return folder


def torch_model(config: BertConfig, seed: int) -> Any:
    """The BERT of transformers with `random_tensors`."""
    import torch
    import transformers

    settings = {key: value for key, value in description(config).items() if key not in ("architectures", "model_type")}
    model = transformers.BertForSequenceClassification(transformers.BertConfig(**settings)).eval()
    model.load_state_dict({name: torch.tensor(tensor) for name, tensor in random_tensors(config, seed).items()})
    return model


def torch_numbers(model: Any, batch: dict[str, np.ndarray]) -> np.ndarray:
    """The model's number for each pair, `[batch]`."""
    import torch

    with torch.no_grad():
        return model(
            input_ids=torch.tensor(batch["input_ids"]),
            attention_mask=torch.tensor(batch["mask"]).long(),
            token_type_ids=torch.tensor(batch["segment_ids"]),
        ).logits.numpy()[:, 0]


def torch_scores(model: Any, folder: Path, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """The model's score of each prediction with its reference, encoded by the slow tokenizer of transformers.

    The tokenizer's steps are called one by one, because a call of the whole tokenizer treats `[SEP]` in a text as the
    end of the text.
    """
    from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

    tokenizer: Any = BertTokenizerLegacy(folder / "vocab.txt")
    scores = []
    for prediction, reference in pairs:
        ids = [
            tokenizer.convert_tokens_to_ids(
                [
                    piece
                    for word in tokenizer.basic_tokenizer.tokenize(text.encode("utf-8", "replace").decode("utf-8"))
                    for piece in tokenizer.wordpiece_tokenizer.tokenize(word)
                ]
            )
            for text in (reference, prediction)
        ]
        first, second, _ = tokenizer.truncate_sequences(*ids, max(0, sum(map(len, ids)) - 509))
        input_ids = np.array([tokenizer.build_inputs_with_special_tokens(first, second)])
        segment_ids = np.array([tokenizer.create_token_type_ids_from_sequences(first, second)])
        batch = {"input_ids": input_ids, "segment_ids": segment_ids, "mask": np.ones(input_ids.shape)}
        scores.append(float(torch_numbers(model, batch)[0]))
    return scores
