"""What a chat endpoint's words mean: an answer, a failure for good, one that another attempt may not meet, or the end.

Endpoints are not trusted: their words are read as data, and their error messages, which may repeat the key, never
passed on.
"""

import time
from email.utils import parsedate_to_datetime
from typing import Any

import openai
import tenacity

from mathderive.predictors.ledger import Answer

LONGEST_WAIT = 60.0
"""Seconds between two attempts, whatever an endpoint asks for: it may ask for years."""


class NoCompletionError(Exception):
    """An endpoint's words are no chat completion."""


def may_pass(error: BaseException) -> bool:
    """Whether another attempt may not meet this error."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, NoCompletionError | TimeoutError | openai.APIConnectionError)


def is_unusable(error: openai.APIStatusError) -> bool:
    """Whether the key, or the model with it, can be used for nothing: no such one, or an account without money."""
    return error.status_code in (401, 402, 403, 404) or error.code == "insufficient_quota"


def was_not_billed(error: BaseException) -> bool:
    """Whether the endpoint surely computed nothing: it said so, or was never reached."""
    never_reached = ("ConnectError", "ConnectTimeout")  # of the HTTP library, which is the client's own affair
    return isinstance(error, openai.APIStatusError) or type(error.__cause__).__name__ in never_reached


def reason(error: BaseException) -> str:
    """An error in few words, none of them the endpoint's."""
    match error:
        case openai.APIStatusError():
            return f"status {error.status_code}"
        case TimeoutError() | openai.APITimeoutError():
            return "time-out"
        case openai.APIConnectionError():
            return "no connection"
        case _:
            return "no chat completion"


def seconds_to_wait(state: tenacity.RetryCallState) -> float:
    """As long as the endpoint asks for, else at random and longer each time."""
    error = state.outcome and state.outcome.exception()
    if isinstance(error, openai.APIStatusError):
        asked = _retry_after(error.response.headers.get("retry-after", ""))
        if 0 < asked < float("inf"):
            return min(asked, LONGEST_WAIT)
    return tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT)(state)


def _retry_after(header: str) -> float:
    """Seconds that a `Retry-After` asks for, in a number or by a date (RFC 9110, section 10.2.3); 0 if by neither."""
    try:
        return float(header)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(header).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0


def read_completion(completion: Any) -> Answer:
    """An endpoint's words as an answer; `error` says its kind first, then perhaps the endpoint's own words.

    Raises:
        NoCompletionError: they are none; another attempt may bring one.
    """
    try:
        choice = completion.choices[0]
        refusal = choice.message.refusal
        filtered = choice.finish_reason == "content_filter"
        return Answer(
            text=_storable(choice.message.content),
            finish_reason=choice.finish_reason and _storable(choice.finish_reason),
            error=f"refused: {_storable(refusal)}" if refusal else "content filter" if filtered else None,
            usage=_usage(completion),
        )
    except (AttributeError, TypeError, IndexError, KeyError, ValueError):
        # The client passes on what is no JSON as text, and JSON of another form as it is.
        raise NoCompletionError from None


def _storable(text: str | None) -> str:
    # UTF-8 cannot hold a lone surrogate, which JSON can.
    return (text or "").encode("utf-8", "replace").decode("utf-8")


def _usage(completion: Any) -> dict[str, int] | None:
    """Null where an answer has none that makes sense: the answer is one all the same."""
    counts = {name: getattr(completion.usage, name, None) for name in ("prompt_tokens", "completion_tokens")}
    usage = {name: count for name, count in counts.items() if type(count) is int and count >= 0}
    return usage if len(usage) == len(counts) else None
