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
TRAINING_PANELS = (
    ("Loss", (("training", "loss", 1), ("validation", "validation_loss", 1))),
    ("Validation ROUGE-2 × 100", (("validation", "validation_rouge2", 100),)),
    ("Learning rate", (("training", "learning_rate", 1),)),
    ("Gradient norm", (("training", "gradient_norm", 1),)),
    ("Tokens per second", (("training", "tokens_per_second", 1),)),
)
"""Title, and for each curve its name, its key in `metrics.jsonl` and what its values are multiplied by."""

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
    """Curves by step, a panel each, of what `TRAINING_PANELS` lists and a row has; None where no row has any of it.

    Args:
        rows: of a `metrics.jsonl`, each with `step` and some of the keys.
    """
    panels = _training_panels(rows)
    if not panels:
        return None
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    with _style(theme):
        figure = _figure(10.4, 2.8 * lines)
        axes = figure.subplots(lines, columns, squeeze=False).flatten()
        for unused in axes[len(panels) :]:
            unused.remove()
        for axis, (title, curves) in zip(axes, panels, strict=False):
            for name, points in curves:
                validated = name == "validation"
                axis.plot(
                    *zip(*points, strict=True),
                    color=theme.models[0] if validated else theme.faint,
                    marker="o" if validated else None,
                    markersize=4,
                    label=name,
                )
            axis.set_title(title, loc="left", fontweight="bold", fontsize=11)
            axis.set_xlabel("step")
            axis.set_ylim(bottom=0)
            if len(curves) > 1:
                axis.legend(frameon=False)
        return _svg(figure)


def training_summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the training figure shows, in words: where each curve begins and ends."""
    parts = [
        f"{title}{f', {name}' if len(curves) > 1 else ''}: {points[0][1]:.4g} at step {points[0][0]:.0f}, "
        f"{points[-1][1]:.4g} at step {points[-1][0]:.0f}"
        for title, curves in _training_panels(rows)
        for name, points in curves
    ]
    return f"Curves by step. {'. '.join(parts)}."


_Points = list[tuple[float, float]]


def _training_panels(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, _Points]]]]:
    """Title and curves, by name, of each panel that has any."""
    panels = [
        (title, [(name, _series(rows, key, factor)) for name, key, factor in curves])
        for title, curves in TRAINING_PANELS
    ]
    kept = [(title, [(name, points) for name, points in curves if points]) for title, curves in panels]
    return [(title, curves) for title, curves in kept if curves]


def _series(rows: Sequence[Mapping[str, Any]], key: str, factor: float) -> _Points:
    """The finite values of a key by step, times `factor`; a run that diverged has others."""
    points = [(row.get("step"), row.get(key)) for row in rows]
    return [
        (float(step), factor * float(value))
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
