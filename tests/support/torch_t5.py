"""PyTorch's T5 as the oracle: random models of both kinds, their logits, gradients and generated tokens."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mathderive.model.config import T5Config
from mathderive.model.decoding import GREEDY
from mathderive.model.parameters import parameter_shapes
from mathderive.model.search_settings import SearchSettings
from mathderive.model.weights import config_to_hugging_face, to_hugging_face

Arrays = dict[str, np.ndarray]

_SIZES: dict[str, Any] = {
    "d_model": 24,
    "d_kv": 5,
    "d_ff": 40,
    "num_heads": 3,
    "num_layers": 3,
    "num_decoder_layers": 2,
}
CONFIGS = {
    "t5": T5Config(vocab_size=60, **_SIZES),
    "t5-1.1": T5Config(vocab_size=60, feed_forward="gated-gelu", tie_word_embeddings=False, **_SIZES),
}

PUBLISHED = {
    "t5-tiny": T5Config(
        vocab_size=32128, d_model=64, d_kv=16, d_ff=128, num_heads=4, num_layers=2, num_decoder_layers=2
    ),
    "t5-small": T5Config(
        vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_heads=8, num_layers=6, num_decoder_layers=6
    ),
    "t5-base": T5Config(
        vocab_size=32128, d_model=768, d_kv=64, d_ff=3072, num_heads=12, num_layers=12, num_decoder_layers=12
    ),
}
_V1_1: dict[str, Any] = {"feed_forward": "gated-gelu", "tie_word_embeddings": False}
PUBLISHED |= {
    "t5-1.1-tiny": replace(PUBLISHED["t5-tiny"], **_V1_1),
    "t5-1.1-small": replace(PUBLISHED["t5-small"], **_V1_1, d_ff=1024, num_heads=6, num_layers=8, num_decoder_layers=8),
    "t5-1.1-base": replace(PUBLISHED["t5-base"], **_V1_1, d_ff=2048),
}
"""The shapes of the published small and base models, and of a tiny model with their vocabulary."""

SEEDS = {"t5": 0, "t5-1.1": 3}
"""Seeds of models with some outputs that end early and some that do not."""


def random_params(config: T5Config, seed: int) -> Arrays:
    """Parameters on a scale where every part of the network matters and rows end at different lengths."""
    rng = np.random.default_rng(seed)

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) == 1:
            return rng.uniform(0.8, 1.2, shape)
        # A tied embedding is small, because a large one makes the model repeat the last token.
        small = name == "embedding" and config.tie_word_embeddings
        return rng.normal(size=shape) * (0.03 if small else 0.25)

    return {name: draw(name, shape).astype(np.float32) for name, shape in sorted(parameter_shapes(config).items())}


def random_batch(config: T5Config, seed: int) -> Arrays:
    """Sources of several lengths (one is longer than the position buckets reach), decoder inputs and labels."""
    rng = np.random.default_rng(seed)
    encoder_mask = np.arange(150)[None, :] < np.array([150, 1, 37])[:, None]
    input_ids = np.where(encoder_mask, rng.integers(2, config.vocab_size, encoder_mask.shape), config.pad_token_id)
    decoder_input_ids = rng.integers(0, config.vocab_size, (3, 140))
    labels = rng.integers(2, config.vocab_size, (3, 140))
    labels[np.arange(140)[None, :] >= np.array([60, 140, 1])[:, None]] = config.pad_token_id
    return {
        "input_ids": input_ids,
        "encoder_mask": encoder_mask,
        "decoder_input_ids": decoder_input_ids,
        "labels": labels,
    }


def random_prompts(config: T5Config, seed: int, rows: int, longest: int) -> Arrays:
    """Sources of lengths up to `longest`."""
    rng = np.random.default_rng(seed)
    encoder_mask = np.arange(longest) < rng.integers(1, longest + 1, (rows, 1))
    input_ids = np.where(encoder_mask, rng.integers(2, config.vocab_size, encoder_mask.shape), config.pad_token_id)
    return {"input_ids": input_ids, "encoder_mask": encoder_mask}


def torch_model(config: T5Config, seed: int) -> Any:
    """transformers' T5 with `random_params`."""
    return torch_model_of(config, random_params(config, seed))


def torch_model_of(config: T5Config, params: Mapping[str, Any]) -> Any:
    """transformers' T5 with these parameters."""
    import torch
    import transformers

    tree = config_to_hugging_face(config)
    settings = {key: value for key, value in tree.items() if key not in ("architectures", "model_type")}
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**settings)).eval()
    if not config.tie_word_embeddings:
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    tensors = {name: torch.tensor(tensor) for name, tensor in to_hugging_face(params, config).items()}
    for copy in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"):
        tensors[copy] = tensors["shared.weight"]
    tensors.setdefault("lm_head.weight", tensors["shared.weight"])
    model.load_state_dict(tensors)
    return model


def torch_logits(model: Any, batch: Arrays) -> np.ndarray:
    """The logits with teacher forcing, `[batch, target_length, vocab_size]`."""
    import torch

    with torch.no_grad():
        return model(
            input_ids=torch.tensor(batch["input_ids"]),
            attention_mask=torch.tensor(batch["encoder_mask"]).long(),
            decoder_input_ids=torch.tensor(batch["decoder_input_ids"]),
        ).logits.numpy()


def torch_gradients(model: Any, batch: Arrays) -> tuple[float, Arrays]:
    """The mean cross entropy of the labels that are no padding, and its gradients by Hugging Face's names."""
    import torch

    pad = model.config.pad_token_id
    model.zero_grad()
    loss = model(
        input_ids=torch.tensor(batch["input_ids"]),
        attention_mask=torch.tensor(batch["input_ids"] != pad).long(),
        decoder_input_ids=torch.tensor(batch["decoder_input_ids"]),
        labels=torch.tensor(np.where(batch["labels"] == pad, -100, batch["labels"])).long(),
    ).loss
    loss.backward()
    return loss.item(), {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}


def torch_generate(model: Any, batch: Arrays, max_length: int, search: SearchSettings = GREEDY) -> np.ndarray:
    """The tokens that `generate` writes, `[rows, max_length]`, padded, without the start token."""
    import torch

    with torch.no_grad():
        generated = model.generate(
            input_ids=torch.tensor(batch["input_ids"]),
            attention_mask=torch.tensor(batch["encoder_mask"]).long(),
            max_new_tokens=max_length,
            do_sample=False,
            **asdict(search),
        ).numpy()[:, 1:]
    padded = np.full((len(generated), max_length), model.config.pad_token_id)
    padded[:, : generated.shape[1]] = generated
    return padded


def torch_score(model: Any, source: list[int], row: list[int], search: SearchSettings) -> float:
    """The score of this hypothesis in beam search, in double precision."""
    import torch
    from transformers import RepetitionPenaltyLogitsProcessor

    penalty = RepetitionPenaltyLogitsProcessor(search.repetition_penalty)
    ids = torch.tensor([[model.config.decoder_start_token_id, *row]])
    try:
        with torch.no_grad():
            logits = model.double()(input_ids=torch.tensor([source]), decoder_input_ids=ids[:, :-1]).logits[0]
    finally:
        model.float()
    scores = logits.log_softmax(dim=-1)
    total = sum(penalty(ids[:, : i + 1], scores[i : i + 1])[0, token].item() for i, token in enumerate(row))
    return total / len(row) ** search.length_penalty
