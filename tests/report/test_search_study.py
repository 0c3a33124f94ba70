"""The tables, the figure and the page's section about searches."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from mathderive.metrics.verified_at import search_cost_rows, verified_rows
from mathderive.records import EvaluationSet, Prediction
from mathderive.report.drawing import WIDE
from mathderive.report.page import ReportContents, write_report
from mathderive.report.search_figure import search_figure
from mathderive.report.search_tables import search_tables
from tests.support.browser import needs_chromium, watched_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MakeContents = Callable[..., ReportContents]

NAME = "mathderive-mini-search"


def searched(contents: ReportContents, to_the_end: bool = False, budget: int = 64) -> ReportContents:
    """The contents with a search for a model: its fourth answer is verified for every second source."""

    def with_usage(one: Prediction) -> Prediction:
        solved = int(one.source_id) % 2 == 0
        count = 4 if solved and not to_the_end else budget
        usage = {"samples": count, "greedy_verified": 0, "verified_samples": int(solved), "checks": count}
        usage |= {"completion_tokens": 50 * count, "milliseconds": 300 * count}
        return one.model_copy(update={"usage": usage})

    by_set: dict[EvaluationSet, list[Prediction]] = {
        name: list(map(with_usage, of_set)) for name, of_set in contents.predictions[NAME].items()
    }
    return replace(contents, predictions={NAME: by_set, "copy": contents.predictions["copy"]})


def text_rows(contents: ReportContents, table: int) -> dict[tuple[str, ...], list[str]]:
    rows, costs = verified_rows(contents.predictions), search_cost_rows(contents.predictions)
    found = search_tables(rows, costs)[table]
    return {tuple(row[1 : found.labels]): list(row[found.labels :]) for row in found.rows}


def test_a_search_that_stops_shows_what_it_solved(make_contents: MakeContents) -> None:
    contents = searched(make_contents(model=NAME, sources=6))
    rows = text_rows(contents, 0)
    assert rows["Static", "greedy first, solved"] == ["6", "★ 0.0", *["50.0 [16.7, 83.3]"] * 3]
    assert rows["All sets", "greedy first, solved"][0] == "30"
    # 15 of 30 questions cost four samples each, the others 64.
    costs = text_rows(contents, 1)["All sets",]
    assert costs[:2] == ["30", "15"]
    assert [cost.split()[0] for cost in costs[2:]] == ["68.0", "3400.0", "68.0", "20.4"]


def test_a_search_to_the_end_has_unbiased_estimates(make_contents: MakeContents) -> None:
    rows = text_rows(searched(make_contents(model=NAME, sources=6), to_the_end=True, budget=5), 0)
    values = {kind: [cell.partition(" [")[0] for cell in rows["Static", kind]] for _, kind in rows}
    assert values["greedy first, unbiased"] == ["6", "★ 0.0", "37.5", "50.0"]
    assert values["samples, unbiased"] == ["6", "12.5", "50.0", "–"]


def test_a_lower_bound_is_marked(make_contents: MakeContents) -> None:
    contents = searched(make_contents(model=NAME, sources=6))
    for one in chain(*contents.predictions[NAME].values()):
        assert one.usage is not None
        if one.usage["samples"] == 4:
            one.usage["samples"] = 10
    cells = text_rows(contents, 0)["Static", "greedy first, solved"]
    assert cells[1:3] == ["★ 0.0", "≥ 0.0"]


def test_the_figure_is_inert_and_the_same_every_time(make_contents: MakeContents) -> None:
    rows = verified_rows(searched(make_contents(model=NAME, sources=4), to_the_end=True).predictions)
    svg = search_figure(rows, WIDE)
    assert svg == search_figure(rows, WIDE)
    tags = {node.tag.rsplit("}")[-1] for node in ElementTree.fromstring(svg).iter()}
    assert not tags & {"script", "foreignObject", "image", "a"}
    assert f"<!-- {NAME}, samples alone -->" in svg
    assert f"<!-- {NAME}, greedy -->" in svg


def test_page_tables_and_terminal_have_the_search(tmp_path: Path, make_contents: MakeContents) -> None:
    terminal = write_report(tmp_path, searched(make_contents(model=NAME, sources=4)))
    assert terminal.startswith("verified@n\n")
    assert 'id="search"' in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "## Search\n" in (tmp_path / "tables.md").read_text(encoding="utf-8")
    tree = json.loads((tmp_path / "tables.json").read_text(encoding="utf-8"))
    assert [point["n"] for point in tree["verified_at"][0]["points"]] == [1, 2, 4, 8, 16, 32, 64]
    assert tree["search_costs"][-1]["samples"]["value"] == 68


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("to_the_end", [False, True])
def test_the_new_tables_fit_a_page_of_1280_pixels(
    tmp_path: Path, make_contents: MakeContents, browser: "Browser", to_the_end: bool
) -> None:
    write_report(tmp_path, searched(make_contents(model=NAME, sources=6, checked=True), to_the_end))
    with watched_pages(browser) as pages:
        page = pages.new_page(
            is_own=lambda url: url.startswith("file:"), viewport={"width": 1280, "height": 900}, offline=True
        )
        page.goto((tmp_path / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        for section in ("results", "search"):
            frames = page.locator(f"#{section} .scroll")
            assert frames.count() >= 1
            for place in range(frames.count()):
                shown = frames.nth(place).evaluate("element => [element.scrollWidth, element.clientWidth]")
                assert shown[0] <= shown[1], (section, place, shown)
