"""The server's page in a browser: opens it, asks questions on it, and answers them in place of a model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tests.support.browser import expect, watched_pages
from tests.support.served import KEY, Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

expect.set_options(timeout=60_000)  # a first question may need compilation, perhaps beside other tests

CHAT, TYPESET = "**/v1/chat/completions", "**/typeset"
PREMISE, GOAL = r"x = \sin{(p)}", r"p + x = p + \sin{(p)}"
LOOKS: list[tuple[int, Literal["light", "dark"]]] = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
"""Widths in pixels, and colour schemes."""
LOADING = "Failed to load resource"
HOSTILE = [
    "</script><script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    r"\href{javascript:window.ran=1}{x} = 1",
    r"\text{<svg onload=window.ran=1>} = 2",
]


class OpenPage(Protocol):
    def __call__(
        self, served: Served, width: int = 1280, key: str | None = KEY, keep_console: bool = True
    ) -> "Page": ...


@contextmanager
def opened_pages(browser: "Browser") -> Iterator[OpenPage]:
    """Opens a server's page; at the end, nothing else has run, been loaded or been refused."""
    with watched_pages(browser) as pages:

        def open_page(served: Served, width: int = 1280, key: str | None = KEY, keep_console: bool = True) -> "Page":
            # The console reports violations of the page's policy, and answers of 4xx, which tests cause.
            page = pages.new_page(
                is_own=lambda url: url.startswith(f"{served.url}/"),
                address=f"{served.url}/",
                is_harmless=lambda message: message.startswith(LOADING) or not keep_console,
                viewport={"width": width, "height": 800},
            )
            page.goto(f"{served.url}/")
            expect(page.locator("#failure")).to_have_text("This server asks for an API key.")
            if key:
                page.fill("#key", key)
                page.locator("#key").blur()
                expect(page.locator("#model")).to_contain_text("·")
            return page

        yield open_page


def ask(page: "Page", premises: str = PREMISE, goal: str = GOAL) -> None:
    page.fill("#premises", premises)
    page.fill("#goal", goal)
    page.click("#start")


def answered(*pieces: str, finish_reason: str = "stop") -> dict[str, str]:
    """The response that streams an answer in these pieces."""
    choices: list[dict[str, Any]] = [{"delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    chunks: list[dict[str, Any]] = [
        {"choices": [choice]} for choice in [*choices, {"delta": {}, "finish_reason": finish_reason}]
    ]
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}}
    events = [json.dumps(chunk, ensure_ascii=False) for chunk in [*chunks, usage]]
    return {"content_type": "text/event-stream", "body": "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])}


def answer_with(page: "Page", **answer: Any) -> None:
    """Answers the page's questions instead of the server; without an answer, cuts the connection."""

    def respond(route: "Route") -> None:
        if answer:
            route.fulfill(**answer)
        else:
            route.abort()

    page.unroute(CHAT)
    page.route(CHAT, respond)


def look_at(page: "Page", width: int, scheme: Literal["light", "dark"]) -> None:
    """Shows the page with this width and these colours."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)


def steps(page: "Page") -> list[str]:
    """The text of each step as the model wrote it."""
    return page.locator(".step > .latex").all_text_contents()
