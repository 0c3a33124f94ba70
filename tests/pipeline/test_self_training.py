"""Self-training: which of a model's own answers it is trained on, and what they depend on."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

import pytest

from mathderive.checker.checker import check
from mathderive.config.loading import load_config
from mathderive.core.errors import InputError
from mathderive.pipeline.self_training.answers import AnsweredPrompt, CheckedText, Sampling, answer_prompts
from mathderive.pipeline.self_training.originals import choose_originals, prompts_of_round
from mathderive.pipeline.self_training.reading import held_out_hashes, read_answer
from mathderive.pipeline.self_training.selection import TrainingExample, admissible_answers, shortest_answers
from mathderive.predictors.registry import PREDICTORS, RunInputs, TrainedModel
from mathderive.predictors.search import SampledAnswer
from mathderive.predictors.settings import SamplerSettings
from mathderive.records import Example
from mathderive.symbolic.engine.derivation import Derivation, derivation_from_json
from mathderive.symbolic.engine.fresh_names import with_vocabulary_names
from mathderive.symbolic.engine.perturbations import variable_renaming
from mathderive.symbolic.engine.texts import prompt, target
from mathderive.training.opened import OpenedCheckpoints
from tests.support.tiny_training import silent
from tests.support.withheld import WITHHELD
from tfds_builders.derivations.generation import preview

PROMPT = r"Given y{(h)} = h, then obtain \sin{(y^{2}{(h)})} + 3 = \sin{(h^{2})} + 3"
GOAL = r"\sin{(y^{2}{(h)})} + 3 = \sin{(h^{2})} + 3"
FALSE = rf"y{{(h)}} = h and y^{{2}}{{(h)}} = h^{{3}} and {GOAL}"
RIGHT = rf"y{{(h)}} = h and y^{{2}}{{(h)}} = h^{{2}} and \sin{{(y^{{2}}{{(h)}})}} = \sin{{(h^{{2}})}} and {GOAL}"
IRRELEVANT = rf"y{{(h)}} = h and \frac{{d}}{{d h}} y{{(h)}} = 1 and {RIGHT.removeprefix('y{(h)} = h and ')}"
REDUNDANT = rf"y{{(h)}} = h and {RIGHT}"
SETTINGS = SamplerSettings.model_validate({"kind": "search", "around": {"kind": "t5", "checkpoint": "x"}})


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Twelve derivations of the default settings; they are training examples and held-out examples at will."""
    config = load_config(Path(__file__).parents[2] / "configs" / "paper.yaml")
    assert config.data is not None
    return list(islice(preview(config.data, 5, "train"), 12))


def derivation_of(example: Example) -> Derivation:
    return derivation_from_json([(step.annotation, step.srepr) for step in example.steps])


def own(derivation: Derivation, name: str = "a") -> TrainingExample:
    return TrainingExample(id=name, origin="own", prompt=prompt(derivation), target=target(derivation))


def question(name: str, text: str = PROMPT) -> Example:
    return Example(id=name, source_id=name, set="train", prompt=text, target="", steps=[])


class Scripted:
    """Gives the written answers in turn, and raises after some batches if it is told to."""

    name = "scripted"

    def __init__(self, *texts: str, batches: int = 1000) -> None:
        self._texts, self._batches = texts, batches

    def sample(
        self, examples: Sequence[Example], numbers: Sequence[int], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        if not self._batches:
            raise KilledError
        self._batches -= 1
        return [[SampledAnswer(self._texts[n % len(self._texts)], -1.0, 5) for n in numbers] for _ in examples]


class KilledError(Exception):
    pass


def answered(path: Path, sampler: Scripted, *questions: Example, samples: int = 4) -> list[AnsweredPrompt]:
    sampling = Sampling(sampler, SETTINGS, range(samples), 0, "0", workers=1)
    return answer_prompts(sampling, questions, path, silent)


def test_hashes_do_not_depend_on_names(examples: list[Example]) -> None:
    seen = set()
    for number, example in enumerate(examples):
        whole = read_answer(example.prompt, example.target)
        renamed = with_vocabulary_names(derivation_of(example), random.Random(number))
        assert target(renamed) != example.target
        again = read_answer(prompt(renamed), target(renamed))
        assert whole is not None
        assert again is not None
        assert (again.hashes, again.joint_hash) == (whole.hashes, whole.joint_hash)
        seen.add(whole.joint_hash)
    assert len(seen) == len(examples)


def test_a_text_that_is_no_equation_is_not_read() -> None:
    assert read_answer(PROMPT, RIGHT) is not None
    for answer in ("", "y{(h)} = h and so on", "y{(h)} = h = h^{1}", f"{GOAL} and"):
        assert read_answer(PROMPT, answer) is None


def test_held_out_derivations_and_questions_stay_out(examples: list[Example]) -> None:
    held_out, others = examples[:6], examples[6:]
    hashes = held_out_hashes(held_out)
    names = random.Random(3)
    renamed = [with_vocabulary_names(derivation_of(example), names) for example in held_out]
    assert not list(admissible_answers([own(one) for one in renamed], hashes))
    other = own(derivation_of(others[0]))
    asked_elsewhere = [other.model_copy(update={"target": target(one)}) for one in renamed]
    assert not list(admissible_answers(asked_elsewhere, hashes))
    answered_otherwise = [own(one).model_copy(update={"target": other.target}) for one in renamed]
    assert not list(admissible_answers(answered_otherwise, hashes))
    assert len(list(admissible_answers([own(derivation_of(example)) for example in others], hashes))) == len(others)


def test_reserved_letters_stay_out(examples: list[Example]) -> None:
    letters = random.Random(4)
    renamed = [variable_renaming(derivation_of(example), letters) for example in examples]
    answers = [own(one) for one in renamed if one is not None]
    assert len(answers) > 8
    assert all(WITHHELD.search(answer.target) for answer in answers)
    assert not list(admissible_answers(answers, set()))
    constant = r"y{(h)} = h and \int y{(h)} dh = \kappa + \frac{h^{2}}{2}"
    asked = r"Given y{(h)} = h, then obtain \int y{(h)} dh = C + \frac{h^{2}}{2}"
    assert WITHHELD.search(constant)
    for answer, count in ((constant, 0), (constant.replace(r"\kappa", "C"), 1)):
        example = TrainingExample(id="c", origin="own", prompt=asked, target=answer)
        assert len(list(admissible_answers([example], set()))) == count


def test_answers_that_are_equal_up_to_renaming_are_taken_once(examples: list[Example]) -> None:
    names = random.Random(5)
    copies = [own(with_vocabulary_names(derivation_of(one), names), name) for one in examples for name in ("a", "b")]
    kept = list(admissible_answers(copies, set()))
    assert [answer.id for answer in kept] == ["a"] * len(examples)


def test_the_shortest_answer_is_chosen() -> None:
    texts = {"a = b and c = c": None, "a = b and b + c = a": "a = b and b + c = a", "a = b and b = a": "x = y"}
    answers = [CheckedText(text=text, samples=1, verified=True, kept=kept) for text, kept in texts.items()]
    lines = [
        AnsweredPrompt(id="p", prompt=PROMPT, tokens=3, answers=answers),
        AnsweredPrompt(id="q", prompt=PROMPT, tokens=3, answers=answers[:1]),
    ]
    assert [(one.id, one.target) for one in shortest_answers(lines)] == [("p", "x = y")]


def test_steps_that_an_answer_does_not_need_are_left_out(tmp_path: Path) -> None:
    assert check(PROMPT, IRRELEVANT).verified
    assert check(PROMPT, REDUNDANT).verified
    sampler = Scripted(FALSE, RIGHT, IRRELEVANT, REDUNDANT, RIGHT)
    (found,) = answered(tmp_path / "a.jsonl", sampler, question("a"), samples=5)
    assert {answer.text: (answer.samples, answer.kept) for answer in found.answers} == {
        FALSE: (1, None),
        RIGHT: (2, RIGHT),
        IRRELEVANT: (1, RIGHT),
        REDUNDANT: (1, RIGHT),
    }
    assert (found.verified, found.tokens) == (4, 25)


def test_an_answer_states_every_requested_equation(tmp_path: Path) -> None:
    asked = r", then derive y^{2}{(h)} = h^{2}, then obtain "
    shorter = r"y{(h)} = h and \sin{(y{(h)})} = \sin{(h)}"
    other = rf"Given y{{(h)}} = h{asked}\sin{{(y{{(h)}})}} = \sin{{(h)}}"
    assert check(other, shorter).verified
    needed = PROMPT.replace(", then obtain ", asked)
    found = answered(tmp_path / "a.jsonl", Scripted(RIGHT, shorter), question("a", needed), question("b", other))
    kept = {line.id: [answer.kept for answer in line.answers if answer.kept] for line in found}
    assert kept == {"a": [RIGHT], "b": []}


def test_a_killed_round_goes_on_from_its_last_batch(tmp_path: Path) -> None:
    questions = [question(f"n{number:02}", PROMPT if number == 20 else "Prove it") for number in range(36)]
    whole, resumed = tmp_path / "whole.jsonl", tmp_path / "resumed.jsonl"
    assert len(answered(whole, Scripted(FALSE, RIGHT), *questions)) == 36
    with pytest.raises(KilledError):
        answered(resumed, Scripted(FALSE, RIGHT, batches=2), *questions)
    partial = resumed.with_name("resumed.jsonl.partial")
    assert partial.read_bytes()
    partial.write_bytes(partial.read_bytes()[:-7])
    answered(resumed, Scripted(FALSE, RIGHT), *questions[::-1])
    assert resumed.read_bytes() == whole.read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["resumed.jsonl", "whole.jsonl"]


def test_rounds_go_through_all_prompts() -> None:
    examples = [question(f"p{number}").model_copy(update={"target": RIGHT}) for number in range(10)]
    rounds = [[one.id for one in prompts_of_round(examples, number, 4, 7)] for number in (1, 2, 3, 4, 5)]
    assert [len(set(one)) for one in rounds] == [4] * 5
    assert Counter(chain(*rounds)) == {example.id: 2 for example in examples}
    assert prompts_of_round(examples, 1, 4, 8) != prompts_of_round(examples, 1, 4, 7)
    assert len(prompts_of_round(examples, 2, 99, 7)) == 10
    assert all(example.target == "" for example in prompts_of_round(examples, 1, 4, 7))


def test_replayed_examples_differ() -> None:
    originals = [(f"p{number}", f"t{number}") for number in range(10)]
    chosen = choose_originals(originals, 6, 7, "replay 1")
    assert len({(one.prompt, one.target) for one in chosen} & set(originals)) == 6
    assert len(choose_originals(originals, 99, 7, "replay 1")) == 10


def test_each_round_can_answer(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "configs" / "self_training.yaml"
    config = load_config(path, ["predictors=[{kind: t5}, {kind: t5, round: 0}, {kind: t5, round: 2}]"])
    models = [TrainedModel(tmp_path / f"{number}", f"digest {number}") for number in range(2)]
    inputs = RunInputs(config, tmp_path / "ledger", OpenedCheckpoints(), None, None, models[-1], models)
    last, first, beyond = config.predictors
    plans = [plan for entry in (last, first) for plan in PREDICTORS["t5"].plan(entry, inputs)]
    assert [(plan.name, plan.stamp["checkpoint"]) for plan in plans] == [("t5", "digest 1"), ("t5-round-0", "digest 0")]
    with pytest.raises(InputError, match="t5: round 2 of 1; expected at most self_training.rounds"):
        PREDICTORS["t5"].plan(beyond, inputs)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("self_training: {prompts: 5, learning_rate: 1e-3}", "self_training goes on with a model that the run has"),
        ("self_training: {prompts: 0, learning_rate: 1e-3}", "self_training.prompts"),
        ("self_training: {prompts: 5, learning_rat: 1e-3}", "learning_rate"),
        ("predictors: [{kind: t5, checkpoint: x, round: 1}]", "expected no checkpoint beside it"),
    ],
)
def test_a_wrong_section_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"evaluation: {{source: released}}\n{text}\n")
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
