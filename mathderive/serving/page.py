"""Serves the page at `/`, where a reader asks a question and watches the derivation appear.

The page consists of static files and loads nothing from other servers.
"""

import json
from importlib import resources
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response

from mathderive.report.plain import KEPT, UNSEEN
from mathderive.report.verdict_signs import OUTCOMES, elements_script, javascript_constants
from mathderive.serving import typesetting
from mathderive.symbolic.prompts import SEPARATOR, split_prompt

_FILES = {
    "/": ("mathderive.serving", "page.html", "text/html"),
    "/house.css": ("mathderive.report", "house.css", "text/css"),
    "/page.css": ("mathderive.serving", "page.css", "text/css"),
    "/mathderive-math.woff2": ("mathderive.report", "fonts/mathderive-math.woff2", "font/woff2"),
    "/client.js": ("mathderive.serving", "client.js", "text/javascript"),
    "/formulas.js": ("mathderive.serving", "formulas.js", "text/javascript"),
    "/question.js": ("mathderive.serving", "question.js", "text/javascript"),
    "/page.js": ("mathderive.serving", "page.js", "text/javascript"),
}
"""The page's static files by path: package, name and kind. Files that the run report uses too are in its package."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; font-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_page(app: FastAPI) -> None:
    """Adds the page's files to the application."""
    contents = {
        path: (resources.files(package).joinpath(name).read_bytes(), kind)
        for path, (package, name, kind) in _FILES.items()
    }
    contents["/elements.js"] = elements_script().encode(), "text/javascript"
    contents["/constants.js"] = constants_script().encode(), "text/javascript"
    contents["/examples.json"] = json.dumps(load_examples()).encode(), "application/json"
    for path, (content, kind) in contents.items():

        def file(content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=kind, headers=_HEADERS)

        app.add_api_route(path, file, include_in_schema=False)


def constants_script() -> str:
    """Returns the module `constants.js`: facts that the page's scripts share with the package."""
    return javascript_constants(
        "export const",
        SEPARATOR=SEPARATOR,
        OUTCOMES={name: OUTCOMES[name] for name in ("verified", "goalReached")},
        UNSEEN=UNSEEN,
        KEPT=KEPT,
        LONGEST_FORMULA=typesetting.LONGEST_FORMULA,
        MOST_SENTENCES=typesetting.MOST_SENTENCES,
    )


def load_examples() -> list[dict[str, Any]]:
    """Loads the page's examples: each has a name, its prompt, and the prompt's equations."""
    text = resources.files(__package__).joinpath("examples.json").read_text(encoding="utf-8")
    return [{**example, **split_prompt(example["prompt"])._asdict()} for example in json.loads(text)]
