"""The page at `/`: choose or type a question, watch the derivation appear. Static files, and nothing from elsewhere."""

from importlib import resources

from fastapi import FastAPI
from fastapi.responses import Response

_FILES = {
    "/": ("mathderive.serving", "page.html", "text/html"),
    "/house.css": ("mathderive.report", "house.css", "text/css"),
    "/page.css": ("mathderive.serving", "page.css", "text/css"),
    "/elements.js": ("mathderive.report", "elements.js", "text/javascript"),
    "/page.js": ("mathderive.serving", "page.js", "text/javascript"),
    "/examples.json": ("mathderive.serving", "examples.json", "application/json"),
}
"""By path: package, name and kind. What the page has in common with the run report is kept there."""

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
