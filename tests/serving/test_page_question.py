"""The question on the page: written in the model's notation as people type it, and not sent while it has a fault."""

import json
from typing import TYPE_CHECKING

from mathderive.symbolic.prompts import Prompt, split_prompt
from tests.support.browser import expect, needs_chromium
from tests.support.served import Served
from tests.support.served_page import CHAT, LOOKS, OpenPage, answer_with, answered, ask, look_at

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = needs_chromium


def asked_for(page: "Page", premises: str, goal: str) -> Prompt:
    """Asks a question; returns the one that reaches the model."""
    with page.expect_request(CHAT) as request:
        ask(page, premises, goal)
    expect(page.locator("#start")).to_be_visible()
    (message,) = json.loads(request.value.post_data or "")["messages"]
    return split_prompt(message["content"])


def test_typed_latex_is_sent_in_the_models_notation(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    answer_with(page, **answered("x = 1"))
    page.fill("#derive", r"$y' = \cos x$")
    asked = asked_for(page, "$y(x) = \\sin x$\nE = mc^2", r"\frac{dy}{dx} = cos(x)")
    derivative = r"\frac{d}{d x} y{(x)} = \cos{(x)}"
    assert asked == Prompt((r"y{(x)} = \sin{(x)}", "E = c^{2} m"), (derivative,), derivative)
    # The preview shows what is sent, and says how it is written where that is not what was typed.
    expect(page.locator("#premises-preview math")).to_have_count(2)
    expect(page.locator("#premises-preview .sent")).to_have_text(asked.premises)
    expect(page.locator("#goal-preview .sent")).to_have_text(asked.goal)
    page.click("summary")
    expect(page.locator("#prompt")).to_contain_text(f", then derive {derivative}, then obtain {derivative}")
    page.fill("#premises", "E = c^{2} m")
    expect(page.locator("#premises-preview math")).to_have_count(1)
    expect(page.locator("#premises-preview .sent")).to_have_count(0)


def test_wrong_input_is_shown_at_its_field_and_not_sent(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    sent: list[Route] = []
    page.route(CHAT, lambda route: sent.append(route))
    expected = "xpected an equation in LaTeX, such as E = m c^2; "
    for premises, derive, goal, field, message in (
        ("", "", "x = 1", "premises", "Expected at least one premise."),
        ("x = 1", "", " ", "goal", "Expected a goal."),
        ("x = 1\nall men are mortal", "", "x = 1", "premises", f"Equation 2: e{expected}words, not mathematics"),
        ("x = 1 and y = 2", "", "x = 1", "premises", f"E{expected}found 2 equations"),
        ("x = 1", "y = 2, then obtain z = 3", "x = 1", "derive", f"E{expected}found 2 equations"),
        ("x = 1", "", "y + 2", "goal", f"E{expected}there is no equals sign"),
        ("x = 1", "", "x = y = 2", "goal", f"E{expected}found 3 sides"),
        (r"x \le 1", "", "x = 1", "premises", "The models' notation cannot express it; expected names, numbers"),
    ):
        page.fill("#derive", derive)
        ask(page, premises, goal)
        error = page.locator(f"#{field}-error")
        # The first letter's case is the style sheet's work.
        expect(error).to_contain_text(message, use_inner_text=True)
        expect(error).to_have_attribute("role", "alert")
        expect(page.locator(f"#{field}")).to_be_focused()
        expect(page.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")
        page.fill(f"#{field}", "x = 1")
        expect(error).to_be_empty()
        expect(page.locator(f"#{field}")).to_have_attribute("aria-invalid", "false")
    assert not sent


def test_faults_and_long_equations_fit(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    long = "+".join(rf"\frac{{{letter}}}{{x}}" for letter in "abcfghklmnpqrstuvw") + "=1"
    ask(page, premises=f"{long}\n{'x' * 400}", goal=rf"x \le {'y' * 300}")
    expect(page.locator("#premises-error")).to_contain_text("Equation 2: expected an equation")
    expect(page.locator("#premises-preview li")).to_have_count(2)
    expect(page.locator("#premises-preview .formula").first).to_have_attribute("tabindex", "0")  # scrolls
    colours = set()
    for width, scheme in LOOKS:
        look_at(page, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        colours.add(page.locator("#premises-error").evaluate("error => getComputedStyle(error).color"))
    assert len(colours) == 2
