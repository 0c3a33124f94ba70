"""A predictor from an extension file goes through the pipeline like a built-in one."""

import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest

from mathderive.config.loading import load_config
from mathderive.config.schema import PredictorSettings
from mathderive.core.errors import InputError
from mathderive.predictors.registry import PREDICTORS, Plan, PredictorKind, RunInputs, register_predictor
from mathderive.records import EVALUATION_SETS, Prediction, read_jsonl
from mathderive.symbolic.prompts import split_prompt
from tests.support.command import complaint, run
from tfds_builders.example_features import read_examples

GUIDE = Path(__file__).parents[2] / "docs" / "extending.md"

RUN = """
data:
  sizes: {train: 4, validation: 1, static: 3}
  sampling: {length_min: 4, length_max: 4, length_mean: 4, length_std: 1, max_characters: 200}
evaluation: {examples: null}
score: {validity: false}
"""


def code_blocks(language: str) -> list[str]:
    """The guide's code blocks on predictors."""
    section = GUIDE.read_text(encoding="utf-8").partition("\n## A predictor\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def guide_config(tmp_path: Path) -> Path:
    """A config that uses the guide's predictor, beside its extension file."""
    (extension,), (entry,) = code_blocks("python"), code_blocks("yaml")
    (tmp_path / "endpoints.py").write_text(extension, encoding="utf-8")
    (tmp_path / "small.yaml").write_text(RUN + entry, encoding="utf-8")
    return tmp_path / "small.yaml"


@pytest.mark.slow
@pytest.mark.long
def test_the_guides_predictor_is_asked_scored_and_reported(guide_config: Path) -> None:
    folder = guide_config.parent / "runs" / "small"
    said = run("all", "--config", guide_config, cwd=guide_config.parent).stderr
    assert "predict-endpoints: begins" in said
    data = json.loads((folder / "data.json").read_text())["results"]["derivations"]
    for name in EVALUATION_SETS:
        asked = {example.id: example.prompt for example in read_examples(folder / data["path"], name)}
        answered = read_jsonl(folder / "predictions" / "endpoints" / f"{name}.jsonl", Prediction)
        assert answered or name != "static"
        for prediction in answered:
            parts = split_prompt(asked[prediction.id])
            assert (prediction.model, prediction.text) == ("endpoints", f"{parts.premises[0]} and {parts.goal}")
    assert (folder / "scores" / "endpoints" / "static.jsonl").exists()
    assert "endpoints" in (folder / "report" / "index.html").read_text(encoding="utf-8")
    again = run("predict", "--config", guide_config, cwd=guide_config.parent).stderr
    assert "predict-endpoints: nothing to do" in again
    changed = run("predict", "--config", guide_config, "predictors.0.premises=0", cwd=guide_config.parent).stderr
    assert "predict-endpoints: begins" in changed


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("predictors.0.premise=2", "predictors.0.premise: unknown key; did you mean premises?"),
        ("predictors.0.premises=-1", "predictors.0.premises: expected greater than or equal to 0, got -1"),
        (
            "predictors.0.kind=endpoint",
            'unknown kind "endpoint"; expected one of copy, endpoints, engine, openai, released, search, t5',
        ),
    ],
)
def test_the_config_of_an_added_predictor_is_validated(guide_config: Path, override: str, named: str) -> None:
    result = run("predict", "--config", guide_config, override, cwd=guide_config.parent, code=2)
    assert named in complaint(result.stderr)


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("5", "predictors.0: expected a mapping with a kind, got 5"),
        ("{name: x}", "predictors.0: kind is missing; expected one of copy, engine, openai, released, search, t5"),
        ("{kind: null}", "predictors.0: unknown kind null; expected one of copy"),
        ("{kind: [t5]}", 'predictors.0: unknown kind ["t5"]; expected one of copy'),
        ("{kind: copy, nam: x}", "predictors.0.nam: unknown key; did you mean name?"),
    ],
)
def test_an_entry_without_a_known_kind_is_refused(tmp_path: Path, entry: str, named: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(f"predictors: [{entry}]\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert named in str(caught.value)


class NamedSettings(PredictorSettings):
    kind: Literal["named"]


OTHER_TYPE: Any = dict
NO_FUNCTION: Any = None


def no_plan(_: Any, __: RunInputs) -> list[Plan]:
    return []


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (PREDICTORS["copy"], "predictor kind 'copy': already registered"),
        (PredictorKind("other", NamedSettings, no_plan), "expected a PredictorSettings with `kind: Literal['other']`"),
        (PredictorKind("named", OTHER_TYPE, no_plan), "'named': settings: expected a PredictorSettings"),
        (PredictorKind("named", NamedSettings, NO_FUNCTION), "'named': expected functions"),
    ],
)
def test_an_entry_that_is_incomplete_or_known_is_not_registered(entry: PredictorKind[Any], named: str) -> None:
    before = dict(PREDICTORS)
    with pytest.raises(InputError) as caught:
        register_predictor(entry)
    assert named in str(caught.value)
    assert before == PREDICTORS
