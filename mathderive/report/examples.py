"""The examples that the page shows: which ones, and their texts as lines of typeset or plain equations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mathderive.metrics.text import equations, normalised
from mathderive.prompts import split_prompt
from mathderive.records import EVALUATION_SETS, EvaluationSet, Example, Prediction, Score
from mathderive.report.plain import cut
from mathderive.report.typeset import Typesetter

MAX_CHARACTERS = 5_000
"""Of one prompt, reference or answer; a page with more is no longer read."""
MAX_LINES = 60


@dataclass(frozen=True)
class Line:
    """One equation: set, where it is known to come from our printer, and as it was written."""

    role: str
    latex: str
    mathml: Markup | None
    in_reference: bool = False


@dataclass(frozen=True)
class Answer:
    """A derivation as lines; `note` says what was left out or went wrong."""

    model: str
    lines: Sequence[Line]
    note: str | None
    score: Score | None = None


@dataclass(frozen=True)
class ShownExample:
    id: str
    set: EvaluationSet
    prompt: Sequence[Line]
    prompt_note: str | None
    reference: Answer
    answers: Sequence[Answer]


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


def shown_example(
    example: Example,
    predictions: Mapping[str, Prediction],
    scores: Mapping[str, Score],
    typesetter: Typesetter,
) -> ShownExample:
    """Lays out one example. `predictions` and `scores` are those of this example, by model."""
    assert example.set in EVALUATION_SETS  # chosen from the evaluation sets
    prompt, prompt_omitted = cut(example.prompt, MAX_CHARACTERS)
    steps = {normalised(equation) for equation in equations(example.target)}
    return ShownExample(
        id=example.id,
        set=example.set,
        prompt=_prompt_lines(prompt, typesetter)[:MAX_LINES],
        prompt_note=_omission(prompt_omitted, 0),
        reference=_answer("Reference", example.target, typesetter, set()),
        answers=[
            _with_score(_answer(model, prediction.text, typesetter, steps), prediction, scores.get(model))
            for model, prediction in predictions.items()
        ],
    )


def _prompt_lines(prompt: str, typesetter: Typesetter) -> list[Line]:
    """The prompt's equations, each with what it asks of them; a prompt that was cut is one line."""
    try:
        parts = split_prompt(prompt)
    except ValueError:
        return [Line("given", prompt, None)]
    roles = [("given", text) for text in parts.premises] + [("derive", text) for text in parts.derive]
    return [Line(role, text, typesetter.mathml(text)) for role, text in (*roles, ("obtain", parts.goal))]


def _answer(model: str, text: str, typesetter: Typesetter, steps: set[str]) -> Answer:
    shown, omitted = cut(text.strip(), MAX_CHARACTERS)
    parts = equations(shown) if shown else []
    lines = [
        Line(str(number), part.strip(), typesetter.mathml(part), normalised(part) in steps)
        for number, part in enumerate(parts[:MAX_LINES], start=1)
    ]
    return Answer(model, lines, _omission(omitted, len(parts) - len(lines)))


def _with_score(answer: Answer, prediction: Prediction, score: Score | None) -> Answer:
    note = answer.note
    if not answer.lines:
        reason, omitted = cut(prediction.error or "the model wrote nothing", 300)
        note = f"No answer: {reason}{'…' if omitted else ''}"
    return Answer(answer.model, answer.lines, note, score)


def _omission(characters: int, lines: int) -> str | None:
    left_out = [f"{characters:,} more characters"] if characters else []
    left_out += [f"{lines:,} more equations"] if lines > 0 else []
    return f"Cut here: {' and '.join(left_out)} are not shown." if left_out else None
