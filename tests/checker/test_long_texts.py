"""Every text of up to a megabyte gets its verdict within the bounds of the child; no pattern needs quadratic time."""

from collections.abc import Iterator
from random import Random

import pytest

from mathderive.checker.checker import unchecked
from mathderive.checker.reading.answers import MAX_CHARACTERS, MAX_PARTS, split_answer
from mathderive.checker.reading.equations import Reading, read
from mathderive.checker.reading.notation import notation_of
from mathderive.checker.supervision import SupervisedChecker
from mathderive.core.workers import Ended, Limits, WorkerProcess

MEGABYTE = 10**6
PROMPT = r"Given f{(x)} = \cos{(x)}, then obtain \frac{d}{d x} f{(x)} = - \sin{(x)}"
PREMISE = r"f{(x)} = \cos{(x)}"

RUNS = (
    *(" ", "\t", "\n", "\r\n", " \n ", "\u2028", "\u00a0", "\x1c", "~", "$", ".", ". ", ",", ";", "'", "!", "&", "%"),
    *("a", "A", "e", "d", "9", "1.", "_", "^", "=", "= ", "+", "-", "/", "|", "<", "é", "\U0001f600", "\x00", "\ud800"),
    *("\\", "\\ ", "\\\\", "(", ")", "{", "}", "[", "]", "()", "{}", "( ", ") ", "{ ", "} "),
    *("f", "f ", "f'", "f(", "f' (", "(by ", "(by abc ", "(using ", "(using x) ", "We ", ". We "),
    *("and", " and ", "and ", " and", "\nand ", "x\n", "x and "),
    *(r"\left ", r"\left(", r"\right)", r"\frac{", r"\frac ", r"\frac{d}{d x} ", r"\text{", r"\tilde { ", "d x "),
    *(r"\quad ", r"\boxed{", r"\fbox{}", "where ", "so x = 1; ", "- x\n", r"\( ", "->", r"\begin{a}"),
    *("<think>", "</think>", "<think></think>"),
)  # fmt: skip
"""Texts that are repeated: every kind of character that a pattern of the readers names, and their beginnings."""


def read_in_every_way(text: str) -> int:
    """Uses everything that reads an answer or a prompt outside the checks of single equations."""
    notation = notation_of([r"f{(x)} = \cos{(x)}", "g(x) = x", text], [text])
    readings: list[Reading] = [
        read(part, notation) for part in (text, f"f{text}(x) = 1", f"x = 1 {text} (by definition)")
    ]
    notation.rewritten(f"g{text}(x)")
    steps = [*unchecked(text).steps, *unchecked(f"$x = 1 {text} = 2$").steps]
    return len(split_answer(text)) + len(steps) + len(readings)


@pytest.fixture(scope="module")
def reader() -> Iterator[WorkerProcess[str, int]]:
    worker = WorkerProcess(read_in_every_way, Limits(memory_bytes=2**30, cpu_seconds=4.0))
    yield worker
    worker.stop()


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS, ids=ascii)
def test_a_megabyte_of_anything_is_read_within_the_bounds(reader: WorkerProcess[str, int], run: str) -> None:
    for length in (9_000, 99_000, MEGABYTE):  # the shorter ones are looked at more closely
        found = reader.ask(run * (length // len(run)))
        assert not isinstance(found, Ended), found


@pytest.mark.parametrize(
    ("opening", "closing"),
    [(r"\boxed{", "}"), ("(", ")"), ("{", "}"), (r"\text{so ", "}"), (r"\(", r"\)"), (r"\begin{a}", r"\end{a}")],
)
def test_what_is_nested_is_read_within_the_bounds(reader: WorkerProcess[str, int], opening: str, closing: str) -> None:
    depth = 99_000 // len(opening + closing)
    found = reader.ask(f"{opening * depth}x = 1{closing * depth}")
    assert not isinstance(found, Ended), found


def test_a_megabyte_of_anything_gets_a_verdict() -> None:
    rng = Random(0)
    with SupervisedChecker() as checker:
        for run in rng.sample(RUNS, 12):
            text = run * (MEGABYTE // len(run))
            verdict = checker.check(PROMPT, f"{PREMISE}\n{text}")
            assert verdict.steps[0].truth == "premise"
            assert not verdict.verified
            assert len(verdict.steps) <= MAX_PARTS


def test_the_parts_of_an_answer_are_bounded_and_lose_no_text() -> None:
    text = "\n".join(f"x = {number}" for number in range(10**5))
    parts = split_answer(text)
    assert len(parts) == MAX_PARTS
    assert "\n".join(parts) == text
    long = "x" * MAX_CHARACTERS + " and y = 1 and z = 1"
    assert split_answer(long) == [long]


def test_a_hundred_thousand_equations_get_a_verdict() -> None:
    with SupervisedChecker() as checker:
        verdict = checker.check(PROMPT, " and ".join([PREMISE, *["x = x"] * 10**5]))
    assert len(verdict.steps) == MAX_PARTS
    assert verdict.steps[0].truth == "premise"
    assert {step.truth for step in verdict.steps[60:]} == {"undecided"}
    assert not verdict.verified
