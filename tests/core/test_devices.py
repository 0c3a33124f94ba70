"""Several devices or processes give the results of one device; each number of devices needs new processes."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from mathderive.core import devices
from mathderive.core.errors import InputError

LOSSES = """
import json, sys
import numpy as np
from mathderive.core import devices
from mathderive.config.schema import TrainingSettings
from mathderive.model.config import T5Config
from mathderive.model.parameters import initialise
from mathderive.training.optimizer import make_optimizer
from mathderive.training.step import fresh_state, make_train_step

coordinator, count, index, *parts = sys.argv[1:]
if int(count) > 1:
    devices.connect(coordinator, int(count), int(index))
config = T5Config(
    vocab_size=40, d_model=16, d_kv=4, d_ff=32, num_heads=2, num_layers=1, num_decoder_layers=1, dropout_rate=0
)
optimizer = make_optimizer(TrainingSettings(batch_size=8, steps=4, learning_rate=1e-2).options(), 4)
for accumulate in map(int, parts):
    step = make_train_step(config, optimizer, seed=0, accumulate=accumulate)
    state = devices.replicate(fresh_state(initialise(config, 0), optimizer))
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(4):
        labels = rng.integers(2, 40, (8, 12)).astype(np.int32)
        labels[np.arange(12) >= rng.integers(1, 13, (8, 1))] = 0  # rows of very different lengths
        inputs = np.pad(labels, ((0, 0), (1, 0)))[:, :-1]
        sources = rng.integers(2, 40, (8, 10)).astype(np.int32)
        batch = {"input_ids": sources, "decoder_input_ids": inputs, "labels": labels}
        state, loss = step(state, devices.shard(batch))
        losses.append(float(devices.unreplicate(loss)))
    totals = devices.unreplicate(state.totals)
    print(json.dumps([devices.device_count(), losses, int(totals.tokens), int(totals.positions)]))
devices.disconnect()
"""

SHARED = """
import sys
import numpy as np
from mathderive.core import devices

coordinator, count, index = sys.argv[1:]
devices.connect(coordinator, int(count), int(index))
first = devices.process_index() == 0
arrays = {
    "zeros": np.array([0.0, -0.0, np.nan], np.float32),
    "scalar": np.int32(7),
    "matrix": np.arange(6.0, dtype=np.float32).reshape(2, 3),
    "none": np.zeros((0, 4), np.float32),
}
shared = devices.share_arrays(arrays if first else {})
print([(name, array.shape, array.dtype.name, array.tobytes().hex()) for name, array in shared.items()])
print(devices.share({"text": "\\u03b8", "list": [1, None]} if first else None))
print(int(devices.unreplicate(devices.largest(3 if first else 15))))
devices.disconnect()
print(float(devices.jax.numpy.ones(3).sum()))
"""

DECODED = """
import json
import numpy as np
from mathderive.core import devices
from mathderive.model.config import T5Config
from mathderive.model.search_settings import SearchSettings
from mathderive.model.decoding import decode, sample
from mathderive.model.parameters import initialise
from mathderive.model.sampling import Sampling, sample_key

config = T5Config(vocab_size=40, d_model=16, d_kv=4, d_ff=32, num_heads=2, num_layers=1, num_decoder_layers=1)
rng = np.random.default_rng(0)
sources = [rng.integers(2, 40, length).tolist() for length in (1, 30, 7, 0, 12)]
params = devices.replicate(initialise(config, 0))
for search in (SearchSettings(), SearchSettings(num_beams=2, repetition_penalty=2.5)):
    print(json.dumps(decode(config, params, sources, 20, search=search)))
samplings = [Sampling([sample_key(0, str(row), number) for number in range(3)], 0.8, 20, 0.9) for row in range(5)]
print(json.dumps([[one.ids for one in drawn] for drawn in sample(config, params, sources, samplings, 20)]))
"""


def outputs(program: str, *arguments: object, devices: int = 1, processes: int = 1) -> list[list[str]]:
    """The lines that each process of a program prints; its first arguments are coordinator, count and index."""
    environment = {
        **os.environ,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
        "NPROC": "32",  # without it jax 0.10 can deadlock with more fake devices than cores
    }
    with socket.create_server(("127.0.0.1", 0)) as server:
        coordinator = f"127.0.0.1:{server.getsockname()[1]}"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, coordinator, str(processes), str(index), *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(processes)
    ]
    try:
        texts = [process.communicate(timeout=240) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0] * processes, texts
    # Gloo, the library for communication between CPUs, prints to standard output when it is connected.
    return [[line for line in stdout.splitlines() if not line.startswith("[Gloo]")] for stdout, _ in texts]


def losses(*accumulate: int, devices: int = 1, processes: int = 1) -> list[list[Any]]:
    """For each process and each value of `accumulate`: number of devices, losses, tokens and positions."""
    found = outputs(LOSSES, *accumulate, devices=devices, processes=processes)
    return [[json.loads(line) for line in lines] for lines in found]


@pytest.fixture(scope="module")
def on_one_device() -> tuple[list[float], list[int]]:
    (((count, losses_, *totals),),) = losses(1)
    assert count == 1
    assert losses_[-1] < losses_[0]
    return losses_, totals


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "processes", "accumulate"), [(2, 1, (1, 2)), (8, 1, (1,)), (1, 2, (1, 2))])
def test_devices_processes_and_parts_train_as_one_device_does(
    on_one_device: tuple[list[float], list[int]], devices: int, processes: int, accumulate: tuple[int, ...]
) -> None:
    expected, expected_totals = on_one_device
    for rows in losses(*accumulate, devices=devices, processes=processes):
        assert len(rows) == len(accumulate)
        for count, found, *totals in rows:
            assert count == devices * processes
            assert found == pytest.approx(expected, abs=1e-5)
            assert totals == expected_totals


@pytest.mark.slow
def test_what_the_first_process_shares_arrives_bit_for_bit() -> None:
    first, second = outputs(SHARED, processes=2)
    assert first == second
    arrays, value, largest, alone = second
    bits = np.array([0.0, -0.0, np.nan], np.float32).tobytes().hex()
    assert f"('zeros', (3,), 'float32', '{bits}')" in arrays
    assert "('scalar', (), 'int32', '07000000')" in arrays
    assert "('none', (0, 4), 'float32', '')" in arrays
    assert (value, largest, alone) == ("{'text': '\u03b8', 'list': [1, None]}", "15", "3.0")


@pytest.mark.slow
@pytest.mark.long
def test_what_is_decoded_does_not_depend_on_the_number_of_devices() -> None:
    assert outputs(DECODED, devices=3) == outputs(DECODED)


def test_two_calls_are_under_way_at_once_and_their_results_keep_the_order() -> None:
    both = threading.Barrier(2, timeout=60)

    def slower_when_first(number: int) -> int:
        both.wait()
        time.sleep(0.05 if number % 2 == 0 else 0)
        return number

    assert list(devices.overlapped(slower_when_first, range(6))) == list(range(6))


def test_what_one_of_them_raises_arrives_and_the_rest_is_not_begun() -> None:
    begun = []

    def fail(number: int) -> None:
        begun.append(number)
        time.sleep(0.01)
        raise InputError(f"item {number}")

    with pytest.raises(InputError, match="item 0"):
        list(devices.overlapped(fail, range(1000)))
    assert len(begun) < 1000


def test_one_process_shares_with_itself() -> None:
    arrays = {"a": np.arange(3)}
    assert devices.share_arrays(arrays) is arrays
    assert devices.share([1, None]) == [1, None]
    assert int(devices.unreplicate(devices.largest(15))) == 15


@pytest.mark.parametrize(
    ("count", "batch_size", "accumulate", "expected"),
    [
        (1, 12, 5, "expected 10 or 15, or training.accumulate of 1, 2, 3, 4, 6, 12"),
        (4, 12, 2, "expected 8 or 16, or training.accumulate of 1, 3"),
        (8, 4, 1, "expected 8, or a number of devices that divides it"),
        (8, 12, 1, "expected 8 or 16, or a number of devices that divides it"),
    ],
)
def test_a_batch_that_cannot_be_shared_is_named(
    monkeypatch: pytest.MonkeyPatch, count: int, batch_size: int, accumulate: int, expected: str
) -> None:
    monkeypatch.setattr(devices, "device_count", lambda: count)
    with pytest.raises(InputError, match=rf"training\.batch_size: {batch_size} .* among {count} devices") as caught:
        devices.check_divides(batch_size, accumulate)
    assert str(caught.value).endswith(expected)
    for number in map(int, expected.split(", or ")[0].removeprefix("expected ").split(" or ")):
        devices.check_divides(number, accumulate)
