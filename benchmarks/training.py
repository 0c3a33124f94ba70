"""Speed of training, compared with PyTorch's T5 and with padding every example to 512 tokens.

    python benchmarks/training.py [--shape t5-small] [--dtype float32] [--optimizer adafactor] [--rows 4]

Examples are generated with the paper's sampling settings, and a tokenizer is trained on them. Three contestants take
turns on these examples, with the same weights and the same optimizer:

- `ours`: our step on our batches, which are padded to a few shapes;
- `pytorch`: the T5 of `transformers` on the same batches (omitted, with a message, if torch is not installed);
- `padded`: our step on batches that are padded to 512 and 512 tokens, as in the paper.

The result is the number of real tokens a second, of source and target without padding, as a median over the rounds.
Compilation does not count. With `--dtype bfloat16` both sides keep float32 parameters and compute matrix products in
bfloat16. The last line is a JSON object. Run it on a quiet machine.
"""

import argparse
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping

# JAX would take most of a GPU's memory at once, and PyTorch needs some.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import numpy as np
from generated import make_examples
from peer import LONGEST, SHAPES, our_step, pytorch_model, pytorch_step

from mathderive.model.parameters import initialise
from mathderive.training.flops import training_flops, utilisation
from mathderive.training.input_pipeline import Batch, Batches


def padded_to_longest(batch: Batch) -> Batch:
    """The batch with source and target padded to `LONGEST` tokens."""
    return {key: np.pad(array, ((0, 0), (0, LONGEST - array.shape[1]))) for key, array in batch.items()}


def race(contestants: Mapping[str, tuple[Callable[[Batch], None], list[Batch]]], rounds: int) -> dict[str, float]:
    """The median seconds of each contestant for its batches; they take turns."""
    for name, (train_on, batches) in contestants.items():
        start = time.perf_counter()
        for batch in batches:
            train_on(batch)
        print(f"{name}: first round, with compilation, {time.perf_counter() - start:.1f} s", flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, (train_on, batches) in contestants.items():
            start = time.perf_counter()
            for batch in batches:
                train_on(batch)
            seconds[name].append(time.perf_counter() - start)
        taken = ", ".join(f"{name} {times[-1]:.2f} s" for name, times in seconds.items())
        print(f"round {number + 1}/{rounds}: {taken}", flush=True)
    return {name: statistics.median(times) for name, times in seconds.items()}


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="t5-small")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--optimizer", choices=("adafactor", "adamw"), default="adafactor")
    parser.add_argument("--rows", type=int, default=4, help="examples in a batch")
    parser.add_argument("--examples", type=int, default=200, help="examples to generate, which decide the shapes")
    parser.add_argument("--batches", type=int, default=4, help="batches in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    config = SHAPES[options.shape]
    epoch = Batches(make_examples(options.examples, options.seed), config, options.rows, options.seed)
    batches = [epoch[step] for step in range(min(options.batches, epoch.steps_per_epoch))]
    shapes = [f"{batch['input_ids'].shape[1]}/{batch['labels'].shape[1]}" for batch in batches]
    lengths = np.concatenate(
        [[np.count_nonzero(batch[key], axis=1) for key in ("input_ids", "labels")] for batch in batches], axis=1
    )
    print(f"{len(batches)} batches, padded to {', '.join(shapes)} tokens; {lengths.sum()} are real", flush=True)

    params = initialise(config, options.seed)
    ours = our_step(config, params, options.optimizer, options.dtype, options.seed)
    contestants = {"ours": (ours, batches)}
    if importlib.util.find_spec("torch"):
        autocast = options.dtype == "bfloat16"
        theirs = pytorch_step(config, pytorch_model(config, params), options.optimizer, autocast)
        contestants["pytorch"] = (theirs, batches)
    else:
        print("pytorch: left out, torch is not installed")
    contestants["padded"] = (ours, [padded_to_longest(batch) for batch in batches])
    seconds = race(contestants, options.rounds)

    flops = sum(training_flops(config, int(source), int(target)) for source, target in lengths.T)
    print(
        json.dumps(
            {
                **vars(options),
                "device": f"{jax.device_count()} {jax.devices()[0].device_kind}",
                "tokens_per_second": {name: lengths.sum() / taken for name, taken in seconds.items()},
                "ours_to_pytorch": seconds["pytorch"] / seconds["ours"] if "pytorch" in seconds else None,
                "ours_to_padded": seconds["padded"] / seconds["ours"],
                "flops_per_second": flops / seconds["ours"],
                "model_flop_utilisation": utilisation(flops / seconds["ours"]),
            }
        )
    )


if __name__ == "__main__":
    main()
