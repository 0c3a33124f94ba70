"""The examples that the page shows, chosen and laid out.

Texts become lines of typeset or plain equations. Each line of an answer has its verdict and its match in the reference.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from markupsafe import Markup

from mathderive.checker.reading.answers import split_answer
from mathderive.checker.verdicts import StepVerdict, Validity
from mathderive.metrics.checked_answers import CheckedAnswer
from mathderive.metrics.text import normalised
from mathderive.records import EVALUATION_SETS, EvaluationSet, Example, Prediction, Score, StepRecord
from mathderive.report.alignment import Alignment, Match, align
from mathderive.report.plain import cut
from mathderive.report.typeset import typeset
from mathderive.symbolic.engine.derivation import annotation_from_json, step_references
from mathderive.symbolic.prompts import split_prompt

MAX_CHARACTERS = 5_000
"""The number of characters shown of one prompt, reference or answer."""

MAX_LINES = 60
"""The number of equations shown of one prompt, reference or answer."""


@dataclass(frozen=True)
class Line:
    """One equation, typeset where possible, and as it was written.

    Attributes:
        role: in a prompt, what the prompt asks of it; in a derivation, its number from 1.
        origin: in a reference, the operator and steps that give it.
        match: in an answer, its match in the reference.
        verdict: in an answer, the checker's verdict.
    """

    role: str
    latex: str
    mathml: Markup | None
    origin: str | None = None
    match: Match | None = None
    verdict: StepVerdict | None = None


@dataclass(frozen=True)
class Lines:
    """A text's equations.

    Attributes:
        note: what is not shown, or why there is no answer.
        count: the number of equations, including those that are not shown.
    """

    lines: Sequence[Line]
    note: str | None
    count: int


@dataclass(frozen=True)
class Answer:
    """A model's derivation beside its reference."""

    model: str
    text: Lines
    alignment: Alignment
    score: Score | None
    validity: Validity | None


@dataclass(frozen=True)
class ShownExample:
    """One example with the answers to it."""

    id: str
    set: EvaluationSet
    prompt: Lines
    reference: Lines
    answers: Sequence[Answer]


@dataclass(frozen=True)
class ScoredAnswer:
    """A model's answer to one example, with its score and verdicts."""

    prediction: Prediction
    score: Score | None
    validity: Validity | None


def answers_by_example(
    predictions: Iterable[Prediction], scores: Iterable[Score], checked: Iterable[CheckedAnswer]
) -> dict[str, list[ScoredAnswer]]:
    """Returns every answer with its score and verdicts by the example's id, models in the predictions' order."""
    all_scores = {(score.model, score.id): score for score in scores}
    verdicts = {(answer.model, answer.id): answer.validity for answer in checked}
    answers: dict[str, list[ScoredAnswer]] = {}
    for prediction in predictions:
        key = prediction.model, prediction.id
        answers.setdefault(prediction.id, []).append(ScoredAnswer(prediction, all_scores.get(key), verdicts.get(key)))
    return answers


def choose(examples: Mapping[EvaluationSet, Sequence[Example]], count: int) -> list[Example]:
    """Chooses at most `count` examples, as evenly as possible from the sets, and spread over each set's list.

    The choice depends on the number of examples alone, never on anybody's scores.
    """
    pools = {name: list(examples.get(name, ())) for name in EVALUATION_SETS}
    quota = dict.fromkeys(pools, 0)
    for _ in range(min(count, sum(map(len, pools.values())))):
        name = min((name for name in pools if quota[name] < len(pools[name])), key=lambda name: quota[name])
        quota[name] += 1
    chosen = []
    for turn, (name, pool) in enumerate(pools.items()):
        # Each set starts a little further on, so that variants of the same example are rarely chosen together.
        start = turn / len(pools)
        chosen += [pool[int((k + start) * len(pool) / quota[name])] for k in range(quota[name])]
    return chosen


def shown_example(example: Example, answers: Iterable[ScoredAnswer]) -> ShownExample:
    """Lays out one example, with the answers to it."""
    assert example.set in EVALUATION_SETS  # chosen from the evaluation sets
    text, omitted = cut(example.prompt, MAX_CHARACTERS)
    asked = _prompt_lines(text)
    prompt = Lines(asked[:MAX_LINES], _omission(omitted, 0), len(asked))
    reference = _lines(split_answer(example.target))
    return ShownExample(
        id=example.id,
        set=example.set,
        prompt=prompt,
        reference=replace(reference, lines=_with_origins(reference.lines, example.steps)),
        answers=[_answer(answer, reference) for answer in answers],
    )


def _prompt_lines(prompt: str) -> list[Line]:
    """Returns the prompt's equations with their roles; a prompt that was cut is one line."""
    try:
        parts = split_prompt(prompt)
    except ValueError:
        return [Line("given", prompt, None)]
    roles = [("given", text) for text in parts.premises] + [("derive", text) for text in parts.derive]
    return [Line(role, text, typeset(text)) for role, text in (*roles, ("obtain", parts.goal))]


def _lines(texts: Sequence[str]) -> Lines:
    lines: list[Line] = []
    room, omitted = MAX_CHARACTERS, 0
    for number, text in enumerate(texts[:MAX_LINES], start=1):
        shown, omitted = cut(text.strip(), room)
        lines.append(Line(str(number), shown, typeset(shown)))
        room -= len(shown)
        if room <= 0:
            break
    return Lines(lines, _omission(omitted, len(texts) - len(lines)), len(texts))


def _with_origins(lines: Sequence[Line], steps: Sequence[StepRecord]) -> list[Line]:
    return [
        line if step is None else replace(line, origin=_origin(step))
        for line, step in zip_longest(lines, steps[: len(lines)])
    ]


def _origin(step: StepRecord) -> str:
    """Returns `premise`, or an operator and the steps that it acts on, such as `differentiate 2`."""
    if isinstance(step.annotation, str):
        return step.annotation
    return " ".join(map(str, (step.annotation[0], *step_references(annotation_from_json(step.annotation)))))


def _answer(answer: ScoredAnswer, reference: Lines) -> Answer:
    steps = answer.validity.steps if answer.validity else []
    text = _lines([step.text for step in steps] or split_answer(answer.prediction.text))
    alignment = align(*([normalised(line.latex) for line in lines] for lines in (reference.lines, text.lines)))
    lines = [
        replace(line, match=match, verdict=verdict)
        for line, match, verdict in zip_longest(text.lines, alignment.matches, steps[: len(text.lines)])
    ]
    note = text.note
    if not lines:
        reason, omitted = cut(answer.prediction.error or "the model wrote nothing", 300)
        note = f"No answer: {reason}{'…' if omitted else ''}"
    return Answer(
        answer.prediction.model, replace(text, lines=lines, note=note), alignment, answer.score, answer.validity
    )


def _omission(characters: int, lines: int) -> str | None:
    left_out = [f"{characters:,} more characters"] if characters else []
    left_out += [f"{lines:,} more equations"] if lines > 0 else []
    return f"Cut here: {' and '.join(left_out)} are not shown." if left_out else None
