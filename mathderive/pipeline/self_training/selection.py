"""The choice of a model's own answers that it is trained on."""

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from mathderive.checker.reading.answers import split_answer
from mathderive.pipeline.self_training.answers import AnsweredPrompt
from mathderive.pipeline.self_training.reading import read_answer
from mathderive.records import Record
from mathderive.symbolic.vocabulary import RENAMING_LETTERS


class TrainingExample(Record):
    """A prompt and a target to train on; `origin` says whether the target is the model's own answer."""

    id: str
    origin: Literal["own", "original"]
    prompt: str
    target: str


def shortest_answers(prompts: Sequence[AnsweredPrompt]) -> Iterator[TrainingExample]:
    """Yields the shortest answer to keep of each prompt that has one: with fewest equations, then fewest characters."""
    for prompt in prompts:
        kept = [answer.kept for answer in prompt.answers if answer.kept is not None]
        if kept:
            shortest = min(kept, key=lambda text: (len(split_answer(text)), len(text)))
            yield TrainingExample(id=prompt.id, origin="own", prompt=prompt.prompt, target=shortest)


def admissible_answers(answers: Sequence[TrainingExample], held_out: Collection[str]) -> Iterator[TrainingExample]:
    """Yields the answers that may be trained on.

    Left out are answers whose question or derivation is held out up to renaming, those with a letter that is reserved
    for the renaming perturbation, those that are equal to an earlier one up to renaming, and those that have a part
    that is no equation of two sides.

    Args:
        held_out: canonical hashes, from `held_out_hashes`.
    """
    seen: set[str] = set()
    for answer in answers:
        found = read_answer(answer.prompt, answer.target)
        if found is None or found.names.intersection(RENAMING_LETTERS) or any(one in held_out for one in found.hashes):
            continue
        if (joint := found.joint_hash) not in seen:
            seen.add(joint)
            yield answer
