"""The backstop: what a text does to the checking process costs one equation."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from threading import Timer
from types import ModuleType

import pytest

from mathderive.checker.checker import check, unchecked
from mathderive.checker.supervision import (
    CheckOutcome,
    CheckRequest,
    EquationMark,
    SupervisedChecker,
    check_in,
    check_request,
)
from mathderive.core.workers import Limits, WorkerProcess, mark
from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.texts import prompt, target

PROMPT = r"Given f{(x)} = \cos{(x)}, then obtain \frac{d}{d x} f{(x)} = - \sin{(x)}"
OUTPUT = r"f{(x)} = \cos{(x)} and \frac{d}{d x} f{(x)} = \frac{d}{d x} \cos{(x)} and \frac{d}{d x} f{(x)} = - \sin{(x)}"
DEEP = (
    *("(" * 1000 + "x" + ")" * 1000, "x^{" * 300 + "x" + "}" * 300, "{" * 3000, r"\frac{" * 500, "9^{9^{9^{9^{9}}}}"),
    *(r"\int " * 40 + r"x^{x^{x}}" + " d x" * 40, r"\frac{d^{12}}{d x^{12}} x^{x^{x^{x}}}", "x" * 100_000),
    *(r"\frac{d^{99999999}}{d x^{99999999}} e^{x}", r"(x + y + z)^{999999}", r"\infty - \infty", r"\sin" * 400),
    *("\x00\ud800", "x = " * 400, r"\int_{0}^{\infty} e^{- x^{2}} d x", r"\log{(\log{(1)})}", r"\frac{0}{0}"),
)


@pytest.fixture(scope="module")
def hostile() -> ModuleType:
    """The benchmark's texts."""
    path = Path(__file__).parents[2] / "benchmarks" / "validity.py"
    spec = spec_from_file_location("benchmark_of_validity", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_it_says_what_the_checker_says() -> None:
    with SupervisedChecker() as checker:
        assert checker.check(PROMPT, OUTPUT) == check(PROMPT, OUTPUT)
        with pytest.raises(ValueError, match="a prompt begins with"):
            checker.check("Look at 1 = 1", "1 = 1")
        assert checker.check(PROMPT, OUTPUT).verified


def test_without_time_nothing_is_decided() -> None:
    with SupervisedChecker(Limits(cpu_seconds=0.0001)) as checker:
        verdict = checker.check(PROMPT, OUTPUT)
    assert {step.truth for step in verdict.steps} == {"undecided"}
    assert len(verdict.steps) == 3
    assert not verdict.verified


def test_hostile_equations_get_a_verdict_and_harm_no_other() -> None:
    with SupervisedChecker() as checker:
        for text in DEEP:
            verdict = checker.check(PROMPT, f"{OUTPUT} and {text} = 1 and 1 = {text}")
            assert [step.truth for step in verdict.steps[:3]] == ["premise", "valid", "valid"], text[:50]
            assert len(verdict.steps) >= 5
            assert verdict.goal_reached
            assert all(step.truth in ("unparsable", "undecided", "skipped", "incorrect") for step in verdict.steps[3:])


def test_many_premises_and_equations_end_in_a_verdict() -> None:
    asked = f"Given {' and '.join(['a=b'] * 300)}, then obtain a=b"
    with SupervisedChecker() as checker:
        guard = Timer(60, checker.stop)  # ends a check that would repeat for ever
        guard.start()
        verdict = checker.check(asked, "\n".join(["x=y"] * 4990))
        guard.cancel()
    assert len(verdict.steps) == 4990
    assert not verdict.verified


def test_equations_after_the_answer_s_time_are_undecided() -> None:
    worker = WorkerProcess(check_request)
    verdict = check_in(worker, CheckRequest(PROMPT, OUTPUT, seconds=0.0))
    assert [step.truth for step in verdict.steps] == ["undecided"] * 3
    assert len(check_in(worker, CheckRequest(PROMPT, "\n".join(["x = y"] * 5_000), seconds=0.0)).steps) == 5_000
    worker.stop()


def end_after_the_last_equation(request: CheckRequest) -> CheckOutcome:
    mark(EquationMark(1, 0.0))
    while True:
        pass


def test_a_child_that_ends_again_without_the_equation_is_not_asked_for_ever() -> None:
    lane = WorkerProcess(end_after_the_last_equation, Limits(cpu_seconds=0.2))
    guard = Timer(30, lane.stop)
    guard.start()
    assert check_in(lane, CheckRequest(PROMPT, OUTPUT)) == unchecked(OUTPUT)
    guard.cancel()
    lane.stop()


def test_random_text_ends_in_a_verdict(hostile: ModuleType, sampled: list[Derivation]) -> None:
    rng = Random(8)
    texts = target(sampled[0]).split(" and ")
    asked = prompt(sampled[0])
    with SupervisedChecker() as checker:
        for _ in range(150):
            verdict = checker.check(asked, f"{texts[0]} and {hostile.hostile(texts, rng)}")
            assert verdict.steps[0].truth == "premise"
