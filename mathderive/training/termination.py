"""SIGTERM and SIGINT while a model trains: the step at hand is finished and saved, then the run ends.

A machine that is taken back says so by SIGTERM half a minute ahead, and a user by ^C. Outside of training both do
what they always do.
"""

import signal
from types import FrameType, TracebackType
from typing import Any

from mathderive.core import devices

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TerminationRequest:
    """A context manager in which a signal is kept until the loop asks for it; for the main thread.

    Further signals change nothing, because some launchers send one to the process and again to its group.
    """

    def __init__(self) -> None:
        self._received = 0
        self._agreed: Any = None
        self._earlier: dict[int, Any] = {}

    def __enter__(self) -> "TerminationRequest":
        self._earlier = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        if self._received and kind is None:
            signal.raise_signal(self._received)  # came after the loop last asked

    def signal_number(self) -> int:
        """The signal that ends the run after this step, 0 for none; asked once a step.

        Several processes must stop at the same step, while a signal may reach one of them only. So they take the
        largest number over all devices, and look at it a step later, when it is there without waiting. (JAX has a
        protocol of its own for this; it catches SIGTERM for as long as the processes are connected, in the stages
        before training too, and knows nothing of SIGINT.)
        """
        if devices.process_count() == 1:
            return self._received
        agreed, self._agreed = self._agreed, devices.largest(self._received)
        return 0 if agreed is None else int(devices.unreplicate(agreed))

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = self._received or number
