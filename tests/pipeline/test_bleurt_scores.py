"""BLEURT in the score stage: from the command line to the tables, after a kill, and with an unusable checkpoint."""

import json
import signal
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from mathderive.cli.main import main
from mathderive.config.schema import BleurtSettings
from mathderive.metrics.bleurt import Bleurt, Pair
from mathderive.pipeline.bleurt_scores import needed_pairs, score_pairs
from mathderive.records import (
    EVALUATION_SETS,
    PERTURBED_SETS,
    EvaluationSet,
    Example,
    Prediction,
    Score,
    Sensitivity,
    read_jsonl,
)
from tests.support.command import TINY, complaint, jsonl_files, run, start
from tests.support.released_files import large_released_file
from tests.support.torch_bert import write_bleurt

COMMAND = ("--config", str(TINY), "score.validity=false")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def code_of(arguments: Sequence[str]) -> int:
    """The exit code of `mathderive`, in this process."""
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


def read_targets(file: Path) -> dict[str, str]:
    """The references of a result file, by the examples' ids."""
    return {
        f"released-{number}-{name}": row["derivation" if name == "static" else f"{name.upper()} derivation"]
        for number, row in enumerate(json.loads(file.read_text(encoding="utf-8")))
        for name in EVALUATION_SETS
    }


@pytest.mark.slow
@pytest.mark.parametrize("source", ["made up", "recorded"])
def test_eval_scores_with_it(place: Path, source: str, request: pytest.FixtureRequest) -> None:
    if source == "recorded":
        recorded = request.getfixturevalue("shared_reference") / "flan-t5-large_results.json"
        results = place / recorded.name
        results.write_text(json.dumps(json.loads(recorded.read_text(encoding="utf-8"))[:3]), encoding="utf-8")
    else:
        results = large_released_file(place, 3)
    checkpoint = str(write_bleurt(place / "bleurt"))
    evaluate = ("eval", "--predictions", str(results), "--bleurt", checkpoint, *COMMAND, "evaluation.examples=null")
    assert code_of(evaluate) == 0
    folder = place / "runs" / "eval-tiny"
    (model,) = (path.name for path in (folder / "scores").iterdir() if path.name != "copy")
    bleurt = Bleurt(BleurtSettings(checkpoint=checkpoint, batch_size=1))
    targets = read_targets(results)
    texts: dict[str, str] = {}
    scores: dict[str, float] = {}
    for name in EVALUATION_SETS:
        answers = read_jsonl(folder / "predictions" / model / f"{name}.jsonl", Prediction)
        rows = read_jsonl(folder / "scores" / model / f"{name}.jsonl", Score)
        expected = bleurt([(answer.text, targets[answer.id]) for answer in answers])
        assert [row.bleurt for row in rows] == pytest.approx(expected, abs=1e-6)
        texts |= {answer.id: answer.text for answer in answers}
        scores |= {row.id: row.bleurt for row in rows if row.bleurt is not None}
    pairs = read_jsonl(folder / "scores" / model / "sensitivity.jsonl", Sensitivity)
    assert len(pairs) == 3 * len(PERTURBED_SETS)
    for pair in pairs:
        static, variant = f"{pair.source_id}-static", f"{pair.source_id}-{pair.set}"
        a, b = bleurt([(targets[variant], targets[static]), (texts[variant], texts[static])])
        assert pair.bleurt is not None
        assert pair.bleurt.reference_similarity == pytest.approx(a, abs=1e-6)
        assert pair.bleurt.output_similarity == pytest.approx(b, abs=1e-6)
        assert pair.bleurt.difference == scores[static] - scores[variant]
    tables = (folder / "report" / "tables.md").read_text(encoding="utf-8")
    assert "| BLEURT |" in tables
    assert "### BLEURT" in tables
    assert not list(folder.rglob("*.partial"))


def test_without_it_the_column_says_so(place: Path) -> None:
    assert code_of(("eval", "--predictions", str(large_released_file(place, 2)), *COMMAND)) == 0
    folder = place / "runs" / "eval-tiny"
    assert all(row.bleurt is None for row in read_jsonl(folder / "scores" / "mine" / "static.jsonl", Score))
    tables = (folder / "report" / "tables.md").read_text(encoding="utf-8")
    header, row = (
        next(line for line in tables.splitlines() if line.startswith(start)) for start in ("| Model", "| mine")
    )
    assert dict(zip(header.split(" | "), row.split(" | "), strict=True))["BLEURT"] == "–"
    assert "– not computed." in tables


def test_another_checkpoint_scores_again_and_the_same_one_does_not(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate = ("eval", "--predictions", str(large_released_file(place, 2)), "--bleurt", "bleurt", *COMMAND)
    write_bleurt(place / "bleurt")
    assert code_of(evaluate) == 0
    before = jsonl_files(place / "runs" / "eval-tiny")
    assert code_of(evaluate) == 0
    assert "score: nothing to do" in capsys.readouterr().err
    write_bleurt(place / "bleurt", seed=1)
    assert code_of(evaluate) == 0
    assert "score: begins" in capsys.readouterr().err
    after = jsonl_files(place / "runs" / "eval-tiny")
    assert after["scores/mine/static.jsonl"] != before["scores/mine/static.jsonl"]
    (kept,) = (place / "runs" / "eval-tiny" / "old").glob("*/scores/mine/static.jsonl")
    assert kept.read_bytes() == before["scores/mine/static.jsonl"]


def test_an_unusable_checkpoint_is_refused_before_anything_is_made(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = large_released_file(place, 2)
    write_bleurt(place / "bleurt", model_type="bleurt")
    (place / "empty").mkdir()
    for bleurt, message in (
        ("bleurt", "bleurt/config.json: model_type: expected \"bert\", found 'bleurt'; supported is a BertForSequence"),
        ("empty", "empty/config.json: no such file; expected that of a BertForSequenceClassification"),
        (str(place / "none"), "none: no such folder"),
    ):
        assert code_of(("eval", "--predictions", str(results), "--bleurt", bleurt, *COMMAND)) == 2
        assert message in complaint(capsys.readouterr().err)
        assert not (place / "runs").exists()
        assert code_of(("all", f"score.bleurt.checkpoint={bleurt}", *COMMAND)) == 2
        assert message in complaint(capsys.readouterr().err)
        assert not (place / "runs").exists(), "nothing is generated before the refusal"
    assert code_of(("eval", "--predictions", str(results), *COMMAND, "score.bleurt.batch_size=2")) == 2
    assert "score.bleurt.checkpoint: missing; expected a value" in complaint(capsys.readouterr().err)


class Kill(BaseException):
    """An end that no handler catches, like a signal."""


class Counting(Bleurt):
    """A BLEURT that is killed after so many batches."""

    def __init__(self, folder: Path, batches: int) -> None:
        super().__init__(BleurtSettings(checkpoint=str(folder), batch_size=2))
        self.left = batches

    def score(self, batch: Sequence[Pair]) -> list[float]:
        if self.left == 0:
            raise Kill
        self.left -= 1
        return super().score(batch)


def ignore(what: str, done: int, wanted: int, note: str = "") -> None:
    pass


@pytest.mark.parametrize(
    ("finished", "torn", "kept"),
    [
        (0, b"", 0),
        (2, b"", 2),
        (2, b"[0.1", 2),
        (2, b"[0.1, 0.2]", 2),
        (2, b"[0.1]\n", 2),
        (2, b"\xff\n", 2),
        (5, b"", 5),
    ],
)
def test_scoring_resumes_after_a_kill(tmp_path: Path, finished: int, torn: bytes, kept: int) -> None:
    pairs = [(f"x = {number}", "y" * number) for number in range(9)]
    folder, partial = write_bleurt(tmp_path / "bleurt"), tmp_path / "scores" / "bleurt.partial"
    expected = score_pairs(Counting(folder, 5), pairs, tmp_path / "whole", ignore)
    if finished < 5:
        with pytest.raises(Kill):
            score_pairs(Counting(folder, finished), pairs, partial, ignore)
    else:
        score_pairs(Counting(folder, finished), pairs, partial, ignore)
    with partial.open("ab") as stream:
        stream.write(torn)
    resumed = Counting(folder, 5)
    assert score_pairs(resumed, pairs, partial, ignore) == expected
    assert resumed.left == kept, "batches that were scored are not scored again"
    assert partial.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.slow
@pytest.mark.long
def test_killed_while_it_scores(tmp_path: Path) -> None:
    results, bleurt = large_released_file(tmp_path, 40), write_bleurt(tmp_path / "bleurt")
    evaluate = ("eval", "--predictions", results, "--bleurt", bleurt, *COMMAND, "score.bleurt.batch_size=1")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for place in (whole, killed):
        place.mkdir()
    run(*evaluate, cwd=whole)
    partial = killed / "runs" / "eval-tiny" / "scores" / "bleurt.partial"
    for scored in (20, 60):
        process = start(*evaluate, cwd=killed)
        while not (partial.exists() and partial.read_bytes().count(b"\n") >= scored):
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    kept = partial.read_bytes().count(b"\n")
    resumed = run(*evaluate, cwd=killed)
    assert "score: goes on from where it was" in resumed.stderr
    assert kept >= 60
    assert jsonl_files(killed / "runs" / "eval-tiny") == jsonl_files(whole / "runs" / "eval-tiny")
    assert not partial.exists()


def test_every_needed_pair_is_scored() -> None:
    def example(source: int, name: EvaluationSet) -> Example:
        target = f"r {source} {name}"
        return Example(id=f"{source}-{name}", source_id=str(source), set=name, prompt="", target=target, steps=[])

    examples = {name: [example(source, name) for source in range(2)] for name in EVALUATION_SETS}
    answered = {
        model: {
            name: [
                Prediction(id=each.id, source_id=each.source_id, set=name, model=model, text=f"{model} {each.id}")
                for each in rows
            ]
            for name, rows in examples.items()
        }
        for model in ("m", "n")
    }
    pairs = list(needed_pairs(examples, answered))
    assert len(pairs) == len(set(pairs)) == 8 + 2 * (10 + 8)
    assert ("r 1 vr", "r 1 static") in pairs
    assert ("n 0-ag", "r 0 ag") in pairs
    assert ("m 0-sr", "m 0-static") in pairs
    assert len(list(islice(needed_pairs(examples, {}), 100))) == 8
