"""Examples, perturbations, scores, models and notation, against the stages' own results and against SymPy."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import sympy

import mathderive
from mathderive.config.schema import DataSettings, SplitSizes
from mathderive.records import PERTURBED_SETS, Prediction
from mathderive.symbolic.engine.derivation import derivation_from_json
from mathderive.symbolic.engine.replay import replays
from tfds_builders.derivations.generation import preview

SHORT = mathderive.SamplingSettings(length_mean=4, length_max=5, max_equation_characters=60)
SEED = 7
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def examples() -> list[mathderive.Example]:
    return mathderive.generate(12, SEED, sampling=SHORT)


@pytest.mark.slow
def test_examples_are_those_of_a_dataset(examples: list[mathderive.Example]) -> None:
    settings = DataSettings(sizes=SplitSizes(train=1, validation=1, static=1), sampling=SHORT, leak_free=False)
    assert examples == list(islice(preview(settings, SEED, "static"), len(examples)))
    for kind in PERTURBED_SETS:
        variants = [mathderive.perturb(example, kind, SEED, sampling=SHORT) for example in examples]
        found = [variant for variant in variants if variant is not None]
        assert found
        assert found == list(islice(preview(settings, SEED, kind), len(found)))


def test_the_number_of_examples_and_processes_changes_none(examples: list[mathderive.Example]) -> None:
    assert mathderive.generate(5, SEED, sampling=SHORT, processes=2) == examples[:5]
    assert mathderive.generate(0) == []
    assert mathderive.generate(1, SEED + 1, sampling=SHORT) != examples[:1]


def test_examples_are_derivations(examples: list[mathderive.Example]) -> None:
    for example in examples:
        assert all(replays(derivation_from_json([(step.annotation, step.srepr) for step in example.steps])))
    with mathderive.Checker() as checker:
        verdicts = checker.check_all([(example.prompt, example.target) for example in examples])
    assert sum(verdict.verified for verdict in verdicts) >= len(examples) - 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"n": -1}, "n: -1"), ({"n": 1, "seed": -1}, "seed: -1"), ({"n": 1, "processes": -1}, "processes: -1")],
)
def test_wrong_numbers_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mathderive.generate(arguments.pop("n"), **arguments)


def test_wrong_kinds_are_refused(examples: list[mathderive.Example]) -> None:
    with pytest.raises(ValueError, match="no perturbation; expected one of vr, ee, ag, sr"):
        mathderive.perturb(examples[0], "static")
    with pytest.raises(ValueError, match="did you mean vr"):
        mathderive.perturb(examples[0], "vrr")


def test_steps_that_are_no_expressions_are_refused(examples: list[mathderive.Example]) -> None:
    step = examples[0].steps[0].model_copy(update={"srepr": "__import__('os').abort()"})
    with pytest.raises(ValueError, match="no srepr"):
        mathderive.perturb(examples[0].model_copy(update={"steps": [step]}), "ee")


def test_scores(examples: list[mathderive.Example]) -> None:
    good, bad = examples[:2]
    prediction = Prediction(id=bad.id, source_id=bad.source_id, set="static", model="other", text="1 = 0")
    first, second = mathderive.score([(good, good.target), (bad, prediction)], model="mine")
    assert (first.rouge2, first.model) == (pytest.approx(1.0), "mine")
    assert first.validity is not None
    assert first.validity.verified
    assert (second.model, second.bleu) == ("other", 0.0)
    assert second.validity is not None
    assert second.validity.truths["incorrect"] == 1
    (unchecked,) = mathderive.score([(good, "\ud800")], checks=False)
    assert unchecked.validity is None
    with pytest.raises(ValueError, match="answers"):
        mathderive.score([(good, prediction)])


@pytest.mark.slow
@pytest.mark.long
def test_a_model() -> None:
    model = mathderive.load_model(ROOT / "checkpoints" / "mini", batch_size=2, max_source_length=128)
    assert model.name == "mini"
    prompts = [r"Given x{(h)} = h, then obtain \frac{d}{d h} x{(h)} = 1", r"Given y{(h)} = h, then obtain y{(h)} = h"]
    answers = model.derive_all([*prompts, prompts[0]])
    assert answers[0] == answers[2] == model.derive(prompts[0])
    assert answers[0] != answers[1]
    assert all("=" in answer for answer in answers)
    assert model.sample(prompts[0], 1, temperature=0)[0] == answers[0]
    assert model.sample(prompts[0], 3, seed=1)[:1] == model.sample(prompts[0], 1, seed=1)
    with pytest.raises(ValueError, match="tokens; expected at most 128"):
        model.derive("x = 1 and " * 500)
    with pytest.raises(ValueError, match="at least one key"):
        model.sample(prompts[0], 0)


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(mathderive.InputError, match="nowhere"):
        mathderive.load_model(tmp_path / "nowhere")


def test_notation() -> None:
    x, f = sympy.Symbol("x"), sympy.Function("f")
    equation = mathderive.read_latex(r"\frac{d}{d x} f{(x)} = \frac{x^{2}}{3}")
    assert equation == sympy.Eq(sympy.Derivative(f(x), x), x**2 / 3, evaluate=False)
    assert mathderive.render(equation) == r"\frac{d}{d x} f{(x)} = \frac{x^{2}}{3}"
    assert mathderive.read_latex("x + x") == 2 * x
    assert mathderive.read_latex("x = x") == sympy.Eq(x, x, evaluate=False)


@pytest.mark.parametrize("text", ["x = y = z", "", "9^{9^{9^{9}}}", "{" * 5000, "__import__('os')", "x" * 10**6])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mathderive.read_latex(text)


def test_values_are_rendered(examples: list[mathderive.Example]) -> None:
    assert examples[0].prompt in mathderive.render(examples[0])
    refuted = mathderive.render(mathderive.check(examples[0].prompt, "1 = 0"))
    assert refuted.endswith("not verified: equation 1 is incorrect")
    with pytest.raises(TypeError, match="int; expected"):
        mathderive.render(5)


def test_there_is_no_other_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'chek'"):
        mathderive.chek  # noqa: B018
    assert mathderive.__version__
