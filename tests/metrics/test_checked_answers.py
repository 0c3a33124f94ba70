"""The summary of an answer's verdicts."""

from mathderive.checker.checker import check
from mathderive.metrics.checked_answers import summarise
from mathderive.symbolic.engine.texts import target
from mathderive.symbolic.prompts import SEPARATOR, repeat_prompt
from tests.validity_corpus.corpus import generated_sources

PROMPT = (
    r"Given f{(x)} = \sin{(x)}, then derive \frac{d}{d x} f{(x)} = \cos{(x)}, "
    r"then obtain x + \frac{d}{d x} f{(x)} = x + \cos{(x)}"
)
EQUATIONS = {
    "premise": r"f{(x)} = \sin{(x)}",
    "differentiated": r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}",
    "requested": r"\cos{(x)} = \frac{d}{d x} f{(x)}",
    "goal": r"x + \frac{d}{d x} f{(x)} = x + \cos{(x)}",
    "false": "x = 2",
}


def test_repeating_the_prompt_earns_no_valid_equations_and_deriving_does() -> None:
    for source in generated_sources(12):
        copied = summarise(check(source.prompt, repeat_prompt(source.prompt)))
        assert (copied.derived, copied.valid_derived, copied.valid_equations) == (0, 0, 0), source.prompt
        assert copied.equations == len(repeat_prompt(source.prompt).split(SEPARATOR))
        derived = summarise(check(source.prompt, target(source.derivation)))
        assert derived.valid_equations == (1 if derived.derived else 0)


def test_equations_of_the_prompt_count_neither_for_nor_against_an_answer() -> None:
    names = ("premise", "differentiated", "requested", "false", "goal")
    summary = summarise(check(PROMPT, SEPARATOR.join(EQUATIONS[name] for name in names)))
    assert (summary.equations, summary.derived, summary.valid_derived) == (5, 2, 1)
    assert summary.valid_equations == 0.5
    assert summary.truths["valid"] == 3
