"""The engine conforms to every released example, and a file with one changed sign does not pass."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sympy import Equality, Symbol

from mathderive.core.errors import InputError
from mathderive.pipeline import conformance
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import SEPARATOR
from mathderive.symbolic.srepr import read_srepr, write_srepr
from tests.support.command import run
from tests.support.released_records import MODELS, UNRENAMED


def quiet(what: str, done: int, wanted: int, note: str = "") -> None:
    pass


@pytest.mark.parametrize("model", MODELS)
def test_the_released_files_conform(shared_reference: Path, model: str) -> None:
    tallies = conformance.check_file(shared_reference / f"{MODELS[model]}_results.json", quiet)
    assert conformance.failures(tallies) == []
    assert conformance.conforms(tallies)
    known = [line for by_set in tallies.values() for tally in by_set.values() for line in tally.known]
    row = UNRENAMED.split("-")[1]
    assert len(known) == 3
    assert all(line.startswith(f"row {row}, vr") for line in known)
    few_shot = sum(tally.total for tally in tallies["few-shot prompt split"].values())
    assert few_shot == (0 if model == "flan-t5-large" else 250)


def test_the_command_prints_a_row_for_each_check(shared_reference: Path, tmp_path: Path) -> None:
    done = run("conformance", shared_reference / "gpt-4_results.json", cwd=tmp_path)
    assert all(check in done.stdout for check in conformance.CHECKS)
    assert "294/294" in done.stdout
    assert "left unrenamed by the authors: C_2" in done.stdout
    assert done.stdout.endswith("\nconforms\n")


def flip(text: str, start: int = 0) -> str:
    """Changes the first binary sign at or after `start`."""
    changed = re.sub(r" ([+-]) ", lambda sign: " - " if sign[1] == "+" else " + ", text[start:], count=1)
    assert changed != text[start:]
    return text[:start] + changed


def flip_srepr(row: dict[str, Any]) -> None:
    steps = row["srepr_derivation"]
    number = next(index for index, (_, srepr) in enumerate(steps) if "Integer(-1)" in srepr)
    steps[number][1] = steps[number][1].replace("Integer(-1)", "Integer(1)", 1)


def flip_derivation(row: dict[str, Any]) -> None:
    row["EE derivation"] = flip(row["EE derivation"])


def flip_prompt(row: dict[str, Any]) -> None:
    row["SR prompt"] = flip(row["SR prompt"], row["SR prompt"].rindex("Prompt: "))


def flip_worked_example(row: dict[str, Any]) -> None:
    row["VR prompt"] = flip(row["VR prompt"])


def wrong_goal(row: dict[str, Any]) -> None:
    """Makes the last step wrong in all texts, so that only the replay and the rule of the variant can notice."""
    steps = row["AG srepr_derivation"]
    goal = read_srepr(steps[-1][1])
    wrong = Equality(goal.lhs, goal.rhs + Symbol("Q"), evaluate=False)
    steps[-1][1] = write_srepr(wrong)
    for key in ("AG derivation", "AG prompt"):
        row[key] = row[key].removesuffix(latex(goal)) + latex(wrong)


@pytest.mark.parametrize(
    ("tamper", "seen_by"),
    [
        (flip_srepr, "LaTeX printed"),
        (flip_derivation, "LaTeX printed"),
        (flip_prompt, "prompt rendered"),
        (flip_worked_example, "few-shot prompt split"),
        (wrong_goal, "steps replayed"),
    ],
)
def test_one_change_does_not_conform(
    shared_reference: Path, tmp_path: Path, tamper: Callable[[dict[str, Any]], None], seen_by: str
) -> None:
    rows = json.loads((shared_reference / "gpt-4_results.json").read_text(encoding="utf-8"))
    fitting = [
        row
        for row in rows
        if "Integer(-1)" in str(row["srepr_derivation"])
        and re.search(r" [+-] ", row["EE derivation"])
        and re.search(r" [+-] ", row["SR prompt"].rsplit("Prompt: ", 1)[1])
        and SEPARATOR in row["AG derivation"]
    ]
    tamper(fitting[0])
    path = tmp_path / "tampered_results.json"
    path.write_text(json.dumps(fitting[:2]), encoding="utf-8")
    tallies = conformance.check_file(path, quiet)
    assert not conformance.conforms(tallies)
    failing = {line.split(":")[0] for line in conformance.failures(tallies)}
    assert seen_by in failing
    if tamper is wrong_goal:
        assert failing == {"steps replayed", "variant of static"}


def test_the_command_fails_where_something_does(shared_reference: Path, tmp_path: Path) -> None:
    rows = json.loads((shared_reference / "gpt-4_results.json").read_text(encoding="utf-8"))[:1]
    wrong_goal(rows[0])
    path = tmp_path / "tampered_results.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    done = run("conformance", path, "--verbose", cwd=tmp_path, code=1)
    assert "failed: steps replayed: row 0, ag" in done.stdout
    assert done.stdout.endswith("\ndoes not conform\n")


def test_a_file_that_cannot_be_read_is_refused_in_one_line(shared_reference: Path, tmp_path: Path) -> None:
    rows = json.loads((shared_reference / "gpt-4_results.json").read_text(encoding="utf-8"))[:1]
    rows[0]["srepr_derivation"][0][1] = "__import__('os').system('true')"
    path = tmp_path / "hostile_results.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(InputError, match=r"hostile_results\.json: released-0-static: .*expected steps"):
        conformance.check_file(path, quiet)
