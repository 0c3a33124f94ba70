"""The page of two runs: inert with hostile names and answers, and in a real browser wide and narrow."""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mathderive.report.comparison_page import write_comparison
from mathderive.report.run_comparison import LISTED, ComparedRun, Pair, RunComparison, plain_comparison
from tests.report.test_layout import LOOKS, OVERFLOWING, OVERLAPPING_TEXTS, is_narrow
from tests.report.test_page import Page, assert_inert
from tests.support.browser import needs_chromium, watched_pages
from tests.support.explored import checked_contents

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as BrowserPage

LONGEST_NAME = "a-run-whose-name-has-sixty-four-characters-which-is-the-most-" + "x" * 3


def hostile_comparison() -> RunComparison:
    """Runs whose names, configs and answers try to act on a page or a terminal."""
    contents = checked_contents()
    evil = "</h1><script>window.ran=1</script>\x1b[31m\u202e"
    first = ComparedRun(evil, evil, {evil: evil, "steps": 10}, contents.scores, contents.checked)
    second = replace(first, name=LONGEST_NAME, folder=f"runs/{LONGEST_NAME}", config={evil: "{{ title }}" + "x" * 90})
    pairs = [Pair("hostile", "right"), Pair("wrong", "right"), Pair("wrong", "wrong")]
    return RunComparison(first, second, pairs, [evil])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("comparison") / "page.html"
    write_comparison(path, hostile_comparison())
    return path


@pytest.fixture(params=(LOOKS[0], LOOKS[-1]), ids=lambda look: f"{look[0]} {look[1]}")
def page(browser: "Browser", file: Path, request: pytest.FixtureRequest) -> Iterator["BrowserPage"]:
    """The page with every fold open."""
    width, scheme = request.param
    with watched_pages(browser) as pages:
        yield pages.open_file(file, width, scheme)


@needs_chromium
def test_everything_fits_or_scrolls_with_a_hint(page: "BrowserPage") -> None:
    size = page.viewport_size
    assert size is not None
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    assert bool(page.evaluate(OVERFLOWING)) == is_narrow(page)
    boxes = page.locator(".compared").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect()).map(({ left, right }) => [left, right])"
    )
    assert len(boxes) == 2 * 8  # two pairs differ, in eight measures each
    assert all(left >= 0 and right <= size["width"] for left, right in boxes)
    cells = page.locator(".compared :is(th, td)").evaluate_all("all => all.map((c) => c.scrollWidth - c.clientWidth)")
    assert max(cells) <= 0


@needs_chromium
def test_sets_and_titles_stand_on_one_line(page: "BrowserPage") -> None:
    heights = page.locator(".compared :is(tbody th, thead th:not(.run))").evaluate_all(
        """all => all.map((cell) => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            return range.getClientRects().length;
        })"""
    )
    assert set(heights) == {1}


@needs_chromium
def test_the_figure_is_whole_and_no_text_is_over_another(page: "BrowserPage") -> None:
    (source,) = page.locator("figure img").evaluate_all("all => all.map((image) => image.currentSrc)")
    figure = base64.b64decode(source.partition(",")[2]).decode()
    texts, overlaps, outside = page.evaluate(OVERLAPPING_TEXTS, figure[figure.index("<svg") :])
    assert texts > 8 * 5  # eight panels, each with five sets
    assert (overlaps, outside) == ([], [])


@needs_chromium
def test_every_link_leads_to_a_section(page: "BrowserPage") -> None:
    for link in page.locator("nav a").all():
        target = (link.get_attribute("href") or "").removeprefix("#")
        assert page.locator(f"section[id={target}] h2").count() == 1


def test_hostile_text_is_shown_as_text(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    page = Page(source)
    assert_inert(page)
    assert "script-src" not in source
    assert "\x1b" not in page.text
    assert "⟨U+202E⟩" in page.text
    assert "{{ title }}" in page.text
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {"results", "measures", "changes", "configuration"} <= set(identifiers)
    assert sum(tag == "article" for tag, _ in page.elements) == 2 * LISTED
    assert not re.search(r"<(td|th)[^>]*>\s*</", source)


def test_the_terminal_gets_no_control_characters() -> None:
    shown = plain_comparison(hostile_comparison())
    assert all(character.isprintable() or character == "\n" for character in shown)
