"""The exceptions that the command line prints as one line: what the user can mend, and that a request was met."""

import signal


class InputError(Exception):
    """Something given to us is wrong: a config key, a file, a checkpoint, the environment. Exit code 2.

    The message is one line that names the file, the key and what was expected.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class Terminated(Exception):  # noqa: N818 - no error
    """Training ended on a signal, with a checkpoint; `exit_code` is what a shell gives for a process it ended."""

    def __init__(self, number: int, step: int) -> None:
        name = signal.Signals(number).name
        super().__init__(
            f"{name}: stopped after step {step}, whose checkpoint is written; the same command goes on from there"
        )
        self.exit_code = 128 + number
