"""The server's routes: a chat-completions API for one T5, a checker of derivations, and a page to try both."""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from mathderive.predictors.t5 import T5Model
from mathderive.serving.batching import Batcher
from mathderive.serving.chat import Chat, ServerSettings
from mathderive.serving.check_batches import CheckBatches
from mathderive.serving.checks import Checks
from mathderive.serving.derivations import Checked, CheckedBatch, Derivation, DerivationBatch
from mathderive.serving.limits import BoundedBodies, refusal_response
from mathderive.serving.notation import RewrittenQuestion, TypedQuestion, rewrite, rewrite_nothing
from mathderive.serving.one_by_one import OneByOne
from mathderive.serving.page import add_page
from mathderive.serving.protocol import ChatCompletion, ChatRequest, ErrorBody, Model, ModelList, Refusal, server_error
from mathderive.serving.typesetting import ToTypeset, Typeset, typeset_all, typeset_nothing


class Health(BaseModel):
    status: str
    model: str
    waiting: int


def make_app(model: T5Model, settings: ServerSettings) -> FastAPI:
    """Makes the application; its lifespan runs the batches, the checks and the work for the page."""
    batcher = Batcher(model, settings.batch_size, settings.waiting, has_quick_lane=settings.is_greedy)
    checks = Checks(settings.check_processes)
    texts = _Texts(OneByOne(typeset_all, typeset_nothing), OneByOne(rewrite, rewrite_nothing))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with checks.running(), texts.typesetting.running(), texts.rewriting.running(), batcher.running():
            yield

    app = FastAPI(
        title="mathderive", version="1", docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan
    )
    app.add_middleware(BoundedBodies)
    _add_error_handlers(app)
    add_page(app)
    app.include_router(_api(Chat(model, batcher, settings), checks, texts, model.name, settings.key))

    @app.get("/healthz", responses={503: {"model": Health}})
    async def health() -> JSONResponse:
        """Whether the server answers requests."""
        status = "ok" if batcher.is_healthy else "the last batch failed"
        found = Health(status=status, model=model.name, waiting=batcher.waiting)
        return JSONResponse(found.model_dump(), 200 if batcher.is_healthy else 503)

    return app


class _Texts(NamedTuple):
    """The work on formulas that the page shows and sends."""

    typesetting: OneByOne[ToTypeset, Typeset]
    rewriting: OneByOne[TypedQuestion, RewrittenQuestion]


def _api(chat: Chat, checks: Checks, texts: _Texts, name: str, key: str | None) -> APIRouter:
    """The routes that require the key."""
    responses: Any = {"4XX": {"model": ErrorBody}, 500: {"model": ErrorBody}}
    api = APIRouter(dependencies=[Depends(_key_check(key))], responses=responses)
    batches = CheckBatches(checks)
    served = Model(id=name, created=int(time.time()))

    @api.get("/v1/models")
    async def list_models() -> ModelList:
        """The served model, the only one."""
        return ModelList(data=[served])

    @api.get("/v1/models/{name}")
    async def get_model(name: str) -> Model:
        """The served model, by its name."""
        chat.check_name(name)
        return served

    streamed: Any = {200: {"content": {"text/event-stream": {"schema": {}}}}}

    @api.post("/v1/chat/completions", responses=streamed, response_model=ChatCompletion)
    async def complete(asked: ChatRequest, request: Request) -> Any:
        """The model's derivations for a prompt: in one piece or, with `stream`, as server-sent events."""
        job = await chat.submit(asked)
        if asked.stream:
            return StreamingResponse(chat.events(job, asked), media_type="text/event-stream")
        return await chat.answer(job, asked, request)

    @api.post("/typeset")
    async def typeset(asked: ToTypeset, request: Request) -> Typeset:
        """MathML of equations and sentences, printed from the parsed expressions."""
        return await texts.typesetting.answer(asked, request)

    @api.post("/notation")
    async def rewrite_question(asked: TypedQuestion, request: Request) -> RewrittenQuestion:
        """A question's equations as people type them, in the notation of the models, and their prompt."""
        return await texts.rewriting.answer(asked, request)

    @api.post("/check")
    async def check_derivation(asked: Derivation, request: Request) -> Checked:
        """Whether a derivation answers its prompt, with a verdict on every equation."""
        return Checked.answer(asked, await checks.check(asked.check_request, request))

    @api.post("/check/batch")
    async def check_derivations(asked: DerivationBatch, request: Request) -> CheckedBatch:
        """The same for several derivations: a verdict or an error for each, in their order."""
        return await batches.check(asked, request)

    return api


def _key_check(key: str | None) -> Callable[..., None]:
    bearer = HTTPBearer(auto_error=False, description="Required if the server was started with a key.")

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        if key is not None and not (given and secrets.compare_digest(given.credentials.encode(), key.encode())):
            message = "expected a valid key, as Authorization: Bearer KEY"
            raise Refusal(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})

    return check


def _add_error_handlers(app: FastAPI) -> None:
    """Turns every error, including the framework's own, into an error of the protocol."""

    @app.exception_handler(Refusal)
    async def on_refusal(_: Request, refusal: Refusal) -> Response:
        return refusal_response(refusal)

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        param = ".".join(map(str, first["loc"][1:])) or None  # the first part is "body"
        return refusal_response(Refusal(400, f"{param or 'body'}: {first['msg']}", param=param))

    @app.exception_handler(Exception)
    async def on_server_error(_: Request, __: Exception) -> Response:
        return refusal_response(server_error())  # the framework logs the traceback

    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: HTTPException) -> Response:
        return refusal_response(Refusal(error.status_code, error.detail, headers=error.headers))
