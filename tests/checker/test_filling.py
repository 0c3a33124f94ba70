"""The equations that are missing before skipped ones."""

from collections import Counter

import pytest

from mathderive.checker.checker import Checker, check
from mathderive.checker.filling import fill
from mathderive.checker.supervision import SupervisedChecker
from mathderive.checker.verdicts import Validity
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import prompt, target


def counted(asked: str, answer: str) -> Validity:
    return Checker(asked).check(answer, may_search=lambda number: True)


@pytest.fixture(scope="module")
def shortened() -> list[tuple[str, str]]:
    """Prompts and derivations of the generator, each with one equation left out."""
    texts = []
    for attempt in range(3):
        derivation = sample_derivation(SamplingSettings(), 5, attempt)
        if derivation is not None:
            asked, equations = prompt(derivation), target(derivation).split(" and ")
            places = range(1, len(equations) - 1)
            texts += [(asked, "\n".join(equations[:place] + equations[place + 1 :])) for place in places]
    return texts


def test_equations_that_were_left_out_are_found_again(shortened: list[tuple[str, str]]) -> None:
    counts = Counter[str]()
    for asked, answer in shortened:
        verdict = counted(asked, answer)
        filled = fill(verdict)
        after = check(asked, filled.text).steps
        assert [step.text for number, step in enumerate(after, start=1) if number not in filled.missing] == [
            step.text for step in verdict.steps
        ]
        assert all(after[number - 1].truth == "valid" for number in filled.missing)
        kept = [step for number, step in enumerate(after, start=1) if number not in filled.missing]
        for before, now in zip(verdict.steps, kept, strict=True):
            if before.missing_operators in ("2", "3"):
                assert len(before.missing_equations) == int(before.missing_operators) - 1
                assert now.truth == "valid"
            counts[before.missing_operators or before.truth] += 1
    assert counts["2"] > 2 * counts["more"]


def test_three_operators_and_more() -> None:
    asked = r"Given f{(x)} = \sin{(x)}, then obtain \cos{(f{(x)})} + x = \cos{(\sin{(x)})} + x"
    answers = (
        r"\cos{(f{(x)})} + x = \cos{(\sin{(x)})} + x",
        r"e^{\cos{(f{(x)})} + x} = e^{\cos{(\sin{(x)})} + x}",
        r"\cos{(x \cos{(\cos{(f{(x)})})})} = \cos{(x \cos{(\cos{(\sin{(x)})})})}",
    )
    found = [counted(asked, f"f{{(x)}} = \\sin{{(x)}}\n{answer}").steps[1].missing_operators for answer in answers]
    assert found == ["2", "3", "more"]


def test_a_plain_check_does_not_search(shortened: list[tuple[str, str]]) -> None:
    for asked, answer in shortened[:10]:
        assert {step.missing_operators for step in check(asked, answer).steps} == {None}


def test_another_process_finds_the_same(shortened: list[tuple[str, str]]) -> None:
    with SupervisedChecker() as checker:
        for asked, answer in shortened[:10]:
            assert checker.check(asked, answer, counts_missing=True) == counted(asked, answer)
