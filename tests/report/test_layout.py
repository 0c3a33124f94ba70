"""The report's layout, measured in a real browser: wide and narrow, light and dark."""

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from PIL import Image, ImageChops

from mathderive.report.drawing import COLORS, DARK, Colors
from mathderive.report.page import write_report
from mathderive.report.templates import data_uri
from mathderive.report.typeset import typeset
from tests.report.test_figures import FIGURES
from tests.support.browser import needs_chromium, watched_pages
from tests.support.explored import checked_contents

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = needs_chromium

TRAINING = [{"step": step, "loss": 1 / step, "validation_rouge2": 0.1 * step} for step in range(1, 6)]
LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]

OVERFLOWING = """
    () => [...document.querySelectorAll(".scroll")]
        .filter((box) => box.scrollWidth > box.clientWidth)
        .map((box) => box.getAttribute("aria-label"))
"""
OVERLAPPING_TEXTS = """
    (svg) => {
        document.body.innerHTML = svg;
        const texts = [...document.querySelectorAll('g[id^="text_"]')].map((text) => {
            const { left, right, top, bottom } = text.getBoundingClientRect();
            const comment = document.createTreeWalker(text, NodeFilter.SHOW_COMMENT).nextNode();
            return { left, right, top, bottom, text: comment.data.trim() };
        });
        const frame = document.querySelector("svg").getBoundingClientRect();
        const isOver = (a, b) =>
            a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
        const pairs = texts.flatMap((a, i) => texts.slice(i + 1).map((b) => [a, b]));
        const overlaps = pairs.filter(([a, b]) => isOver(a, b)).map(([a, b]) => [a.text, b.text]);
        const isOutside = (box) => box.left < frame.left - 1 || box.right > frame.right + 1;
        return [texts.length, overlaps, texts.filter(isOutside).map(({ text }) => text)];
    }
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    facts = {"Date": "2026-01-01 00:00 UTC", "Command": "mathderive all run.seed=1", "Parameters": "5,332,736 of t5"}
    timings = {"data": 8.0, "train": 725.0}
    write_report(folder, replace(checked_contents(), training=TRAINING, facts=facts, timings=timings))
    return folder / "index.html"


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]} {look[1]}")
def page(browser: "Browser", report: Path, request: pytest.FixtureRequest) -> Iterator["Page"]:
    """The report with every fold open."""
    width, scheme = request.param
    with watched_pages(browser) as pages:
        page = pages.open_file(report, width, scheme)
        page.wait_for_selector("#explorer-filters:visible")
        yield page


def is_narrow(page: "Page") -> bool:
    size = page.viewport_size
    assert size is not None
    return size["width"] < 700


def right_edge(box: "Locator") -> Image.Image:
    image = Image.open(io.BytesIO(box.screenshot())).convert("RGB")
    return image.crop((image.width - 8, 0, image.width, image.height))


def test_tables_fit_or_show_that_there_is_more(page: "Page") -> None:
    size = page.viewport_size
    assert size is not None
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    names = page.evaluate(OVERFLOWING)
    assert bool(names) == is_narrow(page), names
    for name in names[:3]:
        box = page.locator(f'.scroll[aria-label="{name}"]').first
        box.evaluate("box => box.querySelectorAll('td').forEach((cell) => (cell.style.visibility = 'hidden'))")
        before = right_edge(box)
        box.evaluate("box => (box.scrollLeft = box.scrollWidth)")
        change = ImageChops.difference(before, right_edge(box)).convert("L").tobytes()
        assert max(change) - min(change) >= 20, name


def test_score_tables_and_figures_are_whole(page: "Page") -> None:
    size = page.viewport_size
    assert size is not None
    boxes = page.locator(":is(.multiples table, figure img)").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect()).map(({ left, right }) => [left, right])"
    )
    assert len(boxes) > 10
    assert all(left >= 0 and right <= size["width"] for left, right in boxes)
    cells = page.locator(".multiples :is(th, td)").evaluate_all("all => all.map((c) => c.scrollWidth - c.clientWidth)")
    assert max(cells) <= 0


def test_no_text_of_a_figure_is_over_another(page: "Page") -> None:
    sources = page.locator("figure img").evaluate_all("all => all.map((image) => image.currentSrc)")
    figures = [base64.b64decode(source.partition(",")[2]).decode() for source in sources]
    assert len(figures) == 4
    for figure in figures:
        texts, overlaps, outside = page.evaluate(OVERLAPPING_TEXTS, figure[figure.index("<svg") :])
        assert texts > 8
        assert (overlaps, outside) == ([], [])


def test_verdict_and_reason_are_apart_and_coloured(page: "Page") -> None:
    verdict = page.locator("#examples .verdict:has(.kinds.incorrect)").first
    kinds, reason = verdict.locator(".kinds"), verdict.locator(".reason")
    colours = [part.evaluate("part => getComputedStyle(part).color") for part in (kinds, reason)]
    assert colours[0] != colours[1]
    gap = reason.evaluate("part => part.getClientRects()[0].left - part.previousSibling.getClientRects()[0].right")
    assert gap >= 6


def test_the_goal_is_seen_whole_and_equations_are_those_of_the_answer(page: "Page") -> None:
    wrong = page.locator('.answer:has(.model:text-is("wrong"))').first
    assert wrong.locator(".count").text_content() == "5 equations"  # the reference has four
    wrong.click()
    goal = page.locator(".asked .formula").last
    assert goal.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_the_top_says_what_was_run_and_times_are_aligned(page: "Page") -> None:
    top = page.locator("header.wide .facts").text_content() or ""
    assert all(part in top for part in ("2026-01-01", "mathderive all run.seed=1", "5,332,736 of t5", "12 min 13 s"))
    ends = page.locator(".times td").evaluate_all(
        """all => all.map((cell) => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            return range.getBoundingClientRect().right;
        })"""
    )
    assert len(set(ends)) == 1


def test_indices_are_small_and_stand_below_the_line(page: "Page") -> None:
    """In the measures of the page's own font; a browser's choice on a machine without one has them at 0.08 em."""
    formula = str(typeset(r"x_{1} = E_{0} \Omega_{2}"))
    page.locator("body").evaluate("(body, formula) => body.insertAdjacentHTML('beforeend', formula)", formula)
    assert page.evaluate("document.fonts.ready.then((fonts) => [...fonts].map((font) => font.status))") == ["loaded"]
    indices = page.locator("msub").evaluate_all(
        """all => all.map((index) => {
            const [name, low] = [...index.children].map((part) => part.getBoundingClientRect());
            const [size, small] = [...index.children].map((part) => parseFloat(getComputedStyle(part).fontSize));
            return [small / size, (low.bottom - name.bottom) / size];
        })"""
    )
    assert len(indices) == 3
    for share, drop in indices:
        assert 0.6 < share < 0.85
        assert 0.12 < drop < 0.5


@pytest.mark.parametrize(("scheme", "shown", "other"), [("light", COLORS, DARK), ("dark", DARK, COLORS)])
def test_a_figures_colours_follow_the_page(
    browser: "Browser", scheme: Literal["light", "dark"], shown: Colors, other: Colors
) -> None:
    address = data_uri("image/svg+xml", FIGURES["scores"]().encode())
    page = browser.new_page(color_scheme=scheme)
    page.set_content(f'<img src="{address}">')
    with Image.open(io.BytesIO(page.locator("img").screenshot())) as image:
        seen = {"#" + bytes(pixel).hex() for pixel in np.asarray(image.convert("RGB")).reshape(-1, 3)}
    page.close()
    assert {shown.copy, shown.models[0]} <= seen
    assert not {other.copy, other.models[0]} & seen
