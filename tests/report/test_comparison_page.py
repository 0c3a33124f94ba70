"""The page of two runs in a real browser: wide and narrow, light and dark, with the longest names."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mathderive.report.comparison_page import write_comparison
from mathderive.report.run_comparison import ComparedRun, Pair, RunComparison
from tests.report.test_layout import LOOKS, OVERFLOWING, is_narrow
from tests.support.browser import needs_chromium, watched_pages
from tests.support.explored import checked_contents

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = needs_chromium

LONGEST_NAME = "a-run-whose-name-has-sixty-four-characters-which-is-the-most-" + "x" * 3


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    contents = checked_contents()
    config = {"training": {"steps": 10}, "predictors": [{"kind": "t5", "checkpoint": "x" * 90}]}
    first = ComparedRun("base", "runs/base", config, contents.scores, contents.checked)
    second = replace(first, name=LONGEST_NAME, folder=f"/somewhere/{LONGEST_NAME}", config={"training": None})
    pairs = [Pair("wrong", "right"), Pair("right", "hostile"), Pair("wrong", "wrong")]
    path = tmp_path_factory.mktemp("comparison") / "page.html"
    write_comparison(path, RunComparison(first, second, pairs, ["a note"]))
    return path


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]} {look[1]}")
def page(browser: "Browser", file: Path, request: pytest.FixtureRequest) -> Iterator["Page"]:
    """The page with every fold open."""
    width, scheme = request.param
    with watched_pages(browser) as pages:
        page = pages.new_page(
            is_own=lambda url: url.startswith("file:"),
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            offline=True,
        )
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        yield page


def test_everything_fits_or_scrolls_with_a_hint(page: "Page") -> None:
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


def test_sets_and_titles_stand_on_one_line(page: "Page") -> None:
    heights = page.locator(".compared :is(tbody th, thead th:not(.run))").evaluate_all(
        """all => all.map((cell) => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            return range.getClientRects().length;
        })"""
    )
    assert set(heights) == {1}


def test_every_link_leads_to_a_section(page: "Page") -> None:
    for link in page.locator("nav a").all():
        target = (link.get_attribute("href") or "").removeprefix("#")
        assert page.locator(f"section[id={target}] h2").count() == 1
