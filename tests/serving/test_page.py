"""The page at `/` in a real browser with a real server: it typesets derivations and runs nothing from their text."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from mathderive.checker.checker import check
from mathderive.checker.reading.answers import split_answer
from mathderive.report.typeset import typeset
from mathderive.symbolic.prompts import split_prompt
from tests.support import tiny_training
from tests.support.browser import expect, needs_chromium, watched_pages
from tests.support.served import KEY, Served, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

expect.set_options(timeout=60_000)  # a first question may need compilation, perhaps beside other tests
pytestmark = needs_chromium

CHAT, TYPESET = "**/v1/chat/completions", "**/typeset"
PREMISE, GOAL = tiny_training.PAIRS[0][0].removeprefix("Given ").split(", then obtain ")
LOADING = "Failed to load resource"
HOSTILE = [
    "</script><script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    r"\href{javascript:window.ran=1}{x} = 1",
    r"\text{<svg onload=window.ran=1>} = 2",
]


class OpenPage(Protocol):
    def __call__(
        self, served: Served, width: int = 1280, key: str | None = KEY, keep_console: bool = True
    ) -> "Page": ...


@pytest.fixture
def open_page(browser: "Browser") -> Iterator[OpenPage]:
    """Opens a server's page; at the end, nothing else has run, been loaded or been refused."""
    with watched_pages(browser) as pages:

        def open_page(served: Served, width: int = 1280, key: str | None = KEY, keep_console: bool = True) -> "Page":
            # The console reports violations of the page's policy, and answers of 4xx, which tests cause.
            page = pages.new_page(
                is_own=lambda url: url.startswith(f"{served.url}/"),
                address=f"{served.url}/",
                is_harmless=lambda message: message.startswith(LOADING) or not keep_console,
                viewport={"width": width, "height": 800},
            )
            page.goto(f"{served.url}/")
            expect(page.locator("#failure")).to_have_text("This server asks for an API key.")
            if key:
                page.fill("#key", key)
                page.locator("#key").blur()
                expect(page.locator("#model")).to_contain_text("·")
            return page

        yield open_page


def ask(page: "Page", premises: str = PREMISE, goal: str = GOAL) -> None:
    page.fill("#premises", premises)
    page.fill("#goal", goal)
    page.click("#start")


def answered(*pieces: str, finish_reason: str = "stop") -> dict[str, str]:
    """The response that streams an answer in these pieces."""
    choices: list[dict[str, Any]] = [{"delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    chunks: list[dict[str, Any]] = [
        {"choices": [choice]} for choice in [*choices, {"delta": {}, "finish_reason": finish_reason}]
    ]
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}}
    events = [json.dumps(chunk, ensure_ascii=False) for chunk in [*chunks, usage]]
    return {"content_type": "text/event-stream", "body": "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])}


def answer_with(page: "Page", **answer: Any) -> None:
    """Answers the page's questions instead of the server; without an answer, cuts the connection."""

    def respond(route: "Route") -> None:
        if answer:
            route.fulfill(**answer)
        else:
            route.abort()

    page.unroute(CHAT)
    page.route(CHAT, respond)


def steps(page: "Page") -> list[str]:
    """The text of each step as the model wrote it."""
    return page.locator(".step > .latex").all_text_contents()


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


def test_the_equation_that_is_missing_a_step_is_named(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    premise, derived = r"f{(x)} = \sin{(x)}", r"\frac{d}{d x} f{(x)} = \cos{(x)}"
    goal = r"\sin{(x \frac{d}{d x} f{(x)} + 3)} = \sin{(x \cos{(x)} + 3)}"
    answer_with(page, **answered(f"{premise} and {goal}"))
    ask(page, premise, goal)
    expect(page.locator(".step .kinds")).to_have_text(["premise", "skipped"])
    expect(page.locator("#explanation")).to_contain_text("Equation 2 is missing a step: it is true")
    answer_with(page, **answered(f"{premise} and {derived}"))
    ask(page, premise, derived)
    expect(page.locator("#verdict .good")).to_have_text(["verified", "goal reached"])
    expect(page.locator("#explanation")).to_be_empty()


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


def test_wrong_input_is_shown_at_its_field_and_not_sent(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    sent: list[Route] = []
    page.route(CHAT, lambda route: sent.append(route))
    for premises, derive, goal, field, message in (
        ("", "", "x = 1", "premises", "Expected at least one premise."),
        ("x = 1", "", " ", "goal", "Expected a goal."),
        ("x = 1 and y = 2", "", "x = 1", "premises", "“and” separates the equations"),
        ("x = 1 and\ny = 2", "", "x = 1", "premises", "“and” separates the equations"),
        ("x = 1", "y = 2, then obtain z = 3", "x = 1", "derive", "“, then obtain” separates the equations"),
        ("x = 1", "", "y = 2 and z = 3", "goal", "“and” separates the equations"),
    ):
        page.fill("#derive", derive)
        ask(page, premises, goal)
        error = page.locator(f"#{field}-error")
        expect(error).to_contain_text(message)
        expect(error).to_have_attribute("role", "alert")
        expect(page.locator(f"#{field}")).to_be_focused()
        expect(page.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")
        page.fill(f"#{field}", "x = 1")
        expect(error).to_be_empty()
        expect(page.locator(f"#{field}")).to_have_attribute("aria-invalid", "false")
    assert not sent


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
        page.keyboard.press("Enter")
        expect(page.locator("#stop")).to_be_focused()
        page.keyboard.press("Enter")
    expect(page.locator("#start")).to_be_focused()
    page.unroute(CHAT)
    page.focus("#premises")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#summary")).to_contain_text("tokens")


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


def test_typed_text_runs_nothing(served: Served, open_page: OpenPage) -> None:
    page = open_page(served)
    answer_with(page, **answered("x = 1"))
    page.fill("#derive", "\n".join(HOSTILE))
    ask(page, premises="\n".join(HOSTILE), goal=HOSTILE[2])
    expect(page.locator("#premises-preview .plain")).to_have_text(HOSTILE)
    expect(page.locator("#derive-preview .plain")).to_have_text(HOSTILE)
    expect(page.locator("#goal-preview .plain")).to_have_text(HOSTILE[2])
    expect(page.locator("#summary")).to_contain_text("1 step")
    page.click("summary")
    expect(page.locator("#prompt")).to_contain_text(HOSTILE[0])
    for tag in ("script:not([src])", "img", "svg", "a"):
        expect(page.locator(tag)).to_have_count(0)


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
        verdict = "goal reached" if check(example["prompt"], " and ".join(written)).goal_reached else "goal missed"
        expect(page.locator("#verdict strong").last).to_have_text(verdict)


@pytest.fixture(scope="module")
def mini() -> Iterator[Served]:
    with serving(Path(__file__).parents[2] / "checkpoints" / "mini", tokens=544) as server:
        yield server
