"""The one exception that means "the user can mend this": the command line prints it as one line and exits with 2."""


class InputError(Exception):
    """Something given to us is wrong: a config key, a file, a checkpoint, the environment.

    The message is one line that names the file, the key and what was expected.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
