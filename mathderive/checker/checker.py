"""Decides step by step whether a derivation is right.

Each equation is looked at in the light of those before it: is it given, does one of the eighteen operators give it
(`matching.py`), is it true at all (`truth.py`)? What it follows from then says what the goal depends on.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise, product

import numpy as np
from sympy import Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.dependencies import smallest_supports
from mathderive.checker.inference.facts import Fact
from mathderive.checker.inference.matching import Justification, ways
from mathderive.checker.inference.truth import Context, Finding, is_name
from mathderive.checker.reading.equations import Chain, Reading, read, split_output
from mathderive.checker.reading.notation import notation_of
from mathderive.checker.reasons import sentence
from mathderive.checker.verdicts import TRUE, StepVerdict, Truth, Validity
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import split_prompt
from mathderive.symbolic.renaming import name_of, names_of

MAX_EQUATIONS = 60
"""Of an output; further ones are undecided. The longest reference has 9."""

MAX_FACTS = 30
"""Earlier equations that one is compared with, the latest ones."""

MAX_PREMISE_READINGS = 2
"""Of each premise; the second one is meant in 1 of 1,000."""

MAX_VALID_READINGS = 4
"""Of an equation that some operator gives in each of them."""

MAX_CONTEXTS = 4
"""Combinations of them."""

MAX_CHOICES = 16
"""Combinations of ways to the links of a chain."""

MAX_EVALUATED = 6
"""Readings of an equation whose truth is looked into, where no operator gives any of them."""

TOO_MUCH = "it takes more time or memory than is given to an equation"

_FIRST_TOKEN = re.compile(r"\\?[A-Za-z]+|\\")

_ORDER: tuple[Truth, ...] = ("incorrect", "unparsable", "undecided", "skipped", "valid", "premise")
"""The worst first: a chain of equations is what its worst link is."""


@dataclass(frozen=True)
class _Link:
    """What was found about one equation, before it is known what depends on it."""

    truth: Truth
    reason: str
    ways: tuple[Justification, ...] = ()
    sources: tuple[int, ...] | None = ()
    counterexample: dict[str, str] | None = None
    repeats: int | None = None


@dataclass
class _Step:
    text: str
    link: _Link
    stated: list[Fact] = field(default_factory=list)

    @property
    def facts(self) -> list[Fact]:
        """What others may follow from."""
        return self.stated if self.link.truth in (*TRUE, "undecided") else []


def check(prompt: str, output: str, leave_out: Collection[int] = ()) -> Validity:
    """Checks a derivation against what was asked.

    Args:
        prompt: `Given … then obtain …`.
        output: the equations, with ` and ` or ends of lines between them.
        leave_out: numbers of equations that are not looked at, and so undecided.

    Raises:
        ValueError: the prompt has another form; says what was expected where.
    """
    return Checker(prompt).check(output, leave_out)


class Checker:
    """Checks outputs for one prompt."""

    def __init__(self, prompt: str) -> None:
        """
        Raises:
            ValueError: the prompt has another form.
        """
        asked = split_prompt(prompt)
        self.notation = notation_of(asked.premises, (*asked.derive, asked.goal))
        self.premises = [self.read_asked(text) for text in asked.premises]
        self.intermediates = [self.read_asked(text) for text in asked.derive]
        self.goal = self.read_asked(asked.goal)

    def read(self, text: str) -> Reading:
        """An equation of an output."""
        return read(text, self.notation)

    def read_asked(self, text: str) -> Reading:
        """An equation of the prompt, which says itself what it means."""
        return replace(read(self.notation.rewritten(text), self.notation), text=text)

    def check(
        self, output: str, leave_out: Collection[int] = (), starts: Callable[[int], None] = lambda number: None
    ) -> Validity:
        """Checks a derivation.

        Args:
            leave_out: as in `check`.
            starts: is called with the number of an equation before that is looked at, and with 0 before the verdict.
        """
        run = _Run(self)
        with np.errstate(all="ignore"):  # what has no value compares as unequal
            for number, text in enumerate(split_output(output), start=1):
                starts(number)
                run.take(number, text, number in leave_out or number > MAX_EQUATIONS)
            starts(0)  # the verdict is no equation's work
            return run.verdict()


def unchecked(output: str, reason: str = TOO_MUCH) -> Validity:
    """The verdict on what could not be checked: nothing is known of any equation."""
    steps = [StepVerdict(text=text, truth="undecided", reason=reason) for text in split_output(output)]
    return Validity(steps=steps, premises_used=[], intermediates_present=[], goal_reached=False, verified=False)


class _Run:
    """One output, equation by equation."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.steps: list[_Step] = []
        self.given = [
            [fact for chain in reading.chains[:MAX_PREMISE_READINGS] for fact in _links(0, chain)]
            for reading in checker.premises
        ]
        # A premise that can be read in two ways may define a thing or another: each way is a context of its own.
        choices = product(*(range(max(1, len(reading.chains[:MAX_PREMISE_READINGS]))) for reading in checker.premises))
        self.contexts = [self._context(choice) for choice in islice(choices, MAX_CONTEXTS)]
        self.stated: set[int] = set()
        asked = (fact for reading in (*checker.intermediates, checker.goal) for fact in _facts(0, reading))
        self.asked_names = frozenset().union(*map(_names, asked))

    def _context(self, choice: Sequence[int]) -> Context:
        """What the premises say in one reading of each."""
        context = Context()
        for reading, index in zip(self.checker.premises, choice, strict=True):
            if not reading.chains:
                context.unresolved.append(f"a premise that cannot be read: {reading.text}")
                continue
            for fact in _links(0, reading.chains[index]):
                context.take_premise(fact.sides)
        for reading in (*self.checker.intermediates, self.checker.goal):
            context.requested += [fact.sides for fact in _facts(0, reading)]
        return context

    def facts(self) -> list[Fact]:
        """What the next equation may follow from: true equations, and premises that were not stated yet."""
        unstated = [fact for index, facts in enumerate(self.given) if index not in self.stated for fact in facts]
        known = [fact for step in self.steps for fact in step.facts]
        return (unstated + known)[-MAX_FACTS:]

    def take(self, number: int, text: str, left_out: bool) -> None:
        """Looks at the next equation."""
        if left_out:
            self.steps.append(_Step(text, _Link("undecided", TOO_MUCH)))
            return
        reading = self._restored(text) if number == 1 else self.checker.read(text)
        if not reading.chains:
            self.steps.append(_Step(text, _Link("unparsable", reading.fault)))
            return
        link, chain = self._best(number, reading)
        chains = [chain, *self._also_meant(number, reading, chain, link.truth)]
        stated = [fact for one in chains for fact in _links(number, one) if fact.lhs != fact.rhs]
        self.steps.append(_Step(text, link, stated))
        if link.truth in TRUE:
            for context in self.contexts:
                for fact in stated:
                    context.take_equation(fact.sides)

    def _also_meant(self, number: int, reading: Reading, chain: Chain, truth: Truth) -> list[Chain]:
        """Other readings of an equation that may be the one meant, as the next steps will show."""
        if truth == "premise":
            return [other for other in reading.chains[:MAX_PREMISE_READINGS] if other != chain]
        if truth == "valid":
            others = [other for other in reading.plausible[:MAX_VALID_READINGS] if len(other) == 2 and other != chain]
            facts = self.facts()
            return [other for other in others if ways(Fact(number, *other), facts)]
        return []

    def _restored(self, text: str) -> Reading:
        """The first equation; where it is a premise without its first token, that premise.

        Models trained as those of Meadows et al. (2024) never write an answer's first token.
        """
        bare = "".join(text.split())
        for premise in self.checker.premises:
            whole = "".join(premise.text.split())
            if bare and whole.endswith(bare) and _FIRST_TOKEN.fullmatch(whole.removesuffix(bare)):
                return replace(premise, text=text)
        return self.checker.read(text)

    def _best(self, number: int, reading: Reading) -> tuple[_Link, Chain]:
        """The reading that says most for the equation, and what it says."""
        for chain in reading.chains:
            link = self._structure(number, chain)
            if link is not None:
                return link, chain
        links = ((self._chain(number, chain), chain) for chain in reading.plausible[:MAX_EVALUATED])
        preferred = next(links)
        if preferred[0].truth in TRUE:
            return preferred
        return next((other for other in links if other[0].truth in TRUE), preferred)

    def _structure(self, number: int, chain: Chain) -> _Link | None:
        """What an equation of two sides is by its form alone; None where that does not say it."""
        if len(chain) != 2:
            return None
        new = Fact(number, *chain)
        for index, facts in enumerate(self.given):
            if any(fact.says(new) for fact in facts) and index not in self.stated:
                self.stated.add(index)
                return _Link("premise", "given")
        for earlier, step in enumerate(self.steps, start=1):
            if any(fact.says(new) for fact in step.stated):
                return replace(step.link, reason=f"says again what equation {earlier} says", repeats=earlier)
        return self._derived(new, self.facts())

    def _derived(self, new: Fact, facts: Sequence[Fact]) -> _Link | None:
        if new.lhs == new.rhs:
            return None
        found = ways(new, facts)
        if found:
            return _Link("valid", sentence(found[0]), tuple(found))
        return self._definition(new, facts)

    def _definition(self, new: Fact, facts: Sequence[Fact]) -> _Link | None:
        """A fresh name for an expression is a renaming premise, if the expression has occurred."""
        known = [*facts, *(fact for given in self.given for fact in given)]
        used = self.asked_names.union(*(_names(fact) for fact in known))
        for name, body in (new.sides, new.sides[::-1]):
            if not is_name(name) or name_of(name) in used | names_of(body) or body.is_number:
                continue
            of_function = isinstance(name, AppliedUndef)
            if of_function and set(name.args) != body.free_symbols:
                continue
            for context in self.contexts:
                context.take_premise((name, body))
            if of_function and any(body in fact.parts for fact in known):
                way = Justification("renaming_premise", (body,), ())
                return _Link("valid", sentence(way), (way,))
            return _Link("skipped", "a new name for an expression")
        return None

    def _chain(self, number: int, chain: Chain) -> _Link:
        """What an equation is that has no form of its own; of several sides, each is compared with those before."""
        facts = self.facts()
        if len(chain) == 2:
            return self._judged(Fact(number, *chain), facts)
        found: list[_Link] = []
        for position in range(1, len(chain)):
            links = [self._link(Fact(number, chain[earlier], chain[position]), facts) for earlier in {position - 1, 0}]
            found.append(max(links, key=lambda link: _ORDER.index(link.truth)))
            if found[-1].truth in TRUE:
                facts = [*facts, *_links(number, chain[: position + 1])]
        worst = min(found, key=lambda link: _ORDER.index(link.truth))
        if worst.truth != "valid":
            return worst
        # All of them are valid or premises, and the whole rests on what they rest on together.
        choices = product(*(link.ways for link in found if link.ways))
        together = [
            replace(chosen[0], steps=tuple(sorted({step for way in chosen for step in way.steps} - {number})))
            for chosen in islice(choices, MAX_CHOICES)
        ]
        return replace(worst, ways=tuple(together))

    def _link(self, new: Fact, facts: Sequence[Fact]) -> _Link:
        """What one equation of a chain is."""
        if any(fact.says(new) for given in self.given for fact in given):
            return _Link("premise", "given")
        return self._derived(new, facts) or self._judged(new, facts)

    def _judged(self, new: Fact, facts: Sequence[Fact]) -> _Link:
        """What an equation is that no operator gives."""
        if new.lhs == new.rhs:
            return _Link("skipped", "both sides are the same")
        given = [fact for facts_of_one in self.given for fact in facts_of_one]
        finding = self._truth(new, new.symbols.difference(*(fact.symbols for fact in (*facts, *given))))
        if finding.holds:
            return _Link("skipped", "true, but no single operator gives it", sources=None)
        if finding.holds is None:
            return _Link("undecided", finding.reason, sources=None)
        return _Link("incorrect", finding.reason, sources=None, counterexample=finding.counterexample)

    def _truth(self, new: Fact, fresh: frozenset[Symbol]) -> Finding:
        """Whether an equation is true in some reading of the premises."""
        first: Finding | None = None
        for context in self.contexts:
            finding = context.decide(new.sides, fresh)
            if finding.holds:
                return finding
            first = first or finding
        assert first is not None
        return first

    def verdict(self) -> Validity:
        """The verdicts, once all equations have been taken."""
        goal = next((n for n, step in enumerate(self.steps, start=1) if _has(step, self.checker.goal)), None)
        needed = self._needed(goal or len(self.steps)) if self.steps else set()
        grounded = self._grounded()
        return Validity(
            steps=[self._step(number, step, number in needed) for number, step in enumerate(self.steps, start=1)],
            premises_used=[any(_has(step, reading) for step in self.steps) for reading in self.checker.premises],
            intermediates_present=[
                any(_has(step, reading) for step in self.steps) for reading in self.checker.intermediates
            ],
            goal_reached=goal is not None,
            verified=goal is not None and goal in grounded,
        )

    def _needed(self, end: int) -> set[int]:
        """The equations that some smallest set of equations that leads to the end has; premises count nothing."""
        options = {number: _options(number, step.link) for number, step in enumerate(self.steps, start=1)}
        free = {number for number, step in enumerate(self.steps, start=1) if step.link.truth == "premise"}
        return smallest_supports(end, options, free)

    def _grounded(self) -> set[int]:
        """The equations that are premise or valid, and that follow from such equations alone."""
        grounded: set[int] = {0}
        for number, step in enumerate(self.steps, start=1):
            link = step.link
            if link.truth == "premise" or any(grounded.issuperset(way.steps) for way in link.ways):
                grounded.add(number)
        return grounded

    def _step(self, number: int, step: _Step, needed: bool) -> StepVerdict:
        link = step.link
        way = link.ways[0] if link.ways else None
        return StepVerdict(
            text=step.text,
            truth=link.truth,
            redundant=link.repeats is not None,
            irrelevant=link.truth in TRUE and not needed,
            operator=way.operator if way and link.truth == "valid" else None,
            operands=[latex(operand) for operand in way.operands] if way else [],
            steps=[source for source in way.steps if source] if way else list(link.sources or ()),
            reason=link.reason,
            counterexample=link.counterexample,
        )


def _facts(number: int, reading: Reading) -> list[Fact]:
    return _links(number, reading.chains[0]) if reading.chains else []


def _links(number: int, chain: Chain) -> list[Fact]:
    """The equations that a chain consists of: each side with the next, and the first with the last."""
    pairs = list(pairwise(chain))
    if len(chain) > 2:
        pairs.append((chain[0], chain[-1]))
    return [Fact(number, *pair) for pair in pairs]


def _has(step: _Step, reading: Reading) -> bool:
    """Whether a step states an equation in one of its readings, mirrored or not."""
    if not step.stated:
        return False
    wanted = [Fact(0, *chain) for chain in reading.chains if len(chain) == 2]
    return any(fact.says(one) for fact in step.stated for one in wanted)


def _options(number: int, link: _Link) -> list[frozenset[int]]:
    """What an equation may rest on: of the ways to it, those whose operand has occurred, if there are any."""
    if link.repeats is not None:
        return [frozenset({link.repeats})]
    if link.ways:
        plain = [way for way in link.ways if way.plain] or link.ways
        return list(dict.fromkeys(frozenset(way.steps) - {0} for way in plain))
    return [frozenset(range(1, number) if link.sources is None else link.sources)]


def _names(fact: Fact) -> frozenset[str]:
    return names_of(fact.lhs) | names_of(fact.rhs)
