"""The report's figures as SVG text. The same rows give the same text: no time stamps, no random ids, no fonts
of the machine (glyphs are drawn as outlines of the font that matplotlib brings along).
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mathderive.records import EVALUATION_SETS
from mathderive.report.tables import METRIC_NAMES, SET_LABELS, ScoreRow, computed_metrics

if TYPE_CHECKING:  # importing matplotlib takes a second
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours on a light or a dark page; the figure's ground stays transparent."""

    ink: str
    faint: str
    grid: str
    copy: str
    models: tuple[str, ...]


LIGHT = Theme(
    ink="#1d2430",
    faint="#5b6472",
    grid="#e3e6ea",
    copy="#d5dae1",
    models=("#0b61a4", "#c2410c", "#15803d", "#9333ea", "#b08900", "#0e7490", "#be185d", "#475569"),
)
DARK = Theme(
    ink="#e8eaee",
    faint="#a3acb9",
    grid="#2c333d",
    copy="#3a434f",
    models=("#6cb6ff", "#ff9d5c", "#5fd38d", "#c79bff", "#f2cc60", "#56d4dd", "#ff8fc0", "#a9b4c2"),
)
_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "p")


def score_figure(rows: Sequence[ScoreRow], copy_model: str | None, theme: Theme) -> str:
    """Mean scores by set: a panel a metric, a mark a model, and a bar where copying the prompt ends."""
    metrics = computed_metrics(rows)
    models = [model for model in dict.fromkeys(row.model for row in rows) if model != copy_model]
    with _style(theme):
        figure = _figure(10.4, 3.7)
        panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for panel, metric in zip(panels, metrics, strict=True):
            values = {(row.model, row.set): row.means[metric] for row in rows}
            _draw_bars(panel, [values.get((copy_model or "", name)) for name in EVALUATION_SETS], theme)
            for index, model in enumerate(models):
                offset = (index - (len(models) - 1) / 2) * min(0.2, 0.7 / max(len(models), 1))
                points = [(x, values.get((model, name))) for x, name in enumerate(EVALUATION_SETS)]
                shown = [(x + offset, 100 * y) for x, y in points if y is not None]
                panel.plot(
                    [x for x, _ in shown],
                    [y for _, y in shown],
                    linestyle="none",
                    marker=_MARKERS[index % len(_MARKERS)],
                    color=theme.models[index % len(theme.models)],
                    markersize=6.5,
                    label=model,
                )
            panel.set_title(METRIC_NAMES[metric], loc="left", fontweight="bold", fontsize=11)
            panel.set_xticks(range(len(EVALUATION_SETS)), [SET_LABELS[name] for name in EVALUATION_SETS])
            panel.set_xlim(-0.6, len(EVALUATION_SETS) - 0.4)
            panel.set_ylim(0, 100)
            panel.grid(axis="x", visible=False)
        panels[0].set_ylabel("mean score × 100")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4) or 1, frameon=False)
        return _svg(figure)


def _draw_bars(panel: "Axes", values: Sequence[float | None], theme: Theme) -> None:
    shown = [(x, 100 * y) for x, y in enumerate(values) if y is not None]
    if shown:
        panel.bar(
            [x for x, _ in shown],
            [y for _, y in shown],
            width=0.84,
            color=theme.copy,
            label="copying the prompt",
        )


def training_figure(rows: Sequence[Mapping[str, Any]], theme: Theme) -> str | None:
    """Losses and validation ROUGE-2 by step, or None where no row has any of them.

    Args:
        rows: of a `metrics.jsonl`, each with `step` and some of `loss`, `validation_loss` and
            `validation_rouge2` (between 0 and 1).
    """
    loss, validation_loss = _series(rows, "loss"), _series(rows, "validation_loss")
    rouge2 = [(step, 100 * value) for step, value in _series(rows, "validation_rouge2")]
    panels = [
        (label, series)
        for label, series in (
            ("Loss", [("training", loss), ("validation", validation_loss)]),
            ("Validation ROUGE-2 × 100", [("validation", rouge2)]),
        )
        if any(points for _, points in series)
    ]
    if not panels:
        return None
    colours = {"training": theme.faint, "validation": theme.models[0]}
    with _style(theme):
        figure = _figure(10.4, 3.0)
        for panel, (label, series) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            for name, points in series:
                if points:
                    steps, values = zip(*points, strict=True)
                    marker = "o" if name == "validation" else None
                    panel.plot(steps, values, color=colours[name], marker=marker, markersize=4, label=name)
            panel.set_title(label, loc="left", fontweight="bold", fontsize=11)
            panel.set_xlabel("step")
            panel.set_ylim(bottom=0)
            if len([points for _, points in series if points]) > 1:
                panel.legend(frameon=False)
        return _svg(figure)


def _series(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """The finite values of a key by step; a run that diverged has others."""
    points = [(row.get("step"), row.get(key)) for row in rows]
    return [
        (float(step), float(value))
        for step, value in points
        if isinstance(step, int | float) and isinstance(value, int | float) and math.isfinite(value)
    ]


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _style(theme: Theme) -> Any:
    import matplotlib

    return matplotlib.rc_context(
        {
            **matplotlib.rcParamsDefault,
            "svg.hashsalt": "mathderive",
            "svg.fonttype": "path",
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "text.color": theme.ink,
            "text.parse_math": False,  # a model's name is no formula
            "axes.edgecolor": theme.faint,
            "axes.labelcolor": theme.faint,
            "axes.titlecolor": theme.ink,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": theme.grid,
            "xtick.color": theme.faint,
            "ytick.color": theme.faint,
        }
    )


def _svg(figure: "Figure") -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return stream.getvalue()
