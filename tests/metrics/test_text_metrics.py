"""The text metrics against the authors' recorded scores, against other implementations, and by hand."""

import math
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import sentence_bleu
from nltk.translate.gleu_score import sentence_gleu
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from mathderive.checker.reading.answers import split_answer
from mathderive.metrics.scoring import score
from mathderive.metrics.text import MAX_CHARACTERS, bleu, ends_with_goal, gleu, rouge2
from mathderive.records import Example, Prediction
from tests.support.released_records import METRIC_KEYS, MODELS, load

METRICS = {"rouge2": rouge2, "bleu": bleu, "gleu": gleu}

PIECES = [
    "\\frac",
    "{",
    "}",
    "d",
    "x",
    "y",
    "=",
    "and",
    " ",
    "^",
    "2",
    "(",
    ")",
    ",",
    ".",
    "-",
    "3.5",
    "&",
    "e\n",
]
latex = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@pytest.mark.parametrize("model", MODELS)
def test_repeats_the_recorded_scores(shared_reference: Path, model: str) -> None:
    released = load(shared_reference, model)
    by_id = {example.id: example for example in released.examples}
    worst = dict.fromkeys(METRICS, 0.0)
    for prediction in released.predictions:
        row = released.rows[int(prediction.source_id.removeprefix("released-"))]
        scores = score(by_id[prediction.id], prediction)
        for metric, key in METRIC_KEYS.items():
            # Perturbed sets are recorded as static score minus perturbed score.
            recorded = row[f"static_{key}"]
            if prediction.set != "static":
                recorded -= row[f"{prediction.set.upper()}_{key}"]
            worst[metric] = max(worst[metric], abs(getattr(scores, metric) - recorded))
    assert max(worst.values()) <= 1e-12, worst


@given(latex, latex)
def test_agrees_with_other_implementations(prediction: str, reference: str) -> None:
    tokens = Tokenizer13a()
    candidate, target = tokens(prediction).split(), tokens(reference).split()
    assert gleu(prediction, reference) == sentence_gleu([target], candidate)
    rouge = RougeScorer(["rouge2"]).score(reference, prediction)["rouge2"].fmeasure
    assert rouge2(prediction, reference) == rouge
    ours = bleu(prediction, reference)
    theirs = BLEU(smooth_method="none", effective_order=False).sentence_score(prediction, [reference]).score / 100
    assert math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    if ours:
        assert ours == sentence_bleu([target], candidate)


def test_bleu_is_zero_without_a_match_of_some_order() -> None:
    # Orders 1 to 3 match, order 4 does not: nltk warns and returns about 1e-78.
    prediction, reference = "a b c x", "a b c y"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert 0 < sentence_bleu([reference.split()], prediction.split()) < 1e-50
    assert bleu(prediction, reference) == 0.0


def test_values_by_hand() -> None:
    # ROUGE-2 tokens: frac d d x x | frac d d x y; bigrams 4 and 4, of which 3 match.
    assert rouge2(r"\frac{d}{d x} x", r"\frac{d}{d x} y") == pytest.approx(3 / 4)
    # Of "a b c d e" in "a b c d f": 4/5, 3/4, 2/3, 1/2 of the n-grams match; no brevity penalty.
    assert bleu("a b c d e", "a b c d f") == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert gleu("a b c d e", "a b c d f") == pytest.approx((4 + 3 + 2 + 1) / (5 + 4 + 3 + 2))
    # Four of eight tokens: every n-gram matches, the penalty is e^(1 - 8/4).
    assert bleu("a b c d", "a b c d e f g h") == pytest.approx(math.exp(-1))


@given(latex)
def test_a_text_is_like_itself(text: str) -> None:
    tokens = Tokenizer13a()(text).split()
    assert bleu(text, text) == pytest.approx(1.0 if len(tokens) >= 4 else 0.0)
    assert gleu(text, text) == (1.0 if tokens else 0.0)


@given(st.text(max_size=200), st.text(max_size=200))
@settings(deadline=None)
def test_any_text_scores_between_0_and_1(prediction: str, reference: str) -> None:
    for metric in METRICS.values():
        assert 0 <= metric(prediction, reference) <= 1 + 1e-12


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00",
        "\ud800",
        "{" * 1_000_000,
        " and " * 200_000,
        "x = y " * 170_000,
        "\u202e" + "&" * 1_000_000,
    ],
    ids=["empty", "blank", "nul", "surrogate", "braces", "ands", "words", "ampersands"],
)
def test_hostile_texts_are_scored_at_once(text: str) -> None:
    bleu("a b c d", "a b c d"), rouge2("a", "a")  # so that imports are not timed
    start = time.perf_counter()
    for metric in METRICS.values():
        assert 0 <= metric(text, r"\frac{d}{d x} x = 1") < 0.5
        assert 0 <= metric(r"\frac{d}{d x} x = 1", text) < 0.5
    assert not ends_with_goal(text, "x = 1 and x = 2")
    assert time.perf_counter() - start < 5


def test_a_text_is_cut_at_the_bound() -> None:
    long = "a b c d " * MAX_CHARACTERS
    assert bleu(long, "a b c d") == bleu(long[:MAX_CHARACTERS], "a b c d")


@pytest.mark.parametrize(
    ("prediction", "ends"),
    [
        (r"x = 1 and \frac{d}{d x} x = 1", True),
        (r" x = 1 and \frac{d}{dx}x=1 ", True),
        (r"x = 1 and \ frac { d } { d x } x = 1", True),
        (r"frac { d } { d x } x = 1", True),
        (r"\frac{d}{d x} x = 1 and x = 1", False),
        (r"x = 1 and 1 = \frac{d}{d x} x", False),
        (r"x = 1 and \frac{d}{d x} x = 1 and", False),
        (r"x = 1 and \frac{d}{d x} x = 1 and ", False),
        ("", False),
    ],
)
def test_ends_with_goal(prediction: str, ends: bool) -> None:
    goal = r"\frac{d}{d x} x = 1"
    assert ends_with_goal(prediction, f"x = 1 and {goal}") is ends
    assert ends_with_goal(prediction, goal) is ends


def test_nothing_ends_with_an_empty_goal() -> None:
    assert not ends_with_goal("", "")


@pytest.mark.parametrize("model", MODELS)
def test_every_reference_ends_with_its_goal(shared_reference: Path, model: str) -> None:
    for example in load(shared_reference, model).examples:
        goal = example.prompt.rsplit("then obtain ", 1)[1]
        assert ends_with_goal(example.target, goal)
        assert len(split_answer(example.target)) == len(example.steps)


def test_a_prediction_is_scored_against_its_own_example() -> None:
    example = Example(id="1-vr", source_id="1", set="vr", prompt="", target="x = y", steps=[])
    with pytest.raises(ValueError, match="2-vr"):
        score(example, Prediction(id="2-vr", source_id="2", set="vr", model="m", text="x = y"))
