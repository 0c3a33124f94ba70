"""Baselines behind an OpenAI-compatible chat API, prompted with worked examples as in the paper.

Every attempt, retries included, waits for its budgets and stands in the ledger before it goes out; the client's own
retries are off, for they would do neither.
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any

import openai
import tenacity
from openai.types.chat import ChatCompletion

from mathderive.config import OpenAIPredictor
from mathderive.errors import InputError
from mathderive.predictors.base import answer
from mathderive.predictors.budgets import Prices, Purse, RateLimit, TokenEstimate
from mathderive.predictors.ledger import Answer, Entry, Ledger, Request
from mathderive.prompts import few_shot_prompt
from mathderive.records import Example, Prediction


class _NoCompletionError(Exception):
    """An endpoint's words are no chat completion."""


_PASSING = (
    _NoCompletionError,
    openai.APIConnectionError,  # a time-out is one of these
    openai.RateLimitError,
    openai.InternalServerError,
    openai.ConflictError,
    openai.APIResponseValidationError,
)
"""Errors that another attempt may not meet."""

_OPENAI = "https://api.openai.com/v1"

_LONGEST_WAIT = 60.0
"""Seconds between two attempts, whatever an endpoint asks for: it may ask for years."""


class ChatBaseline:
    """Asks a chat model, one user message an example.

    Args:
        settings: the model, its endpoint, sampling, budgets and patience.
        key: of the API; never written or shown.
        training_examples: (prompt, target) pairs that worked examples are drawn from.
        seed: of that draw, which is each source example's own and shared by its variants.
        ledger: the file of the ledger.

    Raises:
        InputError: worked examples are wanted and there are too few to draw from.
    """

    def __init__(
        self,
        settings: OpenAIPredictor,
        key: str,
        training_examples: Sequence[tuple[str, str]],
        seed: int,
        ledger: Path,
    ) -> None:
        self.name = settings.name
        self._settings, self._key, self._seed, self._ledger_path = settings, key, seed, ledger
        self._training_examples = training_examples
        self.endpoint = settings.base_url or _OPENAI
        self._parameters: dict[str, Any] = {
            **({} if settings.temperature is None else {"temperature": settings.temperature}),
            **({} if settings.max_tokens is None else {"max_tokens": settings.max_tokens}),
            **settings.parameters,
        }

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        return [[example] for example in examples]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        with Ledger(self._ledger_path) as ledger, asyncio.Runner() as runner:
            answers = self._answers([example for batch in batches for example in batch], ledger)
            try:
                while (prediction := runner.run(_next(answers))) is not None:
                    yield [prediction]
            finally:
                runner.run(answers.aclose())

    async def _answers(self, examples: Sequence[Example], ledger: Ledger) -> AsyncGenerator[Prediction, None]:
        """Yields predictions as they arrive, `concurrency` requests at a time."""
        settings = self._settings
        async with openai.AsyncOpenAI(
            api_key=self._key, base_url=self.endpoint, max_retries=0, timeout=settings.timeout_seconds
        ) as client:
            session = _Session(self, settings, client, ledger)
            waiting = iter(examples)
            running: set[asyncio.Task[Prediction]] = set()
            finished: set[asyncio.Task[Prediction]] = set()
            try:
                while True:
                    while len(running) < settings.concurrency and (example := next(waiting, None)) is not None:
                        running.add(asyncio.create_task(session.ask(example)))
                    if not running:
                        return
                    finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        yield task.result()
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, *finished, return_exceptions=True)

    def request(self, example: Example) -> Request:
        """What is asked for an example."""
        return Request(
            endpoint=self.endpoint,
            model=self._settings.model,
            parameters=self._parameters,
            messages=[{"role": "user", "content": self.message(example)}],
        )

    def message(self, example: Example) -> str:
        """The text sent for an example: what the authors sent where that is known, else the same form."""
        count = self._settings.few_shot
        if not count:
            return example.prompt
        if example.few_shot_prompt is not None:
            return example.few_shot_prompt
        if len(self._training_examples) < count:
            raise InputError(
                f"predictors: {self.name}: few_shot is {count}, but there are {len(self._training_examples)} "
                "training examples to draw from; expected fewer, or 0"
            )
        digest = hashlib.sha256(f"few-shot {self._seed} {example.source_id}".encode()).digest()
        drawn = random.Random(digest).sample(range(len(self._training_examples)), count)
        return few_shot_prompt([self._training_examples[index] for index in drawn], example.prompt)


class _Session:
    """A run's requests: they share the client, the ledger and the budgets."""

    def __init__(
        self, baseline: ChatBaseline, settings: OpenAIPredictor, client: openai.AsyncOpenAI, ledger: Ledger
    ) -> None:
        self._baseline, self._settings, self._client, self._ledger = baseline, settings, client, ledger
        self._estimate = TokenEstimate()
        self._rate = RateLimit(settings.requests_per_minute, settings.tokens_per_minute)
        self._prices = Prices(settings.prompt_price or 0.0, settings.completion_price or 0.0)
        self._purse = Purse(settings.max_cost, sum(map(self._cost_of_entry, ledger.entries())))

    async def ask(self, example: Example) -> Prediction:
        """The ledger's answer where it has one, else the endpoint's."""
        name, request = self._baseline.name, self._baseline.request(example)
        if (known := self._ledger.answer_of(request)) is not None:
            return answer(example, name, **known.model_dump())
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_PASSING),
            stop=tenacity.stop_after_attempt(self._settings.max_attempts),
            wait=_seconds_to_wait,
            reraise=True,
        )
        try:
            found: Answer = await retrying(self._attempt, request)
        except _PASSING as error:
            # Not for good: the ledger has no answer, and another run asks again.
            status = f"status {error.status_code}" if isinstance(error, openai.APIStatusError) else None
            return answer(example, name, "", error=status or type(error).__name__.strip("_"))
        return answer(example, name, **found.model_dump())

    async def _attempt(self, request: Request) -> Answer:
        worst = self._worst_cost(request)
        await self._purse.reserve(worst)
        cost = 0.0
        try:
            spent = await self._rate.passes(self._estimate.of(request.messages) + (self._settings.longest_answer or 0))
            cost = worst  # where nothing comes back that says otherwise
            self._ledger.sends(request)
            found = await self._send(request)
            if found.usage is not None:
                cost = self._prices.cost(**found.usage)
                spent.tokens = sum(found.usage.values())
                self._estimate.correct(request.messages, found.usage["prompt_tokens"])
            elif found.error is not None:
                cost = 0.0
        except (openai.APIStatusError, InputError):
            cost = 0.0
            self._ledger.is_refused(request)
            raise
        finally:
            await self._purse.settle(worst, cost)
        self._ledger.is_answered(request, found)
        return found

    async def _send(self, request: Request) -> Answer:
        """One attempt; what an endpoint refuses for good is an answer too.

        Raises:
            InputError: the key or the model cannot be used at all.
        """
        settings = self._settings
        try:
            completion: Any = await self._client.post(
                "/chat/completions",
                body={"model": request.model, "messages": request.messages, **request.parameters},
                cast_to=ChatCompletion,
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            # The server's words may repeat the key, so they are not passed on.
            raise InputError(
                f"predictors: {self._baseline.name}: the endpoint answered {error.status_code} for model "
                f"{settings.model}; expected a valid key in {settings.api_key_variable} and a model it may use"
            ) from None
        except _PASSING:
            raise
        except openai.APIStatusError as error:
            return Answer(text="", error=f"status {error.status_code}")
        return _read(completion)

    def _worst_cost(self, request: Request) -> float:
        # No tokenizer makes more tokens than there are bytes; the rest is what chat formats put around a message.
        prompt = sum(len(message["content"].encode()) + 16 for message in request.messages)
        return self._prices.cost(prompt, self._settings.longest_answer or 0)

    def _cost_of_entry(self, entry: Entry) -> float:
        if (entry.request.endpoint, entry.request.model) != (self._baseline.endpoint, self._settings.model):
            return 0.0
        usage = entry.answer and entry.answer.usage
        return entry.unaccounted * self._worst_cost(entry.request) + (self._prices.cost(**usage) if usage else 0.0)


def _read(completion: Any) -> Answer:
    """An endpoint's words as an answer.

    Raises:
        _NoCompletionError: they are none; another attempt may bring one.
    """
    try:
        choice, usage = completion.choices[0], completion.usage
        return Answer(
            text=choice.message.content or "",
            finish_reason=choice.finish_reason,
            error=choice.message.refusal or ("content filter" if choice.finish_reason == "content_filter" else None),
            usage=usage and {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens},
        )
    except (AttributeError, TypeError, IndexError, ValueError):
        # The client passes on what is no JSON as text, and JSON of another form as it is.
        raise _NoCompletionError from None


def _seconds_to_wait(state: tenacity.RetryCallState) -> float:
    """As long as the endpoint asks for, else at random and longer each time."""
    error = state.outcome and state.outcome.exception()
    if isinstance(error, openai.APIStatusError):
        try:
            asked = float(error.response.headers.get("retry-after", ""))
        except ValueError:
            asked = 0.0
        if 0 < asked < float("inf"):
            return min(asked, _LONGEST_WAIT)
    return tenacity.wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT)(state)


async def _next(answers: AsyncGenerator[Prediction, None]) -> Prediction | None:
    return await anext(answers, None)
