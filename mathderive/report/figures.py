"""The pages' figures as SVG text: scores, the metric study, kinds of question, training, differences of two runs."""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from mathderive.metrics.breakdown import BreakdownRow
from mathderive.metrics.comparisons import PairRow
from mathderive.metrics.measures import measures
from mathderive.metrics.metric_study import MetricStudyRow
from mathderive.metrics.registry import text_metrics
from mathderive.metrics.statistics import Estimate
from mathderive.records import EVALUATION_SETS
from mathderive.report.drawing import COLORS, MARKERS, Shape, add_legend, add_panels, as_svg, new_figure, style
from mathderive.report.recorded import RECORDED, RecordedRow
from mathderive.report.score_table import ScoreRow, computed_measures
from mathderive.symbolic.engine.evaluation_sets import SET_LABELS

if TYPE_CHECKING:  # importing matplotlib takes a second
    from matplotlib.axes import Axes


TRAINING_PANELS = (
    ("Loss", (("training", "loss", 1), ("validation", "validation_loss", 1))),
    ("Validation ROUGE-2 × 100", (("validation", "validation_rouge2", 100),)),
    ("Learning rate", (("training", "learning_rate", 1),)),
    ("Gradient norm", (("training", "gradient_norm", 1),)),
    ("Tokens per second", (("training", "tokens_per_second", 1),)),
)
"""Each panel's title, and for each of its curves the name, the key in `metrics.jsonl` and a factor for the values."""

GOAL_MEASURES = ("ends_with_goal", "goal_reached")
"""The measures without a panel in the figure of scores; the table has them."""

BREAKDOWN_MEASURES = ("bleu", "valid_equations", "verified")
"""The measures with a line of panels in the breakdown figure, where they were computed."""

ALL_SETS = "All"
"""The label of all sets together."""

_Estimates = Sequence[Estimate | None]


def score_figure(
    rows: Sequence[ScoreRow], copy_model: str | None, shape: Shape, recorded: Sequence[RecordedRow] = RECORDED
) -> str:
    """Draws means and intervals by set: a panel for each measure, a mark for each model, a bar for copying the prompt.

    Short lines are the means `recorded` by the authors.
    """
    shown = [measure for measure in computed_measures(rows) if measure.key not in GOAL_MEASURES]
    models = [model for model in dict.fromkeys(row.model for row in rows) if model != copy_model]
    means = [mean for row in rows for measure in shown if (mean := row.means[measure.key])]
    lowest = min((100 * (mean.interval or (mean.value,))[0] for mean in means), default=0)  # BLEURT may be negative
    with style(shape):
        lines_when_wide = 1 if len(shown) < 5 else 2
        columns = 2 if shape.is_narrow else max(1, math.ceil(len(shown) / lines_when_wide))
        lines = max(1, math.ceil(len(shown) / columns))
        figure = new_figure(shape, 2.1 * lines + 1.5 if shape.is_narrow else 2.6 * lines + 1.1)
        panels = add_panels(figure, len(shown), lines, columns, sharey=True)
        for panel, measure in zip(panels, shown, strict=False):
            values = {(row.model, row.set): row.means[measure.key] for row in rows}
            copied = [values.get((copy_model or "", name)) for name in EVALUATION_SETS]
            _draw_bars(panel, [100 * mean.value if mean else None for mean in copied])
            by_model = {model: [values.get((model, name)) for name in EVALUATION_SETS] for model in models}
            _draw_recorded(panel, measure.key, recorded)
            _draw_models(panel, by_model, copy_model, scale=100)
            panel.set_title(measure.title, loc="left", fontweight="bold", fontsize=11)
            _label_categories(panel, [SET_LABELS[name] for name in EVALUATION_SETS])
            panel.set_ylim(min(0, lowest), 100)
        panels[0].set_ylabel("mean × 100")
        add_legend(figure, panels[0], shape)
        return as_svg(figure)


def metric_study_figure(rows: Sequence[MetricStudyRow], copy_model: str | None, shape: Shape) -> str:
    """Draws the metric study by set: a column for each metric, a mark for each model, and a line at chance."""
    metrics = [metric for metric in text_metrics() if any(row.metric == metric.key for row in rows)]
    models = _copy_last([row.model for row in rows if row.model is not None], copy_model)
    cells = {(row.model, row.set, row.metric): row for row in rows}
    kinds = (
        ("AUC, verified or not", "verified_auc", 0.5),
        ("ρ, share of valid equations", "valid_equations_correlation", 0),
    )
    with style(shape):
        if shape.is_narrow:  # a line of panels for each metric, and a column for each kind
            figure = new_figure(shape, 1.9 * len(metrics) + 1.2)
            panels = figure.subplots(len(metrics), 2, sharex=True, sharey="col", squeeze=False).T
        else:
            figure = new_figure(shape, 5.6)
            panels = figure.subplots(2, len(metrics), sharex=True, sharey="row", squeeze=False)
        for line, (label, field, chance) in zip(panels, kinds, strict=True):
            line[0].set_ylabel(label)
            for panel, metric in zip(line, metrics, strict=True):
                panel.axhline(chance, color=COLORS.ink, linewidth=1, linestyle="--")
                by_model = {
                    model: [
                        getattr(cells[model, name, metric.key], field) if (model, name, metric.key) in cells else None
                        for name in (*EVALUATION_SETS, None)
                    ]
                    for model in models
                }
                _draw_models(panel, by_model, copy_model)
                _label_categories(panel, [*(SET_LABELS[name] for name in EVALUATION_SETS), ALL_SETS])
                margin = (1 - chance) / 25
                panel.set_ylim(2 * chance - 1 - margin, 1 + margin)
        for panel, metric in zip(panels[0], metrics, strict=True):
            panel.set_title(metric.title, loc="left", fontweight="bold", fontsize=11)
        add_legend(figure, panels[0][0], shape)
        return as_svg(figure)


def breakdown_figure(rows: Sequence[BreakdownRow], copy_model: str | None, shape: Shape) -> str:
    """Draws means and intervals by the reference's length and by its operators; a line for each measure."""
    shown = [
        measure
        for measure in measures()
        if measure.key in BREAKDOWN_MEASURES and any(row.means[measure.key] for row in rows)
    ]
    models = _copy_last([row.model for row in rows], copy_model)
    kinds = [list(dict.fromkeys(row.value for row in rows if row.by == by)) for by in ("equations", "operator")]
    kinds[0].sort()
    cells = {(row.model, row.value): row.means for row in rows}
    with style(shape):
        if shape.is_narrow:  # all panels by equations, then all by operators
            figure = new_figure(shape, 3.6 * len(shown) + 2.4)
            panels = figure.subplots(2 * len(shown), 1, squeeze=False).reshape(2, len(shown)).T
        else:
            figure = new_figure(shape, 2.1 * len(shown) + 1.9)
            # Few equations still need room for their title.
            ratios = [max(len(kinds[0]), len(kinds[1]) / 3, 1), max(len(kinds[1]), len(kinds[0]) / 3, 1)]
            panels = figure.subplots(len(shown), 2, sharex="col", sharey="row", width_ratios=ratios, squeeze=False)
        for line, measure in zip(panels, shown, strict=True):
            for panel in line if shape.is_narrow else line[:1]:
                panel.set_ylabel(f"{measure.title} × 100")
            for panel, values in zip(line, kinds, strict=True):
                by_model = {
                    model: [cells[model, value][measure.key] if (model, value) in cells else None for value in values]
                    for model in models
                }
                _draw_models(panel, by_model, copy_model, scale=100)
                panel.set_ylim(-4, 104)
                _label_categories(panel, [str(value) for value in values])
        panels[0][0].set_title("Equations of the reference", loc="left", fontweight="bold", fontsize=11)
        panels[0][1].set_title("Operators of the reference", loc="left", fontweight="bold", fontsize=11)
        for line in panels[:-1]:
            for panel in line:
                panel.tick_params(axis="x", labelbottom=False)
        panels[-1][1].tick_params(axis="x", labelrotation=90 if shape.is_narrow else 45)
        for label in panels[-1][1].get_xticklabels() if not shape.is_narrow else ():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
        add_legend(figure, panels[0][0], shape)
        return as_svg(figure)


def difference_figure(rows: Mapping[str, Sequence[PairRow]], shape: Shape) -> str:
    """Draws differences of two runs and their intervals by set: a panel for each measure, a line at no difference.

    Args:
        rows: the comparisons of some pairs of predictors, by a name for each pair, which has a mark of its own.
    """
    all_rows = list(chain(*rows.values()))
    shown = [measure for measure in measures() if any(row.comparisons[measure.key] for row in all_rows)]
    names = [name for name in EVALUATION_SETS if any(row.set == name for row in all_rows)]
    with style(shape):
        columns = 2 if shape.is_narrow else 4
        lines = math.ceil(len(shown) / columns)
        figure = new_figure(shape, 2.2 * lines + 0.6)
        panels = add_panels(figure, len(shown), lines, columns, sharey=True)
        for panel, measure in zip(panels, shown, strict=False):
            panel.axhline(0, color=COLORS.ink, linewidth=1, linestyle="--")
            by_pair = {
                pair: {row.set: row.comparisons[measure.key] for row in in_pair} for pair, in_pair in rows.items()
            }
            differences = {
                pair: [found.difference if found else None for found in map(by_set.get, names)]
                for pair, by_set in by_pair.items()
            }
            _draw_models(panel, differences, None, scale=100)
            panel.set_title(measure.title, loc="left", fontweight="bold", fontsize=11)
            _label_categories(panel, [SET_LABELS[name] for name in names])
        for panel in panels[::columns]:
            panel.set_ylabel("difference × 100")
        add_legend(figure, panels[0], shape)
        return as_svg(figure)


def _copy_last(models: Sequence[str], copy_model: str | None) -> list[str]:
    """Returns each model once, the copy baseline last, so that it does not change the looks of the others."""
    return sorted(dict.fromkeys(models), key=lambda model: model == copy_model)


def _draw_models(panel: "Axes", by_model: Mapping[str, _Estimates], copy_model: str | None, scale: float = 1) -> None:
    """Draws a mark for each model's value in each category, side by side, with its interval as a line."""
    for index, (model, estimates) in enumerate(by_model.items()):
        offset = (index - (len(by_model) - 1) / 2) * min(0.2, 0.7 / max(len(by_model), 1))
        color = COLORS.faint if model == copy_model else COLORS.models[index % len(COLORS.models)]
        shown = [(x + offset, estimate) for x, estimate in enumerate(estimates) if estimate is not None]
        panel.plot(
            [x for x, _ in shown],
            [scale * estimate.value for _, estimate in shown],
            marker=MARKERS[index % len(MARKERS)],
            markersize=6,
            color=color,
            linestyle="none",
            label=model,
        )
        for x, estimate in shown:
            if estimate.interval:
                panel.plot([x, x], [scale * end for end in estimate.interval], color=color, linewidth=1.2)


def _draw_bars(panel: "Axes", values: Sequence[float | None]) -> None:
    shown = [(x, y) for x, y in enumerate(values) if y is not None]
    if shown:
        panel.bar(
            [x for x, _ in shown], [y for _, y in shown], width=0.84, color=COLORS.copy, label="copying the prompt"
        )


def _draw_recorded(panel: "Axes", measure: str, recorded: Sequence[RecordedRow]) -> None:
    """Draws a short line for each mean that the authors recorded, side by side in the order of the legend."""
    for place, row in enumerate(recorded):
        means = [(x, row.mean(measure, name)) for x, name in enumerate(EVALUATION_SETS)]
        offset = 0.2 * (place - (len(recorded) - 1) / 2)
        shown = [(x + offset, 100 * mean) for x, mean in means if mean is not None]
        if shown:
            panel.hlines(
                [y for _, y in shown],
                [x - 0.1 for x, _ in shown],
                [x + 0.1 for x, _ in shown],
                color=COLORS.models[-1 - place],  # the models' colours are taken from the beginning
                linewidth=2,
                label=f"{row.model}, recorded",
            )


def _label_categories(panel: "Axes", labels: Sequence[str]) -> None:
    panel.set_xticks(range(len(labels)), labels)
    panel.set_xlim(-0.6, len(labels) - 0.4)
    panel.grid(axis="x", visible=False)


def training_figure(rows: Sequence[Mapping[str, Any]], shape: Shape) -> str | None:
    """Draws the curves of `TRAINING_PANELS` that some row has; None where no row has any of them.

    Args:
        rows: the rows of a `metrics.jsonl`, each with `step` and some of the keys.
    """
    panels = _training_panels(rows)
    if not panels:
        return None
    columns = 1 if shape.is_narrow else min(3, len(panels))
    lines = -(-len(panels) // columns)
    with style(shape):
        figure = new_figure(shape, (2.1 if shape.is_narrow else 2.8) * lines)
        axes = add_panels(figure, len(panels), lines, columns)
        for axis, (title, curves) in zip(axes, panels, strict=False):
            for name, points in curves:
                validated = name == "validation"
                axis.plot(
                    *zip(*points, strict=True),
                    color=COLORS.models[0] if validated else COLORS.faint,
                    marker="o" if validated else None,
                    markersize=4,
                    label=name,
                )
            axis.set_title(title, loc="left", fontweight="bold", fontsize=11)
            axis.set_xlabel("step")
            axis.set_ylim(bottom=0)
            if len(curves) > 1:
                axis.legend(frameon=False)
        return as_svg(figure)


def training_summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """Describes the training figure in words: the first and the last value of each curve."""
    parts = [
        f"{title}{f', {name}' if len(curves) > 1 else ''}: {points[0][1]:.4g} at step {points[0][0]:.0f}, "
        f"{points[-1][1]:.4g} at step {points[-1][0]:.0f}"
        for title, curves in _training_panels(rows)
        for name, points in curves
    ]
    return f"Curves by step. {'. '.join(parts)}."


_Points = list[tuple[float, float]]


def _training_panels(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, _Points]]]]:
    """Returns the title and the named curves of each panel that has any."""
    panels = [
        (title, [(name, _series(rows, key, factor)) for name, key, factor in curves])
        for title, curves in TRAINING_PANELS
    ]
    kept = [(title, [(name, points) for name, points in curves if points]) for title, curves in panels]
    return [(title, curves) for title, curves in kept if curves]


def _series(rows: Sequence[Mapping[str, Any]], key: str, factor: float) -> _Points:
    """Returns a key's finite values by step, times `factor`; a run that diverged has others as well."""
    points = [(row.get("step"), row.get(key)) for row in rows]
    return [
        (float(step), factor * float(value))
        for step, value in points
        if isinstance(step, int | float) and isinstance(value, int | float) and math.isfinite(value)
    ]
