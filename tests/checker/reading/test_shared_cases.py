"""Cases that people wrote down against the checker: true equations, and notations with the verdicts they may get."""

import json
from typing import Any

from mathderive.checker.checker import check
from tests.support.shared import shared

TRUE = ("premise", "valid", "skipped")


def cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in shared("attacks", name).read_text(encoding="utf-8").splitlines()]


def test_true_equations_are_read_and_true() -> None:
    true = [case for case in cases("checker.jsonl") if case.get("all_true")]
    truths = [[step.truth for step in check(case["prompt"], case["derivation"]).steps] for case in true]
    assert not any("incorrect" in found for found in truths)
    assert sum(bool(found) and set(found) <= set(TRUE) for found in truths) >= 0.95 * len(true)


def test_notations_get_one_of_their_verdicts() -> None:
    for case in cases("notation.jsonl"):
        verdict = check(case["prompt"], case["derivation"])
        truths = [step.truth for step in verdict.steps]
        assert len(truths) == len(case["may_be"]), case["id"]
        for truth, expected in zip(truths, case["may_be"], strict=True):
            assert expected is None or truth in expected, case["id"]
        assert case["verified"] in (None, verdict.verified), case["id"]
        assert case["goal"] in (None, verdict.goal_reached), case["id"]
