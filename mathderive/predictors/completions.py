"""Interprets errors of a chat endpoint: a final failure, a transient one, or an endpoint that cannot be used.

Endpoints are not trusted. Their text is treated as data. Their error messages may repeat the key, so they pass through
`mathderive.predictors.redaction` before they are shown or recorded.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from typing import Any

import openai
import tenacity

LONGEST_WAIT = 60.0
"""Maximum seconds between two attempts, even if an endpoint asks for more: it may ask for years."""


MAX_RESPONSE_BYTES = 8 * 2**20
"""Maximum bytes of a response's body, decompressed."""


class NoCompletionError(Exception):
    """An endpoint's response is not a chat completion."""


class EmptyCompletionError(NoCompletionError):
    """A completion has no text, or says that it failed."""


class ToolCallError(NoCompletionError):
    """A completion calls a tool in place of an answer, although none was offered."""


class FailedCompletionError(NoCompletionError):
    """A response with a status of success tells of an error, in these words of the endpoint."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


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
    """Describes an error in a few words; of the endpoint's own ones only those of an error in place of an answer."""
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
        case ToolCallError():
            return "a tool call in place of an answer"
        case FailedCompletionError():
            return "an error in place of an answer" + (f": {error.words}" if error.words else "")
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
    headers = error.response.headers
    # The one in milliseconds is more exact, where an endpoint sends both.
    milliseconds = _parse_number(headers.get("retry-after-ms", ""))
    asked = (milliseconds / 1000, _parse_retry_after(headers.get("retry-after", "")))
    return next((seconds for seconds in asked if 0 < seconds < float("inf")), 0.0)


def _parse_number(header: str) -> float:
    try:
        return float(header)
    except ValueError:
        return 0.0


def _parse_retry_after(header: str) -> float:
    """Parses a `Retry-After` header, a number or a date, into seconds; 0 if it is neither (RFC 9110, 10.2.3)."""
    if number := _parse_number(header):
        return number
    try:
        return parsedate_to_datetime(header).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
