"""The exceptions that the command line prints as one line."""

import signal


class InputError(Exception):
    """An input is wrong: a config key, a file, a checkpoint, the environment. The exit code is 2.

    The message is one line that names the file, the key and the expected value.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class Terminated(Exception):  # noqa: N818 - not an error
    """A signal ended the training, with a checkpoint; `exit_code` is a shell's code for a process ended by a signal."""

    def __init__(self, number: int, step: int) -> None:
        name = signal.Signals(number).name
        super().__init__(
            f"{name}: stopped after step {step}, whose checkpoint is written; the same command goes on from there"
        )
        self.exit_code = 128 + number
