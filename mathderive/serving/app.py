"""The server's addresses: a chat-completions API for one T5, a checker of derivations, and a page to try both on."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from mathderive.checker.verdicts import Validity
from mathderive.predictors.t5 import T5Model
from mathderive.report.typeset import typeset
from mathderive.serving.batching import Batcher
from mathderive.serving.chat import Chat, ServerSettings, failed
from mathderive.serving.checks import Checks
from mathderive.serving.limits import BoundedBodies, refused
from mathderive.serving.page import add_page
from mathderive.serving.protocol import Asked, ChatCompletion, ChatRequest, ErrorBody, Model, ModelList, Refusal, Text


class Equations(Asked):
    equations: list[Annotated[Text, Field(max_length=2_000)]] = Field(max_length=64)


class Typeset(BaseModel):
    """MathML of each equation, null for what cannot be read as one."""

    mathml: list[str | None]


class Derivation(Asked):
    """A prompt, and equations joined by ` and `."""

    prompt: Annotated[Text, Field(max_length=10_000)]
    derivation: Annotated[Text, Field(max_length=20_000)]


class Health(BaseModel):
    status: str
    model: str
    waiting: int


def make_app(model: T5Model, settings: ServerSettings) -> FastAPI:
    """The application, whose lifespan runs the batches."""
    batcher = Batcher(model, settings.batch_size, settings.waiting)
    checks = Checks()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with checks.running():
            async with batcher.running():
                yield

    app = FastAPI(
        title="mathderive", version="1", docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan
    )
    app.add_middleware(BoundedBodies)
    _refuse_alike(app)
    add_page(app)
    app.include_router(_api(Chat(model, batcher, settings), checks, model.name, settings.key))

    @app.get("/healthz", responses={503: {"model": Health}})
    async def health() -> JSONResponse:
        """Whether requests are answered."""
        status = "ok" if batcher.is_healthy else "the last batch failed"
        found = Health(status=status, model=model.name, waiting=batcher.waiting)
        return JSONResponse(found.model_dump(), 200 if batcher.is_healthy else 503)

    return app


def _api(chat: Chat, checks: Checks, name: str, key: str | None) -> APIRouter:
    """What may be asked with the key."""
    responses: Any = {"4XX": {"model": ErrorBody}, 500: {"model": ErrorBody}}
    api = APIRouter(dependencies=[Depends(_key_check(key))], responses=responses)
    served = Model(id=name, created=int(time.time()))

    @api.get("/v1/models")
    async def models() -> ModelList:
        """The one model there is."""
        return ModelList(data=[served])

    @api.get("/v1/models/{name}")
    async def model_of(name: str) -> Model:
        """The model, by its name."""
        chat.check_name(name)
        return served

    streamed: Any = {200: {"content": {"text/event-stream": {"schema": {}}}}}

    @api.post("/v1/chat/completions", responses=streamed, response_model=ChatCompletion)
    async def complete(asked: ChatRequest, request: Request) -> Any:
        """The model's derivation for a prompt, whole or, with `stream`, in server-sent events as it is written."""
        job = await chat.submit(asked)
        if asked.stream:
            return StreamingResponse(chat.events(job, asked), media_type="text/event-stream")
        return await chat.answer(job, request)

    @api.post("/typeset")
    async def typeset_equations(asked: Equations) -> Typeset:
        """Equations as MathML, printed anew from the expressions that they were read as."""
        return Typeset(mathml=await asyncio.to_thread(lambda: [typeset(text) for text in asked.equations]))

    @api.post("/check")
    async def check_derivation(asked: Derivation) -> Validity:
        """Whether a derivation answers its prompt, with a verdict on every equation."""
        return await checks.check(asked.prompt, asked.derivation)

    return api


def _key_check(key: str | None) -> Callable[..., None]:
    bearer = HTTPBearer(auto_error=False, description="Needed where the server was given a key.")

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        if key is not None and not (given and secrets.compare_digest(given.credentials.encode(), key.encode())):
            message = "expected a valid key, as Authorization: Bearer KEY"
            raise Refusal(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})

    return check


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
        return refused(failed())  # and the traceback goes to the log

    @app.exception_handler(HTTPException)
    async def of_framework(_: Request, error: HTTPException) -> Response:
        return refused(Refusal(error.status_code, error.detail, headers=error.headers))
