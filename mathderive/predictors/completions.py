"""Interprets responses of a chat endpoint: an answer, a final failure, a transient failure, or an unusable endpoint.

Endpoints are not trusted. Their text is treated as data. Their error messages may repeat the key and are never passed
on.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from typing import Any

import openai
import tenacity

from mathderive.predictors.ledger import MAX_TOKENS, RecordedAnswer, TokenKind

LONGEST_WAIT = 60.0
"""Maximum seconds between two attempts, even if an endpoint asks for more: it may ask for years."""


MAX_RESPONSE_BYTES = 8 * 2**20
"""Maximum bytes of a response's body, decompressed."""


Usage = dict[TokenKind, int]
"""Numbers of tokens."""


class NoCompletionError(Exception):
    """An endpoint's response is not a chat completion."""


class EmptyCompletionError(NoCompletionError):
    """A completion has no text, or says that it failed."""


class ResponseTooLargeError(NoCompletionError):
    """An endpoint's response has more than `MAX_RESPONSE_BYTES`."""


async def bound_body(response: Any) -> None:
    """Bounds the body of an HTTP response, even of one with an error status; a response hook of the HTTP client.

    Reading the body raises `ResponseTooLargeError` after `MAX_RESPONSE_BYTES`.
    """
    read = response.aiter_bytes

    async def read_bounded(chunk_size: int | None = None) -> AsyncGenerator[bytes, None]:
        size = 0
        async with aclosing(read(chunk_size)) as parts:
            async for part in parts:
                size += len(part)
                if size > MAX_RESPONSE_BYTES:
                    raise ResponseTooLargeError
                yield part

    response.aiter_bytes = read_bounded  # the client reads every body by this method


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may succeed."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, NoCompletionError | TimeoutError | openai.APIConnectionError)


def is_unusable(error: openai.APIStatusError) -> bool:
    """Whether the key or the model is of no use at all: unknown, forbidden, or an account without money."""
    return error.status_code in (401, 402, 403, 404) or error.code == "insufficient_quota"


def was_not_billed(error: BaseException) -> bool:
    """Whether the endpoint certainly computed nothing: it said so, or it was never reached."""
    never_reached = ("ConnectError", "ConnectTimeout")  # classes of the client's HTTP library
    return isinstance(error, openai.APIStatusError) or type(error.__cause__).__name__ in never_reached


def describe_error(error: BaseException) -> str:
    """Describes an error in a few words, without any text from the endpoint."""
    match error:
        case openai.APIStatusError():
            return f"status {error.status_code}"
        case TimeoutError() | openai.APITimeoutError():
            return "time-out"
        case openai.APIConnectionError():
            return "no connection"
        case ResponseTooLargeError():
            return "a response that is too large"
        case EmptyCompletionError():
            return "an answer without text"
        case _:
            return "no chat completion"


def seconds_to_wait(state: tenacity.RetryCallState) -> float:
    """The wait before the next attempt: as the endpoint asks, or a random time that grows with each attempt."""
    if asked := asked_wait(state):
        return min(asked, LONGEST_WAIT)
    return tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT)(state)


def asked_wait(state: tenacity.RetryCallState) -> float:
    """The seconds for which the endpoint asks to wait; 0 if it does not ask."""
    error = state.outcome and state.outcome.exception()
    if not isinstance(error, openai.APIStatusError):
        return 0.0
    asked = _parse_retry_after(error.response.headers.get("retry-after", ""))
    return asked if 0 < asked < float("inf") else 0.0


def _parse_retry_after(header: str) -> float:
    """Parses a `Retry-After` header, a number or a date, into seconds; 0 if it is neither (RFC 9110, 10.2.3)."""
    try:
        return float(header)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(header).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0


def read_completions(completion: Any, count: int = 1) -> list[RecordedAnswer | None]:
    """Reads a chat completion of `count` answers, or of fewer.

    Returns:
        The answers, null where one is empty although nothing was refused. `error` names the kind of failure first, then
        perhaps the endpoint's own words. The tokens of the prompt are counted at the first answer; those of all answers
        together, which is all that endpoints tell, are divided evenly.

    Raises:
        EmptyCompletionError: all answers are empty; another attempt may bring one.
        NoCompletionError: the response is not a chat completion; another attempt may bring one.
    """
    try:
        choices = completion.choices[:count]
        good = [index for index, choice in enumerate(choices) if not _is_empty(choice)]
        if choices and not good:
            raise EmptyCompletionError
        usages = dict(zip(good, _divide_usage(_read_usage(completion), len(good)), strict=True))
        found = [
            _read_choice(choice, usages[index]) if index in usages else None for index, choice in enumerate(choices)
        ]
    except (AttributeError, TypeError, IndexError, KeyError, ValueError):
        # The client returns a body that is not JSON as text, and JSON of another form unchanged.
        raise NoCompletionError from None
    if not found:
        raise NoCompletionError
    return found


def _is_empty(choice: Any) -> bool:
    """Whether a choice has no text, or failed, and nothing says why."""
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return False
    # An answer that was cut before its first word would be cut again.
    has_no_text = not _replace_surrogates(choice.message.content).strip() and choice.finish_reason != "length"
    return has_no_text or choice.finish_reason == "error"


def _read_choice(choice: Any, usage: Usage | None) -> RecordedAnswer:
    refusal = choice.message.refusal
    is_filtered = choice.finish_reason == "content_filter"
    return RecordedAnswer(
        text=_replace_surrogates(choice.message.content),
        finish_reason=choice.finish_reason and _replace_surrogates(choice.finish_reason),
        error=f"refused: {_replace_surrogates(refusal)}" if refusal else "content filter" if is_filtered else None,
        usage=usage,
    )


def _replace_surrogates(text: str | None) -> str:
    # JSON can carry a lone surrogate; UTF-8 cannot.
    return (text or "").encode("utf-8", "replace").decode("utf-8")


def _divide_usage(usage: Usage | None, count: int) -> list[Usage | None]:
    """The usage of each of so many answers; they add up to the usage of all."""
    if usage is None or not count:
        return [None] * count
    each, more = divmod(usage["completion_tokens"], count)
    return [
        {
            "prompt_tokens": usage["prompt_tokens"] if number == 0 else 0,
            "completion_tokens": each + (number < more),
        }
        for number in range(count)
    ]


def _read_usage(completion: Any) -> Usage | None:
    """The counted tokens; null if they make no sense, since the answer itself is still good."""
    prompt: Any = getattr(completion.usage, "prompt_tokens", None)
    answer: Any = getattr(completion.usage, "completion_tokens", None)
    if not all(type(count) is int and 0 <= count <= MAX_TOKENS for count in (prompt, answer)):
        return None
    return {"prompt_tokens": prompt, "completion_tokens": answer}
