"""The examples that the page shows: which ones, and their texts as lines of typeset or plain equations, those of an
answer each with its verdict and with what it is in the reference.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from markupsafe import Markup

from mathderive.checker.reading.answers import split_answer
from mathderive.checker.verdicts import StepVerdict, Validity
from mathderive.metrics.checked_answers import CheckedAnswer
from mathderive.metrics.text import equations, normalised
from mathderive.records import EVALUATION_SETS, EvaluationSet, Example, Prediction, Score, StepRecord
from mathderive.report.alignment import Alignment, Match, align
from mathderive.report.plain import cut
from mathderive.report.typeset import typeset
from mathderive.symbolic.engine.derivation import annotation_from_json, step_references
from mathderive.symbolic.prompts import split_prompt

MAX_CHARACTERS = 5_000
"""Of one prompt, reference or answer; a page with more is no longer read."""
MAX_LINES = 60


@dataclass(frozen=True)
class Line:
    """One equation: typeset, where that can be done, and as it was written.

    Attributes:
        role: what a prompt asks of it, or its number, from 1, in a derivation.
        origin: what gave it, in a reference.
        match, verdict: what it is in the reference and what the checker says of it, in an answer.
    """

    role: str
    latex: str
    mathml: Markup | None
    origin: str | None = None
    match: Match | None = None
    verdict: StepVerdict | None = None


@dataclass(frozen=True)
class Lines:
    """A text's equations; `note` says what was left out or went wrong."""

    lines: Sequence[Line]
    note: str | None


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
    id: str
    set: EvaluationSet
    prompt: Lines
    reference: Lines
    answers: Sequence[Answer]


@dataclass(frozen=True)
class FoundAnswer:
    """A model's answer to one example, and what was found about it."""

    prediction: Prediction
    score: Score | None
    validity: Validity | None


def answers_by_example(
    predictions: Iterable[Prediction], scores: Iterable[Score], checked: Iterable[CheckedAnswer]
) -> dict[str, list[FoundAnswer]]:
    """Every answer with its score and verdicts, by the example's id, models in the predictions' order."""
    score_of = {(score.model, score.id): score for score in scores}
    validity_of = {(line.model, line.id): line.validity for line in checked}
    found: dict[str, list[FoundAnswer]] = {}
    for prediction in predictions:
        key = prediction.model, prediction.id
        found.setdefault(prediction.id, []).append(FoundAnswer(prediction, score_of.get(key), validity_of.get(key)))
    return found


def choose(examples: Mapping[EvaluationSet, Sequence[Example]], count: int) -> list[Example]:
    """At most `count` examples, as many of each set as can be, spread evenly over each set's list.

    The choice depends on the number of examples alone, never on how well anybody did.
    """
    pools = {name: list(examples.get(name, ())) for name in EVALUATION_SETS}
    quota = dict.fromkeys(pools, 0)
    for _ in range(min(count, sum(map(len, pools.values())))):
        name = min((name for name in pools if quota[name] < len(pools[name])), key=lambda name: quota[name])
        quota[name] += 1
    chosen = []
    for turn, (name, pool) in enumerate(pools.items()):
        # Each set starts a little further on, so that variants of the same example rarely meet.
        start = turn / len(pools)
        chosen += [pool[int((k + start) * len(pool) / quota[name])] for k in range(quota[name])]
    return chosen


def shown_example(example: Example, answers: Iterable[FoundAnswer]) -> ShownExample:
    """Lays out one example, with the answers to it."""
    assert example.set in EVALUATION_SETS  # chosen from the evaluation sets
    text, omitted = cut(example.prompt, MAX_CHARACTERS)
    prompt = Lines(_prompt_lines(text)[:MAX_LINES], _omission(omitted, 0))
    reference = _lines(equations(example.target))
    return ShownExample(
        id=example.id,
        set=example.set,
        prompt=prompt,
        reference=replace(reference, lines=_with_origins(reference.lines, example.steps)),
        answers=[_answer(answer, reference) for answer in answers],
    )


def _prompt_lines(prompt: str) -> list[Line]:
    """The prompt's equations, each with what it asks of them; a prompt that was cut is one line."""
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
    return Lines(lines, _omission(omitted, len(texts) - len(lines)))


def _with_origins(lines: Sequence[Line], steps: Sequence[StepRecord]) -> list[Line]:
    return [
        line if step is None else replace(line, origin=_origin(step))
        for line, step in zip_longest(lines, steps[: len(lines)])
    ]


def _origin(step: StepRecord) -> str:
    """`premise`, or an operator and the steps it acts on: `differentiate 2`."""
    if isinstance(step.annotation, str):
        return step.annotation
    return " ".join(map(str, (step.annotation[0], *step_references(annotation_from_json(step.annotation)))))


def _answer(answer: FoundAnswer, reference: Lines) -> Answer:
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
    return Answer(answer.prediction.model, Lines(lines, note), alignment, answer.score, answer.validity)


def _omission(characters: int, lines: int) -> str | None:
    left_out = [f"{characters:,} more characters"] if characters else []
    left_out += [f"{lines:,} more equations"] if lines > 0 else []
    return f"Cut here: {' and '.join(left_out)} are not shown." if left_out else None
