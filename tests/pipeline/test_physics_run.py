"""The whole pipeline on derivations in physics that people wrote, as a user runs it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mathderive.metrics.checked_answers import CheckedAnswer
from mathderive.records import EVALUATION_SETS, RULES, Prediction, Score, read_jsonl
from tests.support.chat_server import ChatServer, serving
from tests.support.command import run
from tests.support.physics_files import ROWS, physics_file
from tests.support.shared import shared

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "physics.yaml"
MINI = f"{{kind: t5, checkpoint: {ROOT / 'checkpoints' / 'mini'}}}"
MODELS = ("mini", "search", "chat", "copy")


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def arguments(server: ChatServer) -> list[str | Path]:
    """A command line of four predictors with short answers."""
    chat = f"{{kind: openai, name: chat, model: m, few_shot: 0, base_url: '{server.url}', api_key_variable: null}}"
    search = f"{{kind: search, name: search, samples: 2, around: {MINI}}}"
    decoding = "decoding={batch_size: 4, max_source_length: 256, max_target_length: 32}"
    return ["--config", CONFIG, f"predictors=[{MINI}, {search}, {chat}, {{kind: copy}}]", decoding]


@pytest.fixture(scope="module")
def finished(arguments: list[str | Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    place = tmp_path_factory.mktemp("physics")
    result = run("all", *arguments, "--physics", physics_file(place), cwd=place)
    assert "data: physics: static 3; content hash" in result.stderr
    assert " 0/0" not in result.stderr
    assert "The checker on the derivations that people wrote" in result.stderr
    assert "Electricity & <magnetism>" in result.stderr
    assert result.stdout.strip() == "runs/physics/report/index.html"
    return place / "runs" / "physics"


def test_every_model_answers_and_is_scored(finished: Path, server: ChatServer) -> None:
    ids = [f"physics-{row}-static" for row in range(3)]
    for model in MODELS:
        for name in EVALUATION_SETS:
            expected = ids if name == "static" else []
            predictions = read_jsonl(finished / "predictions" / model / f"{name}.jsonl", Prediction)
            assert [prediction.id for prediction in predictions] == expected
            scores = read_jsonl(finished / "scores" / model / f"{name}.jsonl", Score)
            assert [score.id for score in scores] == expected
            verdicts = read_jsonl(finished / "scores" / model / f"{name}.verdicts.jsonl", CheckedAnswer)
            assert [line.id for line in verdicts] == expected
    asked = [request["messages"][0]["content"] for request in server.requests]
    assert sorted(asked) == sorted(str(row["prompt"]).replace("%PREM ", "") for row in ROWS)


def test_the_references_are_checked_by_both_kinds_of_rules(finished: Path) -> None:
    for rules in RULES:
        path = finished / "scores" / f"references-{rules}.verdicts.jsonl"
        mechanics, rest, field = (line.validity for line in read_jsonl(path, CheckedAnswer))
        assert [step.truth for step in mechanics.steps] == ["premise", "premise", "valid"]
        assert mechanics.verified
        assert rest.goal_reached
        assert [step.truth for step in field.steps][:2] == ["premise", "premise"]


def test_the_report_says_it_by_field(finished: Path) -> None:
    tree = json.loads((finished / "report" / "tables.json").read_text(encoding="utf-8"))
    fields = ["Mechanics", "Electricity & <magnetism>", None]
    assert [(row["model"], row["field"]) for row in tree["by_field"]] == [(m, f) for m in MODELS for f in fields]
    assert [row["answers"] for row in tree["by_field"]] == [2, 1, 3] * len(MODELS)
    assert [(row["field"], row["rules"]) for row in tree["references"]] == [(f, r) for f in fields for r in RULES]
    assert [row["derivations"] for row in tree["references"]] == [2, 2, 1, 1, 3, 3]
    assert [row["equations"] for row in tree["references"]] == [6, 6, 3, 3, 9, 9]
    assert all(sum(row["truths"].values()) == row["equations"] for row in tree["references"])
    page = (finished / "report" / "index.html").read_text(encoding="utf-8")
    assert '<section id="physics"' in page
    assert "Electricity &amp; &lt;magnetism&gt;" in page
    assert "<magnetism>" not in page
    assert all(str(row["name"]) in page for row in ROWS)
    markdown = (finished / "report" / "tables.md").read_text(encoding="utf-8")
    assert "\n## Physics\n" in markdown
    assert r"| copy | Electricity \& \<magnetism\> |" in markdown


def test_another_field_makes_the_data_and_the_report_anew(arguments: list[str | Path], finished: Path) -> None:
    place = finished.parents[1]
    path = physics_file(place)
    assert "begins" not in run("all", *arguments, "--physics", path, cwd=place).stderr
    result = run("all", *arguments, "--physics", physics_file(place, field="Thermodynamics"), cwd=place)
    assert [line for line in result.stderr.splitlines() if line.endswith(": begins")] == [
        "data: begins",
        "report: begins",
    ]
    assert "Thermodynamics" in (finished / "report" / "tables.md").read_text(encoding="utf-8")
    run("all", *arguments, "--physics", physics_file(place), cwd=place)


def test_eval_answers_with_the_kits_own_checkpoint(tmp_path: Path) -> None:
    arguments = ("decoding.max_target_length=16", "score.validity=false", "evaluation.examples=2")
    result = run("eval", *arguments, "--physics", physics_file(tmp_path), cwd=tmp_path)
    assert "eval: on derivations in physics that people wrote" in result.stderr
    folder = tmp_path / "runs" / "eval-quick"
    for model in ("mini", "copy"):
        assert len(read_jsonl(folder / "predictions" / model / "static.jsonl", Prediction)) == 2
    tree = json.loads((folder / "report" / "tables.json").read_text(encoding="utf-8"))
    assert "by_field" in tree
    assert "references" not in tree


@pytest.mark.long
def test_half_of_the_authors_file_end_to_end(tmp_path: Path) -> None:
    path = shared("reference", "physics_derivations_half.json")
    run("all", "--config", CONFIG, "--physics", path, "predictors=[{kind: copy}]", cwd=tmp_path)
    folder = tmp_path / "runs" / "physics"
    tree = json.loads((folder / "report" / "tables.json").read_text(encoding="utf-8"))
    rows = {(row["field"], row["rules"]): row for row in tree["references"]}
    for rules in RULES:
        assert {field: row["derivations"] for (field, kind), row in rows.items() if kind == rules} == {
            "Electromagnetism": 41,
            "Quantum Mechanics": 49,
            "Other": 19,
            None: 109,
        }
        assert rows[None, rules]["truths"]["incorrect"] == 0  # the references are right
    assert rows[None, "textbook"]["verified"]["value"] > rows[None, "paper"]["verified"]["value"] > 0
