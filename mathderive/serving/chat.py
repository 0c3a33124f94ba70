"""Chat completions: from a request to a place in the queue, and from there to the answer, whole or in pieces."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from mathderive.predictors.t5 import T5Model
from mathderive.serving.batching import Batcher, BatchFailedError, Job, QueueFullError
from mathderive.serving.protocol import ChatCompletion, ChatRequest, Refusal, Reply


@dataclass(frozen=True)
class ServerSettings:
    """How requests are bounded.

    Attributes:
        batch_size: requests answered together.
        waiting: requests that may wait for a batch; more are answered 429.
        max_prompt_tokens: of a prompt, at most.
        max_answer_tokens: of an answer, at most, whatever is asked for.
        key: what clients must show; null lets everybody in.
    """

    batch_size: int
    waiting: int
    max_prompt_tokens: int
    max_answer_tokens: int
    key: str | None


class Chat:
    """Answers chat completions by one model."""

    def __init__(self, model: T5Model, batcher: Batcher, settings: ServerSettings) -> None:
        self._model, self._batcher, self._settings = model, batcher, settings

    async def submit(self, asked: ChatRequest) -> Job:
        """Gives the request a place in the queue.

        Raises:
            Refusal: there is no such model, the prompt is too long, or the queue is full.
        """
        self.check_name(asked.model)
        source = await asyncio.to_thread(self._model.encode, asked.messages[0].text())
        longest, most = self._settings.max_prompt_tokens, self._settings.max_answer_tokens
        if len(source) > longest:
            message = f"the prompt has {len(source)} tokens; expected at most {longest}"
            raise Refusal(400, message, param="messages", code="context_length_exceeded")
        try:
            return self._batcher.submit(source, min(asked.limit() or most, most), bool(asked.stream))
        except QueueFullError as full:
            retry = {"Retry-After": str(full.seconds)}
            raise Refusal(429, f"{full}; expected a later try", code="queue_full", headers=retry) from None

    def check_name(self, name: str) -> None:
        """Raises a refusal unless the model is called so."""
        if name != self._model.name:
            message = f"there is no model {name[:100]!r}; expected {self._model.name!r}"
            raise Refusal(404, message, param="model", code="model_not_found")

    async def answer(self, job: Job, request: Request) -> ChatCompletion:
        """The whole answer, given up where the client hangs up first, so that nobody's request takes up room."""
        completion = asyncio.ensure_future(job.completion())
        gone = asyncio.ensure_future(_hung_up(request))
        try:
            await asyncio.wait({completion, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not completion.done():
                raise Refusal(499, "the client is gone")  # nobody reads it
            return Reply(self._model.name).whole(completion.result())
        except BatchFailedError:
            raise failed() from None
        finally:
            completion.cancel()
            gone.cancel()

    async def events(self, job: Job, asked: ChatRequest) -> AsyncIterator[str]:
        """The server-sent events of a streamed answer."""
        reply = Reply(self._model.name)
        try:
            yield _event(reply.piece({"role": "assistant", "content": ""}))
            async for text in job.pieces():
                yield _event(reply.piece({"content": text}))
            completion = await job.completion()
            yield _event(reply.piece({}, completion.finish_reason))
            if asked.stream_options and asked.stream_options.include_usage:
                yield _event(reply.usage(completion))
            yield "data: [DONE]\n\n"
        except BatchFailedError:
            yield _event(failed().body.model_dump())
        finally:
            job.give_up()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def failed() -> Refusal:
    """What a fault of the server's own looks like from outside."""
    return Refusal(500, "the server failed to answer; its log says why")
