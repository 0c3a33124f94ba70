"""The page at `/` in a real browser with a real server: answers, their verdicts, and failures."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mathderive.checker.checker import check
from mathderive.checker.reading.answers import split_answer
from mathderive.report.typeset import typeset
from mathderive.symbolic.prompts import split_prompt
from tests.support.browser import expect, needs_chromium
from tests.support.served import KEY, Served, serving
from tests.support.served_page import CHAT, GOAL, HOSTILE, PREMISE, OpenPage, answer_with, answered, ask, steps

pytestmark = needs_chromium


def test_the_page_shows_the_servers_answer(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    with page.expect_response(CHAT) as response:
        ask(page)
    expect(page.locator("#summary")).to_contain_text("tokens")
    asked = json.loads(response.value.request.post_data or "")
    assert asked["messages"] == [{"role": "user", "content": f"Given {PREMISE}, then obtain {GOAL}"}]
    assert split_prompt(asked["messages"][0]["content"]) == ((PREMISE,), (), GOAL)
    whole = page.request.post(
        f"{served.url}/v1/chat/completions",
        data={name: asked[name] for name in ("model", "messages")},
        headers=served.headers,
    ).json()
    written = split_answer(whole["choices"][0]["message"]["content"])
    assert steps(page) == [text.strip() for text in written if text.strip()]
    expect(page.locator("#summary")).to_contain_text(f"{whole['usage']['completion_tokens']} tokens")
    expect(page.locator("#start")).to_be_visible()


def test_every_step_has_its_verdict(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    premise, derived = r"f{(x)} = \sin{(x)}", r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}"
    goal, wrong = r"\frac{d}{d x} f{(x)} = \cos{(x)}", r"\frac{d}{d x} f{(x)} = x"
    answer_with(page, **answered(f"{premise} and {derived} and {goal}"))
    ask(page, premise, goal)
    expect(page.locator("#verdict .good")).to_have_text(["verified", "goal reached"])
    expect(page.locator(".step .kinds")).to_have_text(["premise", "valid", "valid"])
    expect(page.locator(".step").nth(1).locator(".reason")).to_have_text("equation 1 differentiated by x")
    expect(page.locator(".step").nth(1).locator(".reason math")).to_have_count(1)
    answer_with(page, **answered(f"{premise} and {wrong} and {goal} and {HOSTILE[1]}"))
    ask(page, premise, goal)
    expect(page.locator("#verdict .bad")).to_have_text("not verified")
    expect(page.locator("#verdict .good")).to_have_text("goal reached")
    expect(page.locator(".step .kinds")).to_have_text(["premise", "incorrect", "valid", "unparsable"])
    expect(page.locator("#explanation")).to_have_text("Equation 2 is false.")


def test_a_failed_check_is_shown(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    page.route("**/check", lambda route: route.abort())
    answer_with(page, **answered(PREMISE))
    ask(page)
    expect(page.locator("#verdict")).to_have_text("Not checked. The server cannot be reached.")
    expect(page.locator("#summary")).to_contain_text("1 step")


def test_steps_are_typeset_in_order_and_other_text_is_marked(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    written = [r"f{(x)} = \sin{(x)}", r"\int (f = ", r"\frac{d}{d x} f{(x)} = \cos{(x)}"]
    text = " and ".join(written)
    answer_with(page, **answered(text[:7], text[7:22], text[22:30], text[30:]))
    ask(page, goal=written[-1].replace(" ", ""))
    expect(page.locator("#summary")).to_contain_text("3 steps · 5 tokens")
    assert steps(page) == [equation.strip() for equation in written]
    expect(page.locator(".step > .formula math")).to_have_count(2)
    expect(page.locator(".step").nth(1).locator(".plain")).to_have_text(written[1].strip())
    expect(page.locator(".step .unread")).to_have_text(["not read as an equation"])
    expect(page.locator(".step").nth(2).locator("mfrac")).to_have_count(1)
    expect(page.locator(".latex").first).to_be_hidden()
    page.check("#show-latex")
    expect(page.locator(".latex").first).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == " and ".join(steps(page))


def test_the_goal_is_reached_where_the_checker_says_so(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    reached = set()
    for text, goal in (
        ("a = b and x = 1", "x = 1"),
        ("a = b and 1 = x and ", "x = 1"),
        (r"a = b and frac{1}{x} = 1", r"\frac{1} {x} = 1"),
        ("x = 1 and a = b", "x = 1"),
        ("a = b and x = 11", "x = 1"),
    ):
        validity = check(f"Given {PREMISE}, then obtain {goal}", text)
        answer_with(page, **answered(text))
        with page.expect_request_finished(lambda request: request.url.endswith("/check")):
            ask(page, goal=goal)
        expect(page.locator("#verdict strong").last).to_have_text(
            "goal reached" if validity.goal_reached else "goal missed"
        )
        reached.add(validity.goal_reached)
    assert reached == {True, False}


def test_the_equations_are_the_checkers(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    answer_with(page, **answered("x = 1\nx + 1 = 2 and", " x = 2\n and a = b"))
    ask(page)
    expect(page.locator(".step .kinds")).to_have_count(4)
    assert steps(page) == ["x = 1", "x + 1 = 2", "x = 2", "a = b"]
    expect(page.locator("#summary")).to_contain_text("4 steps")


def test_each_step_is_labelled_by_the_checker(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    premise = r"f{(x)} = \sin{(x)}"
    text = rf"{premise} and \sin{{(x)}} = f{{(x)}} and \frac{{d}}{{d x}} f{{(x)}} = x and {premise}"
    answer_with(page, **answered(text))
    ask(page, premise, premise)
    labels = [step.label for step in check(f"Given {premise}, then obtain {premise}", text).steps]
    assert {"premise", "incorrect", "redundant"} <= {label.kind for label in labels}
    expect(page.locator(".step .kinds")).to_have_text([", ".join(label.words) for label in labels])
    for place, label in enumerate(labels):
        expect(page.locator(".step").nth(place).locator(".sign")).to_have_class(f"sign {label.kind}")


def test_a_cut_answer_is_shown_as_cut(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    answer_with(page, **answered("x = 1 and x", finish_reason="length"))
    ask(page)
    expect(page.locator("#summary")).to_contain_text("Cut off at the length limit · 2 steps")


def test_a_server_with_a_key_asks_for_it(served: Served, open_page: OpenPage) -> None:
    page = open_page(served, key=None)
    expect(page.locator("#key")).to_be_focused()
    page.fill("#key", "wrong")
    page.locator("#key").press("Tab")
    expect(page.locator("#failure")).to_have_text("The server does not accept this API key.")
    ask(page)
    expect(page.locator("#failure")).to_have_text("The server does not accept this API key.")
    page.fill("#key", KEY)
    page.click("#start")
    expect(page.locator("#summary")).to_contain_text("tokens")
    expect(page.locator("#failure")).to_be_empty()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


def test_the_server_s_refusal_of_a_long_question_is_shown(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    ask(page, premises="x = 1\n" * 60)
    expect(page.locator("#failure")).to_contain_text("tokens; expected at most 64")


def test_each_failure_has_its_message(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    busy, broken = "The server is busy. Try again", "The connection ended before the answer did."
    for answer, message in (
        ({"status": 429, "headers": {"Retry-After": "7"}}, f"{busy} in 7 seconds."),
        ({"status": 429, "headers": {"Retry-After": "1"}}, f"{busy} in 1 second."),
        ({"status": 502, "body": "<b>gone</b>"}, "The server refused: status 502."),
        ({"body": 'data: {"error": {"message": "no luck"}}\n\n'}, "The server failed: no luck."),
        ({"body": 'data: {"choices": []}\n\n'}, broken),
        ({"body": "data: what\n\n"}, broken),
        ({}, "The server cannot be reached."),
    ):
        answer_with(page, **answer)
        ask(page)
        expect(page.locator("#failure")).to_have_text(message)
        expect(page.locator("#start")).to_be_visible()


def test_an_answer_is_stopped_and_asked_for_again_by_keyboard(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    page.route(CHAT, lambda route: None)  # is never answered
    page.fill("#premises", PREMISE)
    page.fill("#goal", GOAL)
    page.locator("#goal").press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#start")).to_be_focused()
    with page.expect_event("requestfailed"):
        with page.expect_request(CHAT):
            page.keyboard.press("Enter")
        expect(page.locator("#stop")).to_be_focused()
        page.keyboard.press("Enter")
    expect(page.locator("#start")).to_be_focused()
    page.unroute(CHAT)
    page.focus("#premises")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#summary")).to_contain_text("tokens")


def test_a_long_formula_scrolls_in_its_own_box(served: Served, open_page: OpenPage) -> None:
    page = open_page(served, width=360)
    long = " + ".join(rf"\frac{{{letter}}}{{x}}" for letter in "abcfghklmnpqrstuvw") + " = 1"
    answer_with(page, **answered(f"{long} and {'x' * 400}"))
    ask(page, premises=long, goal=long)
    box = page.locator(".step .formula").first
    expect(box).to_have_attribute("tabindex", "0")
    expect(box.locator("math")).to_have_count(1)
    expect(page.locator("#goal-preview math")).to_have_count(1)
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.slow
def test_an_example_is_chosen_and_derived(open_page: OpenPage, mini: Served) -> None:
    page = open_page(mini)
    examples = page.request.get(f"{mini.url}/examples.json").json()
    verified = []
    for example in examples:
        page.select_option("#example", label=example["name"])
        expect(page.locator("#prompt")).to_have_text(example["prompt"], use_inner_text=False)
        asked = split_prompt(example["prompt"])
        for field, wanted in (("premises", asked.premises), ("derive", asked.derive), ("goal", (asked.goal,))):
            expect(page.locator(f"#{field}-preview math")).to_have_count(len(wanted))
        page.click("#start")
        expect(page.locator("#summary")).to_contain_text("tokens")
        written = steps(page)
        assert len(written) > 1
        expect(page.locator(".step > .formula math")).to_have_count(sum(typeset(text) is not None for text in written))
        verdict = check(example["prompt"], " and ".join(written), rules="textbook")
        outcomes = ["verified" if verdict.verified else "not verified"]
        outcomes.append("goal reached" if verdict.goal_reached else "goal missed")
        expect(page.locator("#verdict strong")).to_have_text(outcomes)
        verified.append(verdict.verified)
    assert verified == sorted(verified, reverse=True)  # examples that end verified come first
    assert any(verified)


@pytest.fixture(scope="module")
def mini() -> Iterator[Served]:
    with serving(Path(__file__).parents[2] / "checkpoints" / "mini", tokens=544) as server:
        yield server
