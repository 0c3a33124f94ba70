"""Speed of decoding with our T5 and with `generate` of transformers in PyTorch: same weights, same prompts, in turns.

    python benchmarks/decoding.py [--shape t5-small] [--rows 32] [--prompts 96] [--repeats 5] [--dtype float32]

The first comparison is one batch with greedy search, with the same number of tokens for both. The second comparison is
a whole evaluation set: ours in the order and the batches of the predictor, theirs one prompt at a time, as the authors
do it. The prompts are those of generated derivations. The weights are random, so each output gets the length of its
reference, where a trained model would end it. Compilation does not count. The last line is a JSON object; its ratios
are our tokens a second divided by PyTorch's. Run it on a quiet machine, and quote medians. It needs torch.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

# JAX would take most of a GPU's memory at once, and PyTorch needs some.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
from generated import make_examples
from peer import SHAPES, generate, pytorch_model

from mathderive.core import devices
from mathderive.model.decoding import decode
from mathderive.model.parameters import initialise
from mathderive.training.input_pipeline import TokenPair


def main() -> None:
    arguments = parse_arguments()
    config = SHAPES[arguments.shape]
    params = initialise(config, seed=0)
    ours = partial(decode, config, devices.replicate(params), dtype=arguments.dtype)
    model = pytorch_model(config, params).eval()
    theirs = partial(generate, model.bfloat16() if arguments.dtype == "bfloat16" else model, config)
    pairs = make_examples(max(arguments.prompts, arguments.rows), arguments.seed)

    sources = [source.tolist() for source, _ in pairs[: arguments.rows]]
    batch = compare(
        {"ours": lambda: ours(sources, arguments.tokens), "theirs": lambda: theirs(sources, arguments.tokens)},
        len(sources) * arguments.tokens,
        arguments.repeats,
        "one batch",
    )
    examples = sorted(pairs[: arguments.prompts], key=lambda pair: len(pair[0]))
    whole_set = compare(
        {"ours": lambda: in_batches(ours, examples, arguments.rows), "theirs": lambda: one_by_one(theirs, examples)},
        sum(len(target) for _, target in examples),
        arguments.set_repeats,
        "a whole set",
    )
    result = {
        **vars(arguments),
        "device": f"{jax.device_count()} {jax.devices()[0].device_kind}",
        "batch_tokens_per_second": batch,
        "batch_ratio": batch["ours"] / batch["theirs"],
        "set_tokens_per_second": whole_set,
        "set_ratio": whole_set["ours"] / whole_set["theirs"],
    }
    print(json.dumps(result))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="t5-small")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--rows", type=int, default=32, help="rows of a batch")
    parser.add_argument("--tokens", type=int, default=128, help="tokens generated in each row of the one batch")
    parser.add_argument("--prompts", type=int, default=96, help="prompts of the whole set")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--set-repeats", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def in_batches(ours: Callable[..., object], examples: Sequence[TokenPair], rows: int) -> None:
    """Decodes the examples in batches of `rows` rows, two batches at once."""

    def one_batch(start: int) -> None:
        batch = examples[start : start + rows]
        sources = [source.tolist() for source, _ in batch] + [[]] * (rows - len(batch))
        ours(sources, [len(target) for _, target in batch] + [1] * (rows - len(batch)))

    list(devices.overlapped(one_batch, range(0, len(examples), rows)))


def one_by_one(theirs: Callable[..., object], examples: Sequence[TokenPair]) -> None:
    """Generates the output of one example after another."""
    for number, (source, target) in enumerate(examples):
        theirs([source], len(target))
        print(f"\rone prompt at a time: {number + 1} of {len(examples)}", end="", flush=True)
    print()


def compare(runs: dict[str, Callable[[], object]], tokens: int, repeats: int, what: str) -> dict[str, float]:
    """The median tokens a second of each run; they take turns after one run of ours that compiles."""
    runs["ours"]()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
            print(f"{what}: {name}: {tokens / seconds[name][-1]:.0f} tokens a second", flush=True)
    return {name: tokens / statistics.median(times) for name, times in seconds.items()}


if __name__ == "__main__":
    main()
