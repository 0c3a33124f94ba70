"""Corrupted derivations as prompt and output, each equation labelled by the judge.

Only certain labels are given. The judge and the search over operators confirm the role that a step has by construction
(a repetition, a detour, a step that lost its premise). Where they leave room for two opinions, the label is null, and
the step is not counted.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, count
from pathlib import Path
from typing import Literal

from sympy import Equality, Symbol

from mathderive.records import Record
from mathderive.symbolic.engine.derivation import Derivation, step_references
from mathderive.symbolic.engine.operators import is_premise
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import prompt
from mathderive.symbolic.latex.parser import LatexError, parse_equation
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import SEPARATOR
from tests.support.released_records import UNRENAMED, derivation_of, load
from tests.validity_corpus.corruptions import CORRUPTIONS, Line, Lines
from tests.validity_corpus.follows import Follows, Search
from tests.validity_corpus.point import State
from tests.validity_corpus.truth import Judge, Truth

GENERATED_SEED = 20_230_709
MAX_CHARACTERS = 750

WHOLE = ("intact", "step repeated", "mirrored step", "detour")
"""Corruptions that keep every step."""


class LabelledStep(Record):
    """An equation of an output and its labels; a label is null where it is unclear.

    Attributes:
        truth: the judge's verdict.
        note: why the equation is undecided, if it is.
        support: whether a true equation is given, follows by one operator, or takes more than one.
        redundant: whether an earlier equation says the same.
        irrelevant: whether the goal can do without the equation.
        put_in: whether the corruption added the equation.
        changed: whether the corruption changed the equation.
    """

    text: str
    truth: Literal["true", "false", "depends", "undecided"]
    note: str
    support: Literal["premise", "valid", "skipped"] | None
    redundant: bool | None
    irrelevant: bool | None
    put_in: bool
    changed: bool


class LabelledDerivation(Record):
    """A prompt, an output and its labels; a label is null where it is unclear."""

    id: str
    kind: str
    prompt: str
    output: str
    steps: list[LabelledStep]
    goal_reached: bool | None
    verified: bool | None


@dataclass(frozen=True)
class Source:
    """A correct derivation and its prompt."""

    id: str
    derivation: Derivation
    prompt: str


@dataclass
class Corpus:
    """Labelled derivations, and the numbers of those left out, by reason."""

    derivations: list[LabelledDerivation] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def released_sources(folder: Path) -> list[Source]:
    """Returns the authors' references, without the one that has an anomaly."""
    examples = load(folder, "flan-t5-large").examples
    return [Source(one.id, derivation_of(one), one.prompt) for one in examples if one.id != UNRENAMED]


def generated_sources(wanted: int) -> Iterator[Source]:
    """Yields derivations of our own generator."""
    settings = SamplingSettings(max_characters=MAX_CHARACTERS)
    found = 0
    for attempt in count():
        derivation = sample_derivation(settings, GENERATED_SEED, attempt)
        if derivation is not None:
            yield Source(f"generated-{attempt}", derivation, prompt(derivation))
            found += 1
        if found == wanted:
            return


@cache
def generated_source(number: int) -> Source:
    """The numbered derivation of our own generator, from a stream of its own; all its equations are true."""
    settings = SamplingSettings(max_characters=MAX_CHARACTERS)
    candidates = ((n, sample_derivation(settings, GENERATED_SEED + 1 + number, n)) for n in count())
    named = (Source(f"generated-{number}-{n}", found, prompt(found)) for n, found in candidates if found is not None)
    return next(source for source in named if is_true_throughout(source))


def is_true_throughout(source: Source) -> bool:
    """Whether the judge calls every equation of a derivation true."""
    return all(truth is Truth.TRUE for truth in _Labeller(source, []).truths())


def add_corruptions(corpus: Corpus, source: Source, kinds: Iterable[str] = CORRUPTIONS) -> None:
    """Corrupts a derivation once in each way and labels the results."""
    if not is_true_throughout(source):
        corpus.left_out["a source that is not true throughout, as where it divides by zero"] += 1
        return
    corrupted: dict[str, Lines] = {}
    for kind in kinds:
        lines = CORRUPTIONS[kind](source.derivation, random.Random(f"{source.id} {kind}"))
        if lines is None:
            corpus.left_out[f"{kind}: does not apply"] += 1
        elif not all(_reads_back(line.equation) for line in lines):
            corpus.left_out[f"{kind}: an equation's text has another reading"] += 1
        else:
            corrupted[kind] = lines
    labeller = _Labeller(source, corrupted.values())
    corpus.derivations += [labeller.label(kind, lines) for kind, lines in corrupted.items()]


def _reads_back(equation: Equality) -> bool:
    """Whether the equation's text is parsed as the equation, so that both have one label."""
    try:
        return parse_equation(latex(equation)) == equation
    except LatexError:
        return False


def constants_of(derivation: Derivation) -> set[Symbol]:
    """Returns the integration constants: the names that are new where integrals are evaluated."""
    seen: set[Symbol] = set()
    found: set[Symbol] = set()
    for step in derivation.steps:
        if step.annotation[0] == "evaluate_integrals":
            found |= step.equation.free_symbols - seen
        seen |= step.equation.free_symbols
    return found


class _Labeller:
    """Labels the corrupted forms of one derivation."""

    def __init__(self, source: Source, corrupted: Iterable[Lines]) -> None:
        self._source = source
        derivation = source.derivation
        lines = [line for lines in corrupted for line in lines]
        self._equations = list(dict.fromkeys([*derivation.equations, *(line.equation for line in lines)]))
        self._premises = [step.equation for step in derivation.steps if is_premise(step.annotation)]
        known = set().union(*(equation.free_symbols for equation in derivation.equations))
        drawn = set().union(*(line.equation.free_symbols for line in lines if line.is_detour)) - known
        constants = constants_of(derivation) | drawn
        self._fresh = set().union(*(line.equation.free_symbols for line in lines)) - known - drawn
        self._lenient = Judge(self._premises, self._equations, constants | self._fresh, source.id)
        self._judge = Judge(self._premises, self._equations, constants, source.id)
        self._search = Search(Judge([], self._equations, constants, source.id, points=1), source.id)
        self._ancestors = self._ancestors_of_goal()

    def truths(self) -> list[Truth]:
        """Returns the truth of every equation of the derivation before its corruption."""
        found, state = [], ()
        for equation in self._source.derivation.equations:
            truth, state = self._judge.truth(equation, state)
            found.append(truth)
        return found

    def label(self, kind: str, lines: Lines) -> LabelledDerivation:
        steps: list[LabelledStep] = []
        state: State = ()
        for place, line in enumerate(lines):
            step, state = self._label(line, lines[:place], steps, state)
            steps.append(step)
        if kind in ("intact", "detour"):
            relevance = self._irrelevant(lines)
            steps = [step.model_copy(update={"irrelevant": r}) for step, r in zip(steps, relevance, strict=True)]
        reached = self._says(self._source.derivation.equations[-1], [line.equation for line in lines])
        return LabelledDerivation(
            id=f"{self._source.id}-{kind.replace(' ', '-')}",
            kind=kind,
            prompt=self._source.prompt,
            output=SEPARATOR.join(step.text for step in steps),
            steps=steps,
            goal_reached=reached,
            verified=self._verified(kind, lines, steps, reached),
        )

    def _label(
        self, line: Line, before: Lines, labelled: Sequence[LabelledStep], state: State
    ) -> tuple[LabelledStep, State]:
        truth, after = self._judge.truth(line.equation, state)
        note = self._judge.reason(line.equation, state)
        earlier = [*self._premises, *(one.equation for one in before)]
        true = [*self._premises, *(one.equation for one, s in zip(before, labelled, strict=True) if s.truth == "true")]
        support = self._support(line, before, true, earlier)
        if truth is Truth.FALSE:
            truth, note = self._second_thought(line, support, state)
        redundant = self._says(line.equation, [one.equation for one in before])
        step = LabelledStep(
            text=latex(line.equation),
            truth=truth.value,
            note=note,
            support=support if truth is Truth.TRUE else None,
            redundant=redundant,
            irrelevant=None,
            put_in=line.step is None,
            changed=line.changed,
        )
        return step, after

    def _second_thought(self, line: Line, support: str | None, state: State) -> tuple[Truth, str]:
        """Returns the label of an equation that the judge calls false."""
        if line.is_detour or support in ("premise", "valid"):
            return Truth.UNDECIDED, "false, and yet an operator gives it"
        if line.step is not None and not line.changed:
            return Truth.DEPENDS, "true only where its constants are what missing steps made them"
        fresh = line.equation.free_symbols & self._fresh
        is_name = any(side in fresh for side in line.equation.args)
        if fresh and (is_name or self._lenient.truth(line.equation, state)[0] is not Truth.FALSE):
            return Truth.DEPENDS, "false unless a name it brings in is a new one, or a constant"
        return Truth.FALSE, ""

    def _support(
        self,
        line: Line,
        before: Lines,
        true: Sequence[Equality],
        earlier: Sequence[Equality],
    ) -> Literal["premise", "valid", "skipped"] | None:
        if self._says(line.equation, self._premises) is True:
            return "premise"
        if line.step is not None and not line.changed:
            present = {one.step for one in before if not one.changed}
            premises = {n for n, step in enumerate(self._source.derivation.steps, 1) if is_premise(step.annotation)}
            if {*step_references(self._source.derivation.annotations[line.step - 1])} <= present | premises:
                return "valid"
        found = self._search.follows(line.equation, true)
        if found is Follows.EXACTLY:
            return "valid"
        if found is Follows.LOOSELY or self._search.follows(line.equation, earlier) is not Follows.NOT:
            return None
        return "skipped"

    def _says(self, equation: Equality, others: Iterable[Equality]) -> bool | None:
        """Whether an equation repeats one of others, mirrored or not; None where it is only a rewriting of one."""
        found = {self._search.says_again(equation, other) for other in others}
        return True if Follows.EXACTLY in found else None if Follows.LOOSELY in found else False

    def _irrelevant(self, lines: Lines) -> list[bool | None]:
        """Labels each step by whether the goal can do without it.

        A step is irrelevant if it is in none of the smallest sets of steps that derive the goal and the original
        derivation does not use it either. It is relevant if it is in all of those sets. Premises get no label.
        """
        supports: dict[int, set[frozenset[int]]] = {}
        given = len(self._premises)
        equations = [line.equation for line in lines]
        for place, equation in enumerate(equations):
            if self._says(equation, self._premises) is False:
                found = self._search.supports(equation, [*self._premises, *equations[:place]])
                supports[place] = {frozenset(position - given for position in one) for one in found}
        derived = frozenset(supports)
        supports = {place: {one & derived for one in found} for place, found in supports.items()}
        smallest = _smallest_closed(supports, len(equations) - 1)
        labels: list[bool | None] = [None] * len(equations)
        for place in derived if smallest else ():
            if all(place in one for one in smallest):
                labels[place] = False
            elif not any(place in one for one in smallest) and lines[place].step not in self._ancestors:
                labels[place] = True
        return labels

    def _verified(self, kind: str, lines: Lines, steps: Sequence[LabelledStep], reached: bool | None) -> bool | None:
        if reached is False:
            return False
        if kind in WHOLE:
            return True if all(step.truth == "true" for step in steps) else None
        goal = self._source.derivation.equations[-1]
        of_goal = [step for line, step in zip(lines, steps, strict=True) if line.equation == goal]
        return False if of_goal and all(step.support == "skipped" for step in of_goal) else None

    def _ancestors_of_goal(self) -> set[int]:
        """Returns the numbers of the steps that the goal builds on; an alternative goal may not need all of them."""
        annotations = self._source.derivation.annotations
        found, pending = set(), [len(annotations)]
        while pending:
            number = pending.pop()
            if number not in found:
                found.add(number)
                pending += step_references(annotations[number - 1])
        return found


def _smallest_closed(supports: dict[int, set[frozenset[int]]], goal: int) -> list[frozenset[int]]:
    """Returns the smallest sets of steps that contain the goal and a support of each of their steps."""
    others = [place for place in supports if place != goal]
    for size in range(len(others) + 1):
        sets = (frozenset({goal, *chosen}) for chosen in combinations(others, size))
        found = [one for one in sets if all(any(support <= one for support in supports[place]) for place in one)]
        if found:
            return found
    return []
