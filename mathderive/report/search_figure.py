"""The figure of verified@n: by set, against the number of answers and against seconds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mathderive.metrics.verified_at import VerifiedRow
from mathderive.records import EVALUATION_SETS
from mathderive.report.drawing import COLORS, MARKERS, Shape, add_legend, as_svg, new_figure, style
from mathderive.symbolic.engine.evaluation_sets import SET_LABELS

if TYPE_CHECKING:  # importing matplotlib takes a second
    from matplotlib.axes import Axes


def search_figure(rows: Sequence[VerifiedRow], shape: Shape) -> str:
    """Draws a column of panels for each set: above against answers, below against mean seconds per question.

    A star marks the greedy answer; lower bounds are left out.
    """
    models = list(dict.fromkeys(row.model for row in rows))
    sets = [name for name in EVALUATION_SETS if any(row.set == name for row in rows)]
    with style(shape):
        if shape.is_narrow:  # a line of panels for each set
            figure = new_figure(shape, 1.9 * len(sets) + 1.6)
            panels = figure.subplots(len(sets), 2, sharey=True, sharex="col", squeeze=False).T
        else:
            figure = new_figure(shape, 5.4)
            panels = figure.subplots(2, len(sets), sharey=True, sharex="row", squeeze=False)
        for column, name in enumerate(sets):
            for row in rows:
                if row.set == name:
                    _draw_row(panels[0][column], row, models.index(row.model), by_seconds=False)
                    _draw_row(panels[1][column], row, models.index(row.model), by_seconds=True)
            panels[0][column].set_title(SET_LABELS[name], loc="left", fontweight="bold", fontsize=11)
            panels[0][column].set_xlabel("answers")
            panels[1][column].set_xlabel("seconds")
        for line in panels:
            line[0].set_ylabel("verified, %")
            line[0].set_ylim(-4, 104)
        panels[0][0].set_xscale("log", base=2)
        panels[1][0].set_xscale("log")
        for panel in panels[0]:
            panel.xaxis.set_major_formatter("{x:.0f}")
        for panel in panels[1]:
            panel.xaxis.set_major_formatter("{x:g}")
        add_legend(figure, panels[0][0], shape)
        return as_svg(figure)


def _draw_row(panel: "Axes", row: VerifiedRow, index: int, by_seconds: bool) -> None:
    color = COLORS.models[index % len(COLORS.models)]
    shown = [
        (point.seconds if by_seconds else point.n, 100 * point.share.value)
        for point in row.points
        if point.share and point.is_exact
    ]
    if not shown:
        return
    panel.plot(
        *zip(*shown, strict=True),
        color=color,
        marker=MARKERS[index % len(MARKERS)],
        markersize=4,
        linestyle="-" if row.includes_greedy else ":",
        label=row.model if row.includes_greedy else f"{row.model}, samples alone",
    )
    if row.includes_greedy:  # the first of the answers
        panel.plot(*shown[0], color=color, marker="*", markersize=12, linestyle="none", label=f"{row.model}, greedy")
