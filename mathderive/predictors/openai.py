"""Baselines behind an OpenAI-compatible chat API, prompted with worked examples as in the paper."""

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Iterator, Sequence

import openai
import tenacity
from openai.types.chat import ChatCompletion

from mathderive.config import OpenAIPredictor
from mathderive.errors import InputError
from mathderive.predictors.base import answer
from mathderive.prompts import few_shot_prompt
from mathderive.records import Example, Prediction

_PASSING = (
    openai.APIConnectionError,  # a time-out is one of these
    openai.RateLimitError,
    openai.InternalServerError,
    openai.ConflictError,
    openai.APIResponseValidationError,
)
"""Errors that another attempt may not meet."""


class ChatBaseline:
    """Asks a chat model, one user message an example.

    Args:
        settings: the model, its endpoint, sampling and patience.
        key: of the API; never written or shown.
        training_examples: (prompt, target) pairs that worked examples are drawn from.
        seed: of that draw, which is each source example's own and shared by its variants.

    Raises:
        InputError: worked examples are wanted and there are too few to draw from.
    """

    def __init__(
        self, settings: OpenAIPredictor, key: str, training_examples: Sequence[tuple[str, str]], seed: int
    ) -> None:
        self.name = settings.name
        self._settings, self._key, self._seed = settings, key, seed
        self._training_examples = training_examples

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        return [[example] for example in examples]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        with asyncio.Runner() as runner:
            answers = self._answers([example for batch in batches for example in batch])
            try:
                while (prediction := runner.run(_next(answers))) is not None:
                    yield [prediction]
            finally:
                runner.run(answers.aclose())

    async def _answers(self, examples: Sequence[Example]) -> AsyncGenerator[Prediction, None]:
        """Yields predictions as they arrive, `concurrency` requests at a time."""
        settings = self._settings
        async with openai.AsyncOpenAI(
            api_key=self._key, base_url=settings.base_url, max_retries=0, timeout=settings.timeout_seconds
        ) as client:
            waiting = iter(examples)
            running: set[asyncio.Task[Prediction]] = set()
            finished: set[asyncio.Task[Prediction]] = set()
            try:
                while True:
                    while len(running) < settings.concurrency and (example := next(waiting, None)) is not None:
                        running.add(asyncio.create_task(self._ask(client, example)))
                    if not running:
                        return
                    finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        yield task.result()
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, *finished, return_exceptions=True)

    async def _ask(self, client: openai.AsyncOpenAI, example: Example) -> Prediction:
        settings = self._settings
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_PASSING),
            stop=tenacity.stop_after_attempt(settings.max_attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=60),
            reraise=True,
        )
        try:
            completion: ChatCompletion = await retrying(self._request, client, example)
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            # The server's words may repeat the key, so they are not passed on.
            raise InputError(
                f"predictors: {self.name}: the endpoint answered {error.status_code} for model {settings.model}; "
                f"expected a valid key in {settings.api_key_variable} and a model it may use"
            ) from None
        except openai.APIStatusError as error:
            return answer(example, self.name, "", error=f"status {error.status_code}")
        except openai.APIError as error:
            return answer(example, self.name, "", error=type(error).__name__)
        if not completion.choices:
            return answer(example, self.name, "", error="no choice in the answer")
        choice, usage = completion.choices[0], completion.usage
        return answer(
            example,
            self.name,
            choice.message.content or "",
            finish_reason=choice.finish_reason,
            error=choice.message.refusal,
            usage=usage and {name: getattr(usage, name) for name in ("prompt_tokens", "completion_tokens")},
        )

    async def _request(self, client: openai.AsyncOpenAI, example: Example) -> ChatCompletion:
        settings = self._settings
        return await client.chat.completions.create(
            model=settings.model,
            messages=[{"role": "user", "content": self.message(example)}],
            temperature=openai.omit if settings.temperature is None else settings.temperature,
            max_tokens=openai.omit if settings.max_tokens is None else settings.max_tokens,
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


async def _next(answers: AsyncGenerator[Prediction, None]) -> Prediction | None:
    return await anext(answers, None)
