"""During training a signal is stored until the loop asks for it; elsewhere it has its usual effect."""

import os
import signal
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from mathderive.core.errors import Terminated
from mathderive.training.termination import TerminationRequest
from tests.support import tiny_training


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_a_signal_is_kept_until_it_is_asked_for() -> None:
    before = handlers()
    with pytest.raises(ZeroDivisionError), TerminationRequest() as request:
        assert request.signal_number() == 0
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)  # a second one changes nothing
        assert request.signal_number() == signal.SIGTERM
        raise ZeroDivisionError
    assert handlers() == before


def test_a_signal_is_answered_while_the_main_thread_is_busy(capfd: pytest.CaptureFixture[str]) -> None:
    matrix = np.random.default_rng(0).random((1_000, 1_000))
    said = ""

    def listen() -> None:
        nonlocal said
        os.kill(os.getpid(), signal.SIGINT)
        while busy.is_set() and not said:
            time.sleep(0.02)
            said = capfd.readouterr().err

    busy = Event()
    busy.set()
    listener = Thread(target=listen)
    with pytest.raises(ZeroDivisionError), TerminationRequest():
        listener.start()
        np.linalg.svd(matrix)  # holds the main thread in C, as a compilation does
        busy.clear()
        listener.join()
        raise ZeroDivisionError
    assert said == "SIGINT: the step at hand is finished and its checkpoint written first\n"


def test_a_signal_that_comes_too_late_takes_its_usual_way() -> None:
    before = handlers()
    with pytest.raises(KeyboardInterrupt), TerminationRequest():
        os.kill(os.getpid(), signal.SIGINT)
    assert handlers() == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_training_ends_with_a_checkpoint_of_the_step_it_was_at(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    def report(what: str, done: int, wanted: int, note: str = "") -> None:
        if done == 3:
            os.kill(os.getpid(), number)

    with pytest.raises(
        Terminated, match=rf"^{number.name}: stopped after step 3, whose checkpoint is written"
    ) as ended:
        tiny_training.run(tmp_path, on_progress=report)
    assert ended.value.exit_code == code
    assert [path.name for path in (tmp_path / "orbax").iterdir()] == ["3"]
