"""Baselines behind an OpenAI-compatible chat API, prompted with worked examples as in the paper.

Every attempt, retries included, waits for its budgets and is in the ledger before it is sent. The client's own retries
are switched off because they would bypass both.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import openai
import tenacity
from openai.types.chat import ChatCompletion

from mathderive.core.errors import InputError
from mathderive.core.progress import say
from mathderive.core.random_streams import keyed_random
from mathderive.predictors.base import UnansweredError, make_prediction
from mathderive.predictors.budgets import WINDOW_SECONDS, CostBudget, Prices, RateLimit, TokenEstimate
from mathderive.predictors.completions import (
    LONGEST_WAIT,
    NoCompletionError,
    ResponseTooLargeError,
    asked_wait,
    bound_body,
    describe_error,
    is_transient,
    is_unusable,
    read_completion,
    seconds_to_wait,
    was_not_billed,
)
from mathderive.predictors.ledger import Entry, Ledger, RecordedAnswer, Request
from mathderive.predictors.settings import ChatSettings
from mathderive.records import Example, Prediction
from mathderive.symbolic.prompts import few_shot_prompt

OPENAI_HEADERS = ("Authorization", "OpenAI-Organization", "OpenAI-Project")
"""Headers that identify the user; the client fills them from the key and from environment variables."""


class ChatBaseline:
    """Asks a chat model; each example is one user message.

    Args:
        settings: the model, its endpoint, sampling, budgets and retries.
        key: the API key, which is never written or shown. An empty key is not sent. With null, all answers come from
            the ledger and nothing is sent.
        training_examples: (prompt, target) pairs from which the worked examples are drawn.
        seed: seed of that draw. Each source example has its own draw, which its variants share.
        ledger: path of the ledger.

    Raises:
        InputError: the settings ask for more worked examples than there are training examples.
    """

    def __init__(
        self,
        settings: ChatSettings,
        key: str | None,
        training_examples: Sequence[tuple[str, str]],
        seed: int,
        ledger: Path,
    ) -> None:
        self.name = settings.name
        self._settings, self._key, self._seed, self._ledger_path = settings, key, seed, ledger
        self._training_examples = training_examples
        self._session: _Session | None = None
        self.headers: Mapping[str, openai.Omit] = {} if key else dict.fromkeys(OPENAI_HEADERS, openai.Omit())
        self._parameters: dict[str, Any] = {
            **({} if settings.temperature is None else {"temperature": settings.temperature}),
            **({} if settings.max_tokens is None else {"max_tokens": settings.max_tokens}),
            **settings.parameters,
        }

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        return [[example] for example in examples]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        with Ledger(self._ledger_path) as ledger, asyncio.Runner() as runner:
            predictions = self._predict([example for batch in batches for example in batch], ledger)
            try:
                while (prediction := runner.run(_next(predictions))) is not None:
                    yield [prediction]
            finally:
                runner.run(predictions.aclose())

    async def _predict(self, examples: Sequence[Example], ledger: Ledger) -> AsyncGenerator[Prediction, None]:
        """Yields predictions as they arrive, with at most `concurrency` requests in flight."""
        settings = self._settings
        async with openai.AsyncOpenAI(
            api_key=self._key or "unused",  # without one, the client takes the environment's
            base_url=settings.endpoint,
            max_retries=0,
            timeout=settings.timeout_seconds,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"response": [bound_body]}),
        ) as client:
            session = self._session = _Session(self, settings, client if self._key is not None else None, ledger)
            waiting = iter(examples)
            running: set[asyncio.Task[Prediction | None]] = set()
            finished: set[asyncio.Task[Prediction | None]] = set()
            try:
                while True:
                    while len(running) < settings.concurrency and (example := next(waiting, None)) is not None:
                        running.add(asyncio.create_task(session.ask(example)))
                    if not running:
                        break
                    finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        if (prediction := task.result()) is not None:
                            yield prediction
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, *finished, return_exceptions=True)
            session.raise_if_unanswered()

    def note(self) -> str:
        return self._session.note() if self._session else ""

    def unaccounted(self) -> int:
        with Ledger(self._ledger_path) as ledger:
            return ledger.unaccounted(self._settings.endpoint, self._settings.model)

    def request(self, example: Example) -> Request:
        """The request that is sent for an example."""
        return Request(
            endpoint=self._settings.endpoint,
            model=self._settings.model,
            parameters=self._parameters,
            messages=[{"role": "user", "content": self.message(example)}],
            sample=self._settings.sample,
        )

    def message(self, example: Example) -> str:
        """The message for an example: the authors' own if it is recorded, otherwise one of the same form."""
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
        rng = keyed_random(f"few-shot {self._seed} {example.source_id}")
        drawn = rng.sample(range(len(self._training_examples)), count)
        return few_shot_prompt([self._training_examples[index] for index in drawn], example.prompt)


class _Session:
    """The requests for one set of examples, which share the client, the ledger and the budgets.

    The budgets start from what the ledger knows of earlier runs, because a run may have been killed.
    """

    def __init__(
        self, baseline: ChatBaseline, settings: ChatSettings, client: openai.AsyncOpenAI | None, ledger: Ledger
    ) -> None:
        self._baseline, self._settings, self._client, self._ledger = baseline, settings, client, ledger
        self._estimate = TokenEstimate(settings.longest_answer)
        recent = ledger.recent(settings.endpoint, settings.model, WINDOW_SECONDS)
        self._rate = RateLimit(settings.requests_per_minute, settings.tokens_per_minute, recent)
        self._prices = Prices(settings.prompt_price or 0.0, settings.completion_price or 0.0)
        entries = [entry for entry in ledger.entries() if self._is_of_this_model(entry.request)]
        self._budget = CostBudget(settings.max_cost, sum(map(self._cost_of_entry, entries)), baseline.name)
        self._tokens = sum(sum(entry.answer.token_counts or ()) for entry in entries if entry.answer)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._not_in_ledger = 0
        self._given_up = self._given_up_in_a_row = 0
        self._last_error = ""
        self._has_told_wait = False

    async def ask(self, example: Example) -> Prediction | None:
        """The prediction from the ledger or else from the endpoint; null if neither has an answer now."""
        name, request = self._baseline.name, self._baseline.request(example)
        async with self._locks[request.key()]:  # equal requests are sent once
            found = self._ledger.find_answer(request)
            if found is None and self._client is None:
                self._not_in_ledger += 1
                return None
            if found is None:
                found = await self._try_repeatedly(request)
        # A request that was given up has no answer in the ledger, so another run sends it again.
        if found is None and not self._settings.keep_going:
            return None
        found = found or RecordedAnswer(text="", error=self._last_error)
        return make_prediction(example, name, **found.model_dump())

    async def _try_repeatedly(self, request: Request) -> RecordedAnswer | None:
        """The endpoint's answer; null if every attempt failed.

        Raises:
            InputError: the endpoint is down, or refuses this key or model.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(is_transient),
            stop=tenacity.stop_after_attempt(self._settings.max_attempts),
            wait=seconds_to_wait,
            before_sleep=self._tell_long_wait,
            reraise=True,
        )
        try:
            found: RecordedAnswer = await retrying(self._attempt, request)
        except Exception as error:
            if not is_transient(error):
                raise
            self._last_error = describe_error(error)
            self._given_up += 1
            self._given_up_in_a_row += 1
            if self._given_up_in_a_row >= self._settings.concurrency:
                raise InputError(
                    f"predictors: {self._baseline.name}: {self._given_up_in_a_row} items in a row had no answer in "
                    f"{self._settings.max_attempts} attempts each ({self._last_error}); expected an endpoint that "
                    f"works at {self._settings.endpoint}; all answers so far are kept"
                ) from None
            return None
        self._given_up_in_a_row = 0
        return found

    def _tell_long_wait(self, state: tenacity.RetryCallState) -> None:
        """Says, once, that the endpoint asks for a longer wait than it gets."""
        asked = asked_wait(state)
        if asked > LONGEST_WAIT and not self._has_told_wait:
            self._has_told_wait = True
            say(
                f"predict: {self._baseline.name}: {self._settings.endpoint} asks to wait for {asked:.3g} s; "
                f"it is asked again after {LONGEST_WAIT:.0f} s"
            )

    async def _attempt(self, request: Request) -> RecordedAnswer:
        maximum = self._maximum_cost(request)
        await self._budget.reserve(maximum)
        cost = 0.0
        try:
            tokens = self._estimate.estimate(request.messages)
            admitted = await self._rate.admit(tokens)
            cost = maximum  # unless the response tells another cost
            self._ledger.record_attempt(request, tokens)
            try:
                found = await self._send(request)
            except Exception as error:
                if was_not_billed(error) or isinstance(error, InputError):
                    cost = 0.0
                    self._ledger.record_refusal(request)
                raise
            self._ledger.record_answer(request, found)
            cost = self._cost(request, found)
            if (counts := found.token_counts) is not None:
                admitted.tokens = sum(counts)
                self._tokens += admitted.tokens
                self._estimate.correct(request.messages, *counts)
        finally:
            await self._budget.settle(maximum, cost)
        return found

    async def _send(self, request: Request) -> RecordedAnswer:
        """Makes one attempt; a final refusal is an answer too.

        Raises:
            InputError: the key or the model cannot be used at all.
        """
        settings = self._settings
        assert self._client is not None
        try:
            async with asyncio.timeout(settings.timeout_seconds):  # the client's own limits each part of a response
                completion: Any = await self._client.post(
                    "/chat/completions",
                    body={"model": request.model, "messages": request.messages, **request.parameters},
                    cast_to=ChatCompletion,
                    options={"headers": self._baseline.headers},
                )
        except openai.APIStatusError as error:
            if is_unusable(error):
                key = f" for the key in {settings.api_key_variable}" if settings.api_key_variable else ""
                quota = " (insufficient quota)" if error.status_code == 429 else ""
                raise InputError(
                    f"predictors: {self._baseline.name}: {settings.endpoint} answered {error.status_code}{quota} for "
                    f"model {settings.model}; expected the base URL of an API and a model that can be used there{key}"
                ) from None
            if is_transient(error):
                raise
            return RecordedAnswer(text="", error=f"status {error.status_code}")
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, ResponseTooLargeError):
                raise error.__cause__ from None
            raise
        except (ValueError, RecursionError):
            raise NoCompletionError from None  # the body is not JSON
        return read_completion(completion)

    def note(self) -> str:
        """The tokens so far and, if there are prices, the money spent."""
        is_priced = self._settings.prompt_price is not None or self._settings.completion_price is not None
        return f"{self._tokens:,} tokens" + (f", ${self._budget.spent:.2f}" if is_priced else "")

    def raise_if_unanswered(self) -> None:
        """Raises `UnansweredError` if an item has no prediction."""
        name, settings = self._baseline.name, self._settings
        if self._not_in_ledger:
            raise UnansweredError(
                name,
                self._not_in_ledger,
                f"not in the ledger, and there is no key; set {settings.api_key_variable} to have them asked",
            )
        if self._given_up and not settings.keep_going:
            raise UnansweredError(
                name,
                self._given_up,
                f"without an answer after {settings.max_attempts} attempts each (the last: {self._last_error}); "
                "all other answers are kept, and the same command asks for the missing ones",
            )

    def _is_of_this_model(self, request: Request) -> bool:
        return (request.endpoint, request.model) == (self._settings.endpoint, self._settings.model)

    def _maximum_cost(self, request: Request) -> float:
        # A tokenizer makes at most one token per byte; 16 more cover what chat formats put around a message.
        prompt = sum(len(message["content"].encode()) + 16 for message in request.messages)
        return self._prices.cost(prompt, self._settings.longest_answer or 0)

    def _cost(self, request: Request, found: RecordedAnswer) -> float:
        if (counts := found.token_counts) is not None:
            return self._prices.cost(*counts)
        return 0.0 if (found.error or "").startswith("status ") else self._maximum_cost(request)

    def _cost_of_entry(self, entry: Entry) -> float:
        answered = self._cost(entry.request, entry.answer) if entry.answer else 0.0
        return entry.unaccounted * self._maximum_cost(entry.request) + answered


async def _next(predictions: AsyncGenerator[Prediction, None]) -> Prediction | None:
    return await anext(predictions, None)
