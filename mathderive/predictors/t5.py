"""Predictions of a T5 checkpoint: a folder of this package, a Hugging Face folder, or a Hugging Face id."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mathderive.config.schema import DecodingSettings
from mathderive.core import devices
from mathderive.core.progress import COMPILING
from mathderive.model.decoding import MIN_ROWS, decode, padded_length, sample
from mathderive.model.sampling import Sample, Sampling, sample_key
from mathderive.predictors.base import make_prediction
from mathderive.predictors.search.sampler import Beginning, SampledAnswer
from mathderive.predictors.settings import SamplerSettings
from mathderive.records import Example, Prediction
from mathderive.training.conversion import OpenedCheckpoint, open_checkpoint

_LAST_SCALE = "decoder/final_norm/scale"
"""The parameter that the decoder's output is multiplied by before the logits."""


class Completion(NamedTuple):
    """An output of the model; lengths are in tokens. `finish_reason` is `stop`, or `length` if a limit cut the text."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


def padded_number(samples: int) -> int:
    """The number of samples that are drawn where so many are wanted: a power of two, because each is compiled."""
    return 1 << (samples - 1).bit_length()


class T5Model:
    """Decodes one batch at a time over all devices; equal checkpoints and batches give equal outputs."""

    def __init__(self, name: str, checkpoint: str | OpenedCheckpoint, decoding: DecodingSettings) -> None:
        """Loads the checkpoint.

        Args:
            name: the model's name in the predictions.
            checkpoint: a model folder of this package, a Hugging Face folder or id, or an opened checkpoint.
            decoding: lengths, batch size, search and data type.

        Raises:
            InputError: the checkpoint is missing, damaged or of an unknown format.
        """
        self.name = name
        self.start_note = COMPILING
        self._decoding = decoding
        opened = open_checkpoint(checkpoint) if isinstance(checkpoint, str) else checkpoint
        self._config, self._tokenizer = opened.config, opened.tokenizer
        self._dtype = decoding.dtype or opened.dtype
        self._params = devices.replicate(dict(opened.params()))

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        """Groups examples of similar source length, the shortest first; depends on the examples alone."""
        length = {example.id: len(self._source(example)) for example in examples}
        ordered = sorted(examples, key=lambda example: (length[example.id], example.id))
        size = self._decoding.batch_size
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        """Yields each batch's predictions in the batch's order; a batch has at most `decoding.batch_size` examples."""
        return devices.overlapped(self._predict_batch, batches)

    def _predict_batch(self, batch: Sequence[Example]) -> list[Prediction]:
        completions = self.complete([self._source(example) for example in batch])
        self.start_note = ""
        return [
            make_prediction(
                example,
                self.name,
                completion.text,
                finish_reason=completion.finish_reason,
                usage={
                    "prompt_tokens": completion.prompt_tokens,
                    "completion_tokens": completion.completion_tokens,
                },
            )
            for example, completion in zip(batch, completions, strict=True)
        ]

    def encode(self, prompt: str) -> list[int]:
        """The prompt's ids at full length; `complete` accepts at most `decoding.max_source_length` of them."""
        return self._tokenizer.encode(prompt)

    def complete(
        self,
        sources: Sequence[Sequence[int]],
        limits: Sequence[int] | None = None,
        watch: Callable[[int, str], None] | None = None,
        min_source_length: int = 0,
    ) -> list[Completion]:
        """Completes each source.

        Args:
            sources: ids of at most `decoding.batch_size` prompts.
            limits: maximum tokens of each output, by default `decoding.max_target_length`.
            watch: during greedy search, receives a row and its text so far every few tokens; the text ends with
                U+FFFD while its last character is incomplete.
            min_source_length: sources are padded at least to this length.
        """
        longest, config = self._decoding.max_target_length, self._config
        # Empty rows fill up a short batch, so that it needs no compilation of its own.
        missing = self._decoding.batch_size - len(sources)
        outputs = decode(
            config,
            self._params,
            [*sources, *[[]] * missing],
            longest if limits is None else [*limits, *[1] * missing],
            self._dtype,
            self._decoding.search.options(),
            watch and (lambda row, ids: watch(row, self._tokenizer.decode(ids))),
            min_source_length,
        )
        return [self._completion(source, output) for source, output in zip(sources, outputs, strict=False)]

    def complete_with_samples(
        self,
        sources: Sequence[Sequence[int]],
        samplings: Sequence[Sampling],
        limits: Sequence[int],
        watch: Callable[[int, int, str], None] | None = None,
    ) -> list[list[Completion]]:
        """Completes each source several times; the completions of a source depend on it and its sampling alone.

        Args:
            sources: ids of prompts, so few that they have at most `decoding.batch_size` samples together where each
                has as many as the one with most, or a single prompt.
            samplings: how each source is sampled.
            limits: maximum tokens of each output.
            watch: receives a row, the number of the sample in it, and its text so far, as in `complete`.
        """
        count = padded_number(max(len(one.keys) for one in samplings))
        filled = [replace(one, keys=(list(one.keys) * count)[:count]) for one in samplings]

        def watch_sample(number: int, ids: list[int]) -> None:
            row, place = divmod(number, count)
            if watch and place < len(samplings[row].keys):
                watch(row, place, self._tokenizer.decode(ids))

        rows = max(len(sources), self._decoding.batch_size // count)
        drawn = self._draw(sources, filled, limits, rows, watch and watch_sample)
        return [
            [self._completion(source, one.ids) for one in samples[: len(sampling.keys)]]
            for source, sampling, samples in zip(sources, samplings, drawn, strict=True)
        ]

    def compile_short(self, source_length: int, target_length: int) -> None:
        """Compiles the programs of greedy search for sources and answers of up to these lengths.

        Later, `complete` uses them for sources that it pads to `source_length`. The model writes an answer of
        `target_length` here: with a last scale of 0 all logits are equal, and the first token is never the end.
        """
        endless = {**self._params, _LAST_SCALE: jax.tree.map(jnp.zeros_like, self._params[_LAST_SCALE])}
        sources = [[self._config.eos_token_id]] * self._decoding.batch_size
        decode(
            self._config,
            endless,
            sources,
            target_length,
            self._dtype,
            watch=lambda row, ids: None,
            min_source_length=source_length,
        )

    def _completion(self, source: Sequence[int], output: Sequence[int]) -> Completion:
        return Completion(
            text=self._tokenizer.decode(output),
            finish_reason="stop" if output and output[-1] == self._config.eos_token_id else "length",
            prompt_tokens=len(source),
            completion_tokens=len(output),
        )

    def _draw(
        self,
        sources: Sequence[Sequence[int]],
        samplings: Sequence[Sampling],
        limits: Sequence[int],
        rows: int,
        watch: Callable[[int, list[int]], None] | None = None,
    ) -> list[list[Sample]]:
        """The samples of each source; empty rows fill up the batch, so that few sizes need a compilation."""
        missing = rows - len(sources)
        drawn = sample(
            self._config,
            self._params,
            [*sources, *[[]] * missing],
            [*samplings, *[samplings[0]] * missing],
            [*limits, *[1 + len(samplings[0].beginning)] * missing],
            self._dtype,
            watch,
        )
        return drawn[: len(sources)]

    def sample(
        self, examples: Sequence[Example], numbers: Sequence[int], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        """The samples with these numbers of the answer to each example; see `Sampler`."""
        return self.continue_answers([Beginning(example, (), numbers) for example in examples], settings, seed)

    def continue_answers(
        self, beginnings: Sequence[Beginning], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        """The samples of the whole answer that begins so, for each beginning; see `ContinuingSampler`.

        A beginning is cut where it leaves no room for a token.
        """
        samplings = [self._sampling(one, settings, seed) for one in beginnings]
        limits = [self._decoding.max_target_length] * len(beginnings)
        rows = padded_length(len(beginnings), at_least=MIN_ROWS)
        drawn = self._draw([self._source(one.example) for one in beginnings], samplings, limits, rows)
        return [
            [
                SampledAnswer(self._tokenizer.decode(one.ids), one.log_probability, len(one.ids) - len(used.beginning))
                for one in samples
            ]
            for samples, used in zip(drawn, samplings, strict=True)
        ]

    def _sampling(self, one: Beginning, settings: SamplerSettings, seed: int) -> Sampling:
        ids = self._tokenizer.encode(one.text)[:-1] if one.equations else []
        return Sampling(
            keys=[sample_key(seed, one.example.id, number) for number in one.numbers],
            top_k=settings.top_k,
            top_p=settings.top_p,
            temperature=0.0 if list(one.numbers) == [0] else settings.temperature,
            beginning=ids[: self._decoding.max_target_length - 1],
        )

    def _source(self, example: Example) -> list[int]:
        ids = self.encode(example.prompt)
        longest = self._decoding.max_source_length
        return ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]
