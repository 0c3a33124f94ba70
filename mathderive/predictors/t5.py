"""Predictions of a T5: one of our folders, a Hugging Face folder, or a Hugging Face id."""

from collections.abc import Iterator, Sequence

from mathderive import parallel
from mathderive.config import DecodingSettings
from mathderive.model.decoding import decode
from mathderive.predictors.base import answer
from mathderive.records import Example, Prediction
from mathderive.training.conversion import open_checkpoint


class T5Model:
    """Decodes a batch at a time, over all devices; the same checkpoint and batch give the same outputs."""

    def __init__(self, name: str, checkpoint: str, decoding: DecodingSettings) -> None:
        """Loads the checkpoint.

        Args:
            name: the model's name in the predictions.
            checkpoint: one of our model folders, a Hugging Face folder or id.

        Raises:
            InputError: the checkpoint is missing, foreign or damaged.
        """
        self.name = name
        self._decoding = decoding
        opened = open_checkpoint(checkpoint)
        self._config, self._tokenizer = opened.config, opened.tokenizer
        self._dtype = decoding.dtype or opened.dtype
        self._params = parallel.replicate(dict(opened.params()))

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        """Examples of like source length together, the shortest first; a function of the examples alone."""
        length = {example.id: len(self._source(example)) for example in examples}
        ordered = sorted(examples, key=lambda example: (length[example.id], example.id))
        size = self._decoding.batch_size
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        """Yields each batch's predictions, in its order; a batch has at most `decoding.batch_size` examples."""
        return parallel.overlapped(self._predict_batch, batches)

    def _predict_batch(self, batch: Sequence[Example]) -> list[Prediction]:
        sources = [self._source(example) for example in batch]
        # A short batch is filled up with empty rows, so that it needs no compilation of its own.
        filled = sources + [[]] * (self._decoding.batch_size - len(sources))
        longest, search = self._decoding.max_target_length, self._decoding.search
        outputs = decode(self._config, self._params, filled, longest, self._dtype, search)
        return [
            answer(
                example,
                self.name,
                self._tokenizer.decode(output),
                finish_reason="stop" if output and output[-1] == self._config.eos_token_id else "length",
                usage={"prompt_tokens": len(source), "completion_tokens": len(output)},
            )
            for example, source, output in zip(batch, sources, outputs, strict=False)
        ]

    def _source(self, example: Example) -> list[int]:
        ids = self._tokenizer.encode(example.prompt)
        longest = self._decoding.max_source_length
        return ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]
