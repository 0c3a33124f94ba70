"""A request for answers of the model, from its arrival to its answers."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from mathderive.model.sampling import Sampling
from mathderive.predictors.t5 import Completion, padded_number

_INCOMPLETE = "\ufffd"
"""The character at the end of a text while its last character is incomplete."""


class QueueFullError(Exception):
    """A lane has no room; `seconds` estimates when there will be some."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full for about {seconds} s")
        self.seconds = seconds


class BatchFailedError(Exception):
    """The model raised an error; the log has its traceback."""


@dataclass(eq=False)
class Job:
    """A request that waits in a lane or is on the device.

    Attributes:
        source: the prompt's ids.
        limit: maximum tokens of an answer.
        streamed: whether the client reads `pieces`, or else `completions`.
        sampling: how its answers are sampled; null asks for the one greedy answer.
    """

    source: Sequence[int]
    limit: int
    streamed: bool
    sampling: Sampling | None = None
    _texts: "asyncio.Queue[tuple[int, str] | None]" = field(default_factory=asyncio.Queue)
    _completions: "asyncio.Future[Sequence[Completion]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def size(self) -> int:
        """The number of answers."""
        return 1 if self.sampling is None else len(self.sampling.keys)

    @property
    def program(self) -> tuple[int, bool]:
        """Names the compiled program: requests are computed together if they share it."""
        return (0, False) if self.sampling is None else (padded_number(self.size), self.sampling.top_p < 1)

    async def completions(self) -> Sequence[Completion]:
        """The answers. Cancelling the caller cancels the request.

        Raises:
            BatchFailedError: the model failed.
            QueueFullError: the answer needs the slow lane, which has no room.
        """
        return await self._completions

    async def pieces(self) -> AsyncIterator[tuple[int, str]]:
        """Yields (number of the answer, piece) as text is written.

        The pieces of an answer joined are its text in `completions`, which says what is raised.
        """
        sent: defaultdict[int, str] = defaultdict(str)
        while (written := await self._texts.get()) is not None:
            number, text = written
            complete = text.rstrip(_INCOMPLETE)
            if len(complete) > len(sent[number]) and complete.startswith(sent[number]):
                yield number, complete[len(sent[number]) :]
                sent[number] = complete
        for number, completion in enumerate(await self._completions):
            if not completion.text.startswith(sent[number]):
                raise BatchFailedError("the tokenizer changed text that it had decoded before")
            if completion.text != sent[number]:
                yield number, completion.text[len(sent[number]) :]

    def give_up(self) -> None:
        """Cancels the request because nobody waits for the answer any more."""
        self._completions.cancel()

    def call_when_over(self, action: Callable[[], object]) -> None:
        """Lets the action be called once the request has its answers, or is given up."""
        self._completions.add_done_callback(lambda _: action())

    @property
    def is_over(self) -> bool:
        return self._completions.done()

    def add_text(self, number: int, text: str) -> None:
        """Passes on the text of an answer so far."""
        self._texts.put_nowait((number, text))

    def end(self, outcome: Sequence[Completion] | BatchFailedError | QueueFullError) -> None:
        """Passes on the answers, the failure or the refusal."""
        if not self.is_over:
            if isinstance(outcome, BatchFailedError | QueueFullError):
                self._completions.set_exception(outcome)
                self._completions.exception()  # asyncio would log one that nobody has seen
            else:
                self._completions.set_result(outcome)
        self._texts.put_nowait(None)
