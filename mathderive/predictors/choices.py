"""Reads the answers of a chat completion: the text, the reasoning beside it, refusals, and answers that failed.

Endpoints disagree about the form. A content is a text, or a list of parts; reasoning has fields or parts of its own, or
stands in the text (`mathderive.checker.reading.reasoning`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mathderive.predictors.completions import (
    EmptyCompletionError,
    FailedCompletionError,
    NoCompletionError,
    ToolCallError,
)
from mathderive.predictors.ledger_records import MAX_TOKENS, RecordedAnswer, TokenKind
from mathderive.predictors.refusals import find_words

Usage = dict[TokenKind, int]
"""Numbers of tokens."""

_CUT = frozenset({"length", "max_tokens", "max_output_tokens"})
"""Finish reasons, in lower case, of an answer that the limit on tokens has cut."""

_FAILED = frozenset({"error", "abort", "aborted", "cancelled", "failed", "insufficient_system_resource"})
"""Finish reasons of an answer that the endpoint did not complete."""

_TOOLS = frozenset({"tool_calls", "function_call", "tool_use", "malformed_function_call"})
"""Finish reasons of a call that nobody has offered."""

_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Fields of a message that hold reasoning, the first one that is not empty."""


def read_completions(completion: Any, count: int = 1) -> list[RecordedAnswer | None]:
    """Reads a chat completion of `count` answers, or of fewer.

    Returns:
        The answers, null where one is empty although nothing was refused. `error` names the kind of failure first, then
        perhaps the endpoint's own words. The tokens of the prompt are counted at the first answer; those of all answers
        together, which is all that endpoints tell, are divided evenly.

    Raises:
        FailedCompletionError: the endpoint tells of an error in place of answers.
        ToolCallError: the answers call tools.
        EmptyCompletionError: all answers are empty.
        NoCompletionError: the response is not a chat completion. After each of these, another attempt may bring one.
    """
    try:
        _raise_if_failed(completion)
        choices = completion.choices[:count]
        read = [_read_choice(choice) for choice in choices]
        good = [index for index, answer in enumerate(read) if answer is not None]
        if read and not good:
            raise _reason_for_nothing(choices)
        usages = dict(zip(good, _divide_usage(_read_usage(completion), len(good)), strict=True))
        found = [answer and answer.model_copy(update={"usage": usages[index]}) for index, answer in enumerate(read)]
    except (AttributeError, TypeError, IndexError, KeyError, ValueError, RecursionError):
        # The client returns a body that is not JSON as text, and JSON of another form unchanged.
        raise NoCompletionError from None
    if not found:
        raise NoCompletionError
    return found


def _raise_if_failed(completion: Any) -> None:
    """Raises `FailedCompletionError` if the response holds an error, whatever else it holds."""
    error = _field(completion, "error")
    if isinstance(error, Mapping):
        error = error if any(error.values()) else None
    if error or _field(completion, "object") == "error":
        raise FailedCompletionError(find_words(error or _field(completion, "message")))


def _reason_for_nothing(choices: Sequence[Any]) -> NoCompletionError:
    """The error for choices none of which is an answer."""
    for choice in choices:
        if error := _field(choice, "error"):
            return FailedCompletionError(find_words(error))
    return ToolCallError() if any(map(_calls_tools, choices)) else EmptyCompletionError()


def _read_choice(choice: Any) -> RecordedAnswer | None:
    """The answer of a choice, without its usage; null for one that is no answer and may be asked for again."""
    message = choice.message
    text, reasoning, refused = _read_content(message.content)
    reason = choice.finish_reason and _replace_surrogates(choice.finish_reason)
    kind = (reason or "").lower()
    refusal = _field(message, "refusal") or refused
    answer = RecordedAnswer(
        text=_replace_surrogates(text),
        finish_reason="length" if kind in _CUT else reason,
        error=f"refused: {_replace_surrogates(refusal)}" if refusal else None,
        reasoning=_read_reasoning(message) or _replace_surrogates(reasoning) or None,
    )
    if refusal:
        return answer
    if kind == "content_filter":
        return answer.model_copy(update={"error": "content filter"})
    if kind in _FAILED or _field(choice, "error") or _calls_tools(choice):
        return None
    # An answer that was cut before its first word would be cut again.
    return answer if answer.scored_text.strip() or kind in _CUT else None


def _calls_tools(choice: Any) -> bool:
    message = choice.message
    called = _field(message, "tool_calls") or _field(message, "function_call")
    return bool(called) or str(choice.finish_reason).lower() in _TOOLS


def _read_content(content: Any) -> tuple[str, str, str]:
    """The text, the reasoning and the refusal in a content.

    Raises:
        TypeError: the content is neither text nor made of parts.
    """
    if content is None or isinstance(content, str):
        return content or "", "", ""
    parts = [content] if isinstance(content, Mapping) else content
    if not isinstance(parts, list):
        raise TypeError
    text, reasoning, refusal = [], [], []
    for part in parts:
        if isinstance(part, str):
            text.append(part)
            continue
        kind = str(part.get("type", "text"))
        if kind == "refusal":
            refusal.append(find_words(part.get("refusal")))
        elif "think" in kind or "reason" in kind:
            reasoning.append(_all_text({name: value for name, value in part.items() if name != "type"}))
        elif kind in ("text", "output_text"):
            text.append(_all_text(part.get("text")))
    return "".join(text), "".join(reasoning), "".join(refusal)


def _read_reasoning(message: Any) -> str:
    """The reasoning in a message's own fields."""
    fields = (_field(message, name) for name in _REASONING_FIELDS)
    return next((text for field in fields if (text := _replace_surrogates(_all_text(field)))), "")


def _all_text(value: Any) -> str:
    """All texts in a JSON value, joined in their order, without the types of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        value = [inner for name, inner in value.items() if name not in ("type", "signature", "id", "format")]
    return "".join(map(_all_text, value)) if isinstance(value, list) else ""


def _field(thing: Any, name: str) -> Any:
    """A field that the protocol does not have, of an object that the client made or of plain JSON; null without it."""
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


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
