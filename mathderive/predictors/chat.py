"""Baselines behind an OpenAI-compatible chat API, prompted with worked examples as in the paper.

Every attempt, retries included, waits for its budgets and is in the ledger before it is sent. The client's own retries
are switched off because they would bypass both.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai

from mathderive.core.errors import InputError
from mathderive.core.random_streams import keyed_random
from mathderive.predictors.chat_session import ChatSession, Endpoint, Retried
from mathderive.predictors.connection import open_http_client
from mathderive.predictors.endpoint_messages import EndpointMessages
from mathderive.predictors.ledger import Ledger
from mathderive.predictors.ledger_records import FailureKind, RecordedAnswer, Request
from mathderive.predictors.redaction import Redactor
from mathderive.predictors.search import SampledAnswer
from mathderive.predictors.settings import MOST_SAMPLES, ChatSettings, SamplerSettings
from mathderive.records import Example, Prediction
from mathderive.symbolic.prompts import few_shot_prompt

OPENAI_HEADERS = ("Authorization", "OpenAI-Organization", "OpenAI-Project")
"""Headers that identify the user; the client fills them from the key and from environment variables."""

_SECRET_VARIABLES = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "OPENAI_WEBHOOK_SECRET")
"""Variables from which the client fills headers; endpoints may repeat those."""

_BYTES_PER_TOKEN = 3
"""Bytes of a token in a sample whose tokens the endpoint does not count."""


class ChatBaseline:
    """Asks a chat model; each example is one user message.

    A search can sample it. For that it is a context manager, which keeps the ledger open between two calls of `sample`.

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
        self._session: ChatSession | None = None
        self._runner: asyncio.Runner | None = None
        self._sampling = ExitStack()
        self.headers = _headers(settings, key)
        secrets = [key or "", *(os.environ.get(name, "") for name in _SECRET_VARIABLES)]
        self._messages = EndpointMessages(settings, Redactor(secrets))
        self._parameters: dict[str, Any] = {
            **({} if settings.temperature is None else {"temperature": settings.temperature}),
            **({} if settings.max_tokens is None else {"max_tokens": settings.max_tokens}),
            **settings.sent_parameters,
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
        async with self._client() as client:
            session = self._session = self._open_session(client, ledger)
            waiting = iter(examples)
            running: set[asyncio.Task[Prediction | None]] = set()
            finished: set[asyncio.Task[Prediction | None]] = set()
            try:
                while True:
                    while len(running) < self._settings.concurrency and (example := next(waiting, None)) is not None:
                        running.add(asyncio.create_task(session.ask(example, self.request(example))))
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

    def __enter__(self) -> "ChatBaseline":
        with ExitStack() as stack:
            ledger = stack.enter_context(Ledger(self._ledger_path))
            self._runner = stack.enter_context(asyncio.Runner())
            self._session = self._runner.run(self._start_sampling(ledger, stack))
            self._sampling = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._sampling.close()
        self._runner = None

    async def _start_sampling(self, ledger: Ledger, stack: ExitStack) -> ChatSession:
        client, runner = self._client(), self._runner
        assert runner is not None
        stack.callback(lambda: runner.run(client.close()))
        return self._open_session(client, ledger)

    def sample(
        self, examples: Sequence[Example], numbers: Sequence[int], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        """The samples with these numbers of the answer to each example; see `Sampler`.

        The samples are from the ledger where it has them, and are recorded there otherwise. They have no
        log-probability. An answer that the endpoint refused to give is an empty text.

        Raises:
            InputError: the endpoint is down, refuses this key or model, or the money does not suffice.
            UnansweredError: a sample has no answer now; all answers that came are in the ledger.
        """
        assert self._runner is not None, "samples are drawn in the predictor's context"
        assert self._session is not None
        is_greedy = list(numbers) == [0]
        questions = [
            [self.request(example) if is_greedy else self.sample_request(example, n, settings, seed) for n in numbers]
            for example in examples
        ]
        answers = self._runner.run(self._session.ask_all(questions))
        return [[_to_sample(answer) for answer in found] for found in answers]

    def ask_again(self, kinds: Collection[FailureKind]) -> Retried:
        """Asks once more for this model's answers that failed in one of these ways, whatever else the ledger holds.

        Raises:
            InputError: nothing can be asked.
            UnansweredError: some have no new answer; their old ones stay.
        """
        with self:
            assert self._runner is not None
            assert self._session is not None
            return self._runner.run(self._session.ask_again(kinds))

    def note(self) -> str:
        return self._session.note() if self._session else ""

    def unaccounted(self) -> int:
        with Ledger(self._ledger_path) as ledger:
            return ledger.unaccounted(self._settings.endpoint, self._settings.model)

    def _client(self) -> openai.AsyncOpenAI:
        key = self._key or "unused"  # without a key, the client takes the environment's
        address = self._settings.address
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise InputError(
                f"predictors: {self.name}: {self._settings.api_key_variable} holds spaces or characters that no header "
                "can have; expected a key alone"
            )
        return openai.AsyncOpenAI(
            api_key=key,
            base_url=address.endpoint,
            default_query=dict(address.query),
            max_retries=0,
            timeout=self._settings.timeout_seconds,
            http_client=open_http_client(),
        )

    def _open_session(self, client: openai.AsyncOpenAI, ledger: Ledger) -> ChatSession:
        endpoint = None if self._key is None else Endpoint(client, self.headers)
        return ChatSession(self._settings, endpoint, ledger, self._messages)

    def request(self, example: Example) -> Request:
        """The request that is sent for an example."""
        return Request(
            endpoint=self._settings.endpoint,
            model=self._settings.model,
            parameters=self._parameters,
            messages=[{"role": "user", "content": self.message(example)}],
            sample=self._settings.sample,
        )

    def sample_request(self, example: Example, number: int, settings: SamplerSettings, seed: int) -> Request:
        """The request for one sample of the answer to an example.

        Each sample has a seed of its own, which follows from the config's `parameters.seed`, or else from `seed`.
        """
        own = self._settings
        stream = f"sample {own.sent_parameters.get('seed', seed)} {own.sample} {number}"
        return Request(
            endpoint=own.endpoint,
            model=own.model,
            parameters={
                **self._parameters,
                **({} if own.temperature is None else {"temperature": settings.temperature}),
                **({} if settings.top_p == 1 else {"top_p": settings.top_p}),
                "seed": keyed_random(stream).getrandbits(31),
            },
            messages=[{"role": "user", "content": self.message(example)}],
            sample=own.sample * MOST_SAMPLES + number,
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


def _headers(settings: ChatSettings, key: str | None) -> Mapping[str, str | openai.Omit]:
    """Changes to the client's headers: none that identifies the user without a key, and Azure's own for its key."""
    if not key:
        return dict.fromkeys(OPENAI_HEADERS, openai.Omit())
    return {"api-key": key, "Authorization": openai.Omit()} if settings.address.has_azure_key else {}


def _to_sample(answer: RecordedAnswer) -> SampledAnswer:
    counts = answer.token_counts
    tokens = -(-len(answer.text.encode()) // _BYTES_PER_TOKEN) if counts is None else counts[1]
    return SampledAnswer(answer.scored_text, None, tokens)


async def _next(predictions: AsyncGenerator[Prediction, None]) -> Prediction | None:
    return await anext(predictions, None)
