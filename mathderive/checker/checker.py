"""Checks a derivation equation by equation.

The checker asks three questions about each equation: is it a premise, does one of the eighteen operators derive it from
earlier equations (`matching.py`), is it true (`truth.py`)? The answers also tell which equations the goal depends on.
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
from mathderive.checker.inference.matching import Justification, justifications
from mathderive.checker.inference.truth import Context, Decision, is_name
from mathderive.checker.reading.answers import split_answer
from mathderive.checker.reading.equations import Chain, Reading, read
from mathderive.checker.reading.notation import notation_of
from mathderive.checker.reasons import sentence
from mathderive.checker.verdicts import TRUE, StepVerdict, Truth, Validity
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.names import name_of, names_of
from mathderive.symbolic.prompts import split_prompt

MAX_EQUATIONS = 60
"""Maximum number of equations of an answer; further ones are undecided. The longest reference has 9."""

MAX_FACTS = 30
"""Maximum number of earlier equations that an equation is compared with; the latest ones are taken."""

MAX_PREMISE_READINGS = 2
"""Maximum number of parses tried per premise; the second is the intended one in about 0.1 % of premises."""

MAX_VALID_READINGS = 4
"""Maximum number of parses tried per equation that an operator derives in each of them."""

MAX_CONTEXTS = 4
"""Maximum number of combinations of the premises' parses."""

MAX_CHOICES = 16
"""Maximum number of combinations of justifications of a chain's links."""

MAX_EVALUATED = 6
"""Maximum number of parses whose truth is decided, for an equation that no operator derives."""

TOO_MUCH = "it takes more time or memory than is given to an equation"

_FIRST_TOKEN = re.compile(r"\\?[A-Za-z]+|\\")

_ORDER: tuple[Truth, ...] = ("incorrect", "unparsable", "undecided", "skipped", "valid", "premise")
"""The verdicts from worst to best; a chain of equations gets the verdict of its worst link."""


@dataclass(frozen=True)
class _Link:
    """The judgement on one equation, before the dependencies between equations are known."""

    truth: Truth
    reason: str
    justifications: tuple[Justification, ...] = ()
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
        """The equations that later ones may follow from."""
        return self.stated if self.link.truth in (*TRUE, "undecided") else []


def check(prompt: str, output: str, leave_out: Collection[int] = ()) -> Validity:
    """Checks a derivation against its prompt.

    Args:
        prompt: `Given … then obtain …`.
        output: the equations, separated by ` and ` or ends of lines.
        leave_out: numbers of equations that are not checked and count as undecided.

    Raises:
        ValueError: the prompt has another form; the message says what was expected where.
    """
    return Checker(prompt).check(output, leave_out)


class Checker:
    """Checks answers to one prompt."""

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
        """Reads an equation of an answer."""
        return read(text, self.notation)

    def read_asked(self, text: str) -> Reading:
        """Reads an equation of the prompt, which is written in the prompt's own notation."""
        return replace(read(self.notation.rewritten(text), self.notation), text=text)

    def check(
        self, output: str, leave_out: Collection[int] = (), starts: Callable[[int], None] = lambda number: None
    ) -> Validity:
        """Checks a derivation.

        Args:
            leave_out: as in `check`.
            starts: called with the number of each equation before it is checked, and with 0 before the verdict.
        """
        run = _Check(self)
        with np.errstate(all="ignore"):  # an undefined value compares as unequal
            for number, text in enumerate(split_answer(output), start=1):
                starts(number)
                run.take(number, text, number in leave_out or number > MAX_EQUATIONS)
            starts(0)  # the verdict is no equation's work
            return run.verdict()


def unchecked(output: str, reason: str = TOO_MUCH) -> Validity:
    """The verdict on an answer that could not be checked: every equation is undecided."""
    steps = [StepVerdict(text=text, truth="undecided", reason=reason) for text in split_answer(output)]
    return Validity(steps=steps, premises_used=[], intermediates_present=[], goal_reached=False, verified=False)


class _Check:
    """The check of one answer, equation by equation."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.steps: list[_Step] = []
        self.given = [
            [fact for chain in reading.chains[:MAX_PREMISE_READINGS] for fact in _links(0, chain)]
            for reading in checker.premises
        ]
        # Two readings of a premise may define different things, so each combination of readings has its own context.
        choices = product(*(range(max(1, len(reading.chains[:MAX_PREMISE_READINGS]))) for reading in checker.premises))
        self.contexts = [self._context(choice) for choice in islice(choices, MAX_CONTEXTS)]
        self.stated: set[int] = set()
        asked = (fact for reading in (*checker.intermediates, checker.goal) for fact in _facts(0, reading))
        self.asked_names = frozenset().union(*map(_names, asked))

    def _context(self, choice: Sequence[int]) -> Context:
        """The context of the premises, with one reading of each."""
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
        """The equations that the next one may follow from: earlier ones, and premises that were not stated yet."""
        unstated = [fact for index, facts in enumerate(self.given) if index not in self.stated for fact in facts]
        known = [fact for step in self.steps for fact in step.facts]
        return (unstated + known)[-MAX_FACTS:]

    def take(self, number: int, text: str, left_out: bool) -> None:
        """Judges the next equation."""
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
        """Further readings of an equation, any of which later equations may build on."""
        if truth == "premise":
            return [other for other in reading.chains[:MAX_PREMISE_READINGS] if other != chain]
        if truth == "valid":
            others = [other for other in reading.plausible[:MAX_VALID_READINGS] if len(other) == 2 and other != chain]
            facts = self.facts()
            return [other for other in others if justifications(Fact(number, *other), facts)]
        return []

    def _restored(self, text: str) -> Reading:
        """Reads the first equation; a premise that lacks only its first token is read as that premise.

        Models trained like those of Meadows et al. (2024) never write an answer's first token.
        """
        bare = "".join(text.split())
        for premise in self.checker.premises:
            whole = "".join(premise.text.split())
            if bare and whole.endswith(bare) and _FIRST_TOKEN.fullmatch(whole.removesuffix(bare)):
                return replace(premise, text=text)
        return self.checker.read(text)

    def _best(self, number: int, reading: Reading) -> tuple[_Link, Chain]:
        """The most favourable reading of an equation, and the judgement on it."""
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
        """Judges an equation of two sides by its form alone; None where its form does not decide."""
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
        found = justifications(new, facts)
        if found:
            return _Link("valid", sentence(found[0]), tuple(found))
        return self._definition(new, facts)

    def _definition(self, new: Fact, facts: Sequence[Fact]) -> _Link | None:
        """Judges a definition of a new name; it is a renaming premise if the expression has occurred."""
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
                renaming = Justification("renaming_premise", (body,), ())
                return _Link("valid", sentence(renaming), (renaming,))
            return _Link("skipped", "a new name for an expression")
        return None

    def _chain(self, number: int, chain: Chain) -> _Link:
        """Judges an equation by truth; in a chain, each side is compared with the one before it and with the first."""
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
        # Every link is valid or a premise, so the chain rests on everything that its links rest on.
        choices = product(*(link.justifications for link in found if link.justifications))
        together = [
            replace(chosen[0], steps=tuple(sorted({step for part in chosen for step in part.steps} - {number})))
            for chosen in islice(choices, MAX_CHOICES)
        ]
        return replace(worst, justifications=tuple(together))

    def _link(self, new: Fact, facts: Sequence[Fact]) -> _Link:
        """Judges one link of a chain."""
        if any(fact.says(new) for given in self.given for fact in given):
            return _Link("premise", "given")
        return self._derived(new, facts) or self._judged(new, facts)

    def _judged(self, new: Fact, facts: Sequence[Fact]) -> _Link:
        """Judges an equation that no operator derives."""
        if new.lhs == new.rhs:
            return _Link("skipped", "both sides are the same")
        given = [fact for facts_of_one in self.given for fact in facts_of_one]
        decision = self._truth(new, new.symbols.difference(*(fact.symbols for fact in (*facts, *given))))
        if decision.holds:
            return _Link("skipped", "true, but no single operator gives it", sources=None)
        if decision.holds is None:
            return _Link("undecided", decision.reason, sources=None)
        return _Link("incorrect", decision.reason, sources=None, counterexample=decision.counterexample)

    def _truth(self, new: Fact, fresh: frozenset[Symbol]) -> Decision:
        """Decides whether an equation is true in some reading of the premises."""
        first: Decision | None = None
        for context in self.contexts:
            context.take_requested()
            decision = context.decide(new.sides, fresh)
            context.assume(decision)
            if decision.holds:
                return decision
            first = first or decision
        assert first is not None
        return first

    def verdict(self) -> Validity:
        """The verdicts on all equations and on the whole answer."""
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
        """The steps in at least one minimal proof of the last step; premises do not count towards its size."""
        options = {number: _options(number, step.link) for number, step in enumerate(self.steps, start=1)}
        free = {number for number, step in enumerate(self.steps, start=1) if step.link.truth == "premise"}
        return smallest_supports(end, options, free)

    def _grounded(self) -> set[int]:
        """The equations that are premise or valid and rest on such equations alone."""
        grounded: set[int] = {0}
        for number, step in enumerate(self.steps, start=1):
            link = step.link
            if link.truth == "premise" or any(grounded.issuperset(one.steps) for one in link.justifications):
                grounded.add(number)
        return grounded

    def _step(self, number: int, step: _Step, needed: bool) -> StepVerdict:
        link = step.link
        shown = link.justifications[0] if link.justifications else None
        return StepVerdict(
            text=step.text,
            truth=link.truth,
            redundant=link.repeats is not None,
            irrelevant=link.truth in TRUE and not needed,
            operator=shown.operator if shown and link.truth == "valid" else None,
            operands=[latex(operand) for operand in shown.operands] if shown else [],
            steps=[source for source in shown.steps if source] if shown else list(link.sources or ()),
            reason=link.reason,
            counterexample=link.counterexample,
        )


def _facts(number: int, reading: Reading) -> list[Fact]:
    return _links(number, reading.chains[0]) if reading.chains else []


def _links(number: int, chain: Chain) -> list[Fact]:
    """The equations in a chain: each side with the next, and the first with the last."""
    pairs = list(pairwise(chain))
    if len(chain) > 2:
        pairs.append((chain[0], chain[-1]))
    return [Fact(number, *pair) for pair in pairs]


def _has(step: _Step, reading: Reading) -> bool:
    """Whether a step says an equation of the prompt in one of its readings, mirrored or not."""
    if not step.stated:
        return False
    wanted = [Fact(0, *chain) for chain in reading.chains if len(chain) == 2]
    return any(fact.says(one) for fact in step.stated for one in wanted)


def _options(number: int, link: _Link) -> list[frozenset[int]]:
    """The sets of equations that one may rest on; justifications whose operand has occurred are preferred."""
    if link.repeats is not None:
        return [frozenset({link.repeats})]
    if link.justifications:
        plain = [one for one in link.justifications if one.plain] or link.justifications
        return list(dict.fromkeys(frozenset(one.steps) - {0} for one in plain))
    return [frozenset(range(1, number) if link.sources is None else link.sources)]


def _names(fact: Fact) -> frozenset[str]:
    return names_of(fact.lhs) | names_of(fact.rhs)
