"""The pages' templates: their environment, their filters, and the parts that every page has."""

import base64
import hashlib
from collections.abc import Callable
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from mathderive.metrics.registry import text_metrics
from mathderive.report.drawing import NARROW, WIDE, Shape
from mathderive.report.numbers import percent, split_interval
from mathderive.report.plain import visible
from mathderive.report.typeset import split_formulas, typeset
from mathderive.report.verdict_signs import OUTCOMES, SIGNS

FONT = "mathderive-math.woff2"
"""The font of formulas, by which `house.css` names it; see `fonts/README.md`."""


def render_page(template: str, title: str, script: str = "", **values: Any) -> str:
    """Renders a self-contained page. All text is escaped, and invisible characters are shown as their numbers.

    Args:
        template: a file of this package that extends `base.html`.
        script: the only script that the page's security policy allows; empty for a page without any.
        values: the template's variables.
    """
    font = data_uri("font/woff2", resources.files(__package__).joinpath("fonts", FONT).read_bytes())
    styles = [Markup(read_text(f"{name}.css").replace(FONT, font)) for name in ("house", "report", "explorer")]
    page = _environment().get_template(template)
    return page.render(title=title, script=Markup(script), styles=styles, **values)


def read_text(name: str) -> str:
    """Returns a file of this package."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def data_uri(kind: str, content: bytes) -> str:
    """Returns an address that holds a file of this media type itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def duration(seconds: float) -> str:
    """Formats a time in whole seconds, such as `8 s`, `12 min 05 s` or `3 h 20 min 00 s`, so that a column aligns."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s" if rest else "< 1 s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min {rest:02} s" if hours else f"{minutes} min {rest:02} s"


def drawn_figure(draw: Callable[[Shape], str | None]) -> list[str]:
    """Draws a figure for wide pages and for narrow ones; returns nothing without data."""
    figures = [draw(shape) for shape in (WIDE, NARROW)]
    return [data_uri("image/svg+xml", figure.encode()) for figure in figures if figure is not None]


def inline_formula(latex: str) -> Markup | str:
    """Returns a formula within a line: typeset, or as it was written."""
    formula = typeset(latex)
    return visible(latex) if formula is None else Markup(str(formula).replace('display="block"', 'display="inline"', 1))


def digest(script: str) -> str:
    """Returns a script's digest as a security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(read_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    filters = (percent, duration, split_interval, split_formulas, inline_formula, digest)
    environment.filters.update({function.__name__: function for function in filters})
    environment.globals.update(text_metrics=text_metrics, outcomes=OUTCOMES, signs=SIGNS)
    return environment


def _finalized(value: object) -> object:
    # Markup, a subclass of str, is text that this package made itself; it passes unchanged.
    return visible(value) if type(value) is str else value
