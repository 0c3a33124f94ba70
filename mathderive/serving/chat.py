"""Chat completions: puts a request in the queue and returns its answer, in one piece or streamed."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from mathderive.model.sampling import Sampling, sample_key
from mathderive.predictors.t5 import Completion, T5Model
from mathderive.serving.batching import Batcher
from mathderive.serving.jobs import BatchFailedError, Job, QueueFullError
from mathderive.serving.limits import result_for
from mathderive.serving.protocol import ChatCompletion, ChatRequest, Refusal, Reply, server_error
from mathderive.serving.stopping import StopFilter, cut_at_stop
from mathderive.serving.unsupported import refuse_unsupported

_MAX_CHARACTERS_PER_TOKEN = 32
"""Longer prompts are refused before they are encoded; a token has three characters on average."""


@dataclass(frozen=True)
class ServerSettings:
    """The server's limits.

    Attributes:
        batch_size: maximum number of answers per batch, and of answers to a request.
        waiting: maximum number of requests in each lane; more are answered with status 429.
        max_prompt_tokens: maximum tokens of a prompt.
        max_answer_tokens: maximum tokens of an answer, even if a client asks for more.
        key: the key that clients must send; null admits everybody.
        is_greedy: whether answers that are not sampled are found by greedy search, and not by beam search.
        check_processes: number of derivations that are checked at once, at least 2.
    """

    batch_size: int
    waiting: int
    max_prompt_tokens: int
    max_answer_tokens: int
    key: str | None
    is_greedy: bool
    check_processes: int = 2


class Chat:
    """Answers chat completions with one model."""

    def __init__(self, model: T5Model, batcher: Batcher, settings: ServerSettings) -> None:
        self._model, self._batcher, self._settings = model, batcher, settings

    async def submit(self, asked: ChatRequest) -> Job:
        """Puts the request in the queue.

        Raises:
            Refusal: the model's name or a parameter is unknown, the prompt is too long, `n` is too large, or the queue
                is full.
        """
        self.check_name(asked.model)
        refuse_unsupported(asked.model_extra or {})
        if asked.count > self._settings.batch_size:
            message = f"n: {asked.count} answers; expected at most {self._settings.batch_size}, the server's batch size"
            raise Refusal(400, message, param="n")
        prompt = asked.prompt()
        longest, most = self._settings.max_prompt_tokens, self._settings.max_answer_tokens
        if len(prompt) > longest * _MAX_CHARACTERS_PER_TOKEN:
            raise _too_long(f"{len(prompt)} characters", longest)
        source = await asyncio.to_thread(self._model.encode, prompt)
        if len(source) > longest:
            raise _too_long(f"{len(source)} tokens", longest)
        try:
            limit = min(asked.limit() or most, most)
            return self._batcher.submit(source, limit, bool(asked.stream), _sampling(asked, prompt))
        except QueueFullError as full:
            raise _refusal_when_full(full) from None

    def check_name(self, name: str) -> None:
        """Raises a `Refusal` unless this is the model's name."""
        if name != self._model.name:
            message = f"there is no model {name[:100]!r}; expected {self._model.name!r}"
            raise Refusal(404, message, param="model", code="model_not_found")

    async def answer(self, job: Job, asked: ChatRequest, request: Request) -> ChatCompletion:
        """Waits for the whole answers; cancels the request if the client hangs up first.

        Raises:
            Refusal: the batch failed, the slow lane has no room, or the client hung up.
        """
        try:
            completions = await result_for(request, asyncio.ensure_future(job.completions()))
            return Reply(self._model.name, asked.count // job.size).whole(self._stopped(completions, asked.stops))
        except BatchFailedError:
            raise server_error() from None
        except QueueFullError as full:
            raise _refusal_when_full(full) from None

    async def events(self, job: Job, asked: ChatRequest) -> AsyncIterator[str]:
        """Yields the server-sent events of a streamed answer."""
        reply = Reply(self._model.name, asked.count // job.size)
        try:
            for number in range(job.size):
                yield _event(reply.piece(number, {"role": "assistant", "content": ""}))
            filters = [StopFilter(asked.stops) for _ in range(job.size)]
            async for number, text in job.pieces():
                if passed := filters[number].add(text):
                    yield _event(reply.piece(number, {"content": passed}))
            completions = self._stopped(await job.completions(), asked.stops)
            for number, rest in enumerate(filters):
                if passed := rest.add("", is_last=True):
                    yield _event(reply.piece(number, {"content": passed}))
            for number, completion in enumerate(completions):
                yield _event(reply.piece(number, {}, completion.finish_reason))
            if asked.stream_options and asked.stream_options.include_usage:
                yield _event(reply.usage(completions))
            yield "data: [DONE]\n\n"
        except BatchFailedError:
            yield _event(server_error().body.model_dump())
        except QueueFullError as full:
            yield _event(_refusal_when_full(full).body.model_dump())
        finally:
            job.give_up()

    def _stopped(self, completions: Sequence[Completion], stops: Sequence[str]) -> list[Completion]:
        """The completions, each cut before its first stop sequence; a cut one counts the tokens that are left."""
        return [
            one
            if (text := cut_at_stop(one.text, stops)) == one.text
            else one._replace(
                text=text,
                finish_reason="stop",
                completion_tokens=min(one.completion_tokens, len(self._model.encode(text))),
            )
            for one in completions
        ]


def _sampling(asked: ChatRequest, prompt: str) -> Sampling | None:
    """How the answers are sampled; null for greedy ones.

    An answer's random stream depends on the seed, the prompt and the answer's number.
    """
    if not asked.temperature:
        return None
    seed = secrets.randbits(63) if asked.seed is None else asked.seed
    return Sampling(
        keys=[sample_key(seed, prompt, number) for number in range(asked.count)],
        temperature=asked.temperature,
        top_p=1.0 if asked.top_p is None else asked.top_p,
    )


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _too_long(length: str, longest: int) -> Refusal:
    message = f"the prompt has {length}; expected at most {longest} tokens"
    return Refusal(400, message, param="messages", code="context_length_exceeded")


def _refusal_when_full(full: QueueFullError) -> Refusal:
    retry = {"Retry-After": str(full.seconds)}
    return Refusal(429, f"{full}; expected a later try", code="queue_full", headers=retry)
