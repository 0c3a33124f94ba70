"""SIGTERM and SIGINT during training: the current step is finished and saved, and then the run ends.

A machine that will be preempted gets SIGTERM half a minute before, and a user sends SIGINT by Ctrl-C. Outside of
training, both signals have their usual effect.
"""

import os
import signal
from threading import Thread
from types import FrameType, TracebackType
from typing import Any

from mathderive.core import devices
from mathderive.core.progress import say

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TerminationRequest:
    """A context manager that stores a signal until the training loop asks for it; for the main thread.

    Further signals are ignored, because some launchers send a signal to the process and again to its group.
    """

    def __init__(self) -> None:
        self._received = 0
        self._agreed: Any = None
        self._earlier: dict[int, Any] = {}
        self._answers = _Answers()

    def __enter__(self) -> "TerminationRequest":
        self._earlier = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        self._answers.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._answers.stop()
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        if self._received and kind is None:
            signal.raise_signal(self._received)  # the signal came after the loop's last question

    def signal_number(self) -> int:
        """The signal that ends the run after this step, 0 if there is none; must be called once a step.

        Several processes must stop at the same step, but a signal may reach only one of them. So the processes compute
        the largest signal number over all devices, and read it one step later, when it is there without waiting. (JAX
        has its own protocol for this. It catches SIGTERM while the processes are connected, also in the stages before
        training, and it does not handle SIGINT.)
        """
        if devices.process_count() == 1:
            return self._received
        agreed, self._agreed = self._agreed, devices.largest(self._received)
        return 0 if agreed is None else int(devices.unreplicate(agreed))

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = self._received or number


class _Answers:
    """Answers the first signal at once, in a thread: the main one hears of it after the step or the compilation."""

    def start(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._earlier = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._thread = Thread(target=self._answer, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        signal.set_wakeup_fd(self._earlier)
        os.close(self._writing)  # the thread reads the end of the pipe
        self._thread.join()
        os.close(self._reading)

    def _answer(self) -> None:
        while number := os.read(self._reading, 1):
            if number[0] in _SIGNALS:
                say(f"{signal.Signals(number[0]).name}: the step at hand is finished and its checkpoint written first")
                return
