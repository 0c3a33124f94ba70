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
class Colors:
    """The colours on a light or a dark page; a figure's background is transparent."""

    ink: str
    faint: str
    grid: str
    copy: str
    models: tuple[str, ...]

    def by_name(self) -> dict[str, str]:
        numbered = {f"model-{index}": color for index, color in enumerate(self.models)}
        return {"ink": self.ink, "faint": self.faint, "grid": self.grid, "copy": self.copy} | numbered


COLORS = Colors(
    ink="#1d2430",
    faint="#5b6472",
    grid="#e3e6ea",
    copy="#d5dae1",
    models=("#0b61a4", "#c2410c", "#15803d", "#9333ea", "#b08900", "#0e7490", "#be185d", "#475569"),
)
"""The colours in which figures are drawn: those of a light page."""

DARK = Colors(
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


def style(shape: Shape) -> Any:
    """Returns a context in which figures are made and drawn."""
    import matplotlib

    return matplotlib.rc_context(
        {
            **matplotlib.rcParamsDefault,
            "svg.hashsalt": "mathderive",
            "svg.fonttype": "path",
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "text.color": COLORS.ink,
            "text.parse_math": False,  # a model's name is not a formula
            "axes.edgecolor": COLORS.faint,
            "axes.labelcolor": COLORS.faint,
            "axes.titlecolor": COLORS.ink,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": COLORS.grid,
            "xtick.color": COLORS.faint,
            "xtick.labelsize": 8 if shape.is_narrow else 10,
            "ytick.color": COLORS.faint,
        }
    )


def add_panels(figure: "Figure", count: int, lines: int, columns: int, sharey: bool = False) -> "list[Axes]":
    """Adds panels in lines and columns, line by line, whose last places may stay empty."""
    places = figure.subplots(lines, columns, sharey=sharey, squeeze=False).flatten()
    for unused in places[count:]:
        unused.remove()
    return list(places)


def add_legend(figure: "Figure", panel: "Axes", shape: Shape) -> None:
    """Adds a legend of the panel's marks below all panels."""
    handles, labels = panel.get_legend_handles_labels()
    columns = 1 if shape.is_narrow else min(len(labels), 4) or 1
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def as_svg(figure: "Figure") -> str:
    """Returns the figure as SVG text with a transparent background, whose colours follow a light or a dark page."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    for name, color in COLORS.by_name().items():
        svg = svg.replace(color, f"var(--{name})")
    rules = f"{_rule(COLORS)} @media (prefers-color-scheme: dark) {{{_rule(DARK)}}}"
    return svg.replace("</style>", f"{rules}</style>", 1)


def _rule(colors: Colors) -> str:
    return f":root {{{'; '.join(f'--{name}: {color}' for name, color in colors.by_name().items())}}}"
