"""The requests to a chat endpoint that share a client, a ledger and budgets: attempts, retries, and several at once.

Samples of one answer are asked for together, with the parameter `n`, as long as the endpoint gives several. An endpoint
that refuses the parameter is asked for half as many, down to one; one that ignores it is asked for as many as it gave.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import openai
import tenacity
from openai.types.chat import ChatCompletion

from mathderive.core.errors import InputError
from mathderive.predictors.base import UnansweredError, make_prediction
from mathderive.predictors.budgets import WINDOW_SECONDS, CostBudget, Prices, RateLimit, TokenEstimate
from mathderive.predictors.choices import read_completions
from mathderive.predictors.completions import (
    NoCompletionError,
    ResponseTooLargeError,
    is_transient,
    is_unusable,
    seconds_to_wait,
    was_not_billed,
)
from mathderive.predictors.connection import untrusted_certificate
from mathderive.predictors.endpoint_messages import EndpointMessages
from mathderive.predictors.ledger import Ledger
from mathderive.predictors.ledger_records import Answer, Entry, FailureKind, RecordedAnswer, Request
from mathderive.predictors.redaction import LONGEST_READ
from mathderive.predictors.refusals import read_refusal
from mathderive.predictors.settings import MOST_SAMPLES, ChatSettings
from mathderive.records import Example, Prediction

T = TypeVar("T")


class SeveralRefusedError(Exception):
    """The endpoint refused a request for several answers; it may refuse a request for one too."""


class Endpoint(NamedTuple):
    """An endpoint that can be asked: the client, and changes to its headers."""

    client: openai.AsyncOpenAI
    headers: Mapping[str, str | openai.Omit]


class Retried(NamedTuple):
    """The number of failed answers that were asked for again, and of those that did not fail again."""

    asked: int
    answered: int


class ChatSession:
    """The requests for one set of examples.

    The budgets start from what the ledger knows of earlier runs, because a run may have been killed.

    Args:
        endpoint: null takes answers from the ledger alone.
        messages: those of all sessions with this endpoint, so that each is said once.
    """

    def __init__(
        self, settings: ChatSettings, endpoint: Endpoint | None, ledger: Ledger, messages: EndpointMessages
    ) -> None:
        self._settings, self._endpoint, self._ledger, self._messages = settings, endpoint, ledger, messages
        self._estimate = TokenEstimate(settings.longest_answer)
        recent = ledger.recent(settings.endpoint, settings.model, WINDOW_SECONDS)
        self._rate = RateLimit(settings.requests_per_minute, settings.tokens_per_minute, recent)
        self._prices = Prices(settings.prompt_price or 0.0, settings.completion_price or 0.0)
        entries = [entry for entry in ledger.entries() if self._is_of_this_model(entry.request)]
        self._budget = CostBudget(settings.max_cost, sum(map(self._cost_of_entry, entries)), settings.name)
        answers = [answer for entry in entries if entry.answer for answer in entry.answer.all_answers]
        self._tokens = sum(sum(answer.token_counts or ()) for answer in answers)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._in_flight = asyncio.Semaphore(settings.concurrency)
        self._most_at_once = MOST_SAMPLES
        self._not_in_ledger = 0
        self._given_up = self._given_up_in_a_row = 0
        self._last_error = ""

    async def ask(self, example: Example, request: Request) -> Prediction | None:
        """The prediction from the ledger or else from the endpoint; null if neither has an answer now."""
        (found,) = await self._answers([request])
        if found is None:
            return None
        details = {"finish_reason": found.finish_reason, "error": found.failure, "usage": found.usage}
        return make_prediction(example, self._settings.name, found.scored_text, **details)

    async def ask_all(self, questions: Sequence[Sequence[Request]]) -> list[list[RecordedAnswer]]:
        """The answers to each question, whose requests differ in the sample alone.

        Raises:
            InputError: nothing can be asked.
            UnansweredError: an answer is missing; all others are in the ledger.
        """
        found = await _all_of(self._answers(requests) for requests in questions)
        self.raise_if_unanswered()
        return [[answer for answer in answers if answer is not None] for answers in found]

    async def ask_again(self, kinds: Collection[FailureKind]) -> Retried:
        """Asks once more for the answers of this model that failed in one of these ways; the ledger keeps both answers.

        Raises:
            InputError: nothing can be asked.
            UnansweredError: an endpoint gave no new answer; the old one stays in its place.
        """
        place = self._settings.endpoint, self._settings.model
        asked = self._ledger.failed(*place, kinds)
        await _all_of(self._try_repeatedly([request]) for request in asked)
        self.raise_if_unanswered()
        entries = [self._ledger.find_answer(request) for request in asked]
        return Retried(len(asked), sum(answer is not None and answer.failure_kind is None for answer in entries))

    async def _answers(self, requests: Sequence[Request]) -> list[RecordedAnswer | None]:
        """The answers to requests that differ in the sample alone; null where there is none now."""
        async with self._locks[requests[0].key()]:  # equal requests are sent once
            missing = [request for request in requests if self._ledger.find_answer(request) is None]
            if missing and self._endpoint is not None:
                await self._ask_together(missing)
            found = [self._ledger.find_answer(request) for request in requests]
        if self._endpoint is None:
            self._not_in_ledger += None in found
        elif self._settings.keep_going:
            # A request that was given up has no answer in the ledger, so another run sends it again.
            failed = RecordedAnswer(text="", error=self._last_error)
            return [answer or failed for answer in found]
        return found

    async def _ask_together(self, requests: Sequence[Request]) -> None:
        """Asks for several answers at once as long as the endpoint gives several, and for each of the others alone."""
        rest, size, was_refused = list(requests), min(len(requests), self._most_at_once), False
        while size > 1 and len(rest) > 1:
            asked = rest[:size]
            try:
                given = await self._try_repeatedly(asked)
            except SeveralRefusedError:
                size, was_refused = len(asked) // 2, True
                continue
            if given is None:
                return
            if len(given) < len(asked):
                size = self._most_at_once = len(given)
            elif was_refused:
                self._most_at_once = min(self._most_at_once, size)
            rest = [request for request in rest if self._ledger.find_answer(request) is None]
        alone = await _all_of(self._try_repeatedly([request]) for request in rest)
        # If the endpoint refuses each of them alone too, the number was not the reason.
        if was_refused and size == 1 and any(one and not one.is_refused for given in alone for one in given or ()):
            self._most_at_once = 1

    async def _try_repeatedly(self, requests: Sequence[Request]) -> list[RecordedAnswer | None] | None:
        """The endpoint's answers to the first requests, as many as it gives; null if every attempt failed.

        Raises:
            InputError: the endpoint is down, or refuses this key or model.
            SeveralRefusedError: the endpoint refused this request for several answers.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(is_transient),
            stop=tenacity.stop_after_attempt(self._settings.max_attempts),
            wait=seconds_to_wait,
            before_sleep=self._messages.tell_long_wait,
            reraise=True,
        )
        try:
            async with self._in_flight:
                found: list[RecordedAnswer | None] = await retrying(self._attempt, requests)
        except Exception as error:
            if not is_transient(error):
                raise
            self._last_error = self._messages.describe(error)
            self._given_up += 1
            self._given_up_in_a_row += 1
            if self._given_up_in_a_row >= self._settings.concurrency:
                raise InputError(
                    f"predictors: {self._settings.name}: {self._given_up_in_a_row} items in a row had no answer in "
                    f"{self._settings.max_attempts} attempts each ({self._last_error}); expected an endpoint that "
                    f"works at {self._settings.endpoint}; all answers so far are kept"
                ) from None
            return None
        self._given_up_in_a_row = 0
        return found

    async def _attempt(self, requests: Sequence[Request]) -> list[RecordedAnswer | None]:
        messages, maximum = requests[0].messages, sum(map(self._maximum_cost, requests))
        await self._budget.reserve(maximum)
        cost = 0.0
        try:
            tokens = self._estimate.estimate(messages, len(requests))
            admitted = await self._rate.admit(tokens)
            cost = maximum  # unless the response tells another cost
            self._ledger.record_attempt(*requests, tokens=tokens)
            try:
                found = await self._send(requests)
            except Exception as error:
                if was_not_billed(error) or isinstance(error, InputError | SeveralRefusedError):
                    cost = 0.0
                    self._ledger.record_refusal(*requests)
                raise
            self._ledger.record_answers(requests, found)
            cost = sum(map(self._cost, requests, found))
            counts = [answer.token_counts for answer in found if answer and answer.token_counts]
            if counts:
                prompt, completions = sum(one for one, _ in counts), [one for _, one in counts]
                admitted.tokens = prompt + sum(completions)
                self._tokens += admitted.tokens
                self._estimate.correct(messages, prompt, max(completions))
                self._messages.warn_if_cut(messages, prompt)
        finally:
            await self._budget.settle(maximum, cost)
        return found

    async def _send(self, requests: Sequence[Request]) -> list[RecordedAnswer | None]:
        """Makes one attempt; a final refusal is an answer too.

        Raises:
            InputError: the key, the model or a setting cannot be used at all.
            SeveralRefusedError: the endpoint refused a request for several answers.
        """
        settings, first = self._settings, requests[0]
        assert self._endpoint is not None
        several = {"n": len(requests)} if len(requests) > 1 else {}
        try:
            async with asyncio.timeout(settings.timeout_seconds):  # the client's own limits each part of a response
                completion: Any = await self._endpoint.client.post(
                    "/chat/completions",
                    body={"model": first.model, "messages": first.messages, **first.parameters, **several},
                    cast_to=ChatCompletion,
                    options={"headers": self._endpoint.headers},
                )
        except openai.APIStatusError as error:
            if is_transient(error) and not is_unusable(error):
                raise
            refused = read_refusal(error)
            if is_unusable(error):
                raise self._messages.unusable(refused) from None
            if problem := self._messages.refused_setting(refused, first):
                raise problem from None
            if several:
                raise SeveralRefusedError from None
            self._messages.tell_refusal(refused, first)
            return [RecordedAnswer.refused(refused.status, self._messages.redact(refused.words))]
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, ResponseTooLargeError):
                raise error.__cause__ from None
            if certificate := untrusted_certificate(error):
                raise InputError(f"predictors: {settings.name}: {settings.endpoint}: {certificate}") from None
            raise
        except (ValueError, RecursionError):
            raise NoCompletionError from None  # the body is not JSON
        return [answer and self._redact_error(answer) for answer in read_completions(completion, len(requests))]

    def _redact_error(self, answer: RecordedAnswer) -> RecordedAnswer:
        """The answer without secrets in what the endpoint says about it; its text is the model's own."""
        error = answer.error and self._messages.redact_words(answer.error, LONGEST_READ)
        return answer.model_copy(update={"error": error})

    def note(self) -> str:
        """The tokens so far and, if there are prices, the money spent."""
        is_priced = self._settings.prompt_price is not None or self._settings.completion_price is not None
        return f"{self._tokens:,} tokens" + (f", ${self._budget.spent:.2f}" if is_priced else "")

    def raise_if_unanswered(self) -> None:
        """Raises `UnansweredError` if an item has no prediction."""
        settings = self._settings
        if self._not_in_ledger:
            raise UnansweredError(
                settings.name,
                self._not_in_ledger,
                f"not in the ledger, and there is no key; set {settings.api_key_variable} to have them asked",
            )
        if self._given_up and not settings.keep_going:
            raise UnansweredError(
                settings.name,
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

    def _cost(self, request: Request, found: Answer | None) -> float:
        if found is not None and (counts := found.token_counts) is not None:
            return self._prices.cost(*counts)
        return 0.0 if found is not None and found.is_refused else self._maximum_cost(request)

    def _cost_of_entry(self, entry: Entry) -> float:
        answers = entry.answer.all_answers if entry.answer else []
        answered = sum(self._cost(entry.request, answer) for answer in answers)
        return entry.unaccounted * self._maximum_cost(entry.request) + answered


async def _all_of(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Runs the coroutines at once; the first exception ends all."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
