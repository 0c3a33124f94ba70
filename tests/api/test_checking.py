"""The public checker says what the checker says, within its limits, and refuses wrong arguments clearly."""

from collections.abc import Iterator
from threading import Timer

import pytest

import mathderive
from mathderive.checker.checker import check

PROMPT = r"Given x = a b, then obtain x + b = a b + b"
GOOD = "x = a b and x + b = a b + b"
BAD = "x = a b and x + b = a b + a"
HOSTILE = ("\x00\ud800", "9^{9^{9^{9^{9}}}} = 1", "{" * 3000, "x = " * 400, "(" * 10**6, "x = y\n" * 20_000)


@pytest.fixture(scope="module")
def checker() -> Iterator[mathderive.Checker]:
    with mathderive.Checker(2) as opened:
        yield opened


def test_the_verdict_is_the_checkers(checker: mathderive.Checker) -> None:
    for text in (GOOD, BAD, "", "x = a b and x + b + 1 = a b + b + 1"):
        assert mathderive.check(PROMPT, text, rules="paper") == checker.check(PROMPT, text) == check(PROMPT, text)
        assert mathderive.check(PROMPT, text) == check(PROMPT, text, rules="textbook")


def test_rules_are_chosen_for_a_checker_or_for_a_check() -> None:
    prompt = "Given f(x) = x^2, then obtain f'(x) = 2x"
    text = "f(x) = x^2 and f'(x) = 2x"
    assert mathderive.check(prompt, text).verified
    assert not mathderive.check(prompt, text, rules="paper").verified
    with mathderive.Checker(rules="textbook") as checker:
        assert [one.rules for one in checker.check_all([(prompt, text), ("no prompt", text)])] == ["textbook"] * 2
        assert not checker.check(prompt, text, rules="paper").verified
    with pytest.raises(ValueError, match="rules: 'own'; expected 'paper' or 'textbook'"):
        mathderive.Checker(rules="own")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rules: 'own'"):
        mathderive.check(prompt, text, rules="own")  # type: ignore[arg-type]


def test_many_answers_keep_their_order(checker: mathderive.Checker) -> None:
    answers = [(PROMPT, GOOD), (PROMPT, BAD)] * 10
    assert [one.verified for one in checker.check_all(answers)] == [True, False] * 10
    assert checker.check_all([]) == []


def test_hostile_texts_have_a_verdict_and_harm_no_other(checker: mathderive.Checker) -> None:
    verdicts = checker.check_all([(PROMPT, text) for text in HOSTILE for text in (text, f"{GOOD} and {text}")])
    assert not any(verdict.verified for verdict in verdicts[::2])
    for verdict in verdicts[1::2]:
        assert [step.truth for step in verdict.steps[:2]] == ["premise", "valid"]
    assert checker.check(PROMPT, GOOD).verified


def test_missing_operators_are_counted_where_asked(checker: mathderive.Checker) -> None:
    text = "x = a b and 2 x + b = 2 a b + b"
    assert checker.check(PROMPT, text).steps[1].missing_operators is None
    assert checker.check(PROMPT, text, counts_missing=True).steps[1].missing_operators == "3"


def test_a_prompt_of_another_form(checker: mathderive.Checker) -> None:
    with pytest.raises(ValueError, match="a prompt begins with"):
        mathderive.check("Look at 1 = 1", GOOD)
    (first, second) = checker.check_all([("Look at 1 = 1", GOOD), (PROMPT, GOOD)])
    assert {step.truth for step in first.steps} == {"undecided"}
    assert "the prompt cannot be read" in first.steps[0].reason
    assert not first.verified
    assert second.verified


@pytest.mark.parametrize(("prompt", "text"), [(None, GOOD), (PROMPT, None), (PROMPT, [GOOD]), (PROMPT.encode(), GOOD)])
def test_what_is_no_text_is_refused(prompt: str, text: str) -> None:
    with pytest.raises(TypeError, match="expected a text, not"):
        mathderive.check(prompt, text)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="processes: -1"):
        mathderive.Checker(-1)
    with pytest.raises(TypeError, match="key: expected a text, not int"):
        mathderive.Checker(key=5)  # type: ignore[arg-type]


def test_a_closed_checker_says_so_and_a_check_in_progress_ends() -> None:
    checker = mathderive.Checker()
    assert "secret" not in repr(mathderive.Checker(key="secret"))
    assert checker.check(PROMPT, GOOD).verified
    timer = Timer(0.3, checker.close)
    timer.start()
    with pytest.raises(RuntimeError, match="this checker is closed"):
        while True:
            checker.check(PROMPT, GOOD)
    timer.join()
    with pytest.raises(RuntimeError, match="this checker is closed"):
        checker.check_all([(PROMPT, GOOD)])
    checker.close()


def test_another_key_tests_at_other_points() -> None:
    found = set()
    for key in ("one", "two"):
        with mathderive.Checker(key=key) as checker:
            found.add(str(checker.check(PROMPT, BAD).steps[1].counterexample))
    assert len(found) == 2
