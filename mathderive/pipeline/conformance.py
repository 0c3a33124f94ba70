"""Compares the engine with the authors' engine on every released example.

Each check is a generator over one example and its static source. It yields one item for each thing that it checks: a
fault, or None. Known faults of the released data itself are counted separately.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mathderive.checker.reading.answers import split_answer
from mathderive.core.errors import InputError
from mathderive.core.progress import ProgressCallback
from mathderive.records import EvaluationSet, Example
from mathderive.symbolic.engine.derivation import (
    AnnotationError,
    Derivation,
    SreprError,
    derivation_from_json,
    step_references,
)
from mathderive.symbolic.engine.evaluation_sets import evaluation_set
from mathderive.symbolic.engine.replay import replays
from mathderive.symbolic.engine.variants import unrenamed_names
from mathderive.symbolic.latex.parser import LatexError, parse_equation, readings
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.names import names_of
from mathderive.symbolic.prompts import SEPARATOR, Prompt, parse_few_shot_prompt, split_prompt
from mathderive.symbolic.srepr import write_srepr
from tfds_builders.released.result_files import RELEASED_SETS, read_result_files

PREFERRED_READING = "parsed, preferred reading"
PREFERRED_SHARE = 0.99
"""Minimum share of equations that are parsed to the right expression first; all other checks must hold everywhere."""

VARIANT = "variant of static"
KNOWN_UNRENAMED = 1
"""The number of released VR variants in which a bound variable was not renamed."""

WORKED_EXAMPLES = 5


class KnownFault(str):
    """A fault of the released data itself."""


Findings = Iterator[str | None]
"""One item for each thing that is checked: a fault, or None."""


@dataclass(frozen=True)
class Item:
    """A released example and the data that the checks compare it with.

    Attributes:
        example: the released texts.
        derivation: the released steps.
        source: the steps of the static example.
        siblings: the few-shot prompts of all five sets.
    """

    example: Example
    derivation: Derivation
    source: Derivation
    siblings: Sequence[str]

    @cached_property
    def unrenamed(self) -> set[str]:
        """Names that the authors left unrenamed in a VR example."""
        return unrenamed_names(self.source, self.derivation) if self.example.set == "vr" else set()


@dataclass
class Tally:
    """The results of one check in one set.

    Attributes:
        total: the number of things that were checked.
        failures: place and fault of each failure, without known faults of the released data.
        known: the known faults, likewise.
    """

    total: int = 0
    failures: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return self.total - len(self.failures) - len(self.known)


Tallies = dict[str, dict[EvaluationSet, Tally]]
"""The results by check and set."""


def check_file(path: Path, on_progress: ProgressCallback) -> Tallies:
    """Applies every check to every example of a result file.

    Raises:
        InputError: the file is not in the authors' format, or an `srepr` or annotation in it cannot be read.
    """
    examples = read_result_files([path]).examples
    rows = len(examples["static"])
    tallies: Tallies = {name: {} for name in CHECKS}
    for row in range(rows):
        derivations = {name: _derivation(path, examples[name][row]) for name in RELEASED_SETS}
        siblings = [examples[name][row].few_shot_prompt or "" for name in RELEASED_SETS]
        for name in RELEASED_SETS:
            item = Item(examples[name][row], derivations[name], derivations["static"], siblings)
            for check, function in CHECKS.items():
                _count(tallies[check].setdefault(name, Tally()), function(item), f"row {row}, {name}")
        on_progress("rows", row + 1, rows)
    return tallies


def conforms(tallies: Tallies) -> bool:
    """Whether nothing fails except the known faults of the released data and a few preferred readings."""
    for check, by_set in tallies.items():
        total = sum(tally.total for tally in by_set.values())
        failed = sum(len(tally.failures) for tally in by_set.values())
        allowed = (1 - PREFERRED_SHARE) * total if check == PREFERRED_READING else 0
        if failed > allowed:
            return False
    return len(tallies[VARIANT].get("vr", Tally()).known) <= KNOWN_UNRENAMED


def table(tallies: Tallies) -> str:
    """Formats one row per check with passed/total for each set, and the known faults of the released data below."""
    lines = [f"{'':28}" + "".join(f"{name:>12}" for name in RELEASED_SETS)]
    for check, by_set in tallies.items():
        cells = [f"{tally.passed}/{tally.total}" if tally.total else "–" for tally in by_set.values()]
        lines.append(f"{check:28}" + "".join(f"{cell:>12}" for cell in cells))
    known = [(check, place) for check, by_set in tallies.items() for tally in by_set.values() for place in tally.known]
    lines += [f"known: {check}: {place}" for check, place in known]
    return "\n".join(lines)


def failures(tallies: Tallies) -> list[str]:
    """One line for each failure, without known faults of the released data."""
    return [
        f"{check}: {failure}"
        for check, by_set in tallies.items()
        for tally in by_set.values()
        for failure in tally.failures
    ]


def _derivation(path: Path, example: Example) -> Derivation:
    try:
        return derivation_from_json([(step.annotation, step.srepr) for step in example.steps])
    except (AnnotationError, SreprError) as error:
        raise InputError(f"{path}: {example.id}: {error}; expected steps in the authors' format") from None


def _count(tally: Tally, findings: Findings, place: str) -> None:
    for number, finding in enumerate(findings, start=1):
        tally.total += 1
        if finding is not None:
            faults = tally.known if isinstance(finding, KnownFault) else tally.failures
            faults.append(f"{place}, {number}: {finding}")


def _unrenamed(names: set[str], rest: str = "") -> KnownFault:
    return KnownFault(f"left unrenamed by the authors: {', '.join(sorted(names))}{rest}")


def _srepr(item: Item) -> Findings:
    for step, equation in zip(item.example.steps, item.derivation.equations, strict=True):
        yield None if write_srepr(equation) == step.srepr else f"{step.srepr} is written {write_srepr(equation)}"


def _latex(item: Item) -> Findings:
    texts = item.example.target.split(SEPARATOR)
    for number, equation in enumerate(item.derivation.equations):
        recorded = texts[number] if number < len(texts) else "nothing"
        yield None if latex(equation) == recorded else f"{recorded} is printed {latex(equation)}"
    for text in texts[len(item.derivation.equations) :]:
        yield f"{text} has no step"


def _replay(item: Item) -> Findings:
    for step, holds in zip(item.derivation.steps, replays(item.derivation), strict=True):
        referred = [item.derivation.equations[number - 1] for number in step_references(step.annotation)]
        stray = item.unrenamed & frozenset().union(*map(names_of, (step.equation, *referred)))
        fault = f"{latex(step.equation)} does not follow by {step.annotation}"
        yield None if holds else _unrenamed(stray, f"; {fault}") if stray else fault


def _prompt(item: Item) -> Findings:
    rendered = evaluation_set(item.example.set).write_prompt(item.derivation)
    yield None if rendered == item.example.prompt else f"{item.example.prompt} is rendered {rendered}"


def _variant(item: Item) -> Findings:
    find_fault = evaluation_set(item.example.set).find_fault
    if find_fault is not None:
        fault = find_fault(item.source, item.derivation)
        yield _unrenamed(item.unrenamed) if fault and item.unrenamed else fault


def _few_shot(item: Item) -> Findings:
    text = item.example.few_shot_prompt
    if text is None:
        return
    try:
        pairs, query = parse_few_shot_prompt(text)
        asked = [split_prompt(question) for question, _ in pairs]
    except ValueError as error:
        yield str(error)
        return
    shared = {sibling.removesuffix(sibling.rpartition("Prompt: ")[2]) for sibling in item.siblings}
    if len(pairs) != WORKED_EXAMPLES or query != item.example.prompt:
        yield f"not {WORKED_EXAMPLES} worked examples and the prompt"
    elif len(shared) != 1:
        yield "not the worked examples of the other variants"
    elif not all(_answers(question, answer) for question, (_, answer) in zip(asked, pairs, strict=True)):
        yield "a worked example whose derivation lacks an equation of its prompt"
    else:
        yield None


def _answers(question: Prompt, answer: str) -> bool:
    """Whether a worked derivation contains the equations of its prompt and ends with the goal."""
    equations = split_answer(answer)
    return equations[-1] == question.goal and {*question.premises, *question.derive} <= {*equations}


def _preferred(item: Item) -> Findings:
    for equation in item.derivation.equations:
        try:
            found = parse_equation(latex(equation))
            yield None if found == equation else f"{latex(equation)} is read {write_srepr(found)}"
        except LatexError as error:
            yield f"{latex(equation)}: {error}"


def _some_reading(item: Item) -> Findings:
    for equation in item.derivation.equations:
        try:
            holds = any(sides == equation.args for sides in readings(latex(equation)))
            yield None if holds else f"{latex(equation)} has no reading {write_srepr(equation)}"
        except LatexError as error:
            yield f"{latex(equation)}: {error}"


CHECKS: Mapping[str, Callable[[Item], Findings]] = {
    "srepr read and written": _srepr,
    "LaTeX printed": _latex,
    "steps replayed": _replay,
    "prompt rendered": _prompt,
    VARIANT: _variant,
    "few-shot prompt split": _few_shot,
    PREFERRED_READING: _preferred,
    "parsed, some reading": _some_reading,
}
"""The checks by the names of their rows."""
