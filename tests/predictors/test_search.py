"""Search: which of the sampled answers is taken, and what it depends on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mathderive.checker.checker import check
from mathderive.config.loading import load_config
from mathderive.config.schema import DecodingSettings
from mathderive.core.errors import InputError
from mathderive.predictors.base import predict_set, seconds_path
from mathderive.predictors.registry import PREDICTORS
from mathderive.predictors.search import EXHAUSTED, VERIFIED, Beginning, SampledAnswer, Search
from mathderive.predictors.search.predictor import rounds
from mathderive.predictors.settings import SamplerSettings
from mathderive.predictors.t5 import T5Model
from mathderive.records import AnswerSeconds, Example, Prediction, read_jsonl
from mathderive.symbolic.prompts import SEPARATOR

MINI = Path(__file__).parents[2] / "checkpoints" / "mini"

PROMPT = r"Given y{(h)} = h, then obtain \sin{(y^{2}{(h)})} + 3 = \sin{(h^{2})} + 3"
GOAL = r"\sin{(y^{2}{(h)})} + 3 = \sin{(h^{2})} + 3"
FALSE = rf"y{{(h)}} = h and y^{{2}}{{(h)}} = h^{{3}} and {GOAL}"
SOUND = rf"y{{(h)}} = h and {GOAL}"
RIGHT = rf"y{{(h)}} = h and y^{{2}}{{(h)}} = h^{{2}} and \sin{{(y^{{2}}{{(h)}})}} = \sin{{(h^{{2}})}} and {GOAL}"


def example(name: str = "a", prompt: str = PROMPT, target: str = RIGHT) -> Example:
    return Example(id=f"{name}-static", source_id=name, set="static", prompt=prompt, target=target, steps=[])


def settings(**changes: object) -> SamplerSettings:
    entry = {"kind": "search", "around": {"kind": "t5", "checkpoint": "x"}, "samples": 6, "samples_at_once": 2}
    return SamplerSettings.model_validate({**entry, **changes})


class Scripted:
    """Gives the written answers in turn, and counts what it was asked for."""

    name = "scripted"

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self.asked: list[int] = []

    def sample(
        self, examples: Sequence[Example], numbers: Sequence[int], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        self.asked += numbers
        texts = [self._texts[number % len(self._texts)] for number in numbers]
        drawn = [SampledAnswer(text, number - 100.0, 7) for number, text in zip(numbers, texts, strict=True)]
        return [drawn for _ in examples]


class Continuing(Scripted):
    """Continues the written answers' equations from the place where a beginning ends, and notes the beginnings."""

    def __init__(self, *texts: str) -> None:
        super().__init__(*texts)
        self.beginnings: list[tuple[str, ...]] = []

    def continue_answers(
        self, beginnings: Sequence[Beginning], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        self.beginnings += [one.equations for one in beginnings]
        found = []
        for one in beginnings:
            (drawn,) = self.sample([one.example], one.numbers, settings, seed)
            rest = [SEPARATOR.join(each.text.split(SEPARATOR)[len(one.equations) :]) for each in drawn]
            found.append([each._replace(text=one.text + more) for each, more in zip(drawn, rest, strict=True)])
        return found


STEPS = RIGHT.split(SEPARATOR)
WRONG = "h = 2 h"


def begun(count: int) -> str:
    """An answer that is right in the first equations and then wrong."""
    return SEPARATOR.join((*STEPS[:count], WRONG, WRONG, WRONG))


def answer(sampler: Scripted, **changes: object) -> Prediction:
    search = Search("search", sampler, settings(**changes), seed=0, checker_seed="0", workers=1)
    ((prediction,),) = search.predict(search.batches([example()]))
    return prediction


def test_the_first_verified_answer_is_taken() -> None:
    assert [check(PROMPT, text).verified for text in (FALSE, SOUND, RIGHT)] == [False, False, True]
    sampler = Scripted(FALSE, SOUND, RIGHT)
    found = answer(sampler)
    assert (found.text, found.finish_reason) == (RIGHT, VERIFIED)
    assert sampler.asked == [0, 1, 2]
    assert found.usage is not None
    expected = {"samples": 3, "greedy_verified": 0, "verified_samples": 1, "checks": 3, "completion_tokens": 21}
    assert found.usage == expected


def test_times_are_kept_apart_from_predictions(tmp_path: Path) -> None:
    search = Search("search", Scripted(RIGHT), settings(), seed=0, checker_seed="0", workers=1)
    path = tmp_path / "static.jsonl"
    predict_set(search, [example()], path, lambda *_: None)
    (timed,) = read_jsonl(seconds_path(path), AnswerSeconds)
    (prediction,) = read_jsonl(path, Prediction)
    assert timed.id == prediction.id
    assert timed.seconds > 0
    assert prediction.usage is not None
    assert not any("seconds" in key for key in prediction.usage)


def test_without_a_verified_answer_a_sound_one_is_taken() -> None:
    sampler = Scripted(FALSE, SOUND)
    found = answer(sampler)
    assert (found.text, found.finish_reason) == (SOUND, EXHAUSTED)
    assert sampler.asked == list(range(6))
    assert found.usage is not None
    assert found.usage["checks"] == 2


def test_of_equal_verdicts_the_most_likely_one_is_taken() -> None:
    first, second = "y{(h)} = h and h = 2", "y{(h)} = h and h = 3"
    assert answer(Scripted(first, second)).text == second


def test_stepwise_continues_the_longest_verified_beginning() -> None:
    sampler = Continuing(begun(1), begun(2), begun(1), RIGHT)
    found = answer(sampler, strategy="stepwise")
    assert (found.text, found.finish_reason) == (RIGHT, VERIFIED)
    assert sampler.beginnings == [tuple(STEPS[:1]), ()]
    assert found.usage is not None
    expected = {"samples": 5, "checks": 1, "greedy_verified": 0, "verified_samples": 1, "completion_tokens": 35}
    assert expected.items() <= found.usage.items()
    assert found.usage["checked_equations"] == len({*STEPS, WRONG})


def test_stepwise_takes_steps_from_several_samples() -> None:
    first, second = SEPARATOR.join((STEPS[0], *STEPS[2:])), begun(2)
    assert not check(PROMPT, first).verified
    found = answer(Continuing(first, second), strategy="stepwise")
    assert (found.text, found.finish_reason) == (RIGHT, VERIFIED)
    assert found.usage is not None
    assert (found.usage["samples"], found.usage["verified_samples"]) == (3, 1)


def test_stepwise_leaves_out_what_the_goal_does_not_need() -> None:
    detour = SEPARATOR.join((STEPS[0], "y{(h)} + 1 = h + 1", *STEPS[1:]))
    assert answer(Continuing(detour), strategy="stepwise").text == RIGHT


def test_stepwise_goes_back_where_it_is_stuck() -> None:
    sampler = Continuing(begun(3), begun(1), begun(2))
    answer(sampler, strategy="stepwise", samples=17)
    assert sampler.beginnings[0] == tuple(STEPS[:3])
    assert {(), *(tuple(STEPS[:count]) for count in (1, 2))} <= {*sampler.beginnings[1:]}


def test_stepwise_cuts_off_the_rest_of_a_verified_answer() -> None:
    found = answer(Continuing(f"{RIGHT} and {WRONG}"), strategy="stepwise")
    assert (found.text, found.finish_reason) == (RIGHT, VERIFIED)


def test_stepwise_without_a_verified_answer_takes_a_sound_one() -> None:
    found = answer(Continuing(FALSE, SOUND), strategy="stepwise")
    assert (found.text, found.finish_reason) == (SOUND, EXHAUSTED)


def test_all_samples_are_drawn_where_that_is_asked_for() -> None:
    sampler = Scripted(RIGHT, RIGHT, FALSE)
    found = answer(sampler, to_the_end=True)
    assert sampler.asked == list(range(6))
    assert found.usage is not None
    assert (found.usage["greedy_verified"], found.usage["verified_samples"]) == (1, 3)


def test_samples_that_depend_on_each_other_are_not_drawn_to_the_end() -> None:
    with pytest.raises(ValueError, match="expected the strategy best_of"):
        settings(strategy="stepwise", to_the_end=True)


def test_the_budget_of_tokens_ends_a_search() -> None:
    sampler = Scripted(FALSE)
    answer(sampler, tokens=20)
    assert sampler.asked == [0, 1, 2]


@pytest.mark.parametrize(("samples", "at_once", "sizes"), [(1, 5, [1]), (6, 5, [1, 5]), (9, 5, [1, 5, 3])])
def test_rounds_add_up_to_the_budget(samples: int, at_once: int, sizes: list[int]) -> None:
    numbers = list(rounds(samples, at_once))
    assert [len(one) for one in numbers] == sizes
    assert [number for one in numbers for number in one] == list(range(samples))


def test_a_prompt_that_cannot_be_read_costs_no_other_its_answer() -> None:
    search = Search("search", Scripted(RIGHT), settings(), seed=0, checker_seed="0", workers=2)
    batches = search.batches([example(), example("b", prompt="Prove it")])
    assert [one.finish_reason for batch in search.predict(batches) for one in batch] == [EXHAUSTED, VERIFIED]


QUESTIONS = [
    example("c", r"Given h{(x)} = e^{x}, then obtain \frac{d}{d x} h{(x)} = e^{x}"),
    example("d", r"Given g{(y)} = \cos{(y)}, then obtain \int g{(y)} dy = C + \sin{(y)}"),
]


@pytest.fixture(scope="module")
def mini() -> T5Model:
    return T5Model("mini", str(MINI), DecodingSettings(batch_size=8, max_source_length=200, max_target_length=100))


def of_mini(mini: T5Model, examples: Sequence[Example], **changes: object) -> list[tuple[str, str, str | None]]:
    search = Search("search", mini, settings(**changes), seed=0, checker_seed="0", workers=1)
    found = [one for batch in search.predict(search.batches(examples)) for one in batch]
    return sorted((one.id, one.text, one.finish_reason) for one in found)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["best_of", "stepwise"])
def test_answers_depend_neither_on_references_nor_on_other_questions(mini: T5Model, strategy: str) -> None:
    together = of_mini(mini, QUESTIONS, strategy=strategy)
    without = [one.model_copy(update={"target": "", "steps": []}) for one in QUESTIONS]
    assert of_mini(mini, without[::-1], strategy=strategy) == together
    assert [of_mini(mini, [one], strategy=strategy)[0] for one in QUESTIONS] == together
    for one, (_, text, reason) in zip(QUESTIONS, together, strict=True):
        assert check(one.prompt, text).verified == (reason == VERIFIED)


@pytest.mark.slow
@pytest.mark.long
def test_samples_differ_from_the_greedy_answer_and_each_other(mini: T5Model) -> None:
    (drawn,) = mini.sample(QUESTIONS[:1], range(1, 6), settings(temperature=1.5), seed=0)
    (greedy,) = mini.sample(QUESTIONS[:1], [0], settings(), seed=0)
    assert len({one.text for one in drawn}) > 2
    source = [mini.encode(QUESTIONS[0].prompt)]
    assert greedy[0].text == mini.complete(source)[0].text


@pytest.mark.slow
@pytest.mark.long
def test_a_continued_sample_begins_as_it_is_told(mini: T5Model) -> None:
    equations = (r"h{(x)} = e^{x}", r"\frac{d}{d x} h{(x)} = \frac{d}{d x} e^{x}")
    beginning = Beginning(QUESTIONS[0], equations, range(1, 5))
    (drawn,) = mini.continue_answers([beginning], settings(temperature=1.5), seed=0)
    (whole,) = mini.sample(QUESTIONS[:1], range(1, 5), settings(temperature=1.5), seed=0)
    for one in drawn:
        assert tuple(one.text.split(SEPARATOR)[:2]) == equations
        assert one.log_probability is not None
        assert one.log_probability < 0 < one.tokens
    assert len({one.text for one in drawn}) > 1
    assert not {one.text for one in drawn} & {one.text for one in whole}


class KilledError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["best_of", "stepwise"])
def test_a_killed_run_goes_on_from_its_last_batch(tmp_path: Path, strategy: str) -> None:
    examples = [example(f"n{number}") for number in range(40)]

    class Mortal(Continuing):
        def sample(
            self, examples: Sequence[Example], numbers: Sequence[int], settings: SamplerSettings, seed: int
        ) -> list[list[SampledAnswer]]:
            if self.asked and list(numbers) == [0]:
                raise KilledError  # in the second batch
            return super().sample(examples, numbers, settings, seed)

    def predict(sampler: Scripted, path: Path) -> list[str]:
        search = Search("search", sampler, settings(strategy=strategy), seed=0, checker_seed="0", workers=1)
        predict_set(search, examples, path, lambda *_: None)
        return [one.text for one in read_jsonl(path, Prediction)]

    with pytest.raises(KilledError):
        predict(Mortal(FALSE, RIGHT), tmp_path / "static.jsonl")
    resumed = Continuing(FALSE, RIGHT)
    whole = Continuing(FALSE, RIGHT)
    assert predict(resumed, tmp_path / "static.jsonl") == predict(whole, tmp_path / "other.jsonl")
    assert len(resumed.asked) < len(whole.asked)


def refusal(tmp_path: Path, entry: str) -> str:
    """The complaint about a config whose only predictor is this search."""
    from mathderive.pipeline.paths import RunPaths
    from mathderive.pipeline.run import Run
    from mathderive.predictors.kinds import _plan_search
    from mathderive.predictors.registry import RunInputs

    path = tmp_path / "c.yaml"
    path.write_text(f"evaluation: {{source: released}}\npredictors: [{entry}]\n")
    config = load_config(path)
    run = Run(config, RunPaths(tmp_path / "run"))
    inputs = RunInputs(config, tmp_path / "ledger", run.opened, None, None, None)
    settings = config.predictors[0]
    assert isinstance(settings, SamplerSettings)
    with pytest.raises(InputError) as error:
        _plan_search(settings, inputs)
    return str(error.value)


def test_a_predictor_with_one_answer_cannot_be_searched(tmp_path: Path) -> None:
    said = refusal(tmp_path, "{kind: search, around: {kind: copy}}")
    assert "search around 'copy', which gives one answer; expected one of openai, t5" in said


def test_stepwise_needs_a_predictor_that_can_continue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PREDICTORS, "t5", replace(PREDICTORS["t5"], can_continue=False))
    said = refusal(tmp_path, "{kind: search, strategy: stepwise, around: {kind: t5, checkpoint: x}}")
    assert "search around 't5', which cannot continue a beginning as the strategy stepwise asks for" in said
    assert "\n" not in said
