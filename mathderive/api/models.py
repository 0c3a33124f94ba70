"""A checkpoint that writes derivations."""

from pathlib import Path

from mathderive.config.schema import DecodingSettings, OutputSearchSettings
from mathderive.core.bundled import checkpoint_place
from mathderive.model.sampling import Sampling, sample_key
from mathderive.predictors.kinds import checkpoint_name
from mathderive.predictors.t5 import T5Model


def load_model(
    place: str | Path,
    *,
    num_beams: int = 1,
    batch_size: int = 8,
    max_source_length: int = 544,
    max_target_length: int = 544,
) -> "Model":
    """Loads a T5 onto the devices that JAX finds.

    Args:
        place: one of our model folders, a Hugging Face folder or a Hugging Face id. `checkpoints/mini` comes with the
            package.
        num_beams: number of hypotheses of `derive`; 1 is greedy search.
        batch_size: number of prompts that are answered together.
        max_source_length, max_target_length: maximum number of tokens of a prompt and of an answer.

    Raises:
        InputError: there is no such checkpoint, or it is no T5, incomplete or damaged.
        ValueError: a number is out of its range.
    """
    decoding = DecodingSettings(
        batch_size=batch_size,
        max_source_length=max_source_length,
        max_target_length=max_target_length,
        search=OutputSearchSettings(num_beams=num_beams),
    )
    found = checkpoint_place(place)
    return Model(T5Model(checkpoint_name(found), found, decoding), decoding)


class Model:
    """A T5 that writes derivations; equal prompts give equal answers. `load_model` makes one."""

    def __init__(self, model: T5Model, decoding: DecodingSettings) -> None:
        self._model, self._decoding = model, decoding

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self._model.name

    def derive(self, prompt: str) -> str:
        """Writes the most likely derivation, by greedy or beam search.

        Raises:
            ValueError: the prompt has more tokens than `max_source_length`.
        """
        return self.derive_all([prompt])[0]

    def derive_all(self, prompts: list[str]) -> list[str]:
        """Writes a derivation for each prompt, in order; raises as `derive`."""
        sources = [self._encode(prompt) for prompt in prompts]
        size = self._decoding.batch_size
        batches = (sources[start : start + size] for start in range(0, len(sources), size))
        return [completion.text for batch in batches for completion in self._model.complete(batch)]

    def sample(
        self,
        prompt: str,
        n: int,
        *,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[str]:
        """Draws derivations at random; those of a smaller `n` are the first ones of a larger.

        Args:
            n: number of derivations.
            temperature: what the logits are divided by; 0 takes the most likely token every time.
            top_k: number of the most likely tokens that may be drawn; None for all.
            top_p: the most likely tokens may be drawn whose probabilities add up to this.
            seed: with the prompt, it determines the draws.

        Raises:
            ValueError: a number is out of its range, or as `derive`.
        """
        keys = [sample_key(seed, prompt, number) for number in range(n)]
        sampling = Sampling(keys, temperature, top_k, top_p)
        limits = [self._decoding.max_target_length]
        (completions,) = self._model.complete_with_samples([self._encode(prompt)], [sampling], limits)
        return [completion.text for completion in completions]

    def _encode(self, prompt: str) -> list[int]:
        source, longest = self._model.encode(prompt), self._decoding.max_source_length
        if len(source) > longest:
            raise ValueError(f"the prompt has {len(source)} tokens; expected at most {longest}")
        return source
