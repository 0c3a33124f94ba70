"""The explorer in a real browser, opened from disk without a network."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from mathderive.checker.reading.answers import split_answer
from mathderive.checker.reading.layout import equations_of
from mathderive.records import EVALUATION_SETS
from mathderive.report.page import write_report
from mathderive.report.plain import visible
from mathderive.report.typeset import typeset
from mathderive.symbolic.engine.evaluation_sets import SET_TITLES
from tests.support import command
from tests.support.browser import expect, needs_chromium, watched_pages
from tests.support.explored import HOSTILE, checked_contents
from tests.support.released_files import released_file

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FloatRect, Locator, Page

pytestmark = needs_chromium

POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')


class OpenPage(Protocol):
    """Opens a file in the browser."""

    def __call__(self, path: Path, fragment: str = "", width: int = 1400, scripts: bool = True) -> "Page": ...


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, checked_contents())
    return folder / "index.html"


@pytest.fixture
def open_page(browser: "Browser") -> Iterator[OpenPage]:
    """Opens a file without network; at the end, nothing else has run, been loaded or been refused."""
    with watched_pages(browser) as pages:

        def open_page(path: Path, fragment: str = "", width: int = 1400, scripts: bool = True) -> "Page":
            page = pages.new_page(
                is_own=lambda url: url.startswith("file:"),
                viewport={"width": width, "height": 900},
                java_script_enabled=scripts,
                offline=True,
                color_scheme="dark",
            )
            page.goto(path.as_uri() + fragment)
            if scripts:
                expect(page.locator("#explorer-filters")).to_be_visible()
            return page

        yield open_page


def opened(page: "Page") -> "Locator":
    return page.locator("#derivation")


def box_of(element: "Locator") -> "FloatRect":
    """Returns the box of an element that is visible."""
    box = element.bounding_box()
    assert box is not None
    return box


def ids(page: "Page") -> list[str]:
    return page.locator(".answer .id").all_text_contents()


def test_everything_is_there_without_a_network(report: Path, open_page: OpenPage) -> None:
    page = open_page(report)
    expect(page.locator("#explorer-count")).to_have_text("90 of 90 answers")
    expect(page.locator(".answer")).to_have_count(90)
    assert page.evaluate("document.querySelectorAll('script:not([type])').length") == 1


def test_filters_leave_as_many_answers_as_they_show(report: Path, open_page: OpenPage) -> None:
    page = open_page(report)
    page.select_option("#explorer-model", "wrong")
    expect(page.locator("#explorer-count")).to_have_text("30 of 90 answers")
    for name in EVALUATION_SETS:
        page.select_option("#explorer-set", SET_TITLES[name])
        assert ids(page) == [f"{source}-{name}" for source in range(6)]
    page.select_option("#explorer-set", "")
    validities = [line.validity for rows in checked_contents().checked["wrong"].values() for line in rows]
    verdicts = Counter(
        kind
        for validity in validities
        for kind in {
            "verified" if validity.verified else "not verified",
            "sound" if validity.sound else "not sound",
            "goal reached" if validity.goal_reached else "goal missed",
            *(step.category for step in validity.steps),
        }
    )
    texts = dict(page.locator("#explorer-verdict option").evaluate_all("all => all.map(o => [o.value, o.text])"))
    for kind in ("verified", "not verified", "sound", "goal missed", "incorrect", "redundant"):
        count = verdicts[kind]
        assert texts[kind] == f"{kind} ({count})"
        page.select_option("#explorer-verdict", kind)
        expect(page.locator(".answer")).to_have_count(count)
    page.select_option("#explorer-verdict", "")
    page.select_option("#explorer-length", "4")
    expect(page.locator("#explorer-count")).to_have_text("30 of 90 answers")
    page.fill("#explorer-search", r"x^{3} + 2")
    assert {text.split("-")[0] for text in ids(page)} == {"1"}
    page.fill("#explorer-search", "nowhere")
    expect(page.locator("#explorer-count")).to_have_text("0 of 90 answers")


def test_the_keyboard_alone_finds_opens_turns_and_leaves(report: Path, open_page: OpenPage) -> None:
    page = open_page(report)
    page.keyboard.press("/")
    expect(page.locator("#explorer-search")).to_be_focused()
    page.keyboard.type("2-")
    page.keyboard.press("ArrowDown")
    rows = page.locator(".answer")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(rows.nth(1)).to_be_focused()
    assert rows.nth(1).evaluate("row => getComputedStyle(row).outlineStyle") == "solid"
    page.keyboard.press("End")
    expect(rows.last).to_be_focused()
    page.keyboard.press("Home")
    expect(rows.nth(0)).to_be_focused()
    assert page.locator(".answer[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    expect(opened(page)).to_be_focused()
    expect(page.locator("#derivation-place")).to_have_text("1 of 15")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#derivation-place")).to_have_text("2 of 15")
    expect(page.locator("#derivation-title")).to_have_text("2-static · wrong")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#derivation-title")).to_have_text("2-static · right")
    page.keyboard.press("ArrowLeft")  # there is no previous answer
    page.keyboard.press("ArrowRight")
    expect(page.locator("#derivation-title")).to_have_text("2-static · wrong")
    page.keyboard.press("Escape")
    expect(opened(page)).to_be_hidden()
    expect(rows.nth(1)).to_be_focused()
    assert page.evaluate("location.hash") == "#explorer?search=2-"


def test_an_answer_stands_beside_its_prompt_and_its_reference(report: Path, open_page: OpenPage) -> None:
    page = open_page(report, "#explorer?by=wrong&open=1-static")
    expect(opened(page)).to_be_visible()
    (example,) = [example for example in checked_contents().examples["static"] if example.id == "1-static"]
    (checked,) = [line for line in checked_contents().checked["wrong"]["static"] if line.id == "1-static"]
    asked, reference, answer = (page.locator(".column").nth(place) for place in range(3))
    expect(asked.locator(".role")).to_have_text(["given", "derive", "obtain"])
    assert reference.locator(".latex").all_text_contents() == split_answer(example.target)
    assert answer.locator(".latex").all_text_contents() == split_answer(checked.text)
    expect(answer.locator(".formula math")).to_have_count(5)
    expect(reference.locator(".origin")).to_have_text(["premise", "differentiate 1", "evaluate derivatives 2", "add 3"])
    marks = ["= reference 1", "= reference 3", "↕ reference 2", "+ not in the reference", "↺ again reference 1"]
    expect(answer.locator(".difference")).to_have_text(marks)
    expect(reference.locator(".difference")).to_have_text("− not in the answer")
    for entry, step in zip(answer.locator(".entry").all(), checked.validity.steps, strict=True):
        expect(entry.locator(".kinds")).to_contain_text(step.truth)
        said = re.sub(r"\$[^$]*\$", "*", step.reason)
        assert re.fullmatch(re.escape(said).replace(r"\*", ".*"), entry.locator(".reason").text_content() or "")
        expect(entry.locator(".counterexample")).to_have_count(int(step.counterexample is not None))
    expect(answer.locator(".kinds.incorrect")).to_have_count(1)
    expect(answer.locator(".latex").first).to_be_hidden()
    page.check("#show-latex")
    expect(answer.locator(".latex").first).to_be_visible()
    same = [box_of(column.locator(".entry").first)["y"] for column in (reference, answer)]
    assert same[0] == same[1]


def test_fragments_lead_to_answers_and_to_lists(report: Path, open_page: OpenPage) -> None:
    page = open_page(report, "#explorer?model=right&set=Static&verdict=verified")
    assert ids(page) == [f"{source}-static" for source in range(6)]
    page.locator(".answer").nth(3).click()
    expect(page.locator("#derivation-title")).to_have_text("3-static · right")
    assert page.evaluate("location.hash") == "#explorer?by=right&open=3-static"
    page.click("#derivation-models >> text=wrong")
    expect(page.locator("#derivation-title")).to_have_text("3-static · wrong")
    page.go_back()
    expect(page.locator("#derivation-title")).to_have_text("3-static · right")
    page.go_back()
    expect(opened(page)).to_be_hidden()
    assert page.locator("#explorer-model").input_value() == "right"
    page.evaluate("location.hash = '#scores'")
    page.evaluate("location.hash = '#explorer?by=wrong&open=0-ee'")  # of another model than the list's
    expect(page.locator("#derivation-title")).to_have_text("0-ee · wrong")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#derivation-title")).to_have_text("0-ee · wrong")
    page.go_back()
    expect(opened(page)).to_be_hidden()
    assert page.evaluate("location.hash") == "#scores"
    page.evaluate("location.hash = '#explorer?model=nobody&open=nothing'")
    expect(page.locator("#explorer-count")).to_have_text("90 of 90 answers")


def test_narrow_screens_stack_and_do_not_overflow(report: Path, open_page: OpenPage) -> None:
    page = open_page(report, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator(".answer").nth(1).click()
    expect(opened(page)).to_be_visible()
    boxes = [box_of(page.locator(".column").nth(place)) for place in range(3)]
    assert [box["x"] for box in boxes] == [boxes[0]["x"]] * 3
    assert all(above["y"] + above["height"] <= below["y"] for above, below in itertools.pairwise(boxes))
    assert opened(page).evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")


def test_without_scripts_the_tables_are_there(report: Path, open_page: OpenPage) -> None:
    page = open_page(report, scripts=False)
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.locator("#explorer-filters")).to_be_hidden()
    expect(page.locator("#scores table").first).to_be_visible()
    expect(page.locator("#examples math").first).to_be_visible()


def test_without_verdicts_none_can_be_chosen(tmp_path: Path, open_page: OpenPage) -> None:
    contents = checked_contents()
    scores = {
        model: {name: [score.model_copy(update={"validity": None}) for score in rows] for name, rows in by_set.items()}
        for model, by_set in contents.scores.items()
    }
    write_report(tmp_path, replace(contents, checked={}, scores=scores))
    page = open_page(tmp_path / "index.html")
    values = page.locator("#explorer-verdict option").evaluate_all("all => all.map(o => o.value)")
    assert values == ["", "ends with the goal", "does not end with the goal"]
    expect(page.locator("#explorer-legend")).to_be_empty()
    page.locator(".answer").first.click()
    expect(page.locator("#derivation-facts")).to_contain_text("ends with the goal")
    expect(page.locator(".verdict, .strip .sign")).to_have_count(0)


def check_hostile_text_is_text(page: "Page", model: str, texts: Mapping[str, str]) -> None:
    """Opens the model's answers one after the other, and asserts that their equations are shown as text."""
    for name, text in texts.items():
        page.evaluate("hash => { location.hash = hash }", f"#explorer?by={model}&open={name}")
        expect(page.locator("#derivation-title")).to_have_text(f"{name} · {model}")
        written = page.locator(".column").nth(2)
        assert written.locator(".formula .plain").all_text_contents() == [
            visible(part) for part in equations_of(text) if typeset(part) is None
        ]
    expect(page.locator("script:not(#explorer-data)")).to_have_count(1)
    expect(page.locator(":is(#derivation, #explorer) :is(img, svg, a:not([href^='#']))")).to_have_count(0)


@pytest.mark.parametrize("guarded", [True, False])
def test_hostile_text_runs_nothing_with_the_policy_and_without(
    report: Path, open_page: OpenPage, tmp_path: Path, guarded: bool
) -> None:
    bare = tmp_path / "bare.html"
    source, count = POLICY.subn("", report.read_text(encoding="utf-8"))
    assert count == 1
    bare.write_text(source, encoding="utf-8")
    page = open_page(report if guarded else bare)
    check_hostile_text_is_text(page, "hostile", {f"{place}-static": text for place, text in enumerate(HOSTILE)})


def test_the_policy_refuses_scripts_of_others(report: Path, browser: "Browser", tmp_path: Path) -> None:
    injected = tmp_path / "injected.html"
    script = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title='ran'\">"
    text = report.read_text(encoding="utf-8")
    injected.write_text(text.replace("</main>", f"{script}</main>", 1), encoding="utf-8")
    page = browser.new_page()
    page.goto(injected.as_uri())
    expect(page.locator("#explorer-filters")).to_be_visible()
    assert page.title() == "A run"
    injected.write_text(POLICY.sub("", text).replace("</main>", f"{script}</main>", 1), encoding="utf-8")
    page.goto(injected.as_uri())
    expect(page).to_have_title("ran")
    page.close()


@pytest.mark.slow
@pytest.mark.long
def test_a_run_with_hostile_outputs_shows_them_as_text(open_page: OpenPage, tmp_path: Path) -> None:
    names = dict(zip(("static", "VR", "EE", "AG", "SR"), HOSTILE, strict=False))
    path = released_file(tmp_path, **{f"{name}_mine": text for name, text in names.items()})
    command.run("eval", "--predictions", path, cwd=tmp_path)
    (report,) = tmp_path.glob("runs/*/report/index.html")
    page = open_page(report)
    expect(page.locator("#explorer-count")).to_have_text("10 of 10 answers")  # copy answers too
    check_hostile_text_is_text(page, "mine", {f"released-0-{name.lower()}": text for name, text in names.items()})
    rows = json.loads((report.parent / "tables.json").read_text(encoding="utf-8"))
    assert rows["errors"]
