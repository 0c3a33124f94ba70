"""The server's addresses: a chat-completions API for one T5, and a page to try it on."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from mathderive.predictors.t5 import Completion, T5Model
from mathderive.report.typeset import typeset
from mathderive.serving.batching import Batcher, BatchFailedError, Job, QueueFullError
from mathderive.serving.limits import BoundedBodies, refused
from mathderive.serving.page import add_page
from mathderive.serving.protocol import (
    Asked,
    ChatCompletion,
    ChatRequest,
    ErrorBody,
    Model,
    ModelList,
    Refusal,
    Reply,
    Text,
)


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


class Equations(Asked):
    equations: list[Annotated[Text, Field(max_length=2_000)]] = Field(max_length=64)


class Typeset(BaseModel):
    """MathML of each equation, null for what cannot be read as one."""

    mathml: list[str | None]


class Health(BaseModel):
    status: str
    model: str
    waiting: int


def make_app(model: T5Model, settings: ServerSettings) -> FastAPI:
    """The application, whose lifespan runs the batches."""
    batcher = Batcher(model, settings.batch_size, settings.waiting)
    served = Model(id=model.name, created=int(time.time()))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with batcher.running():
            yield

    app = FastAPI(
        title="mathderive", version="1", docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan
    )
    app.add_middleware(BoundedBodies)
    _refuse_alike(app)
    add_page(app)
    bearer = HTTPBearer(auto_error=False, description="Needed where the server was given a key.")

    def authorised(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        key = settings.key
        if key is not None and not (given and secrets.compare_digest(given.credentials.encode(), key.encode())):
            raise Refusal(
                401,
                "expected a valid key, as Authorization: Bearer KEY",
                code="invalid_api_key",
                WWW_Authenticate="Bearer",
            )

    protected: Any = {"dependencies": [Depends(authorised)]}
    refusals: Any = {"4XX": {"model": ErrorBody}, 500: {"model": ErrorBody}}

    @app.get("/v1/models", responses=refusals, **protected)
    async def models() -> ModelList:
        """The one model there is."""
        return ModelList(data=[served])

    @app.get("/v1/models/{name}", responses=refusals, **protected)
    async def model_of(name: str) -> Model:
        """The model, by its name."""
        if name != served.id:
            raise _unknown(name, served.id)
        return served

    streamed: Any = {200: {"content": {"text/event-stream": {"schema": {}}}}}

    @app.post("/v1/chat/completions", responses=refusals | streamed, response_model=ChatCompletion, **protected)
    async def complete(asked: ChatRequest, request: Request) -> Any:
        """The model's derivation for a prompt, whole or, with `stream`, in server-sent events as it is written."""
        job = await submit(asked)
        reply = Reply(served.id)
        if asked.stream:
            with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
            return StreamingResponse(_events(job, reply, with_usage), media_type="text/event-stream")
        return reply.whole(await _unless_gone(request, job.completion()))

    async def submit(asked: ChatRequest) -> Job:
        if asked.model != served.id:
            raise _unknown(asked.model, served.id)
        source = await asyncio.to_thread(model.encode, asked.messages[0].text())
        if len(source) > settings.max_prompt_tokens:
            raise Refusal(
                400,
                f"the prompt has {len(source)} tokens; expected at most {settings.max_prompt_tokens}",
                param="messages",
                code="context_length_exceeded",
            )
        limit = min(asked.limit() or settings.max_answer_tokens, settings.max_answer_tokens)
        try:
            return batcher.submit(source, limit, bool(asked.stream))
        except QueueFullError as full:
            raise Refusal(
                429, f"{full}; expected a later try", code="queue_full", Retry_After=str(full.seconds)
            ) from None

    @app.post("/typeset", responses=refusals, **protected)
    async def typeset_equations(asked: Equations) -> Typeset:
        """Equations as MathML, printed anew from the expressions that they were read as."""
        return Typeset(mathml=await asyncio.to_thread(lambda: [typeset(text) for text in asked.equations]))

    @app.get("/healthz", responses={503: {"model": Health}})
    async def health() -> JSONResponse:
        """Whether requests are answered."""
        status = "ok" if batcher.is_healthy else "the last batch failed"
        found = Health(status=status, model=served.id, waiting=batcher.waiting)
        return JSONResponse(found.model_dump(), 200 if batcher.is_healthy else 503)

    return app


def _unknown(name: str, served: str) -> Refusal:
    return Refusal(404, f"there is no model {name[:100]!r}; expected {served!r}", param="model", code="model_not_found")


async def _unless_gone(request: Request, completion: Awaitable[Completion]) -> Completion:
    """The completion, given up where the client hangs up first, so that nobody's request takes up room."""
    task = asyncio.ensure_future(completion)
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Refusal(499, "the client is gone")  # nobody reads it
        return task.result()
    except BatchFailedError:
        raise _failed() from None
    finally:
        task.cancel()
        gone.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(job: Job, reply: Reply, with_usage: bool) -> AsyncIterator[str]:
    """The server-sent events of a streamed answer."""
    try:
        yield _event(reply.piece({"role": "assistant", "content": ""}))
        async for text in job.pieces():
            yield _event(reply.piece({"content": text}))
        completion = await job.completion()
        yield _event(reply.piece({}, completion.finish_reason))
        if with_usage:
            yield _event(reply.usage(completion))
        yield "data: [DONE]\n\n"
    except BatchFailedError:
        yield _event(_failed().body.model_dump())
    finally:
        job.give_up()


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _failed() -> Refusal:
    return Refusal(500, "the server failed to answer; its log says why")


def _refuse_alike(app: FastAPI) -> None:
    """Every refusal, the framework's own ones too, is an error of the protocol."""

    @app.exception_handler(Refusal)
    async def of_ours(_: Request, refusal: Refusal) -> Response:
        return refused(refusal)

    @app.exception_handler(RequestValidationError)
    async def of_validation(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        param = ".".join(map(str, first["loc"][1:])) or None  # "body" comes first
        return refused(Refusal(400, f"{param or 'body'}: {first['msg']}", param=param))

    @app.exception_handler(Exception)
    async def of_a_fault(_: Request, __: Exception) -> Response:
        return refused(_failed())  # and the traceback goes to the log

    @app.exception_handler(HTTPException)
    async def of_framework(_: Request, error: HTTPException) -> Response:
        answer = refused(Refusal(error.status_code, error.detail))
        answer.headers.update(error.headers or {})
        return answer
