"""The part of OpenAI's chat-completions protocol that a derivation model supports: requests, answers and refusals.

A parameter that would change the answer and is not supported is refused by name, never ignored.
"""

import time
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mathderive.predictors.t5 import Completion

_LONGEST_MESSAGE = 500
"""Maximum characters of an error's message."""


def _check_unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("expected Unicode text, found half of a surrogate pair") from None
    return text


Text = Annotated[str, AfterValidator(_check_unicode)]


def _to_whole(number: object) -> object:
    """Turns 3.0 into 3, since JSON does not distinguish them."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


Whole = Annotated[int, BeforeValidator(_to_whole)]


class Asked(BaseModel):
    """Base of request models: refuses unknown keys and implicit conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TextPart(Asked):
    type: Literal["text"]
    text: Text


class Message(Asked):
    role: Literal["user"]
    content: Text | Annotated[list[TextPart], Field(min_length=1, max_length=64)]

    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(Asked):
    include_usage: bool = False


class ResponseFormat(Asked):
    type: Literal["text"]


Neutral = Annotated[float | None, Field(ge=0, le=0)]
One = Annotated[float | None, Field(ge=1, le=1)]


class ChatRequest(Asked):
    """A request for a chat completion. The model answers one prompt and holds no conversation: one user message."""

    model: str
    messages: list[Message] = Field(min_length=1, max_length=1)
    max_tokens: Whole | None = Field(default=None, ge=1)
    max_completion_tokens: Whole | None = Field(default=None, ge=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Neutral = Field(default=None, description="Decoding is greedy or by beam search, as at temperature 0.")
    top_p: One = None
    n: Annotated[Whole | None, Field(ge=1, le=1)] = None
    presence_penalty: Neutral = None
    frequency_penalty: Neutral = None
    response_format: ResponseFormat | None = None
    seed: Whole | None = Field(default=None, description="Has no effect: nothing is sampled.")
    user: str | None = Field(default=None, description="Has no effect and is not stored.")

    def limit(self) -> int | None:
        """The maximum tokens that the client allows; null if it sets no limit."""
        limits = [limit for limit in (self.max_tokens, self.max_completion_tokens) if limit is not None]
        return min(limits, default=None)


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, completion: Completion) -> "Usage":
        prompt, answer = completion.prompt_tokens, completion.completion_tokens
        return cls(prompt_tokens=prompt, completion_tokens=answer, total_tokens=prompt + answer)


class AnswerMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    index: Literal[0] = 0
    message: AnswerMessage
    finish_reason: str
    logprobs: None = None


class ChatCompletion(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "mathderive"


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


class ErrorDetails(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """The body of every refusal."""

    error: ErrorDetails


class Refusal(Exception):  # noqa: N818 - a response of the protocol, not an error of the server
    """Ends a request with a status and an error of the protocol; `message` may repeat parts of the request."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # JSON can carry a lone surrogate; UTF-8 cannot.
        message = message[:_LONGEST_MESSAGE].encode("utf-8", "replace").decode("utf-8")
        super().__init__(message)
        kind = "server_error" if status >= 500 else "invalid_request_error"
        kind = "rate_limit_error" if status == 429 else kind
        self.status = status
        self.headers = dict(headers or {})
        self.body = ErrorBody(error=ErrorDetails(message=message, type=kind, param=param, code=code))


class Reply:
    """Makes the protocol's messages for one answer, in one piece or streamed."""

    def __init__(self, model: str) -> None:
        self._id, self._created, self._model = f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), model

    def whole(self, completion: Completion) -> ChatCompletion:
        """The answer in one piece."""
        return ChatCompletion(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=[
                Choice(message=AnswerMessage(content=completion.text), finish_reason=completion.finish_reason),
            ],
            usage=Usage.of(completion),
        )

    def piece(self, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        """A chunk of a streamed answer."""
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}])

    def usage(self, completion: Completion) -> dict[str, Any]:
        """The last chunk, if the client asked for usage."""
        return {**self._chunk([]), "usage": Usage.of(completion).model_dump()}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }
