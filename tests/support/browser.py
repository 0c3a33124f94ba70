"""A real browser whose pages are watched: the test fails if anything runs, is loaded or is refused unexpectedly."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Frame, Page, Request

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")


@contextmanager
def launched_browser() -> Iterator["Browser"]:
    """A Chromium while the block runs."""
    with sync_api.sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class WatchedPages:
    """Opens pages and collects what they should not do: dialogs, errors, console messages and foreign requests."""

    def __init__(self, browser: "Browser") -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._faults: list[object] = []

    def new_page(
        self,
        is_own: Callable[[str], bool],
        is_harmless: Callable[[str], bool] = lambda message: False,
        address: str | None = None,
        **settings: Any,
    ) -> "Page":
        """Opens an empty page.

        Args:
            is_own: tells the addresses that the page may load.
            is_harmless: tells console messages that are expected.
            address: the only address that a frame may show; null allows every own address.
            settings: settings of the browser's context.
        """
        context = self._browser.new_context(**settings)
        self._contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()

        def on_request(request: "Request") -> None:
            if not request.url.startswith("data:") and not is_own(request.url):
                self._faults.append(request.url)

        def on_navigation(frame: "Frame") -> None:
            if not is_own(frame.url) or (address is not None and frame.url != address):
                self._faults.append(frame.url)

        def on_console(message: "ConsoleMessage") -> None:
            if not is_harmless(message.text):
                self._faults.append(message.text)

        page.on("dialog", lambda dialog: self._faults.append(dialog.message))
        page.on("pageerror", lambda error: self._faults.append(error))
        page.on("request", on_request)
        page.on("framenavigated", on_navigation)
        page.on("console", on_console)
        return page

    def open_file(self, path: Path, width: int, scheme: Literal["light", "dark"]) -> "Page":
        """Opens a page that lies in a file, without a network, with every fold open."""
        page = self.new_page(
            is_own=lambda url: url.startswith("file:"),
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            offline=True,
        )
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        return page

    def close(self) -> None:
        """Closes all pages; fails if hostile text ran (it would set `window.ran`) or anything was collected."""
        for context in self._contexts:
            assert context.pages[0].evaluate("window.ran") is None
            context.close()
        assert not self._faults


@contextmanager
def watched_pages(browser: "Browser") -> Iterator[WatchedPages]:
    """Opens watched pages while the block runs, and checks them at its end."""
    pages = WatchedPages(browser)
    yield pages
    pages.close()
