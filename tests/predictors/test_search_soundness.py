"""Of the answers that a search returns as verified, the independent judge finds every one true.

A checker that lets two false answers in a hundred pass is seen by the same figure, and the more samples, the worse.
"""

import hashlib
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mathderive.checker.supervision import SupervisedChecker
from mathderive.checker.verdicts import Validity
from mathderive.predictors.search import VERIFIED, SampledAnswer, Search
from mathderive.predictors.settings import SamplerSettings
from mathderive.records import Example
from mathderive.symbolic.engine.texts import target
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import SEPARATOR
from tests.validity_corpus.answers import ReturnedAnswer, Soundness, judge_answer, judge_answers, soundness
from tests.validity_corpus.corpus import Source, generated_sources, is_true_throughout
from tests.validity_corpus.corruptions import CORRUPTIONS

SIZES = (1, 4, 16, 64)
FALSIFYING = ("sign flipped", "factor dropped", "wrong derivative", "wrong integral", "symbol exchanged")
"""Corruptions that mostly make a derivation false; some of them leave it true."""


class Writer:
    """Writes corrupted forms of a derivation, and the derivation itself at one place, as a weak model would."""

    name = "writer"

    def __init__(self, sources: Sequence[Source]) -> None:
        self._texts = {source.id: corrupted_texts(source, place) for place, source in enumerate(sources)}

    def sample(
        self, examples: Sequence[Example], numbers: Sequence[int], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        return [[SampledAnswer(self._texts[one.id][number], -1.0, 1) for number in numbers] for one in examples]


def corrupted_texts(source: Source, place: int) -> list[str]:
    """64 answers: corrupted ones, and the derivation itself first, fourth, sixteenth or last."""
    rng = random.Random(source.id)
    texts: list[str] = []
    while len(texts) < SIZES[-1]:
        lines = CORRUPTIONS[rng.choice(FALSIFYING)](source.derivation, rng)
        if lines is not None:
            texts.append(SEPARATOR.join(latex(line.equation) for line in lines))
    texts[SIZES[place % len(SIZES)] - 1] = target(source.derivation)
    return texts


def searched(sources: Sequence[Source]) -> list[Soundness]:
    """The judge's opinions of the answers that a search returns as verified."""
    entry = {"kind": "search", "around": {"kind": "t5"}, "samples": SIZES[-1], "samples_at_once": 3}
    search = Search("search", Writer(sources), SamplerSettings.model_validate(entry), 0, "0", workers=2)
    examples = [
        Example(id=one.id, source_id=one.id, set="static", prompt=one.prompt, target="", steps=[]) for one in sources
    ]
    prompts = {one.id: one.prompt for one in sources}
    returned = [
        ReturnedAnswer(id=one.id, prompt=prompts[one.id], text=one.text, answers=(one.usage or {})["samples"])
        for predictions in search.predict(search.batches(examples))
        for one in predictions
        if one.finish_reason == VERIFIED
    ]
    return soundness(judge_answers(returned), SIZES)


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return [source for source in generated_sources(12) if is_true_throughout(source)]


@pytest.mark.slow
def test_every_answer_that_a_search_returns_as_verified_is_true(sources: Sequence[Source]) -> None:
    rows = searched(sources)
    assert [row.refuted for row in rows] == [0, 0, 0, 0]
    assert [row.share for row in rows] == [1, 1, 1, 1]
    assert rows[0].returned < rows[-1].returned == len(sources)


@pytest.mark.slow
def test_a_spoilt_checker_is_seen_and_the_more_samples_the_worse(
    sources: Sequence[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    check = SupervisedChecker.check

    def spoilt(self: SupervisedChecker, prompt: str, output: str) -> Validity:
        verdict = check(self, prompt, output)
        unlucky = int(hashlib.sha256(f"{prompt}{output}".encode()).hexdigest(), 16) % 50 == 0
        return verdict.model_copy(update={"verified": True}) if unlucky else verdict

    monkeypatch.setattr(SupervisedChecker, "check", spoilt)
    rows = searched(sources)
    assert rows[-1].share < 1
    assert rows[-1].refuted > rows[0].refuted
    assert rows[-1].refuted >= rows[1].refuted


PROMPT = r"Given f{(x)} = \sin{(x)}, then obtain \frac{d}{d x} f{(x)} = \cos{(x)}"
SINE, GOAL = r"f{(x)} = \sin{(x)}", r"\frac{d}{d x} f{(x)} = \cos{(x)}"
BETWEEN = r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}"


@pytest.mark.parametrize(
    ("lines", "judgement", "derived"),
    [
        ((SINE, BETWEEN, GOAL), "true", True),
        ((SINE, GOAL), "true", False),  # two operators in one equation
        ((SINE, BETWEEN), "refuted", False),  # without the goal
        ((SINE, r"2 f{(x)} = \sin{(x)}", BETWEEN, GOAL), "refuted", False),
        ((SINE, "f of x", GOAL), "unclear", False),
        ((r"{(x)} = \sin{(x)}", BETWEEN, GOAL), "true", True),  # without the first token
        ((SINE, rf"{BETWEEN} = \cos{{(x)}}", GOAL), "true", True),  # a chain
        ((SINE, rf"{BETWEEN} = \sin{{(x)}}", GOAL), "refuted", False),
        ((SINE, "u = x^{2}", BETWEEN, GOAL), "true", True),  # a new name
        ((SINE, "u = x^{2}", "u = x", BETWEEN, GOAL), "refuted", False),
    ],
)
def test_the_judge_tells_answers_apart(lines: tuple[str, ...], judgement: str, derived: bool) -> None:
    answer = ReturnedAnswer(id="a", prompt=PROMPT, text=SEPARATOR.join(lines), answers=1)
    found = judge_answer(answer)
    assert (found.judgement, found.derived) == (judgement, derived), found.reason


def test_the_judge_shares_no_code_with_the_checker() -> None:
    program = (
        "import sys, tests.validity_corpus.answers;"
        "print([name for name in sys.modules if name.startswith(('mathderive.checker', 'mathderive.predictors'))])"
    )
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_budget_counts_what_was_found_within_it() -> None:
    texts = {1: (SINE, BETWEEN, GOAL), 5: (SINE, GOAL), 16: (SINE, BETWEEN)}
    returned = [ReturnedAnswer(id="a", prompt=PROMPT, text=SEPARATOR.join(t), answers=n) for n, t in texts.items()]
    rows = soundness(judge_answers(returned), SIZES)
    assert [(row.returned, row.true, row.refuted, row.underived) for row in rows] == [
        (1, 1, 0, 0),
        (1, 1, 0, 0),
        (3, 2, 1, 1),
        (3, 2, 1, 1),
    ]
    assert [row.share for row in rows] == [1, 1, 2 / 3, 2 / 3]
