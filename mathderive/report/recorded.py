"""The means that Meadows et al. (2024) recorded over their examples, which the page shows beside ours.

They come from the authors' result files; those of LLaMA come from their notebook, where another run of the same epoch
differs by up to 0.5. BLEURT is `bleurt-large-512`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mathderive.records import EvaluationSet
from mathderive.symbolic.engine.evaluation_sets import PAPER_SETS

RECORDED_EXAMPLES = 100
"""The number of the authors' examples in each set."""


@dataclass(frozen=True)
class RecordedRow:
    """A model's means in hundredths by the measure's key, in the order of the sets.

    A measure that was not recorded is missing.
    """

    model: str
    means: Mapping[str, tuple[float, ...]]

    def mean(self, measure: str, name: EvaluationSet) -> float | None:
        """Returns a mean between 0 and 1; None where it was not recorded."""
        values = self.means.get(measure)
        return None if values is None or name not in PAPER_SETS else values[PAPER_SETS.index(name)] / 100


RECORDED: Sequence[RecordedRow] = (
    RecordedRow(
        "FLAN-T5-large (MathT5)",
        {
            "rouge2": (91.2, 85.1, 87.9, 90.3, 80.7),
            "bleu": (86.1, 79.8, 83.1, 84.8, 72.3),
            "gleu": (87.2, 80.6, 83.8, 86.2, 75.0),
            "bleurt": (72.9, 71.1, 70.5, 71.4, 61.0),
        },
    ),
    RecordedRow(
        "GPT-4",
        {
            "rouge2": (82.8, 81.6, 80.9, 82.1, 75.6),
            "bleu": (72.2, 71.1, 68.3, 70.4, 61.7),
            "gleu": (75.6, 74.3, 72.3, 74.3, 67.2),
            "bleurt": (62.9, 64.1, 61.3, 61.8, 50.4),
        },
    ),
    RecordedRow(
        "GPT-3.5",
        {
            "rouge2": (80.3, 78.7, 78.8, 80.6, 73.3),
            "bleu": (70.8, 70.3, 70.7, 71.4, 64.2),
            "gleu": (73.5, 72.8, 72.9, 74.3, 67.7),
            "bleurt": (63.1, 64.0, 62.1, 61.8, 50.9),
        },
    ),
    RecordedRow(
        "LLaMA-3.1-8B, QLoRA",
        {
            "rouge2": (91.4, 91.9, 85.1, 91.3, 81.0),
            "bleu": (87.5, 88.0, 78.6, 87.0, 72.6),
            "gleu": (88.2, 88.7, 79.5, 87.9, 74.8),
        },
    ),
)
