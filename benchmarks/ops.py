"""How fast each operation of `mathderive/model/ops.py` is, against its plain JAX form.

    python benchmarks/ops.py [--dtype bfloat16] [--repeats 20]

Each operation and its plain form run in turns on arrays of a T5-small's sizes, after a first run that compiles them.
A time is the median over the repeats, forward and backward together; `argmax` has no gradient. The last line is a JSON
object with the seconds of both forms and their ratio. Run it on a quiet machine.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mathderive.model import ops

Operation = Callable[..., jax.Array]


def plain_dropout(values: jax.Array, rate: float, rngs: nnx.Rngs) -> jax.Array:
    """Dropout by JAX's own generator."""
    keep = jax.random.bernoulli(rngs.dropout(), 1 - rate, values.shape)
    return jnp.where(keep, values / (1 - rate), 0).astype(values.dtype)


PLAIN: dict[str, Operation] = {
    "matrix_product": lambda hidden, kernel: hidden @ kernel,
    "broadcast_to_batch": lambda values, batch: jnp.broadcast_to(values, (batch, *values.shape[1:])),
    "look_up": lambda table, indices: jnp.moveaxis(table[indices], -1, 0),
    "argmax": lambda scores: jnp.argmax(scores, axis=-1).astype(jnp.int32),
    "dropout": plain_dropout,
}
"""The plain JAX form of each operation, with the same arguments."""


def cases(dtype: str) -> dict[str, tuple[Callable[[Operation], Operation], tuple[jax.Array, ...]]]:
    """For each operation, a function that fixes all arguments but the arrays, and the arrays."""
    rows, length, heads, width = 8, 256, 8, 512
    keys = jax.random.split(jax.random.key(0), 5)
    hidden = jax.random.normal(keys[0], (rows, length, width)).astype(dtype)
    kernel = jax.random.normal(keys[1], (width, 4 * width)).astype(dtype)
    indices = jax.random.randint(keys[2], (length, length), 0, 32)
    return {
        "matrix_product": (lambda operation: operation, (hidden, kernel)),
        "broadcast_to_batch": (
            lambda operation: lambda values: operation(values, rows),
            (jax.random.normal(keys[3], (1, heads, length, length)),),
        ),
        "look_up": (
            lambda operation: lambda table: operation(table, indices),
            (jax.random.normal(keys[4], (32, heads)),),
        ),
        "argmax": (lambda operation: operation, (jax.random.normal(keys[3], (32, 1, 32128)),)),
        "dropout": (
            lambda operation: lambda values: operation(values, 0.1, nnx.Rngs(dropout=0)),
            (jax.random.normal(keys[0], (rows, heads, length, length)).astype(dtype),),
        ),
    }


def compile_operation(operation: Operation, arrays: tuple[jax.Array, ...]) -> Callable[[], Any]:
    """A run of the operation, with its gradients where it has any."""

    def forward_and_backward(*arrays: jax.Array) -> Any:
        result, pull_back = jax.vjp(operation, *arrays)
        return result, pull_back(result)

    has_gradient = jax.eval_shape(operation, *arrays).dtype != jnp.int32
    compiled = jax.jit(forward_and_backward if has_gradient else operation)
    return lambda: jax.block_until_ready(compiled(*arrays))


def compare(runs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """The median seconds of each run; they take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    results = {}
    for name, (fix, arrays) in cases(options.dtype).items():
        runs = {
            "ours": compile_operation(fix(getattr(ops, name)), arrays),
            "plain": compile_operation(fix(PLAIN[name]), arrays),
        }
        seconds = compare(runs, options.repeats)
        results[name] = {**seconds, "ratio": seconds["plain"] / seconds["ours"]}
        print(f"{name}: {results[name]['ratio']:.1f} times as fast as plain JAX", flush=True)
    device = f"{jax.device_count()} {jax.devices()[0].device_kind}"
    print(json.dumps({**vars(options), "device": device, "operations": results}))


if __name__ == "__main__":
    main()
