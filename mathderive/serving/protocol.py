"""The part of OpenAI's chat-completions protocol that a derivation model supports: requests, answers and refusals.

A parameter that is known to change the answer and is not supported is refused by name, never ignored:
`mathderive.serving.unsupported` knows those of other servers.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from mathderive.predictors.t5 import Completion
from mathderive.serving.stopping import MAX_STOP_CHARACTERS, MAX_STOPS

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


class Tolerant(Asked):
    """Base of request models that may hold more than is known here, since clients add fields of their own."""

    model_config = ConfigDict(extra="allow")


class TextPart(Tolerant):
    type: Literal["text"]
    text: Text


class Message(Tolerant):
    role: Literal["user", "system", "developer"]
    content: Text | Annotated[list[TextPart], Field(min_length=1, max_length=64)]
    type: Literal["text"] | None = Field(default=None, description="Has no effect; some clients send it.")

    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(Tolerant):
    include_usage: bool | None = None


class ResponseFormat(Tolerant):
    type: Literal["text"]


Neutral = Annotated[float | None, Field(ge=0, le=0)]

_LARGEST_SEED = 2**63 - 1


def _check_messages(messages: list[Message]) -> list[Message]:
    if sum(message.role == "user" for message in messages) > 1:
        raise ValueError("several user messages; expected one: the model answers one prompt and holds no conversation")
    return messages


def _to_list(stop: object) -> object:
    return stop if isinstance(stop, list) else [stop]


Stop = Annotated[Text, Field(max_length=MAX_STOP_CHARACTERS)] | None

_STOP = {"anyOf": [{"type": "string", "maxLength": MAX_STOP_CHARACTERS}, {"type": "null"}]}
_STOP_SCHEMA = {"anyOf": [_STOP, {"type": "array", "items": _STOP, "maxItems": MAX_STOPS}]}


class ChatRequest(Tolerant):
    """A request for a chat completion. The model answers one prompt and holds no conversation: one user message.

    System messages are accepted and have no effect, because the model has never seen any.
    """

    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=16), AfterValidator(_check_messages)]
    max_tokens: Whole | None = Field(default=None, ge=1)
    max_completion_tokens: Whole | None = Field(default=None, ge=1)
    stop: Annotated[
        list[Stop], BeforeValidator(_to_list), Field(max_length=MAX_STOPS), WithJsonSchema(_STOP_SCHEMA)
    ] = Field(default=[], description="A text or several: the answer ends before the first one that the model writes.")
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = Field(
        default=None, description="0, the default, decodes by greedy or beam search; above it, answers are sampled."
    )
    top_p: Annotated[float | None, Field(gt=0, le=1)] = Field(
        default=None, description="Samples only the most likely tokens whose probabilities add up to this."
    )
    n: Annotated[Whole | None, Field(ge=1)] = Field(
        default=None, description="The number of answers, at most the server's batch size; equal at temperature 0."
    )
    presence_penalty: Neutral = None
    frequency_penalty: Neutral = None
    response_format: ResponseFormat | None = None
    seed: Annotated[Whole | None, Field(ge=-_LARGEST_SEED - 1, le=_LARGEST_SEED)] = Field(
        default=None, description="Determines, with the prompt, the sampled answers; by default a new one each time."
    )
    user: str | None = Field(default=None, description="Has no effect and is not stored.")

    @property
    def stops(self) -> list[str]:
        """The stop sequences, without those that are null or empty."""
        return [stop for stop in self.stop if stop]

    @property
    def count(self) -> int:
        """The number of answers."""
        return self.n or 1

    def prompt(self) -> str:
        """The text of the user message.

        Raises:
            Refusal: there is none.
        """
        for message in self.messages:
            if message.role == "user":
                return message.text()
        raise Refusal(400, "messages: no user message; expected one, the prompt", param="messages.0.role")

    def limit(self) -> int | None:
        """The maximum tokens that the client allows; null if it sets no limit."""
        limits = [limit for limit in (self.max_tokens, self.max_completion_tokens) if limit is not None]
        return min(limits, default=None)


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, completions: Sequence[Completion]) -> "Usage":
        """The tokens of the prompt and those of all answers to it."""
        prompt, answers = completions[0].prompt_tokens, sum(one.completion_tokens for one in completions)
        return cls(prompt_tokens=prompt, completion_tokens=answers, total_tokens=prompt + answers)


class AnswerMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    index: int
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


def server_error() -> Refusal:
    """The refusal that tells a client of an error in the server."""
    return Refusal(500, "the server failed to answer; its log says why")


class Reply:
    """Makes the protocol's messages for the answers to one request, in one piece or streamed.

    Args:
        model: the model's name.
        copies: how often each answer is given; a request for several greedy answers gets equal ones.
    """

    def __init__(self, model: str, copies: int) -> None:
        self._id, self._created, self._model = f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), model
        self._copies = copies

    def whole(self, completions: Sequence[Completion]) -> ChatCompletion:
        """The answers in one piece."""
        given = list(completions) * self._copies
        return ChatCompletion(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=[
                Choice(index=index, message=AnswerMessage(content=one.text), finish_reason=one.finish_reason)
                for index, one in enumerate(given)
            ],
            usage=Usage.of(given),
        )

    def piece(self, number: int, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        """A chunk of a streamed answer, the one with this number, in each of its copies."""
        choice = {"delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return self._chunk([{"index": index, **choice} for index in range(number, number + self._copies)])

    def usage(self, completions: Sequence[Completion]) -> dict[str, Any]:
        """The last chunk, if the client asked for usage."""
        return {**self._chunk([]), "usage": Usage.of(list(completions) * self._copies).model_dump()}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }
