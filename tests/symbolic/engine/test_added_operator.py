"""The operators that docs/extending.md adds: sampled, replayed, perturbed, checked and explained like the paper's."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sympy import Equality, Expr, Symbol, tan

from mathderive.checker.checker import check
from mathderive.core import extensions
from mathderive.metrics.checked_answers import CheckedAnswer
from mathderive.records import Example, read_jsonl
from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.operators import OPERATORS, Arity, Operator, register_operator
from mathderive.symbolic.engine.operators.operator import DrawConstant, Sides
from mathderive.symbolic.engine.perturbations import alternative_goal, expression_exchange
from mathderive.symbolic.engine.replay import apply_annotation, replays
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import prompt, target
from tests.support.command import TINY, complaint, run
from tfds_builders.example_features import read_examples

GUIDE = Path(__file__).parents[3] / "docs" / "extending.md"
ADDED = ("tan", "subtract_from")


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of the guide as a file."""
    section = GUIDE.read_text(encoding="utf-8").partition("## An operator\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    path = tmp_path_factory.mktemp("extension") / "tangent.py"
    path.write_text(code, encoding="utf-8")
    return path


@pytest.fixture
def settings(extension: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SamplingSettings]:
    """Settings that favour the added operators, which are registered while a test runs."""
    monkeypatch.setattr(extensions, "_digests", {})
    monkeypatch.setenv(extensions.VARIABLE, "")
    before = dict(OPERATORS)
    extensions.load_extensions([extension])
    yield SamplingSettings(operator_weights={"tan": 200, "subtract_from": 10}, length_min=4, length_max=6)
    OPERATORS.clear()
    OPERATORS.update(before)


def uses(derivation: Derivation) -> set[str]:
    names = {str(annotation[0]) for annotation in derivation.annotations if not isinstance(annotation, str)}
    return names & set(ADDED)


def sampled(settings: SamplingSettings, count: int) -> list[Derivation]:
    candidates = (sample_derivation(settings, 4, attempt) for attempt in range(count))
    return [derivation for derivation in candidates if derivation is not None and uses(derivation)]


def test_added_operators_are_applied(settings: SamplingSettings) -> None:
    x, y = Symbol("x"), Symbol("y")
    equation = Equality(x, y, evaluate=False)
    assert apply_annotation(("tan", 1), [equation], lambda: x).args == (tan(x), tan(y))
    assert apply_annotation(("subtract_from", 1, 3), [equation], lambda: x).args == (3 - x, 3 - y)
    assert settings.operator_weights["add"] == 1


def test_added_operators_are_sampled_and_replayed(settings: SamplingSettings) -> None:
    derivations = sampled(settings, 20)
    assert set().union(*map(uses, derivations)) == set(ADDED)
    for derivation in derivations:
        assert all(replays(derivation))
        assert all(replays(expression_exchange(derivation)))


def test_added_operators_give_alternative_goals(settings: SamplingSettings) -> None:
    goals = [alternative_goal(derivation, settings, random.Random(0)) for derivation in sampled(settings, 12)]
    kept = [goal for goal in goals if goal is not None]
    assert all(replays(goal)[-1] for goal in kept)
    assert any(goal.annotations[-1][0] in ADDED for goal in kept)


def test_the_checker_verifies_and_explains_added_operators(settings: SamplingSettings) -> None:
    explained = set()
    for derivation in sampled(settings, 12):
        verdict = check(prompt(derivation), target(derivation))
        assert verdict.verified, target(derivation)
        for step, annotation in zip(verdict.steps, derivation.annotations, strict=True):
            if step.operator in ADDED and not isinstance(annotation, str):
                explained.add(step.operator)
                assert step.operator == annotation[0]
                source = f"equation {step.steps[0]}"
                words = {"tan": f"tangent of both sides of {source}", "subtract_from": f"{source} subtracted from $"}
                assert step.reason.startswith(words[step.operator])
    assert explained == set(ADDED)


def test_an_operator_on_two_equations_needs_no_draw_and_no_inverse(settings: SamplingSettings) -> None:
    def add_sides(equation: Equality, second: Expr | Equality | None, _draw: DrawConstant) -> Sides:
        assert isinstance(second, Equality)
        return equation.lhs + second.lhs, equation.rhs + second.rhs

    register_operator(
        Operator("add_equations", Arity.TWO_EQUATIONS, "the sum of {0} and {1}", function=add_sides, weight=400)
    )
    favoured = SamplingSettings(length_min=4, length_max=5, length_mean=4)
    explained = 0
    for attempt in range(6):
        derivation = sample_derivation(favoured, 8, attempt)
        assert derivation is not None
        assert all(replays(derivation))
        verdict = check(prompt(derivation), target(derivation))
        assert verdict.verified, target(derivation)
        explained += sum(step.reason.startswith("the sum of equation") for step in verdict.steps)
    assert explained > 3


@pytest.mark.slow
@pytest.mark.long
def test_the_smallest_pipeline_runs_with_added_operators(extension: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        f"""
extensions: [{extension}]
data:
  sizes: {{train: 10, validation: 2, static: 6}}
  workers: 1
  sampling: {{length_min: 4, length_max: 4, length_mean: 4, max_characters: 200, operator_weights: {{tan: 200}}}}
evaluation: {{examples: null}}
predictors: [{{kind: copy}}]
""",
        encoding="utf-8",
    )
    run("all", "--config", "mine.yaml", cwd=tmp_path)
    folder = tmp_path / "runs" / "mine"
    (dataset,) = (path.parent for path in (folder / "data").rglob("dataset_info.json"))
    examples: list[Example] = list(read_examples(dataset, "static"))
    assert any(step.annotation[0] == "tan" for example in examples for step in example.steps)
    assert len(read_jsonl(folder / "scores" / "copy" / "static.verdicts.jsonl", CheckedAnswer)) == len(examples)
    assert json.loads((folder / "report" / "tables.json").read_text(encoding="utf-8"))


def test_a_weight_of_an_unknown_operator_is_refused_in_one_line(tmp_path: Path) -> None:
    refused = run("data", "--config", TINY, "data.sampling.operator_weights={tna: 1}", cwd=tmp_path, code=2)
    assert "data.sampling.operator_weights: tna: unknown operator" in complaint(refused.stderr)
