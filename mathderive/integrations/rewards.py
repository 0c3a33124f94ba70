"""The reward of an answer, which is callable as a reward function of TRL."""

import secrets
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from mathderive.api.checking import Checker
from mathderive.checker.reading.asked import asked_of
from mathderive.checker.reading.layout import equations_of
from mathderive.checker.verdicts import TRUE, StepVerdict, Validity
from mathderive.core.closing import Closing
from mathderive.symbolic.prompts import SEPARATOR, join_prompt, split_prompt

MAX_CHARACTERS = 20_000
"""Default for the maximum number of characters of an answer; the longest of 60 generated references has 1,859."""

MAX_SHAPED = 0.5
"""Upper bound of the shaped reward of an answer that is not verified; no answer reaches it."""

PROMPTS_REMEMBERED = 4096
"""Number of prompts whose milestones are remembered."""

Message = Mapping[str, Any]
Text = str | Sequence[Message]
"""A plain text, or the messages of a chat."""


class DerivationReward(Closing):
    """The reward of an answer: 1 if the checker verifies it, otherwise 0 or, if shaped, less than a half.

    The shaped reward of an answer that is not verified is half the share of the *milestones* that it derives. The
    milestones are the goal, the requested equations, and the equations of a reference derivation if one is given; those
    that the prompt gives, or that the repeated prompt derives, do not count. An equation is derived if it is valid and
    rests on premises and valid equations alone. An answer with an equation that is incorrect, unparsable or undecided
    earns 0.

    Any number of threads may share a reward. Its child processes end with the block, the object or this process.
    """

    def __init__(
        self,
        *,
        shaped: bool = False,
        max_characters: int = MAX_CHARACTERS,
        processes: int = 1,
        key: str | None = None,
    ) -> None:
        """
        Args:
            shaped: whether answers that are not verified earn something for the milestones that they derive.
            max_characters: maximum length of an answer; a longer one earns 0 and is not checked.
            processes: maximum number of answers that are checked at the same time; 0 is one for each core.
            key: with the texts, it determines the points at which equations are tested. The default is a new secret.
                An evaluation that others repeat takes the empty key, with the verdicts of `mathderive check`.

        Raises:
            ValueError: a number is out of its range.
        """
        if max_characters < 1:
            raise ValueError(f"max_characters: {max_characters}; expected at least 1")
        self.__name__ = "shaped_derivation_reward" if shaped else "derivation_reward"  # TRL's name for it in its logs
        self._shaped, self._max_characters = shaped, max_characters
        self._checker = Checker(processes, key=secrets.token_hex() if key is None else key)
        self._has_warned = False
        self._milestones = lru_cache(PROMPTS_REMEMBERED)(self._find_milestones)

    def close(self) -> None:
        """Ends the child processes."""
        self._checker.close()

    def __call__(
        self,
        completions: Sequence[Text],
        prompts: Sequence[Text] | None = None,
        question: Sequence[str] | None = None,
        answer: Sequence[str] | None = None,
        **columns: Any,
    ) -> list[float]:
        """The rewards of a batch of answers, as TRL asks for them.

        Args:
            completions: the answers: texts, or messages of which the last one of the assistant is the answer.
            prompts: what the model was asked: texts, or messages of which the last one of the user is the prompt.
            question: the bare prompts of the export format `rl`; they take the place of `prompts`.
            answer: the reference derivations of the export format `rl`, for the shaped reward; others are ignored.
            columns: other columns of the dataset and arguments of the trainer, which are ignored.

        Returns:
            A reward for each answer, in order. Where a prompt cannot be read, it is 0, and the first such prompt causes
            a warning.

        Raises:
            ValueError: there are neither prompts nor questions, or their number is another one.
            TypeError: an answer or a prompt is neither a text nor messages.
        """
        asked = prompts if question is None else question
        if asked is None:
            raise ValueError("neither prompts nor question; expected one of them")
        questions = [question_of(one) for one in asked]
        texts = [text_of(completion, "assistant") for completion in completions]
        references = [one if isinstance(one, str) else "" for one in answer or [""] * len(texts)]
        if not len(texts) == len(questions) == len(references):
            raise ValueError(
                f"{len(texts)} completions, {len(questions)} prompts and {len(references)} answers; "
                "expected as many of each"
            )
        return self._rewards([_Answer(*one) for one in zip(questions, texts, references, strict=True)])

    def score(self, prompt: Text, answer: Text, reference: str = "") -> float:
        """The reward of one answer.

        Args:
            reference: a reference derivation, for the shaped reward.

        Raises:
            ValueError: the prompt cannot be read; the message says what was expected where.
            TypeError: as in a call.
        """
        question = question_of(prompt)
        asked_of(question)
        (reward,) = self._rewards([_Answer(question, text_of(answer, "assistant"), reference)])
        return reward

    def _rewards(self, answers: Sequence["_Answer"]) -> list[float]:
        rewards = [0.0] * len(answers)
        checked = [place for place, answer in enumerate(answers) if self._is_checked(answer)]
        verdicts = self._checker.check_all([(answers[place].question, answers[place].text) for place in checked])
        unverified = []
        for place, verdict in zip(checked, verdicts, strict=True):
            rewards[place] = float(verdict.verified)
            if self._shaped and not verdict.verified and _is_true(verdict):
                unverified.append(place)
        milestones = [self._milestones(answers[place].question, answers[place].reference) for place in unverified]
        pairs = [(one.prompt, answers[place].text) for place, one in zip(unverified, milestones, strict=True)]
        for place, one, verdict in zip(unverified, milestones, self._checker.check_all(pairs), strict=True):
            if _is_true(verdict):
                rewards[place] = MAX_SHAPED * min(len(_derived(verdict)), one.number - 1) / one.number
        return rewards

    def _is_checked(self, answer: "_Answer") -> bool:
        if not answer.text.strip() or len(answer.text) > self._max_characters:
            return False
        try:
            asked_of(answer.question)
        except ValueError as error:
            if not self._has_warned:
                self._has_warned = True
                warnings.warn(f"a prompt cannot be read, so its answers earn 0: {error}", stacklevel=3)
            return False
        return True

    def _find_milestones(self, question: str, reference: str) -> "_Milestones":
        parts = asked_of(question)
        repeated = self._checker.check(question, SEPARATOR.join((*parts.premises, *parts.derive, parts.goal)))
        known = {*parts.premises, parts.goal, *(step.text for step in _derived(repeated))}
        derive = [text for text in dict.fromkeys((*parts.derive, *equations_of(reference))) if text not in known]
        return _Milestones(join_prompt(parts._replace(derive=tuple(derive))), len(derive) + 1)


class _Answer(NamedTuple):
    """An answer to a prompt, with a reference derivation or an empty text."""

    question: str
    text: str
    reference: str


class _Milestones(NamedTuple):
    """A prompt that requests all milestones, and their number."""

    prompt: str
    number: int


def question_of(prompt: Text) -> str:
    """The bare prompt in what a model was asked.

    Args:
        prompt: a text, or messages of which the last one of the user counts. Paragraphs beside one that has the form of
            the data's prompts, such as instructions, are left out.

    Raises:
        TypeError: it is neither a text nor messages.
    """
    text = text_of(prompt, "user")
    for paragraph in reversed(text.split("\n\n")):
        with suppress(ValueError):
            split_prompt(paragraph.strip())
            return paragraph.strip()
    return text


def text_of(value: Text, role: str) -> str:
    """The text itself, or the text of the last message of a role; empty if there is none.

    Raises:
        TypeError: the value is neither a text nor a list of messages.
    """
    if isinstance(value, str):
        return value
    contents = []
    for message in value if isinstance(value, Sequence) else [value]:
        if not isinstance(message, Mapping):
            raise TypeError(f"{type(message).__name__}; expected a text or a list of messages")
        if message.get("role") == role:
            contents.append(message.get("content"))
    content = contents[-1] if contents else None
    if isinstance(content, list):  # a message in parts
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def _is_true(verdict: Validity) -> bool:
    return all(step.truth in TRUE for step in verdict.steps)


def _derived(verdict: Validity) -> list[StepVerdict]:
    """The equations that the prompt asks for and that rest on premises and valid equations alone, each once."""
    grounded: set[int] = set()
    for number, step in enumerate(verdict.steps, start=1):
        if step.truth == "premise" or (step.truth == "valid" and grounded.issuperset(step.steps)):
            grounded.add(number)
    steps = [verdict.steps[number - 1] for number in sorted(grounded)]
    return [step for step in steps if step.truth == "valid" and step.stated and not step.redundant]
