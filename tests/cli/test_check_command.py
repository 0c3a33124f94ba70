"""`mathderive check`, as a person meets it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import complaint, run

PROMPT = "Given f(x) = \\sin(x), then obtain \\frac{d}{dx} f(x) = \\cos(x)\n"
DERIVATION = "f(x) = \\sin(x)\n\\frac{d}{dx} f(x) = \\frac{d}{dx} \\sin(x)\n\\frac{d}{dx} f(x) = \\cos(x)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prompt.txt").write_text(PROMPT)
    (tmp_path / "right.txt").write_text(DERIVATION)
    (tmp_path / "wrong.txt").write_text(DERIVATION.replace("= \\cos", "= \\tan"))
    return tmp_path


def test_a_right_derivation(folder: Path) -> None:
    done = run("check", "prompt.txt", "right.txt", cwd=folder)
    assert done.stdout.splitlines()[-1].endswith("goal reached; verified")
    assert "\x1b" not in done.stdout
    assert [line.split()[1] for line in done.stdout.splitlines() if line.lstrip()[0].isdigit()][:3] == [
        "premise",
        "valid",
        "valid",
    ]


def test_a_wrong_one_as_json(folder: Path) -> None:
    found = json.loads(run("check", "prompt.txt", "wrong.txt", "--json", cwd=folder, code=1).stdout)
    assert found["verified"] is False
    assert [step["truth"] for step in found["steps"]] == ["premise", "valid", "incorrect"]
    assert set(found["steps"][2]["counterexample"]) == {"x"}


def test_missing_equations_are_inserted(folder: Path) -> None:
    [premise, step, goal] = DERIVATION.splitlines()
    (folder / "short.txt").write_text(f"{premise}\n{goal}\n")
    done = run("check", "prompt.txt", "short.txt", "--fill", "--rules", "paper", cwd=folder, code=1)
    numbered = [line for line in done.stdout.splitlines() if line.lstrip()[0].isdigit()]
    verdicts = [line.split(maxsplit=2)[1:] for line in numbered[:3]]
    assert [verdict for verdict, _ in verdicts] == ["premise", "missing", "valid"]
    assert verdicts[1][1].replace("{(x)}", "(x)").replace(" ", "") == step.replace(" ", "")
    assert done.stdout.splitlines()[-1] == "missing equations inserted: 1; equations still skipped: 0"
    command = "check", "prompt.txt", "short.txt", "--fill", "--json", "--rules", "paper"
    found = json.loads(run(*command, cwd=folder, code=1).stdout)
    assert [step["missing_operators"] for step in found["steps"]] == [None, "2"]


@pytest.mark.slow
def test_steps_of_people_count_unless_told_otherwise(folder: Path) -> None:
    [premise, _, goal] = DERIVATION.splitlines()
    (folder / "short.txt").write_text(f"{premise}\n{goal}\n")
    for options, rules, code in (((), "textbook", 0), (("--rules", "textbook"), "textbook", 0)):
        found = json.loads(run("check", "prompt.txt", "short.txt", "--json", *options, cwd=folder, code=code).stdout)
        assert (found["rules"], found["verified"]) == (rules, True)
        assert found["steps"][1]["operator"] == "differentiated"
    done = run("check", "prompt.txt", "short.txt", "--json", "--rules", "paper", cwd=folder, code=1)
    assert json.loads(done.stdout)["rules"] == "paper"
    assert json.loads(done.stdout)["steps"][1]["truth"] == "skipped"


def test_other_rules_are_refused(folder: Path) -> None:
    done = run("check", "prompt.txt", "right.txt", "--rules", "own", cwd=folder, code=2)
    assert "'own' is not one of 'paper', 'textbook'" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("arguments", [("prompt.txt",), ("prompt.txt", "-")])
def test_from_standard_input(folder: Path, arguments: tuple[str, ...]) -> None:
    with (folder / "right.txt").open() as stream:
        command = [sys.executable, "-m", "mathderive", "check", *arguments]
        done = subprocess.run(command, cwd=folder, stdin=stream, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "verified" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--prompt", PROMPT, "--derivation", DERIVATION),
        ("-p", PROMPT, "right.txt"),
        ("prompt.txt", "-d", DERIVATION.replace("\n", " and ", 2)),
    ],
)
def test_texts_in_place_of_files(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run("check", *arguments, cwd=folder).stdout == run("check", "prompt.txt", "right.txt", cwd=folder).stdout


def test_the_summary_names_the_first_equation_that_is_not_verified(folder: Path) -> None:
    def summary(derivation: str) -> str:
        done = run("check", "prompt.txt", "-d", derivation, "--rules", "paper", cwd=folder, code=1)
        return done.stdout.splitlines()[-1]

    premise, step, goal = DERIVATION.splitlines()
    assert summary((folder / "wrong.txt").read_text()).endswith(
        "; goal not reached; not verified: equation 3 is incorrect"
    )
    assert summary(f"{premise} and {goal}").endswith("; goal reached; sound, but not verified: equation 2 is skipped")
    assert summary(f"{premise} and {step}").endswith("; goal not reached; not verified")


def test_a_person_is_told_what_to_type(folder: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "mathderive", "check", "prompt.txt"]
    process = subprocess.Popen(command, cwd=folder, stdin=follower, stdout=-1, stderr=-1, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "check: type the derivation, then press Ctrl-D at the beginning of a line\n"
    os.write(leader, DERIVATION.encode() + b"\x04")
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said.splitlines()[-1].endswith("verified")) == (0, True)
    os.close(leader)
    os.close(follower)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "check: no prompt; expected a file or --prompt TEXT"),
        (("-p", PROMPT, "right.txt", "right.txt"), "right.txt: one text too many"),
        (("-p", "x = 1", "right.txt"), "--prompt: a prompt begins with 'Given '"),
        (("prompt.txt", "-d", " "), "--derivation: empty; expected equations"),
        (("nowhere.txt", "right.txt"), "nowhere.txt: No such file"),
        (("prompt.txt", "."), ".: Is a directory"),
        (("right.txt", "right.txt"), "right.txt: a prompt begins with 'Given '"),
        (("prompt.txt", "empty.txt"), "empty.txt: empty; expected equations"),
        (("prompt.txt", "bytes.txt"), "bytes.txt: not UTF-8"),
        (("prompt.txt", "huge.txt"), "huge.txt: expected at most"),
        (("-", "-"), "expected one of PROMPT and DERIVATION"),
    ],
)
def test_bad_input_is_one_line(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    (folder / "empty.txt").write_text(" \n")
    (folder / "bytes.txt").write_bytes(b"\xff\xfe")
    (folder / "huge.txt").write_text("x = x\n" * 200_000)
    assert said in complaint(run("check", *arguments, cwd=folder, code=2).stderr)


def test_a_terminal_is_told_nothing_to_obey(folder: Path) -> None:
    (folder / "evil.txt").write_text("\x1b]0;owned\x07 x = 1\n")
    assert "\x1b" not in run("check", "prompt.txt", "evil.txt", cwd=folder, code=1).stdout
