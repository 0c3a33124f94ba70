"""The table of self-training: the figures of every round, beside its control."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mathderive.report.numbers import percent
from mathderive.report.text_tables import TextTable

SELF_TRAINING_KEY = (
    "Samples: answers to training prompts, and how many of them are verified. Solved: prompts with a verified answer. "
    "Kept: prompts with a verified answer that states every requested equation and has no irrelevant or redundant "
    "step. Distinct: the shortest kept answers of these prompts that differ by more than names and are not held out. "
    "Examples: distinct answers and original examples that the round trains on. Before and after: percent of held-out "
    "prompts to which the greedy answer is verified. Control: the same after as many steps on original examples alone."
)


@dataclass(frozen=True)
class SelfTrainingRow:
    """A round's figures.

    Attributes:
        round: its number, from 1.
        prompts, samples, tokens: how much was sampled.
        verified: the number of verified samples.
        solved, kept, distinct: numbers of prompts; `SELF_TRAINING_KEY` explains them.
        examples, steps: how much was trained on.
        validation_prompts: the number of held-out prompts.
        verified_before, verified_after: the number of verified greedy answers to them.
        verified_control: the same for the control; None where there is none.
    """

    round: int
    prompts: int
    samples: int
    tokens: int
    verified: int
    solved: int
    kept: int
    distinct: int
    examples: int
    steps: int
    validation_prompts: int
    verified_before: int
    verified_after: int
    verified_control: int | None


def self_training_as_json(rows: Sequence[SelfTrainingRow]) -> dict[str, Any]:
    """Returns the rounds' part of `tables.json`, which is empty without rounds."""
    return {"self_training": [asdict(row) for row in rows]} if rows else {}


def self_training_as_markdown(rows: Sequence[SelfTrainingRow]) -> str:
    """Returns the rounds' part of `tables.md`, which is empty without rounds."""
    return f"\n{self_training_table(rows).markdown(level=2)}\n" if rows else ""


def self_training_table(rows: Sequence[SelfTrainingRow]) -> TextTable:
    """Lays out a row for each round."""

    def share(row: SelfTrainingRow, verified: int | None) -> str:
        return percent(None if verified is None else verified / row.validation_prompts)

    head = ["Round", "Prompts", "Samples", "Tokens", "Verified", "Solved", "Kept", "Distinct", "Examples", "Steps"]
    lines = [
        [
            *map(str, (row.round, row.prompts, row.samples, row.tokens, row.verified, row.solved, row.kept)),
            *map(str, (row.distinct, row.examples, row.steps)),
            *(share(row, count) for count in (row.verified_before, row.verified_after, row.verified_control)),
        ]
        for row in rows
    ]
    return TextTable("Self-training", SELF_TRAINING_KEY, [*head, "Before", "After", "Control"], lines, labels=1)
