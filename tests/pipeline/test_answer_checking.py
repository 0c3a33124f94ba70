"""Checking answers in worker processes: files do not depend on the number of workers, kills or hostile answers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mathderive.checker.checker import Checker, unchecked
from mathderive.checker.supervision import CheckOutcome, CheckRequest, EquationMark, check_in
from mathderive.core.workers import Limits, WorkerProcess, mark
from mathderive.metrics.checked_answers import CheckedAnswer, summarise
from mathderive.pipeline.answer_checking import AnswersToCheck, check_answers
from mathderive.records import ERROR_CATEGORIES, TRUTHS, Example, Prediction, read_jsonl

PREMISE = r"f{(x)} = x^{2}"
DERIVED = r"\frac{d}{d x} f{(x)} = \frac{d}{d x} x^{2}"
GOAL = r"\frac{d}{d x} f{(x)} = 2 x"
PROMPT = f"Given {PREMISE}, then obtain {GOAL}"
ANSWERS = [
    f"{PREMISE} and {DERIVED} and {GOAL}",
    f"{PREMISE} and {GOAL}",
    rf"{PREMISE} and {DERIVED} and \frac{{d}}{{d x}} f{{(x)}} = 3 x",
    "",
    r"\frac{ and }} = = \ud800".encode("utf-8", "replace").decode(),
    f"{PREMISE} and {PREMISE}",
]


def ignore(what: str, done: int, wanted: int, note: str = "") -> None:
    pass


def make_jobs(folder: Path) -> list[AnswersToCheck]:
    """The answers of two models to one set."""
    jobs = []
    for model in ("a", "b"):
        pairs = []
        for number, text in enumerate(ANSWERS if model == "a" else ANSWERS[:2]):
            identity, source = f"{number}-sr", str(number)
            example = Example(id=identity, source_id=source, set="sr", prompt=PROMPT, target=ANSWERS[0], steps=[])
            pairs.append((example, Prediction(id=identity, source_id=source, set="sr", model=model, text=text)))
        jobs.append(AnswersToCheck(folder / model / "sr.verdicts.jsonl", pairs))
    return jobs


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked")
    assert len(list(check_answers(make_jobs(folder), 2, ignore))) == 2
    return folder


def test_every_answer_has_its_line_and_every_equation_its_verdict(checked: Path) -> None:
    assert sorted(contents(checked)) == ["a/sr.verdicts.jsonl", "b/sr.verdicts.jsonl"]
    lines = read_jsonl(checked / "a" / "sr.verdicts.jsonl", CheckedAnswer)
    assert [(line.id, line.model, line.text) for line in lines] == [
        (f"{number}-sr", "a", text) for number, text in enumerate(ANSWERS)
    ]
    for line in lines:
        assert line.validity == Checker(line.prompt).check(line.text, may_search=lambda number: True)
        assert len(line.categories) == len(line.validity.steps)
        summary = summarise(line.validity)
        assert sum(summary.truths.values()) == summary.equations == len(line.validity.steps)
        assert sum(summary.errors.values()) == sum(category is not None for category in line.categories)
        assert summary.errors["incorrect"] == summary.truths["incorrect"]
        assert set(summary.truths) == set(TRUTHS)
        assert set(summary.errors) == set(ERROR_CATEGORIES)


def test_a_kill_after_the_last_verdict_leaves_no_second_file(checked: Path, tmp_path: Path) -> None:
    shutil.copytree(checked, tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "a" / "sr.verdicts.jsonl", tmp_path / "a" / "sr.verdicts.jsonl.partial")
    list(check_answers(make_jobs(tmp_path), 1, ignore))
    assert contents(tmp_path) == contents(checked)


def test_the_number_of_workers_is_of_no_matter(checked: Path, tmp_path: Path) -> None:
    list(check_answers(make_jobs(tmp_path), 1, ignore))
    assert contents(tmp_path) == contents(checked)


@pytest.mark.parametrize(
    ("kept", "rest"), [(0, b'{"id"'), (2, b""), (3, b'{"id": "3-sr"}\n'), (5, b"\xff\n"), (6, b"")]
)
def test_what_a_kill_left_is_gone_on_from(checked: Path, tmp_path: Path, kept: int, rest: bytes) -> None:
    """Answers with a whole line are not checked again; those after half a line or damage are."""
    lines = (checked / "a" / "sr.verdicts.jsonl").read_bytes().splitlines(keepends=True)
    partial = tmp_path / "a" / "sr.verdicts.jsonl.partial"
    partial.parent.mkdir()
    partial.write_bytes(b"".join(lines[:kept]) + rest)
    told: list[tuple[int, int]] = []
    list(check_answers(make_jobs(tmp_path), 1, lambda what, done, wanted, note="": told.append((done, wanted))))
    assert (told[0], told[-1]) == ((kept, 8), (8, 8))
    assert contents(tmp_path) == contents(checked)


def test_verdicts_of_other_answers_are_not_taken(checked: Path, tmp_path: Path) -> None:
    lines = (checked / "a" / "sr.verdicts.jsonl").read_bytes().splitlines(keepends=True)
    partial = tmp_path / "a" / "sr.verdicts.jsonl.partial"
    partial.parent.mkdir()
    partial.write_bytes(lines[1] + lines[0])
    list(check_answers(make_jobs(tmp_path), 1, ignore))
    assert contents(tmp_path) == contents(checked)


def test_finished_files_are_read_and_nothing_is_started(checked: Path) -> None:
    before = contents(checked)
    again = list(check_answers(make_jobs(checked), 1, ignore))
    assert [line.id for line in again[1]] == ["0-sr", "1-sr"]
    assert contents(checked) == before


def checked_but_for(request: CheckRequest, trouble: Callable[[], object]) -> CheckOutcome:
    """A checker that meets trouble at the second equation."""

    def begin(number: int) -> None:
        mark(EquationMark(number, 0.0))
        if number == 2 and number not in request.leave_out:
            trouble()

    return Checker(request.prompt).check(request.output, request.leave_out, begin)


def spin() -> None:
    while True:
        pass


def stuck_at_the_second(request: CheckRequest) -> CheckOutcome:
    return checked_but_for(request, spin)


def hungry_at_the_second(request: CheckRequest) -> CheckOutcome:
    return checked_but_for(request, lambda: bytearray(2**31))


@pytest.mark.parametrize("checker", [stuck_at_the_second, hungry_at_the_second])
def test_an_equation_that_ends_its_process_costs_no_other_its_verdict(
    checker: Callable[[CheckRequest], CheckOutcome],
) -> None:
    worker = WorkerProcess(checker, Limits(memory_bytes=2**30, cpu_seconds=0.5))
    for _ in range(2):
        verdict = check_in(worker, CheckRequest(PROMPT, ANSWERS[0]))
        assert [step.text for step in verdict.steps] == [PREMISE, DERIVED, GOAL]
        assert [step.truth for step in verdict.steps] == ["premise", "undecided", "skipped"]
        assert not verdict.verified
        assert summarise(verdict).truths["undecided"] == 1
    worker.stop()


def stuck(request: CheckRequest) -> CheckOutcome:
    spin()
    return "unreachable"


def test_an_answer_that_ends_its_process_is_undecided() -> None:
    worker = WorkerProcess(stuck, Limits(cpu_seconds=0.5))
    assert check_in(worker, CheckRequest(PROMPT, ANSWERS[0])) == unchecked(ANSWERS[0])
    worker.stop()


def test_an_answer_to_a_prompt_of_another_form_is_undecided(tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path)[1:]
    asked = [(example.model_copy(update={"prompt": "Prove it."}), prediction) for example, prediction in job.answers]
    ((line, _),) = check_answers([AnswersToCheck(job.path, asked)], 1, ignore)
    assert [step.truth for step in line.validity.steps] == ["undecided"] * 3
    assert "the prompt cannot be read: a prompt begins with" in line.validity.steps[0].reason


def test_a_line_says_the_paper_s_category() -> None:
    (step,) = unchecked("x = 1").steps
    steps = {
        "incorrect": step.model_copy(update={"truth": "incorrect", "redundant": True, "irrelevant": True}),
        "redundant": step.model_copy(update={"truth": "skipped", "redundant": True, "irrelevant": True}),
        "irrelevant": step.model_copy(update={"truth": "skipped", "irrelevant": True}),
        "skipped": step.model_copy(update={"truth": "skipped"}),
        None: step.model_copy(update={"truth": "valid"}),
    }
    assert {category: steps[category].category for category in steps} == {category: category for category in steps}
    summary = summarise(unchecked("").model_copy(update={"steps": list(steps.values())}))
    assert summary.errors == dict.fromkeys(ERROR_CATEGORIES, 1)
    assert summary.truths == {**dict.fromkeys(TRUTHS, 0), "incorrect": 1, "skipped": 3, "valid": 1}
    json.loads(summary.model_dump_json())
