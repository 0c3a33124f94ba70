"""Baselines behind an OpenAI-compatible chat API, prompted with worked examples as in the paper.

Every attempt, retries included, waits for its budgets and stands in the ledger before it goes out; the client's own
retries are off, for they would do neither.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import openai
import tenacity
from openai.types.chat import ChatCompletion

from mathderive.config.schema import OpenAIPredictor
from mathderive.core.errors import InputError
from mathderive.core.random_streams import keyed_random
from mathderive.predictors.base import UnansweredError, answer
from mathderive.predictors.budgets import WINDOW_SECONDS, CostBudget, Prices, RateLimit, TokenEstimate
from mathderive.predictors.completions import (
    NoCompletionError,
    is_unusable,
    may_pass,
    read_completion,
    reason,
    seconds_to_wait,
    was_not_billed,
)
from mathderive.predictors.ledger import Answer, Entry, Ledger, Request
from mathderive.records import Example, Prediction
from mathderive.symbolic.prompts import few_shot_prompt

OPENAI_HEADERS = ("Authorization", "OpenAI-Organization", "OpenAI-Project")
"""Who asks, as the client tells from its key and from variables of the environment."""


class ChatBaseline:
    """Asks a chat model, one user message an example.

    Args:
        settings: the model, its endpoint, sampling, budgets and patience.
        key: of the API, never written or shown; an empty one is not sent; null answers from the ledger alone and asks
            nothing.
        training_examples: (prompt, target) pairs that worked examples are drawn from.
        seed: of that draw, which is each source example's own and shared by its variants.
        ledger: the file of the ledger.

    Raises:
        InputError: worked examples are wanted and there are too few to draw from.
    """

    def __init__(
        self,
        settings: OpenAIPredictor,
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
            api_key=self._key or "unused",  # else the client takes the environment's
            base_url=settings.endpoint,
            max_retries=0,
            timeout=settings.timeout_seconds,
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
            session.says_what_is_missing()

    def note(self) -> str:
        return self._session.note() if self._session else ""

    def unaccounted(self) -> int:
        with Ledger(self._ledger_path) as ledger:
            return ledger.unaccounted(self._settings.endpoint, self._settings.model)

    def request(self, example: Example) -> Request:
        """What is asked for an example."""
        return Request(
            endpoint=self._settings.endpoint,
            model=self._settings.model,
            parameters=self._parameters,
            messages=[{"role": "user", "content": self.message(example)}],
            sample=self._settings.sample,
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
        rng = keyed_random(f"few-shot {self._seed} {example.source_id}")
        drawn = rng.sample(range(len(self._training_examples)), count)
        return few_shot_prompt([self._training_examples[index] for index in drawn], example.prompt)


class _Session:
    """The requests for one set of examples: they share the client, the ledger and the budgets.

    What budgets must know of what went before is in the ledger, for that outlives a kill.
    """

    def __init__(
        self, baseline: ChatBaseline, settings: OpenAIPredictor, client: openai.AsyncOpenAI | None, ledger: Ledger
    ) -> None:
        self._baseline, self._settings, self._client, self._ledger = baseline, settings, client, ledger
        self._estimate = TokenEstimate(settings.longest_answer)
        recent = ledger.recent(settings.endpoint, settings.model, WINDOW_SECONDS)
        self._rate = RateLimit(settings.requests_per_minute, settings.tokens_per_minute, recent)
        self._prices = Prices(settings.prompt_price or 0.0, settings.completion_price or 0.0)
        entries = [entry for entry in ledger.entries() if self._is_mine(entry.request)]
        self._purse = CostBudget(settings.max_cost, sum(map(self._cost_of_entry, entries)), baseline.name)
        self._tokens = sum(sum((entry.answer.usage or {}).values()) for entry in entries if entry.answer)
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._unknown = 0
        self._given_up = self._given_up_in_a_row = 0
        self._last_reason = ""

    async def ask(self, example: Example) -> Prediction | None:
        """The ledger's answer where it has one, else the endpoint's; null where there is none to be had now."""
        name, request = self._baseline.name, self._baseline.request(example)
        async with self._asking[request.key()]:  # equal requests are sent once
            found = self._ledger.answer_of(request)
            if found is None and self._client is None:
                self._unknown += 1
                return None
            if found is None:
                found = await self._answer(request)
        # What was given up is no answer, so the ledger has none and another run asks again.
        if found is None and not self._settings.keep_going:
            return None
        return answer(example, name, **(found or Answer(text="", error=self._last_reason)).model_dump())

    async def _answer(self, request: Request) -> Answer | None:
        """The endpoint's answer; null where every attempt failed.

        Raises:
            InputError: the endpoint is down, or will not serve this key or model.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(may_pass),
            stop=tenacity.stop_after_attempt(self._settings.max_attempts),
            wait=seconds_to_wait,
            reraise=True,
        )
        try:
            found: Answer = await retrying(self._attempt, request)
        except Exception as error:
            if not may_pass(error):
                raise
            self._last_reason = reason(error)
            self._given_up += 1
            self._given_up_in_a_row += 1
            if self._given_up_in_a_row >= self._settings.concurrency:
                raise InputError(
                    f"predictors: {self._baseline.name}: {self._given_up_in_a_row} items in a row had no answer in "
                    f"{self._settings.max_attempts} attempts each ({self._last_reason}); expected an endpoint that "
                    f"works at {self._settings.endpoint}; what was answered is kept"
                ) from None
            return None
        self._given_up_in_a_row = 0
        return found

    async def _attempt(self, request: Request) -> Answer:
        worst = self._worst_cost(request)
        await self._purse.reserve(worst)
        cost = 0.0
        try:
            tokens = self._estimate.of(request.messages)
            spent = await self._rate.passes(tokens)
            cost = worst  # where nothing comes back that says otherwise
            self._ledger.sends(request, tokens)
            try:
                found = await self._send(request)
            except Exception as error:
                if was_not_billed(error) or isinstance(error, InputError):
                    cost = 0.0
                    self._ledger.is_refused(request)
                raise
            self._ledger.is_answered(request, found)
            cost = self._cost(request, found)
            if found.usage is not None:
                spent.tokens = sum(found.usage.values())
                self._tokens += spent.tokens
                self._estimate.correct(request.messages, **found.usage)
        finally:
            await self._purse.settle(worst, cost)
        return found

    async def _send(self, request: Request) -> Answer:
        """One attempt; what an endpoint refuses for good is an answer too.

        Raises:
            InputError: the key or the model cannot be used at all.
        """
        settings = self._settings
        assert self._client is not None
        try:
            async with asyncio.timeout(settings.timeout_seconds):  # the client's own is for each piece of an answer
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
            if may_pass(error):
                raise
            return Answer(text="", error=f"status {error.status_code}")
        except (ValueError, RecursionError):
            raise NoCompletionError from None  # JSON that is none
        return read_completion(completion)

    def note(self) -> str:
        """What was spent so far."""
        priced = self._settings.prompt_price is not None or self._settings.completion_price is not None
        return f"{self._tokens:,} tokens" + (f", ${self._purse.spent:.2f}" if priced else "")

    def says_what_is_missing(self) -> None:
        """Raises `UnansweredError` where an item has no prediction."""
        name, settings = self._baseline.name, self._settings
        if self._unknown:
            raise UnansweredError(
                name,
                self._unknown,
                f"not in the ledger, and there is no key; one in {settings.api_key_variable} would have them asked",
            )
        if self._given_up and not settings.keep_going:
            raise UnansweredError(
                name,
                self._given_up,
                f"without an answer after {settings.max_attempts} attempts each (the last: {self._last_reason}); "
                "the others' answers are kept, and the same command asks the rest again",
            )

    def _is_mine(self, request: Request) -> bool:
        return (request.endpoint, request.model) == (self._settings.endpoint, self._settings.model)

    def _worst_cost(self, request: Request) -> float:
        # No tokenizer makes more tokens than there are bytes; the rest is what chat formats put around a message.
        prompt = sum(len(message["content"].encode()) + 16 for message in request.messages)
        return self._prices.cost(prompt, self._settings.longest_answer or 0)

    def _cost(self, request: Request, found: Answer) -> float:
        if found.usage is not None:
            return self._prices.cost(**found.usage)
        return 0.0 if (found.error or "").startswith("status ") else self._worst_cost(request)

    def _cost_of_entry(self, entry: Entry) -> float:
        answered = self._cost(entry.request, entry.answer) if entry.answer else 0.0
        return entry.unaccounted * self._worst_cost(entry.request) + answered


async def _next(answers: AsyncGenerator[Prediction, None]) -> Prediction | None:
    return await anext(answers, None)
