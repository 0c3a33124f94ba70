"""An evaluation set from an extension file goes through the pipeline like the sets of the paper."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mathderive.core import extensions
from mathderive.core.errors import InputError
from mathderive.records import EVALUATION_SETS, PERTURBED_SETS, Example, Prediction, Score, Sensitivity, read_jsonl
from mathderive.symbolic.engine import evaluation_sets
from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.evaluation_sets import SetDefinition, register_evaluation_set
from mathderive.symbolic.prompts import split_prompt
from tests.support.command import TINY, complaint, run
from tfds_builders.example_features import read_examples

GUIDE = Path(__file__).parents[2] / "docs" / "extending.md"

RUN = f"""
extends: {TINY}
model: null
training: null
predictors: [{{kind: copy}}]
"""

PAPER_SETS = ("static", "vr", "ee", "ag", "sr")


def code_block(language: str) -> str:
    """The guide's code block on evaluation sets in a language."""
    section = GUIDE.read_text(encoding="utf-8").partition("\n## An evaluation set\n")[2].partition("\n## ")[0]
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the guide's extension and two configs: `small.yaml`, and `extended.yaml` with the added set."""
    place = tmp_path_factory.mktemp("added_set")
    (place / "premise_reversal.py").write_text(code_block("python"), encoding="utf-8")
    (place / "small.yaml").write_text(RUN, encoding="utf-8")
    (place / "extended.yaml").write_text("extends: small.yaml\n" + code_block("yaml"), encoding="utf-8")
    return place


@dataclass(frozen=True)
class Dataset:
    content_hash: str
    splits: dict[str, list[Example]]


def read_dataset(run_folder: Path) -> Dataset:
    built = json.loads((run_folder / "data.json").read_text(encoding="utf-8"))["results"]["derivations"]
    splits = {name: read_examples(run_folder / built["path"], name) for name in built["sizes"]}
    return Dataset(built["content_hash"], splits)


@pytest.fixture(scope="module")
def finished(place: Path) -> Iterator[Path]:
    """The `runs` folder after both runs; the added set is registered in this process as well, to read its records."""
    run("data", "--config", place / "small.yaml", cwd=place)
    run("all", "--config", place / "extended.yaml", cwd=place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation_sets, "_DEFINITIONS", dict(evaluation_sets._DEFINITIONS))
        patch.setattr(extensions, "_digests", {})
        patch.setenv(extensions.VARIABLE, "")
        extensions.load_extensions([place / "premise_reversal.py"])
        assert tuple(EVALUATION_SETS) == (*PAPER_SETS, "pr")
        yield place / "runs"


@pytest.mark.slow
@pytest.mark.long
def test_an_added_set_leaves_the_other_splits_as_they_are(finished: Path) -> None:
    small, extended = read_dataset(finished / "small"), read_dataset(finished / "extended")
    assert tuple(small.splits) == ("train", "validation", *PAPER_SETS)
    assert extended.splits == {**small.splits, "pr": extended.splits["pr"]}
    assert extended.content_hash != small.content_hash


@pytest.mark.slow
@pytest.mark.long
def test_the_guides_set_reverses_the_premises(finished: Path) -> None:
    splits = read_dataset(finished / "extended").splits
    static = {example.source_id: example for example in splits["static"]}
    several = [example.source_id for example in splits["static"] if len(split_prompt(example.prompt).premises) > 1]
    assert several
    assert [example.source_id for example in splits["pr"]] == several
    for variant in splits["pr"]:
        original, changed = split_prompt(static[variant.source_id].prompt), split_prompt(variant.prompt)
        assert changed == original._replace(premises=original.premises[::-1])
        assert variant.target == static[variant.source_id].target
        assert variant.id == f"{variant.source_id}-pr"


@pytest.mark.slow
@pytest.mark.long
def test_an_added_set_is_answered_scored_and_reported(finished: Path) -> None:
    folder = finished / "extended"
    expected = [example.id for example in read_dataset(folder).splits["pr"]]
    predictions = read_jsonl(folder / "predictions" / "copy" / "pr.jsonl", Prediction)
    scores = read_jsonl(folder / "scores" / "copy" / "pr.jsonl", Score)
    assert [row.id for row in predictions] == [row.id for row in scores] == expected
    pairs = read_jsonl(folder / "scores" / "copy" / "sensitivity.jsonl", Sensitivity)
    assert [pair.source_id for pair in pairs if pair.set == "pr"] == [row.source_id for row in predictions]
    tables = (folder / "report" / "tables.md").read_text(encoding="utf-8")
    assert "| Premise reversal |" in tables
    rows = json.loads((folder / "report" / "tables.json").read_text(encoding="utf-8"))["scores"]
    assert [row["set"] for row in rows] == [*PAPER_SETS, "pr"]
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "PR: the premises in reverse order." in page
    assert '<abbr title="Premise reversal">PR</abbr>' in page


@pytest.mark.slow
@pytest.mark.long
def test_a_changed_extension_file_makes_the_data_anew(finished: Path, place: Path) -> None:
    again = run("report", "--config", place / "extended.yaml", cwd=place)
    assert again.stderr.count("nothing to do") == 4  # data, predict, score, report
    file = place / "premise_reversal.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "# changed\n", encoding="utf-8")
    try:
        assert "data: begins" in run("data", "--config", place / "extended.yaml", cwd=place).stderr
    finally:
        file.write_text(text, encoding="utf-8")


def test_a_preview_shows_an_added_set_and_refuses_an_unknown_one(place: Path) -> None:
    options = ("--config", place / "extended.yaml", "--show", "1", "--split")
    assert "-pr\n" in run("data", *options, "pr", cwd=place).stdout
    refused = run("data", *options, "stati", cwd=place, code=2)
    assert "--split: unknown set 'stati'; did you mean static?" in complaint(refused.stderr)
    without = run("data", "--config", place / "small.yaml", "--split", "pr", cwd=place, code=2)
    assert "--split: unknown set 'pr'" in complaint(without.stderr)


def unchanged(derivation: Derivation, *_: object) -> Derivation:
    return derivation


def register(key: str = "xx", title: str = "X", make_variant: Callable[..., Derivation] | None = unchanged) -> None:
    register_evaluation_set(SetDefinition(key=key, label="X", title=title, description="x", make_variant=make_variant))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"key": "vr"}, "this key is taken"),
        ({"key": "train"}, "this key is taken"),
        ({"key": "sensitivity"}, "this key is taken"),
        ({"key": "a/b"}, "expected a key of lower-case letters"),
        ({"key": "Vr"}, "expected a key of lower-case letters"),
        ({"title": " "}, "title is empty"),
        ({"make_variant": None}, "make_variant is None"),
    ],
)
def test_an_incomplete_definition_is_refused(arguments: dict[str, Any], expected: str) -> None:
    before = tuple(EVALUATION_SETS)
    with pytest.raises(InputError, match=f"^evaluation set '.*': .*{expected}"):
        register(**arguments)
    assert tuple(EVALUATION_SETS) == before


def test_a_record_of_an_unknown_set_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id":"a","source_id":"a","set":"statc","model":"m","text":""}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"rows\.jsonl:1: set: .*unknown set 'statc'; did you mean static\?"):
        read_jsonl(path, Prediction)


def test_the_sets_are_views_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_sets, "_DEFINITIONS", dict(evaluation_sets._DEFINITIONS))
    count = len(EVALUATION_SETS)
    register("zz", "Last")
    assert (EVALUATION_SETS[-1], PERTURBED_SETS[-1]) == ("zz", "zz")
    assert EVALUATION_SETS[count:] == ("zz",)
    assert evaluation_sets.SET_TITLES["zz"] == "Last"
    assert "zz" not in evaluation_sets.REQUIRED_SETS
