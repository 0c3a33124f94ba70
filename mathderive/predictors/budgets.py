"""Budgets of a chat endpoint: requests and tokens a minute, and money.

Every attempt passes all of them, retries included. What an attempt costs is not known before its answer is there: it is
taken at its worst while it is under way, and corrected by the usage that comes back.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mathderive.core.errors import InputError

WINDOW_SECONDS = 61.0
"""A minute, and what two requests may come nearer to each other on their way."""


@dataclass
class Spent:
    """An attempt's share of a minute's budgets; `tokens` may be corrected."""

    time: float
    tokens: int


class RateLimit:
    """Lets so many requests and tokens pass in any minute, in the order in which they ask.

    Args:
        requests: a minute, at most; null is no limit.
        tokens: a minute, at most, prompt and completion; null is no limit. An attempt that is larger by itself passes
            when nothing else was spent within the minute, for it would wait for ever.
        recent: attempts before these, the oldest first: how many seconds ago, and of how many tokens.
        window: what counts as a minute, in seconds.
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
        self._recent = deque(Spent(now - ago, size) for ago, size in recent)
        self._turn = asyncio.Lock()

    async def passes(self, tokens: int) -> Spent:
        """Returns when an attempt of so many tokens may go out."""
        async with self._turn:
            while True:
                while self._recent and self._recent[0].time <= time.monotonic() - self._window:
                    self._recent.popleft()
                if self._has_room(tokens):
                    spent = Spent(time.monotonic(), tokens)
                    self._recent.append(spent)
                    return spent
                await asyncio.sleep(max(0.0, self._recent[0].time + self._window - time.monotonic()) + 1e-3)

    def _has_room(self, tokens: int) -> bool:
        if not self._recent:
            return True
        spent = sum(attempt.tokens for attempt in self._recent)
        return (self._requests is None or len(self._recent) < self._requests) and (
            self._tokens is None or spent + tokens <= self._tokens
        )


@dataclass(frozen=True)
class Prices:
    """In US dollars a million tokens."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """In US dollars."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


class CostBudget:
    """Money: what is spent and what is under way, at its worst, never pass `limit` together.

    Args:
        limit: in US dollars; null is no limit.
        spent: before, by the ledger.
        owner: whose it is, named in the error.
    """

    def __init__(self, limit: float | None, spent: float, owner: str) -> None:
        self._limit, self.spent, self._owner = limit, spent, owner
        self._under_way: list[float] = []
        self._settled = asyncio.Condition()

    async def reserve(self, worst: float) -> None:
        """Puts an attempt's worst cost aside, once there is room for it beside what is under way.

        Raises:
            InputError: it might pass the limit by itself.
        """
        async with self._settled:
            while self._limit is not None and self.spent + sum(self._under_way) + worst > self._limit:
                if not self._under_way:
                    raise InputError(
                        f"predictors: {self._owner}: max_cost: {self.spent:.4f} of {self._limit:.4f} dollars are spent "
                        f"and the next request may cost {worst:.4f}; expected a higher limit; what was answered is kept"
                    )
                await self._settled.wait()
            self._under_way.append(worst)

    async def settle(self, worst: float, cost: float) -> None:
        """The attempt is over: it cost so much, which is the worst where nobody knows."""
        async with self._settled:
            self._under_way.remove(worst)
            self.spent += cost
            self._settled.notify_all()


class TokenEstimate:
    """An attempt's tokens before they are counted: its prompt's by bytes, its completion's by the longest so far.

    A prompt starts at a token every three bytes, and then takes the most that an answered one had, so that an estimate
    is rather too high.

    Args:
        longest: completion that is asked for; null where nothing is said, and what came back so far decides.
    """

    def __init__(self, longest: int | None) -> None:
        self._longest = longest
        self._tokens_a_byte, self._completion = 1 / 3, _FIRST_COMPLETION
        self._seen = False

    def of(self, messages: Sequence[dict[str, str]]) -> int:
        completion = self._completion if self._longest is None else self._longest
        return int(_size(messages) * self._tokens_a_byte) + 8 * len(messages) + 1 + completion

    def correct(self, messages: Sequence[dict[str, str]], prompt_tokens: int, completion_tokens: int) -> None:
        """An answer was there: so many tokens they were."""
        rate = prompt_tokens / max(1, _size(messages))
        self._tokens_a_byte = max(self._tokens_a_byte, rate) if self._seen else rate
        self._completion = max(self._completion, completion_tokens) if self._seen else completion_tokens
        self._seen = True


_FIRST_COMPLETION = 512
"""Tokens of a completion, before one is seen."""


def _size(messages: Sequence[dict[str, str]]) -> int:
    return sum(len(message["content"].encode()) for message in messages)
