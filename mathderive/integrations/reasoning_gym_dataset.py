"""The dataset `derivations` of reasoning_gym; importing this module registers it."""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

from reasoning_gym import register_dataset
from reasoning_gym.factory import ProceduralDataset

from mathderive.integrations.questions import Question, generated_questions
from mathderive.integrations.rewards import MAX_CHARACTERS, DerivationReward
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.prompts import split_prompt

NAME = "derivations"
"""Name of the dataset."""


@dataclass
class DerivationsConfig:
    """The settings of the dataset; those of the generator have the paper's values by default.

    Attributes:
        length_mean, length_min, length_max: mean, minimum and maximum number of equations of a reference derivation.
        max_equation_characters: maximum number of characters of an equation.
        shaped: whether answers that are not verified earn something for what they derive.
        max_answer_characters: maximum length of an answer; a longer one earns 0.
        seed: the seed of the generator; None draws one.
        size: number of questions.
    """

    length_mean: float = 7
    length_min: int = 4
    length_max: int = 9
    max_equation_characters: int = 350
    shaped: bool = False
    max_answer_characters: int = MAX_CHARACTERS
    seed: int | None = None
    size: int = 500

    @property
    def sampling(self) -> SamplingSettings:
        """The settings of the generator."""
        return SamplingSettings(
            length_mean=self.length_mean,
            length_min=self.length_min,
            length_max=self.length_max,
            max_equation_characters=self.max_equation_characters,
        )

    def validate(self) -> None:
        """Raises `ValueError` for settings that cannot be met."""
        assert self.size > 0, "size must be positive"
        assert self.max_answer_characters > 0, "max_answer_characters must be positive"
        _ = self.sampling


class DerivationsDataset(ProceduralDataset):
    """Questions from the generator, made in order when they are first asked for."""

    def __init__(self, config: DerivationsConfig) -> None:
        super().__init__(config=config, seed=config.seed, size=config.size)
        self._questions: list[Question] = []
        self._further: Generator[Question, None, None] | None = None
        self._lock = Lock()

    @cached_property
    def _reward(self) -> DerivationReward:
        return DerivationReward(shaped=self.config.shaped, max_characters=self.config.max_answer_characters)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """The question of an index, which depends on the seed and the settings of the generator alone."""
        if idx < 0:
            raise IndexError(f"{idx}; expected 0 or more")
        with self._lock:
            if self._further is None:
                self._further = generated_questions(self.seed, self.config.sampling)
            while len(self._questions) <= idx:
                self._questions.append(next(self._further))
        question, config = self._questions[idx], self.config
        parts = split_prompt(question.prompt)
        return {
            "question": question.message(),
            "answer": question.reference,
            "metadata": {
                "source_dataset": NAME,
                "source_index": idx,
                "prompt": question.prompt,
                "premises": list(parts.premises),
                "requested": list(parts.derive),
                "goal": parts.goal,
                "difficulty": {
                    "length": (config.length_min, config.length_max),
                    "max_equation_characters": config.max_equation_characters,
                },
            },
        }

    def score_answer(self, answer: str | None, entry: dict[str, Any]) -> float:
        """The reward of an answer; see `DerivationReward`."""
        if not isinstance(answer, str):
            return 0.0
        return self._reward.score(entry["metadata"]["prompt"], answer, entry["answer"])


with suppress(ValueError):  # it is registered if the module is imported again
    register_dataset(NAME, DerivationsDataset, DerivationsConfig)
