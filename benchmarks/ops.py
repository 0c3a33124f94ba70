"""What each operation of `mathderive/model/ops.py` gains over its plain JAX form.

    python benchmarks/ops.py [--shape t5-small] [--dtype bfloat16] [--rows 4] [--tokens 256] [--rounds 5]

The operations with a gradient are measured in a training step on random tokens: the step as it is, and the step with
one operation in its plain form. `argmax` is measured alone, on the logits of 32 rows. All forms take turns after a
first run that compiles them; a time is the median over the rounds. A gain is the time with the plain form over the time
with ours, so it is above 1 where ours is faster. The last line is a JSON object. Run it on a quiet machine.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from peer import SHAPES

from mathderive.config.schema import TrainingSettings
from mathderive.core import devices
from mathderive.model import ops
from mathderive.model.config import T5Config
from mathderive.model.parameters import initialise
from mathderive.training.input_pipeline import Batch
from mathderive.training.optimizer import make_optimizer
from mathderive.training.step import fresh_state, make_train_step


def plain_dropout(values: jax.Array, rate: float, rngs: nnx.Rngs | None) -> jax.Array:
    if rngs is None or rate == 0:
        return values
    keep = jax.random.bernoulli(rngs.dropout(), 1 - rate, values.shape)
    return jnp.where(keep, values / (1 - rate), 0).astype(values.dtype)


PLAIN: Mapping[str, Callable[..., jax.Array]] = {
    "matrix_product": lambda hidden, kernel: hidden @ kernel,
    "broadcast_to_batch": lambda values, batch: jnp.broadcast_to(values, (batch, *values.shape[1:])),
    "look_up": lambda table, indices: jnp.moveaxis(table[indices], -1, 0),
    "argmax": lambda scores: jnp.argmax(scores, axis=-1).astype(jnp.int32),
    "dropout": plain_dropout,
}
"""The plain JAX form of each operation."""


@contextmanager
def plain(name: str | None) -> Iterator[None]:
    """Puts the plain form in the place of an operation."""
    ours = {} if name is None else {name: getattr(ops, name)}
    for replaced in ours:
        setattr(ops, replaced, PLAIN[replaced])
    try:
        yield
    finally:
        for replaced, operation in ours.items():
            setattr(ops, replaced, operation)


def make_step(config: T5Config, options: argparse.Namespace, batch: Batch) -> Callable[[], Any]:
    """A training step that is compiled with the operations of this moment."""
    settings = TrainingSettings(batch_size=options.rows, steps=1, learning_rate=5e-5).options()
    optimizer = make_optimizer(settings, total_steps=1)
    step = make_train_step(config, optimizer, seed=0, dtype=options.dtype)
    state = devices.replicate(fresh_state(initialise(config, 0), optimizer))

    def run() -> None:
        nonlocal state
        state, loss = step(state, devices.shard(batch))
        jax.block_until_ready((state, loss))

    run()
    return run


def make_argmax(operation: Callable[..., jax.Array], config: T5Config) -> Callable[[], Any]:
    scores = jax.random.normal(jax.random.key(0), (32, 1, config.vocab_size))
    compiled = jax.jit(operation)
    jax.block_until_ready(compiled(scores))
    return lambda: jax.block_until_ready(compiled(scores))


def compare(runs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The median seconds of each run; they take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="t5-small")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--rows", type=int, default=4, help="rows of the batch")
    parser.add_argument("--tokens", type=int, default=256, help="tokens of source and of target")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    config = SHAPES[options.shape]
    tokens = np.random.default_rng(0).integers(2, config.vocab_size, (options.rows, options.tokens)).astype(np.int32)
    batch = {"input_ids": tokens, "decoder_input_ids": tokens, "labels": tokens}

    runs = {}
    for name in (None, *(name for name in PLAIN if name != "argmax")):
        with plain(name):
            runs[name or "ours"] = make_step(config, options, batch)
        print(f"{name or 'ours'}: compiled", flush=True)
    seconds = compare(runs, options.rounds)
    gains = {name: taken / seconds["ours"] for name, taken in seconds.items() if name != "ours"}
    argmax = {"ours": make_argmax(ops.argmax, config), "plain": make_argmax(PLAIN["argmax"], config)}
    argmax_seconds = compare(argmax, 20 * options.rounds)
    gains["argmax"] = argmax_seconds["plain"] / argmax_seconds["ours"]
    device = f"{jax.device_count()} {jax.devices()[0].device_kind}"
    print(json.dumps({**vars(options), "device": device, "step_seconds": seconds["ours"], "gains": gains}))


if __name__ == "__main__":
    main()
