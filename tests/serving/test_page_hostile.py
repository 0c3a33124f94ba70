"""Hostile text on the page, typed and generated: it is shown as text, runs nothing and is not sent."""

from typing import TYPE_CHECKING

from tests.support.browser import expect, needs_chromium
from tests.support.served import Served
from tests.support.served_page import CHAT, HOSTILE, TYPESET, OpenPage, answer_with, answered, ask, steps

if TYPE_CHECKING:
    from playwright.sync_api import Route

pytestmark = needs_chromium


def test_generated_text_runs_nothing(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    answer_with(page, **answered(" and ".join(HOSTILE)))
    ask(page)
    expect(page.locator(".step > .formula .plain")).to_have_text(HOSTILE)
    expect(page.locator(".step .unread")).to_have_count(len(HOSTILE))
    for tag in ("script:not([src])", "img", "svg", "a"):
        expect(page.locator(tag)).to_have_count(0)


def test_control_characters_and_bidirectional_marks_are_shown_as_numbers(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    answer_with(page, **answered("x = \u202e1\x00 and \x9b31m"))
    ask(page)
    expect(page.locator("#verdict")).to_have_text("not verified · goal missed")
    # The checker drops marks that are invisible.
    expect(page.locator(".step > .formula .plain")).to_have_text(["x = 1⟨U+0000⟩", "⟨U+009B⟩31m"])
    assert steps(page) == ["x = 1⟨U+0000⟩", "⟨U+009B⟩31m"]
    assert "\u202e" not in page.content()


def test_typed_text_runs_nothing_and_is_not_sent(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    sent: list[Route] = []
    page.route(CHAT, lambda route: sent.append(route))
    typed = [*HOSTILE, "{" * 900 + "x" + "}" * 900 + " = 1", "x = 9^{9^{9^{9}}}", "x = 1\x9b31m"]
    page.fill("#derive", "\n".join(typed))
    ask(page, premises="\n".join(typed), goal=HOSTILE[2])
    for field in ("premises", "derive"):
        expect(page.locator(f"#{field}-error")).to_contain_text("Equation 1: expected an equation in LaTeX")
        expect(page.locator(f"#{field}-preview .plain")).to_have_text([*typed[:-1], "x = 1⟨U+009B⟩31m"])
        expect(page.locator(f"#{field}-preview .unread")).to_have_count(len(typed))
    expect(page.locator("#goal-error")).to_contain_text("xpected an equation in LaTeX")
    expect(page.locator("#goal-preview .plain")).to_have_text(HOSTILE[2])
    page.click("summary")
    expect(page.locator("#prompt")).to_have_text("The question is not complete.")
    for tag in ("script:not([src])", "img", "svg", "a"):
        expect(page.locator(tag)).to_have_count(0)
    assert not sent


def test_only_presentation_mathml_is_shown(served: Served, open_page: OpenPage) -> None:
    # The browser's console mentions event handlers that it has parsed but does not run.
    page = open_page(served, keep_console=False)
    math, html = 'math xmlns="http://www.w3.org/1998/Math/MathML"', 'xmlns="http://www.w3.org/1999/xhtml"'
    answers = [
        f"<{math}><mi><script {html}>window.ran=1</script></mi></math>",
        f'<{math}><mi href="javascript:window.ran=1">x</mi></math>',
        f'<{math} onclick="window.ran=1"><mi>x</mi></math>',
        '<svg xmlns="http://www.w3.org/2000/svg" onload="window.ran=1"/>',
        f"<{math}><mi>x",
        f"<{math}><mi>x</mi></math>",
    ]
    page.route(TYPESET, lambda route: route.fulfill(json={"mathml": answers}))
    equations = [f"x = {number}" for number in range(len(answers))]
    page.fill("#premises", "\n".join(equations))
    expect(page.locator("#premises-preview .plain")).to_have_text(equations[:-1])
    expect(page.locator("math")).to_have_count(1)
