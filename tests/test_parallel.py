"""Data parallelism: several devices give what one gives. Each count of devices needs a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from mathderive import parallel
from mathderive.errors import InputError

LOSSES = """
import json, sys
import numpy as np
from mathderive import parallel
from mathderive.config import TrainingSettings
from mathderive.model.config import T5Config
from mathderive.model.parameters import initialise
from mathderive.training.optimizer import make_optimizer
from mathderive.training.step import fresh_state, make_train_step

config = T5Config(
    vocab_size=40, d_model=16, d_kv=4, d_ff=32, num_heads=2, num_layers=1, num_decoder_layers=1, dropout_rate=0
)
optimizer = make_optimizer(TrainingSettings(batch_size=8, steps=4, learning_rate=1e-2), 4)
for accumulate in map(int, sys.argv[1:]):
    step = make_train_step(config, optimizer, seed=0, accumulate=accumulate)
    state = parallel.replicate(fresh_state(initialise(config, 0), optimizer))
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(4):
        labels = rng.integers(2, 40, (8, 12)).astype(np.int32)
        labels[np.arange(12) >= rng.integers(1, 13, (8, 1))] = 0  # rows of very different lengths
        inputs = np.pad(labels, ((0, 0), (1, 0)))[:, :-1]
        sources = rng.integers(2, 40, (8, 10)).astype(np.int32)
        batch = {"input_ids": sources, "decoder_input_ids": inputs, "labels": labels}
        state, loss = step(state, parallel.shard(batch))
        losses.append(float(parallel.unreplicate(loss)))
    totals = parallel.unreplicate(state.totals)
    print(json.dumps([parallel.device_count(), losses, int(totals.tokens), int(totals.positions)]))
"""


def losses_on(devices, *accumulate):
    """A row for each of `accumulate`: devices seen, losses, tokens, positions."""
    environment = {
        **os.environ,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
        "NPROC": "32",  # without it jax 0.10 can deadlock with more fake devices than cores
    }
    command = [sys.executable, "-c", LOSSES, *map(str, accumulate)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_two_devices_and_two_parts_train_as_one_device_does():
    ((count, losses, tokens, positions),) = losses_on(1, 1)
    assert count == 1
    assert losses[-1] < losses[0]
    for count, found, *totals in losses_on(2, 1, 2):
        assert count == 2
        assert found == pytest.approx(losses, abs=1e-5)
        assert totals == [tokens, positions]


def test_a_batch_that_cannot_be_shared_is_named():
    parallel.check_divides(12, 3)
    with pytest.raises(InputError, match=r"training\.batch_size: 12 .* expected a multiple of 5"):
        parallel.check_divides(12, 5 // parallel.device_count())
