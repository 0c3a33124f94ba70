"""Budgets of a chat endpoint: requests per minute, tokens per minute, and money.

Every attempt passes all of them, retries included. The cost of an attempt is unknown until its answer arrives. Until
then it counts at its maximum; afterwards the reported usage replaces the maximum.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mathderive.core.errors import InputError

WINDOW_SECONDS = 61.0
"""Length of the rate limits' window: a minute, and a second because requests may come closer together on their way."""

_FIRST_COMPLETION = 512
"""Estimated tokens of a completion before any completion has been seen."""


@dataclass
class AdmittedAttempt:
    """An attempt's share of the rate limits.

    Attributes:
        time: its start, by the monotonic clock.
        tokens: its estimated tokens; may be corrected once they are counted.
    """

    time: float
    tokens: int


class RateLimit:
    """Limits requests and tokens per minute; attempts are admitted in the order in which they ask.

    Args:
        requests: maximum requests per minute; null is no limit.
        tokens: maximum tokens per minute, prompt and completion together; null is no limit. An attempt that is larger
            than the limit is admitted when the window is empty, because it would wait for ever otherwise.
        recent: earlier attempts, the oldest first, each as (seconds ago, tokens).
        window: length of the window in seconds.
    """

    def __init__(
        self,
        requests: int | None,
        tokens: int | None,
        recent: Iterable[tuple[float, int]] = (),
        window: float = WINDOW_SECONDS,
    ) -> None:
        self._requests, self._tokens, self._window = requests, tokens, window
        now = time.monotonic()
        self._recent = deque(AdmittedAttempt(now - ago, size) for ago, size in recent)
        self._turn = asyncio.Lock()

    async def admit(self, tokens: int) -> AdmittedAttempt:
        """Waits until an attempt of this many tokens may be sent."""
        async with self._turn:
            while True:
                while self._recent and self._recent[0].time <= time.monotonic() - self._window:
                    self._recent.popleft()
                if self._has_room(tokens):
                    admitted = AdmittedAttempt(time.monotonic(), tokens)
                    self._recent.append(admitted)
                    return admitted
                await asyncio.sleep(max(0.0, self._recent[0].time + self._window - time.monotonic()) + 1e-3)

    def _has_room(self, tokens: int) -> bool:
        if not self._recent:
            return True
        used = sum(attempt.tokens for attempt in self._recent)
        return (self._requests is None or len(self._recent) < self._requests) and (
            self._tokens is None or used + tokens <= self._tokens
        )


@dataclass(frozen=True)
class Prices:
    """Prices in US dollars per million tokens."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """The cost in US dollars."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


class CostBudget:
    """Keeps the money that is spent, plus the maximum cost of all attempts in flight, below a limit.

    Args:
        limit: maximum cost in US dollars; null is no limit.
        spent: US dollars spent before, according to the ledger.
        owner: the model's name, for the error message.
    """

    def __init__(self, limit: float | None, spent: float, owner: str) -> None:
        self._limit, self.spent, self._owner = limit, spent, owner
        self._reserved: list[float] = []
        self._settled = asyncio.Condition()

    async def reserve(self, maximum: float) -> None:
        """Reserves an attempt's maximum cost, as soon as the attempts in flight leave room for it.

        Raises:
            InputError: the attempt might exceed the limit even with no other in flight.
        """
        async with self._settled:
            while self._limit is not None and self.spent + sum(self._reserved) + maximum > self._limit:
                if not self._reserved:
                    raise InputError(
                        f"predictors: {self._owner}: max_cost: {self.spent:.4f} of {self._limit:.4f} dollars are spent "
                        f"and the next request may cost {maximum:.4f}; expected a higher limit; all answers so far "
                        "are kept"
                    )
                await self._settled.wait()
            self._reserved.append(maximum)

    async def settle(self, maximum: float, cost: float) -> None:
        """Replaces a reservation by the attempt's cost, which is the maximum if the cost is unknown."""
        async with self._settled:
            self._reserved.remove(maximum)
            self.spent += cost
            self._settled.notify_all()


class TokenEstimate:
    """Estimates an attempt's tokens: the prompt's from its bytes, the completion's from the longest one so far.

    The first estimate of a prompt is one token per three bytes. Later ones use the highest ratio of tokens to bytes
    that was counted, so that estimates tend to be too high.

    Args:
        longest: maximum completion tokens that are asked for; null estimates them from the completions so far.
    """

    def __init__(self, longest: int | None) -> None:
        self._longest = longest
        self._tokens_per_byte, self._completion = 1 / 3, _FIRST_COMPLETION
        self._has_counts = False

    def estimate(self, messages: Sequence[dict[str, str]], completions: int = 1) -> int:
        """The estimated tokens of a request with these messages and of so many completions."""
        completion = self._completion if self._longest is None else self._longest
        return int(_count_bytes(messages) * self._tokens_per_byte) + 8 * len(messages) + 1 + completions * completion

    def correct(self, messages: Sequence[dict[str, str]], prompt_tokens: int, completion_tokens: int) -> None:
        """Takes the counted tokens of an answered request into account."""
        ratio = prompt_tokens / max(1, _count_bytes(messages))
        self._tokens_per_byte = max(self._tokens_per_byte, ratio) if self._has_counts else ratio
        self._completion = max(self._completion, completion_tokens) if self._has_counts else completion_tokens
        self._has_counts = True


def _count_bytes(messages: Sequence[dict[str, str]]) -> int:
    return sum(len(message["content"].encode()) for message in messages)
