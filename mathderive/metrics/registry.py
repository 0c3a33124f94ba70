"""The registry of text metrics. Everything that scores, compares or shows metrics asks it.

An extension registers a metric with `register_metric`; docs/extending.md shows how. The built-in metrics are registered
below in the same way. BLEURT is the one special case: its weights come from a checkpoint and its scores in batches, so
its entry has no function and the score stage computes it (see `mathderive.metrics.bleurt`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from mathderive.core.errors import InputError
from mathderive.metrics.text import MAX_CHARACTERS, bleu, gleu, rouge2
from mathderive.records import BUILT_IN_METRICS, Score, Sensitivity

CHECKPOINT_METRIC = "bleurt"
"""The key of the metric that a checkpoint computes."""

RESERVED_KEYS = {
    *("goal_reached", "valid_equations", "sound", "verified", "examples", "pairs", "intervals"),
    *Score.model_fields,
    *Sensitivity.model_fields,
}.difference(BUILT_IN_METRICS)
"""Keys that a metric must not have: they name other parts of the same records and of `tables.json`."""


@dataclass(frozen=True)
class TextMetric:
    """One text metric.

    Attributes:
        key: a Python identifier, which names the metric in records and in `tables.json`.
        title: the metric's name in tables, figures and on the page.
        score: returns the score of a prediction against its reference: a finite number, higher for better predictions
            and between 0 and 1, since the report shows scores times 100. None for BLEURT alone.
        description: a sentence that the report prints below its table of scores; may be empty.
        sensitivity: whether the metric's sensitivity to perturbations is computed as well.
    """

    key: str
    title: str
    score: Callable[[str, str], float] | None
    description: str = ""
    sensitivity: bool = True

    def __call__(self, prediction: str, reference: str) -> float:
        """Scores one pair; both texts are cut at `MAX_CHARACTERS` first.

        Raises:
            InputError: the metric returned no finite number.
        """
        assert self.score is not None, f"{self.key} is computed by a checkpoint"
        value = self.score(prediction[:MAX_CHARACTERS], reference[:MAX_CHARACTERS])
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"metric {self.key}: returned {value!r}; expected a finite number")
        return float(value)


_METRICS: dict[str, TextMetric] = {}


def register_metric(metric: TextMetric) -> None:
    """Adds a text metric. Tables and figures show metrics in the order in which they were registered.

    Raises:
        InputError: the key is taken, reserved or no identifier, or the entry lacks its title or its function.
    """
    if not metric.key.isidentifier():
        raise InputError(f"metric {metric.key!r}: expected a key that is a Python identifier, such as character_f1")
    if metric.key in _METRICS:
        raise InputError(f"metric {metric.key}: registered twice; expected a key of its own")
    if metric.key in RESERVED_KEYS:
        raise InputError(f"metric {metric.key}: this key is reserved; expected another one")
    if not metric.title.strip():
        raise InputError(f"metric {metric.key}: has no title; expected the name that tables show")
    if not callable(metric.score) and metric.key != CHECKPOINT_METRIC:
        raise InputError(f"metric {metric.key}: has no function; expected one of a prediction and its reference")
    _METRICS[metric.key] = metric


def text_metrics() -> tuple[TextMetric, ...]:
    """Returns all registered metrics in order, the built-in ones first."""
    return tuple(_METRICS.values())


def computed_metrics() -> tuple[TextMetric, ...]:
    """Returns the metrics that have a function: all but BLEURT."""
    return tuple(metric for metric in text_metrics() if metric.score is not None)


for _built_in in (
    TextMetric("rouge2", "ROUGE-2", rouge2),
    TextMetric("bleu", "BLEU", bleu),
    TextMetric("gleu", "GLEU", gleu),
    TextMetric(CHECKPOINT_METRIC, "BLEURT", None),
):
    register_metric(_built_in)
