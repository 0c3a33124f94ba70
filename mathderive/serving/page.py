"""Serves the page at `/`, where a reader asks a question and watches the derivation appear.

The page consists of static files and loads nothing from other servers.
"""

from importlib import resources

from fastapi import FastAPI
from fastapi.responses import Response

_FILES = {
    "/": ("mathderive.serving", "page.html", "text/html"),
    "/house.css": ("mathderive.report", "house.css", "text/css"),
    "/page.css": ("mathderive.serving", "page.css", "text/css"),
    "/elements.js": ("mathderive.report", "elements.js", "text/javascript"),
    "/client.js": ("mathderive.serving", "client.js", "text/javascript"),
    "/page.js": ("mathderive.serving", "page.js", "text/javascript"),
    "/examples.json": ("mathderive.serving", "examples.json", "application/json"),
}
"""Package, file name and media type by path. Files that the run report uses too are in its package."""

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
    for path, (package, name, kind) in _FILES.items():
        content = resources.files(package).joinpath(name).read_bytes()

        def file(content: bytes = content, kind: str = kind) -> Response:
            return Response(content, media_type=kind, headers=_HEADERS)

        app.add_api_route(path, file, include_in_schema=False)
