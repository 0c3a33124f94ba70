"""The questions that other kits ask a model: those of an export, or new ones from the generator."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from mathderive.api.checking import Checker
from mathderive.api.examples import stream_examples
from mathderive.core.errors import InputError
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.prompts import repeat_prompt
from tfds_builders.export.rows import INSTRUCTION

SEEDS = 2**32
"""Number of seeds of the generator."""


class Question(NamedTuple):
    """A question with a reference derivation.

    Attributes:
        id: its id in the dataset.
        prompt: the bare prompt, which the checker takes.
        reference: one of many right answers.
    """

    id: str
    prompt: str
    reference: str

    def message(self, *, is_bare: bool = False) -> str:
        """The message to a model: the prompt and how to write the answer, or the bare prompt."""
        return self.prompt if is_bare else f"{self.prompt}\n\n{INSTRUCTION}"


def exported_questions(folder: str | Path, split: str) -> Iterator[Question]:
    """Reads a split of an export of the format `jsonl` or `rl`, in order.

    Raises:
        InputError: the folder has no such split, or a row of it has another form.
    """
    paths = sorted((Path(folder) / "data").glob(f"{split}-*.jsonl"))
    if not paths:
        raise InputError(f"{folder}: no data/{split}-*.jsonl; expected an export in the format jsonl or rl")
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield _question(json.loads(line))
                except (ValueError, TypeError, KeyError) as error:
                    raise InputError(
                        f"{path}, line {number}: no question ({error!r}); expected an export in the format jsonl or rl"
                    ) from None


def _question(row: dict[str, Any]) -> Question:
    names = ("question", "answer") if "question" in row else ("prompt", "target")
    texts = [row[name] for name in ("id", *names)]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a column is no text")
    return Question(*texts)


def generated_questions(seed: int, sampling: SamplingSettings | None = None) -> Generator[Question, None, None]:
    """Generates questions one by one, without end; `close` ends the child processes.

    Questions whose repeated prompt is a verified derivation are left out.

    Args:
        seed: any whole number; seeds that differ by a multiple of 2**32 are the same.
    """
    with Checker() as checker, closing(stream_examples(seed % SEEDS, sampling=sampling)) as examples:
        for example in examples:
            if not checker.check(example.prompt, repeat_prompt(example.prompt)).verified:
                yield Question(example.id, example.prompt, example.target)
