"""Checking from any program: a pool of bounded child processes, which any thread may use."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import get_args

from mathderive.checker.checker import unreadable
from mathderive.checker.supervision import SupervisedChecker
from mathderive.checker.verdicts import Validity
from mathderive.core.closing import Closing
from mathderive.core.environment import cores
from mathderive.core.errors import InputError
from mathderive.records import Rules


def check(prompt: str, text: str, *, rules: Rules = "textbook") -> Validity:
    """Checks a derivation against its prompt, in a child process that this process keeps for all its checks.

    Args:
        prompt: `Given P and ..., then derive X, then obtain G`.
        text: the equations, separated by ` and ` or ends of lines. It may hold anything and be of any length: what
            takes more time or memory than the checker's limits is undecided, within ten seconds of CPU time.
        rules: the steps that count as one: the paper's eighteen operators (`paper`), or also what people do in one
            step.

    Raises:
        ValueError: the prompt has another form, or there are no such rules; the message says what was expected.
        TypeError: one of the two is no text.
        InputError: the child was killed from outside; the next call starts another one.
    """
    return _shared.check(prompt, text, rules=rules)


class Checker(Closing):
    """Checks derivations in child processes of its own, within limits on CPU time and memory; a context manager.

    Any number of threads may share a checker, and a fork of the process gets children of its own. They start with the
    first checks, which takes a second for each, and end with the block, the object or this process.
    """

    def __init__(self, processes: int = 1, *, key: str = "", rules: Rules = "paper") -> None:
        """
        Args:
            processes: maximum number of derivations that are checked at the same time; 0 is one for each core.
            key: with the texts, it determines the points at which equations are tested. A process that trains against
                the checker keeps it secret. The default gives the verdicts of `mathderive check`.
            rules: the steps that count as one, `paper` or `textbook`, where `check` is not told otherwise.

        Raises:
            ValueError: the number is negative, or there are no such rules.
            TypeError: the key is no text.
        """
        if processes < 0:
            raise ValueError(f"processes: {processes}; expected at least 1, or 0 for one for each core")
        _require_text("key", key)
        _require_rules(rules)
        self._rules = rules
        self._count, self._key = processes or cores(), key
        self._is_closed = False
        self._make_pool()

    def _make_pool(self) -> None:
        self._owner = os.getpid()
        self._all = [SupervisedChecker(seed=self._key) for _ in range(self._count)]
        self._free: SimpleQueue[SupervisedChecker] = SimpleQueue()
        for checker in self._all:
            self._free.put(checker)

    @property
    def processes(self) -> int:
        """Maximum number of derivations that are checked at the same time."""
        return self._count

    def close(self) -> None:
        """Ends the children; checks in progress and later ones raise an error."""
        self._is_closed = True
        if self._owner == os.getpid():
            for checker in self._all:
                checker.stop()

    def check(self, prompt: str, text: str, *, counts_missing: bool = False, rules: Rules | None = None) -> Validity:
        """Checks a derivation; see `check`. Waits while as many as `processes` are being checked.

        Args:
            counts_missing: also search for the missing operators of each skipped equation, for up to 4 s of CPU time.
            rules: the steps that count as one; None for those of the checker.

        Raises:
            ValueError, TypeError, InputError: as the function `check`.
            RuntimeError: the checker is closed.
        """
        _require_text("prompt", prompt)
        _require_text("text", text)
        chosen = self._rules if rules is None else rules
        _require_rules(chosen)
        if self._owner != os.getpid():  # a fork shares its pipes with the process that it is a fork of
            self._make_pool()
        if self._is_closed:
            raise RuntimeError("this checker is closed")
        free, checker = self._free, None
        try:
            checker = free.get()
            return checker.check(prompt, text, counts_missing, chosen)
        except InputError:
            if self._is_closed:
                raise RuntimeError("this checker is closed") from None
            raise
        finally:
            if checker is None:  # a KeyboardInterrupt, which may have come when one was taken and not yet assigned
                checker = SupervisedChecker(seed=self._key)
                self._all.append(checker)
            free.put(checker)

    def check_all(self, answers: Iterable[tuple[str, str]], *, counts_missing: bool = False) -> list[Validity]:
        """Checks pairs of a prompt and a text, as many at the same time as there are processes.

        Returns:
            A verdict for each pair, in order. Where a prompt has another form, every equation is undecided, and the
            reason says what was expected.

        Raises:
            TypeError, InputError, RuntimeError: as `check`.
        """

        def verdict(answer: tuple[str, str]) -> Validity:
            try:
                return self.check(*answer, counts_missing=counts_missing)
            except ValueError as error:
                return unreadable(answer[1], error, self._rules)

        threads = ThreadPoolExecutor(self._count)
        try:
            return list(threads.map(verdict, answers))
        finally:
            threads.shutdown(cancel_futures=True)


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a text, not {type(value).__name__}")


def _require_rules(rules: object) -> None:
    if rules not in get_args(Rules):
        raise ValueError(f"rules: {rules!r}; expected {' or '.join(map(repr, get_args(Rules)))}")


_shared = Checker()
"""The checker of the function `check`."""
