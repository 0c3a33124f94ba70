"""Serves the page at `/`, where a reader asks a question and watches the derivation appear.

The page consists of static files and loads nothing from other servers.
"""

from importlib import resources

from fastapi import FastAPI
from fastapi.responses import Response

from mathderive.report.verdict_signs import elements_script

_FILES = {
    "/": ("mathderive.serving", "page.html", "text/html"),
    "/house.css": ("mathderive.report", "house.css", "text/css"),
    "/page.css": ("mathderive.serving", "page.css", "text/css"),
    "/client.js": ("mathderive.serving", "client.js", "text/javascript"),
    "/page.js": ("mathderive.serving", "page.js", "text/javascript"),
    "/examples.json": ("mathderive.serving", "examples.json", "application/json"),
}
"""The page's static files by path: package, name and kind. Files that the run report uses too are in its package."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
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
    for path, (content, kind) in contents.items():

        def file(content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=kind, headers=_HEADERS)

        app.add_api_route(path, file, include_in_schema=False)
