"""The style of the report's figures, and their SVG text.

The same drawing always gives the same text. It has no time stamps, random ids or fonts of the machine: glyphs are drawn
as outlines of the font that comes with matplotlib.
"""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # importing matplotlib takes a second
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """The colours for a light or a dark page; a figure's background is transparent."""

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

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "p")


@dataclass(frozen=True)
class Shape:
    """The width of a page in inches; a narrow one shows a figure's panels below one another."""

    width: float
    is_narrow: bool


WIDE = Shape(10.4, is_narrow=False)
NARROW = Shape(4.4, is_narrow=True)


def new_figure(shape: Shape, height: float) -> "Figure":
    """Makes an empty figure; the height is in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(shape.width, height), layout="constrained")


def style(theme: Theme, shape: Shape) -> Any:
    """Returns a context in which figures are made and drawn."""
    import matplotlib

    return matplotlib.rc_context(
        {
            **matplotlib.rcParamsDefault,
            "svg.hashsalt": "mathderive",
            "svg.fonttype": "path",
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "text.color": theme.ink,
            "text.parse_math": False,  # a model's name is not a formula
            "axes.edgecolor": theme.faint,
            "axes.labelcolor": theme.faint,
            "axes.titlecolor": theme.ink,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": theme.grid,
            "xtick.color": theme.faint,
            "xtick.labelsize": 8 if shape.is_narrow else 10,
            "ytick.color": theme.faint,
        }
    )


def add_legend(figure: "Figure", panel: "Axes", shape: Shape) -> None:
    """Adds a legend of the panel's marks below all panels."""
    handles, labels = panel.get_legend_handles_labels()
    columns = 1 if shape.is_narrow else min(len(labels), 4) or 1
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def as_svg(figure: "Figure") -> str:
    """Returns the figure as SVG text with a transparent background."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return stream.getvalue()
