"""`mathderive compare` on two real runs: what it prints and writes, and which runs it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mathderive.cli.main import main
from mathderive.records import EVALUATION_SETS
from tests.support.command import TINY, Command, folder_contents
from tests.support.released_files import large_released_file

pytestmark = pytest.mark.slow

ROWS = 4
WRONG = (1, 3)
"""The rows whose static answers are wrong in the second run."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished runs, `eval-base` and `eval-tuned`, of recorded answers to the same examples."""
    place = tmp_path_factory.mktemp("runs")
    for name, wrong in (("base", ()), ("tuned", WRONG)):
        (place / name).mkdir()
        path = large_released_file(place / name, ROWS)
        rows = json.loads(path.read_text(encoding="utf-8"))
        for number, row in enumerate(rows):
            row["static_mine"] = "f{(x)} = 2" if number in wrong else row["derivation"]
        path.write_text(json.dumps(rows), encoding="utf-8")
        with pytest.raises(SystemExit) as end:
            main(["eval", f"--predictions={path}", f"--config={TINY}", f"--runs={place}", f"run.name={name}"])
        assert not end.value.code
    return place


@pytest.fixture
def compared(runs: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Compares two runs by their names and returns what is printed."""

    def compare(first: str, second: str, *options: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["compare", str(runs / first), str(runs / second), *options])
        printed = capsys.readouterr()
        assert not end.value.code, printed.err
        return printed.out

    return compare


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, monkeypatch, capsys)


def lines_of(printed: str, *beginnings: str) -> list[list[str]]:
    """The words of the lines that begin with these words."""
    return [words for line in printed.splitlines() if (words := line.split())[: len(beginnings)] == list(beginnings)]


def test_the_wrong_answers_are_what_differs(compared: Callable[..., str]) -> None:
    printed = compared("eval-base", "eval-tuned")
    sizes = ", ".join(f"{ROWS} {label}" for label in ("Static", "VR", "EE", "AG", "SR"))
    assert f"Both were evaluated on the same examples: {sizes}." in printed
    (verified,) = lines_of(printed, "Verified", "Static")
    assert verified[2:5] == ["100.0", "50.0", "−50.0"]
    (unchanged,) = lines_of(printed, "Verified", "VR")
    assert unchanged[4:] == ["0.0", "1.000"]
    (changed,) = lines_of(printed, "mine", "Static")
    assert changed[2:] == ["eval-base", "2", "of", "4", "released-1-static,", "released-3-static"]
    assert "copy: every answer has the same scores in both runs." in printed
    (name,) = lines_of(printed, "run.name")
    assert name == ["run.name", '"eval-base"', '"eval-tuned"']


def test_exchanging_the_runs_negates_the_difference(compared: Callable[..., str]) -> None:
    (verified,) = lines_of(compared("eval-tuned", "eval-base"), "Verified", "Static")
    assert verified[2:5] == ["50.0", "100.0", "50.0"]


def test_a_run_and_itself_are_the_same(compared: Callable[..., str]) -> None:
    printed = compared("eval-base", "eval-base")
    for predictor in ("mine", "copy"):
        assert f"{predictor}: every answer has the same scores in both runs." in printed
    assert "The configs do not differ." in printed


def test_predictors_of_other_names_are_compared_on_request(compared: Callable[..., str]) -> None:
    printed = compared("eval-base", "eval-base", "--predictors", "copy", "mine")
    assert "\ncopy and mine\n" in printed
    assert "By verified answers, mine (second) " in printed


def test_the_page_is_written_and_replaced(compared: Callable[..., str], runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.html"
    for first, second in (("eval-base", "eval-base"), ("eval-base", "eval-tuned")):
        before = folder_contents(runs)
        assert compared(first, second, "--output", str(page)).endswith(f"\n\n{page}\n")
        assert folder_contents(runs) == before
    text = page.read_text(encoding="utf-8")
    assert "<h1>eval-base and eval-tuned</h1>" in text
    assert text.count("<article") == len(WRONG)
    assert "released-1-static" in text
    assert list(page.parent.iterdir()) == [page]


def edit(path: Path, change: Callable[[Any], None]) -> None:
    tree = json.loads(path.read_text(encoding="utf-8"))
    change(tree)
    path.write_text(json.dumps(tree), encoding="utf-8")


def drop_examples(folder: Path) -> None:
    """Leaves out the last example of every set, as a run with a smaller `evaluation.examples` does."""
    from mathderive.core.files import sha256

    digests = {}
    for model in ("mine", "copy"):
        scores = folder / "scores" / model
        for name in EVALUATION_SETS:
            lines = (scores / f"{name}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
            (scores / f"{name}.jsonl").write_text("".join(lines[:-1]), encoding="utf-8")
        digests[model] = [sha256(path) for path in sorted(scores.iterdir())]
    edit(folder / "report.json", lambda tree: tree["stamp"].update(scores=digests))


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no folder": (shutil.rmtree, "run: no such folder; expected that of a finished run, such as runs/quick"),
    "no score stage": (lambda run: (run / "score.json").unlink(), "run/score.json: the score stage is not done"),
    "no report stage": (lambda run: (run / "report.json").unlink(), "run/report.json: the report stage is not done"),
    "a report that is not done": (
        lambda run: edit(run / "report.json", lambda tree: tree.update(done=False)),
        "run/report.json: the report stage is not done",
    ),
    "no JSON": (lambda run: (run / "score.json").write_text("{"), "run/score.json: the score stage is not done"),
    "a foreign stamp": (
        lambda run: edit(run / "report.json", lambda tree: tree["stamp"].update(scores={"../evil": []})),
        "run/report.json: stamp.scores.../evil",
    ),
    "changed scores": (
        lambda run: (run / "scores" / "mine" / "vr.jsonl").write_text(""),
        "run/scores/mine: not the scores of this run's report; expected `report` to be run again",
    ),
    "other data": (
        lambda run: edit(run / "report.json", lambda tree: tree["stamp"].update(data="0" * 64)),
        "evaluated on different data, with the content hashes",
    ),
    "another version": (
        lambda run: edit(run / "score.json", lambda tree: tree["stamp"].update(version=1)),
        "of the score stage; expected the same one",
    ),
    "fewer examples": (
        drop_examples,
        f"evaluated on {5 * ROWS} and {5 * (ROWS - 1)} examples; run lacks released-3-static",
    ),
}
"""Changes of a run folder that make its comparison impossible, and the complaint about each."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_that_cannot_be_compared_is_one_line(runs: Path, tmp_path: Path, command: Command, damage: str) -> None:
    shutil.copytree(runs / "eval-tuned", tmp_path / "run")
    change, named = DAMAGES[damage]
    change(tmp_path / "run")
    before = folder_contents(tmp_path)
    assert named in command.refused("compare", runs / "eval-base", "run", "--output", "page.html")
    assert folder_contents(tmp_path) == before


def stamp(run: Path, stage: str, **changes: Any) -> None:
    edit(run / f"{stage}.json", lambda tree: tree["stamp"].update(changes))


def test_runs_scored_in_other_ways_are_refused_or_noted(
    runs: Path, tmp_path: Path, compared: Callable[..., str], command: Command
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for run, name in ((first, "eval-base"), (second, "eval-tuned")):
        shutil.copytree(runs / name, run)
    bleurt = {"checkpoint": "0" * 64, "max_length": 512}
    stamp(first, "score", bleurt=bleurt)
    assert "\nmine\n" in compared(str(first), str(second))  # one of them alone has BLEURT scores
    stamp(second, "score", bleurt={**bleurt, "max_length": 128})
    assert "score.bleurt: scored by different settings" in command.refused("compare", first, second)
    stamp(second, "score", bleurt=bleurt, libraries={"nltk": "0.1", "sympy": "1.14"})
    stamp(second, "report", extensions={"recall.py": "1" * 64})
    printed = compared(str(first), str(second))
    assert " nltk " in printed.partition("The runs were scored with different libraries:")[2].partition("\n")[0]
    assert "Left out: what recall.py measures; a --config that has these extensions adds it." in printed


def test_wrong_options_are_one_line(runs: Path, tmp_path: Path, command: Command) -> None:
    pair = runs / "eval-base", runs / "eval-tuned"
    line = command.refused("compare", *pair, "--predictors", "mine", "yours")
    assert "--predictors: yours: " in line
    assert "expected one of mine, copy" in line
    assert "nowhere.yaml: no such config file" in command.refused("compare", *pair, "--config", "nowhere.yaml")
    (tmp_path / "file").touch()
    before = folder_contents(tmp_path)
    for place in (tmp_path, "file/page.html"):
        assert "expected a file that can be written" in command.refused("compare", *pair, "--output", place)
    assert folder_contents(tmp_path) == before


def test_the_only_predictors_of_their_names_are_compared_and_others_left_out(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rename(folder: Path, names: dict[str, str]) -> None:
        def renamed(tree: Any) -> None:
            tree["stamp"]["scores"] = {names.get(name, name): found for name, found in tree["stamp"]["scores"].items()}

        edit(folder / "report.json", renamed)
        for name, new in names.items():
            (folder / "scores" / name).rename(folder / "scores" / new)

    shutil.copytree(runs / "eval-tuned", tmp_path / "renamed")
    rename(tmp_path / "renamed", {"mine": "theirs"})
    with pytest.raises(SystemExit):
        main(["compare", str(runs / "eval-base"), str(tmp_path / "renamed")])
    assert "\nmine and theirs\n" in capsys.readouterr().out
    rename(tmp_path / "renamed", {"copy": "again"})
    assert main(["compare", str(runs / "eval-base"), str(tmp_path / "renamed")]) == 2
    assert "no predictor in both, only mine, copy and theirs, again" in capsys.readouterr().err
