"""The page's button that inserts the steps which an answer skips."""

import json
from typing import TYPE_CHECKING

from mathderive.checker.checker import check
from mathderive.checker.supervision import SupervisedChecker
from tests.support.browser import expect, needs_chromium
from tests.support.served import Served
from tests.support.served_page import LOOKS, OpenPage, answer_with, answered, ask, look_at, steps

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = needs_chromium

PREMISE, DERIVED = r"f{(x)} = \sin{(x)}", r"\frac{d}{d x} f{(x)} = \cos{(x)}"
SKIPPING = r"e^{\frac{d}{d x} f{(x)}} = e^{\cos{(x)}}"
UNREACHED = r"\cos{(x \cos{(\cos{(f{(x)})})})} = \cos{(x \cos{(\cos{(\sin{(x)})})})}"


def ask_for_skipping(page: "Page", goal: str) -> None:
    """Has the premise and the goal, without the steps between them, given as the answer."""
    answer_with(page, **answered(f"{PREMISE} and {goal}"))
    ask(page, PREMISE, goal)
    expect(page.locator(".step .kinds")).to_have_text(["premise", "skipped"])


def test_the_equation_that_is_missing_a_step_is_named(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    ask_for_skipping(page, SKIPPING)
    expect(page.locator("#explanation")).to_contain_text("Equation 2 is missing a step: it is true")
    expect(page.locator("#fill")).to_have_text("Insert missing steps")
    answer_with(page, **answered(f"{PREMISE} and {DERIVED}"))
    ask(page, PREMISE, DERIVED)
    expect(page.locator("#verdict .good")).to_have_text(["verified", "goal reached"])
    expect(page.locator("#explanation")).to_be_empty()
    expect(page.locator("#fill")).to_be_hidden()


def test_missing_steps_are_inserted(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    ask_for_skipping(page, SKIPPING)
    page.click("#fill")
    expect(page.locator("#filling")).to_have_text("2 missing steps were inserted.")
    expect(page.locator(".step .kinds")).to_have_text(["premise", "valid, inserted", "valid, inserted", "valid"])
    expect(page.locator("#verdict")).to_contain_text("with inserted steps: verified · goal reached")
    expect(page.locator("#summary")).to_contain_text("2 steps · 5 tokens")  # of the answer
    expect(page.locator(".step > .formula math")).to_have_count(4)
    expect(page.locator("#fill")).to_be_hidden()
    expect(page.locator("#explanation")).to_be_empty()
    shown = steps(page)
    assert [shown[0], shown[-1]] == [PREMISE, SKIPPING]
    prompt = f"Given {PREMISE}, then obtain {SKIPPING}"
    assert check(prompt, " and ".join(shown), rules="textbook").verified
    for width, scheme in LOOKS:
        look_at(page, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_page_says_where_nothing_is_found(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    ask_for_skipping(page, UNREACHED)
    page.click("#fill")
    expect(page.locator("#filling")).to_contain_text("No missing steps were found.")
    expect(page.locator(".step .kinds")).to_have_text(["premise", "skipped"])
    expect(page.locator("#verdict .bad")).to_have_text("not verified")
    expect(page.locator("#fill")).to_be_hidden()
    with SupervisedChecker() as checker:
        prompt = f"Given {PREMISE}, then obtain {UNREACHED}"
        found = checker.check(prompt, f"{PREMISE} and {UNREACHED}", counts_missing=True, rules="textbook")
    assert [step.missing_operators for step in found.steps] == [None, "more"]


def test_a_search_that_fails_may_be_repeated(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    ask_for_skipping(page, SKIPPING)
    held: list[Route] = []

    def hold(route: "Route") -> None:
        if json.loads(route.request.post_data or "").get("fill"):
            held.append(route)
        else:
            route.continue_()

    page.route("**/check", hold)
    page.click("#fill")
    expect(page.locator("#filling")).to_have_text("Searching for missing steps …")
    expect(page.locator("#fill")).to_be_disabled()
    held.pop().fulfill(status=429, headers={"Retry-After": "2"})
    expect(page.locator("#filling")).to_have_text("Nothing was inserted. The server is busy. Try again in 2 seconds.")
    page.click("#fill")
    ask_for_skipping(page, SKIPPING)  # another answer takes the place of the one that is searched
    held.pop().continue_()
    expect(page.locator("#fill")).to_be_enabled()
    expect(page.locator("#filling")).to_be_empty()
    expect(page.locator(".step")).to_have_count(2)
