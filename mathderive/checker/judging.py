"""Judges one answer equation by equation, with one reading of every premise."""

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice, pairwise, product

import numpy as np
from sympy import Expr, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.confirmation import is_confirmed
from mathderive.checker.inference.dependencies import smallest_supports
from mathderive.checker.inference.facts import Fact
from mathderive.checker.inference.matching import Justification, justifications
from mathderive.checker.inference.truth import Context, is_name
from mathderive.checker.numeric.points import Stream, key_of
from mathderive.checker.reading.equations import Chain, Reading, read
from mathderive.checker.reading.notation import Notation
from mathderive.checker.reasons import sentence
from mathderive.checker.verdicts import TRUE, StepVerdict, Truth, Validity
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.names import name_of, names_of

MAX_EQUATIONS = 60
"""Maximum number of equations of an answer; further ones are undecided. The longest reference has 9."""

MAX_FACTS = 30
"""Maximum number of earlier equations that an equation is compared with; the latest ones are taken."""

MAX_VALID_READINGS = 4
"""Maximum number of parses tried per equation that an operator derives in each of them."""

MAX_CHOICES = 16
"""Maximum number of combinations of justifications of a chain's links."""

MAX_EVALUATED = 6
"""Maximum number of parses of an equation that are judged."""

TOO_MUCH = "it takes more time or memory than is given to an equation"

DEPENDS_ON_READING = "whether it is true depends on how it is read"

_FIRST_TOKEN = re.compile(r"\\?[A-Za-z]+|\\")

_INFINITE = re.compile(r"\\infty|NaN|\\frac\s*\{[^{}]*\}\s*\{\s*0\s*\}")

_ORDER: tuple[Truth, ...] = ("incorrect", "unparsable", "undecided", "skipped", "valid", "premise")
"""The verdicts from worst to best; a chain of equations gets the verdict of its worst link."""


@dataclass(frozen=True)
class Question:
    """A prompt, with one reading of every premise.

    Attributes:
        prompt: the text.
        premises: the premises' readings; a premise that cannot be read has none.
        intermediates: the equations that are to be derived first.
        notation: reads the equations of an answer.
    """

    prompt: str
    premises: Sequence[Reading]
    intermediates: Sequence[Reading]
    goal: Reading
    notation: Notation


@dataclass(frozen=True)
class _Link:
    """The judgement on one equation, before the dependencies between equations are known."""

    truth: Truth
    reason: str
    justifications: tuple[Justification, ...] = ()
    sources: tuple[int, ...] | None = ()
    counterexample: dict[str, str] | None = None
    repeats: int | None = None


@dataclass(frozen=True)
class _Step:
    text: str
    link: _Link
    stated: tuple[Fact, ...] = ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The equations that later ones may follow from."""
        return self.stated if self.link.truth in (*TRUE, "undecided") else ()


class AnswerCheck:
    """The check of one answer, equation by equation."""

    def __init__(self, question: Question, seed: str) -> None:
        """
        Args:
            seed: with the prompt and an equation's text, it determines the points at which the equation is tested.
        """
        self._question = question
        self._seed = seed
        self.steps: list[_Step] = []
        self._given = [_facts(0, reading) for reading in question.premises]
        asked = [fact for reading in (*question.intermediates, question.goal) for fact in _facts(0, reading)]
        self._asked_names = frozenset().union(*map(_names, asked))
        self._used = {symbol for facts in self._given for fact in facts for symbol in fact.symbols}
        self._used_names = {name for facts in self._given for fact in facts for name in _names(fact)}
        variables = _arguments([fact for facts in (*self._given, asked) for fact in facts])
        self._context = Context(self._points(""), variables)
        for reading, facts in zip(question.premises, self._given, strict=True):
            if not facts:
                self._context.unresolved.append(f"a premise that cannot be read: {reading.text}")
            for fact in facts:
                self._context.take_premise(fact.sides)
        self._context.requested += [fact.sides for fact in asked]
        self._context.asked_symbols = frozenset().union(*(fact.symbols for fact in asked))
        self._stated: set[int] = set()
        self._said: dict[frozenset[Expr], int] = {}
        self._grounded: set[int] = {0}

    def copy(self) -> "AnswerCheck":
        """The same check; taking equations in one of them leaves the other as it is."""
        other = copy(self)
        other.steps = [*self.steps]
        other._used, other._used_names, other._stated = {*self._used}, {*self._used_names}, {*self._stated}
        other._said, other._grounded = {**self._said}, {*self._grounded}
        other._context = self._context.copy()
        return other

    @property
    def symbols(self) -> frozenset[Symbol]:
        """All symbols of the prompt and of the equations so far."""
        return self._context.asked_symbols | self._used

    def _points(self, text: str) -> Stream:
        # The points depend on the text, so no equation can be written that fits the points it is tested at.
        return Stream(key_of(self._seed, self._question.prompt, text), self._question.notation.may_have_unit)

    def facts(self) -> list[Fact]:
        """The equations that the next one may follow from: earlier ones, and premises that were not stated yet."""
        unstated = [fact for index, facts in enumerate(self._given) if index not in self._stated for fact in facts]
        known = [fact for step in self.steps for fact in step.facts]
        return (unstated + known)[-MAX_FACTS:]

    def take(self, text: str) -> None:
        """Judges the next equation."""
        number = len(self.steps) + 1
        if number > MAX_EQUATIONS:
            self.leave_out(text)
            return
        reading = self._restored(text) if number == 1 else read(text, self._question.notation)
        if not reading.chains:
            self.steps.append(_Step(text, _Link("unparsable", reading.fault)))
            return
        self._context.move_to(self._points(text))
        with np.errstate(all="ignore"):  # an undefined value compares as unequal
            link, chain = self._best(number, reading)
            if link.truth in ("valid", "skipped") and _INFINITE.search(text):
                # SymPy may have taken the infinity away, with what it stood beside.
                link = _Link("undecided", "infinity is no number", sources=None)
            chains = [chain, *self._also_meant(number, reading, chain, link.truth)]
        stated = tuple(fact for one in chains for fact in _links(number, one) if fact.lhs != fact.rhs)
        self.steps.append(_Step(text, link, stated))
        for fact in stated:
            self._said.setdefault(frozenset(fact.sides), number)
        if link.truth == "premise" or any(self._grounded.issuperset(one.steps) for one in link.justifications):
            self._grounded.add(number)
        for fact in _links(number, chain):
            self._used |= fact.symbols
            self._used_names |= _names(fact)
        if link.truth in TRUE:
            for fact in stated:
                self._context.take_equation(fact.sides)

    def leave_out(self, text: str) -> None:
        """Notes an equation that is not checked."""
        self.steps.append(_Step(text, _Link("undecided", TOO_MUCH)))

    def repeat(self, other: "AnswerCheck") -> None:
        """Takes the equations of another check of the same answer."""
        for step in other.steps:
            self.leave_out(step.text) if step.link.reason == TOO_MUCH else self.take(step.text)

    def _also_meant(self, number: int, reading: Reading, chain: Chain, truth: Truth) -> list[Chain]:
        """Further readings of an equation, any of which later equations may build on."""
        if truth != "valid":
            return []
        others = [other for other in reading.plausible[:MAX_VALID_READINGS] if len(other) == 2 and other != chain]
        return [other for other in others if self._judged(Fact(number, *other), self.facts()).truth == "valid"]

    def _restored(self, text: str) -> Reading:
        """Reads the first equation; a premise that lacks only its first token is read as that premise.

        Models trained like those of Meadows et al. (2024) never write an answer's first token.
        """
        bare = "".join(text.split())
        for premise in self._question.premises:
            whole = "".join(premise.text.split())
            if bare and whole.endswith(bare) and _FIRST_TOKEN.fullmatch(whole.removesuffix(bare)):
                return replace(premise, text=text)
        return read(text, self._question.notation)

    def _best(self, number: int, reading: Reading) -> tuple[_Link, Chain]:
        """The most favourable reading of an equation, and the judgement on it."""
        for chain in reading.chains:
            known = self._known(number, chain)
            if known is not None:
                return known, chain
        best: tuple[_Link, Chain] | None = None
        for chain in reading.plausible[:MAX_EVALUATED]:
            link = self._chain(number, chain)
            if link.truth == "valid":
                return link, chain
            if best is None or _ORDER.index(link.truth) > _ORDER.index(best[0].truth):
                best = link, chain
        assert best is not None
        if best[0].truth == "incorrect":
            # Another writer may mean a reading that the data's own notation excludes.
            for chain in reading.unlikely[:MAX_EVALUATED]:
                if self._chain(number, chain).truth not in ("incorrect", "unparsable"):
                    return _Link("undecided", DEPENDS_ON_READING, sources=None), best[1]
        return best

    def _known(self, number: int, chain: Chain) -> _Link | None:
        """Judges an equation that the prompt or an earlier equation says; None for others."""
        if len(chain) != 2:
            return None
        new = Fact(number, *chain)
        for index, facts in enumerate(self._given):
            if any(fact.says(new) for fact in facts) and index not in self._stated:
                self._stated.add(index)
                return _Link("premise", "given")
        earlier = self._said.get(frozenset(new.sides))
        if earlier is None:
            return None
        link = self.steps[earlier - 1].link
        if link.truth == "skipped":
            # An equation may be stated first and derived later.
            others = [fact for fact in self.facts() if not fact.says(new)]
            again = self._judged(new, others)
            link = again if again.truth == "valid" else link
        return replace(link, reason=f"says again what equation {earlier} says", repeats=earlier)

    def _definition(self, new: Fact, facts: Sequence[Fact]) -> _Link | None:
        """Judges a definition of a new name; it is a renaming premise if the expression has occurred."""
        known = [*facts, *(fact for given in self._given for fact in given)]
        used = self._asked_names | self._used_names
        for name, body in (new.sides, new.sides[::-1]):
            if not is_name(name) or name_of(name) in used | names_of(body) or body.is_number:
                continue
            of_function = isinstance(name, AppliedUndef)
            if of_function and set(name.args) != body.free_symbols:
                continue
            self._context.take_premise((name, body))
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
        if any(fact.says(new) for given in self._given for fact in given):
            return _Link("premise", "given")
        return self._judged(new, facts)

    def _judged(self, new: Fact, facts: Sequence[Fact]) -> _Link:
        """Judges an equation: first whether it is true, then whether an operator derives it."""
        if new.lhs == new.rhs:
            return _Link("skipped", "both sides are the same")
        definition = self._definition(new, facts)
        if definition is not None:
            return definition
        fresh = new.symbols - self._used
        decision = self._context.decide(new.sides, fresh)
        if not decision.holds and self._context.take_requested():
            decision = self._context.decide(new.sides, fresh)
        if not decision.holds and fresh and self._ties_constant(new, facts, fresh):
            decision = self._context.decide(new.sides, ())
        if decision.holds is False:
            return _Link("incorrect", decision.reason, sources=None, counterexample=decision.counterexample)
        if decision.holds is None:
            return _Link("undecided", decision.reason, sources=None)
        found = [one for one in justifications(new, facts, frozenset(self._used)) if self._confirms(one, new, facts)]
        if found:
            return _Link("valid", sentence(found[0]), tuple(found))
        return _Link("skipped", "true, but no single operator gives it", sources=None)

    def _ties_constant(self, new: Fact, facts: Sequence[Fact], fresh: frozenset[Symbol]) -> bool:
        """Ties the new constant of an equation that evaluates an integral, if it is one; says whether it is."""
        found = justifications(new, facts, frozenset(self._used))
        steps = {one.steps[0] for one in found if one.operator == "evaluate_integrals"}
        limits = {
            limit
            for fact in facts
            if fact.number in steps
            for integral in fact.equation.atoms(Integral)
            for limit in integral.limits
        }
        # A definite integral brings no constant.
        if not limits or any(len(limit) > 1 for limit in limits):
            return False
        variables = {limit[0] for limit in limits if isinstance(limit[0], Symbol)}
        self._context.tie_constant(new.sides, fresh, variables)
        return True

    def _confirms(self, justification: Justification, new: Fact, facts: Sequence[Fact]) -> bool:
        return is_confirmed(justification, new, facts, self._context.stream.key, self._context.is_zero)

    @property
    def is_grounded(self) -> bool:
        """Whether every equation is premise or valid and rests on such equations alone."""
        return len(self._grounded) > len(self.steps)

    @property
    def is_sound(self) -> bool:
        """Whether the goal is reached and every equation is true."""
        return self._goal is not None and all(step.link.truth in TRUE for step in self.steps)

    @property
    def is_verified(self) -> bool:
        """Whether the answer is sound and the goal rests on premises and valid equations alone."""
        return self.is_sound and self._goal in self._grounded

    @property
    def open_intermediates(self) -> list[str]:
        """The requested equations that no equation says."""
        return [reading.text for reading in self._question.intermediates if not self._is_said(reading)]

    @property
    def _goal(self) -> int | None:
        """The number of the equation that says the goal; the first derived one if there is one."""
        saying = [number for number, step in enumerate(self.steps, start=1) if _has(step, self._question.goal)]
        return next((number for number in saying if number in self._grounded), next(iter(saying), None))

    def _is_said(self, reading: Reading) -> bool:
        return any(_has(step, reading) for step in self.steps)

    def verdict(self) -> Validity:
        """The verdicts on all equations and on the whole answer."""
        question = self._question
        needed = self._needed(self._goal or len(self.steps)) if self.steps else set()
        return Validity(
            steps=[self._step(number, step, number in needed) for number, step in enumerate(self.steps, start=1)],
            premises_used=list(map(self._is_said, question.premises)),
            intermediates_present=list(map(self._is_said, question.intermediates)),
            goal_reached=self._goal is not None,
            sound=self.is_sound,
            verified=self.is_verified,
        )

    def _needed(self, end: int) -> set[int]:
        """The steps in at least one minimal proof of the last step; premises do not count towards its size."""
        options = {number: _options(number, step.link) for number, step in enumerate(self.steps, start=1)}
        free = {number for number, step in enumerate(self.steps, start=1) if step.link.truth == "premise"}
        return smallest_supports(end, options, free)

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
    return _links(number, reading.plausible[0]) if reading.chains else []


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


def _arguments(facts: Sequence[Fact]) -> frozenset[Symbol]:
    """The symbols that are arguments of functions, or that are integrated by: variables, not names for expressions."""
    found: set[object] = set()
    for fact in facts:
        for application in fact.equation.atoms(AppliedUndef):
            found |= set(application.args)
        for integral in fact.equation.atoms(Integral):
            found |= {limit[0] for limit in integral.limits}
    return frozenset(part for part in found if isinstance(part, Symbol))


def _names(fact: Fact) -> frozenset[str]:
    return names_of(fact.lhs) | names_of(fact.rhs)
