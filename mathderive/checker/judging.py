"""Judges one answer equation by equation, with one reading of every premise."""

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from sympy import Derivative, Expr, Symbol

from mathderive.checker.equation import NEW_NAME, Knowledge, links
from mathderive.checker.inference.dependencies import smallest_supports
from mathderive.checker.inference.facts import Fact
from mathderive.checker.inference.truth import NOT_BY_DEFINITIONS, NOT_EVERY_SOLUTION
from mathderive.checker.judgement import ORDER, Judgement
from mathderive.checker.numeric.definitions import is_name
from mathderive.checker.numeric.points import Stream, key_of
from mathderive.checker.questions import Question, closed_terms, facts_of, may_define
from mathderive.checker.reading.equations import Chain, Reading, read
from mathderive.checker.reading.textbook import OPAQUE
from mathderive.checker.rewritings import KnownText, rewritings
from mathderive.checker.verdicts import TRUE, StateVerdict, StepVerdict, Truth, Validity
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm
from mathderive.symbolic.names import name_of, names_of
from mathderive.symbolic.parts import atoms_of

MAX_EQUATIONS = 60
"""Maximum number of equations of an answer; further ones are undecided. The longest reference has 9."""

MAX_FACTS = 30
"""Maximum number of earlier equations that an equation is compared with; the latest ones are taken."""

MAX_VALID_READINGS = 4
"""Maximum number of parses tried per equation that an operator derives in each of them."""

MAX_EVALUATED = 6
"""Maximum number of parses of an equation that are judged."""

UNTESTED = (NOT_BY_DEFINITIONS, NOT_EVERY_SOLUTION, OPAQUE, "true only if")
"""The beginnings of the reasons why an equation is undecided that may still be proved; the last two of opaque terms."""

TOO_MUCH = "it takes more time or memory than is given to an equation"

DEPENDS_ON_READING = "whether it is true depends on how it is read"

NOTHING_KNOWN = "nothing is known of a name that it gives"

_FIRST_TOKEN = re.compile(r"\\?[A-Za-z]+|\\")

_INFINITE = re.compile(r"\\infty|NaN|\\frac\s*\{[^{}]*\}\s*\{\s*0\s*\}")


@dataclass(frozen=True)
class _Step:
    text: str
    link: Judgement
    stated: tuple[Fact, ...] = ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The equations that later ones may follow from."""
        if self.link.truth not in (*TRUE, "undecided"):
            return ()
        return tuple(fact for fact in self.stated if fact.lhs != fact.rhs)


class AnswerCheck:
    """The check of one answer, equation by equation."""

    def __init__(self, question: Question, seed: str, finds_all: bool = True) -> None:
        """
        Args:
            seed: with the prompt and an equation's text, it determines the points at which the equation is tested.
            finds_all: whether all operators that derive an equation are found. Which equations are irrelevant depends
                on all of them, but one operator is enough to verify an equation.
        """
        self._question = question
        self._seed = seed
        self._finds_all = finds_all or question.rules != "paper"
        self.steps: list[_Step] = []
        self._given = [facts_of(0, reading) for reading in question.premises]
        asked = [fact for reading in (*question.intermediates, question.goal) for fact in facts_of(0, reading)]
        self._notation = question.notation
        self._doubt = next((one.doubt for one in question.premises if one.doubt == OPAQUE), "")
        if not question.notation.is_printed and any(map(may_define, (fact for facts in self._given for fact in facts))):
            self._doubt = self._doubt or DEPENDS_ON_READING
        self._knowledge = Knowledge(
            self._given, asked, self._points(""), closed_terms(question.equations), question.rules
        )
        self._knowledge.context.unresolved += [
            f"a premise that cannot be read: {reading.text}"
            for reading, facts in zip(question.premises, self._given, strict=True)
            if not facts
        ]
        self._stated: set[int] = set()
        self._said: dict[frozenset[Expr], int] = {}
        self._grounded: set[int] = {0}
        self._laws: set[int] = {0}

    def copy(self) -> "AnswerCheck":
        """The same check; taking equations in one of them leaves the other as it is."""
        other = copy(self)
        other.steps = [*self.steps]
        other._knowledge, other._stated = self._knowledge.copy(), {*self._stated}
        other._said, other._grounded, other._laws = {**self._said}, {*self._grounded}, {*self._laws}
        return other

    def anew(self) -> "AnswerCheck":
        """A check with the same readings of the prompt and without equations, which finds all operators."""
        return AnswerCheck(self._question, self._seed)

    @property
    def symbols(self) -> frozenset[Symbol]:
        """All symbols of the prompt and of the equations so far."""
        return self._knowledge.symbols

    def _points(self, text: str) -> Stream:
        # The points depend on the text, so no equation can be written that fits the points it is tested at.
        return Stream(key_of(self._seed, self._question.prompt, text), self._question.notation.may_have_unit)

    @property
    def _enough(self) -> set[int] | None:
        """The equations from which one operator is enough; None where all operators are to be found."""
        return None if self._finds_all else self._grounded

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
        reading = self._restored(text) if number == 1 else read(text, self._notation)
        if not reading.chains:
            self.steps.append(_Step(text, Judgement("unparsable", reading.fault)))
            return
        self._knowledge.context.move_to(self._points(text))
        self._knowledge.define(reading.closed)
        with np.errstate(all="ignore"):  # an undefined value compares as unequal
            facts = self.facts()
            link, chain = self._best(number, reading)
            has_infinity = _INFINITE.search(text) if reading.has_infinity is None else reading.has_infinity
            if link.truth in ("valid", "skipped") and has_infinity:
                # SymPy may have taken the infinity away, with what it stood beside.
                link = Judgement("undecided", "infinity is no number", sources=None)
            if link.reason == NEW_NAME and reading.doubt == OPAQUE and any(map(_is_marked, chain)):
                link = Judgement("undecided", OPAQUE, sources=None)
            elif self._question.rules == "textbook" and not has_infinity:
                link = self._proved(number, reading, chain, link)
            chains = [chain, *self._also_meant(number, reading, chain, link.truth)]
        stated = tuple(fact for one in chains for fact in links(number, one))
        self.steps.append(_Step(text, link, stated))
        for fact in stated:
            self._said.setdefault(frozenset(fact.sides), number)
        if link.truth == "premise" or any(self._grounded.issuperset(one.steps) for one in link.justifications):
            self._grounded.add(number)
        if self._question.rules == "textbook" and self._follows_from_laws(link):
            self._laws.add(number)
        self._knowledge.use(links(number, chain))
        if reading.doubt == OPAQUE:
            self._notation = self._notation.with_opaque_names(
                side.name for side in chain if isinstance(side, Symbol) and not isinstance(side, OpaqueTerm)
            )
        if link.truth in TRUE:
            self._knowledge.learn(link, self.steps[-1].facts, facts)

    def _proved(self, number: int, reading: Reading, chain: Chain, link: Judgement) -> Judgement:
        """The judgement on an equation; one that cannot be tested may follow from true ones by a textbook rule."""
        reasons = UNTESTED if reading.doubt == OPAQUE else UNTESTED[:2]
        if (
            link.truth != "undecided"
            or link.repeats is not None
            or len(chain) != 2
            or not link.reason.startswith(reasons)
        ):
            return link
        facts, texts = self._true_facts()
        found = self._knowledge.prove(
            Fact(number, *chain), facts, self._laws, rewritings(reading.text, chain, texts, self._notation)
        )
        return found or link

    def _true_facts(self) -> tuple[list[Fact], list[KnownText]]:
        """The true equations so far and the premises that were not stated yet, and their texts."""
        known = [
            (0, reading.text, facts)
            for index, (reading, facts) in enumerate(zip(self._question.premises, self._given, strict=True))
            if index not in self._stated
        ]
        known += [
            (number, step.text, list(step.facts))
            for number, step in enumerate(self.steps, start=1)
            if step.link.truth in TRUE
        ]
        texts = [
            KnownText(number, text, [fact.sides for fact in facts], self._are_laws(number, facts))
            for number, text, facts in known
        ]
        return [fact for _, _, facts in known for fact in facts][-MAX_FACTS:], texts

    def _are_laws(self, number: int, facts: Sequence[Fact]) -> bool:
        return number in self._laws and all(map(self._knowledge.is_law, facts))

    def _follows_from_laws(self, link: Judgement) -> bool:
        """Whether an equation is a premise or follows from equations about functions everywhere."""
        if link.truth == "premise":
            return True
        facts = {number: [fact for fact in self.facts() if fact.number == number] for number in self._laws}
        laws = {number for number in self._laws if self._are_laws(number, facts[number])}
        return any(laws.issuperset(one.steps) for one in link.justifications)

    def leave_out(self, text: str) -> None:
        """Notes an equation that is not checked."""
        self.steps.append(_Step(text, Judgement("undecided", TOO_MUCH)))

    def repeat(self, other: "AnswerCheck") -> None:
        """Takes the equations of another check of the same answer."""
        for step in other.steps:
            self.leave_out(step.text) if step.link.reason == TOO_MUCH else self.take(step.text)

    def _also_meant(self, number: int, reading: Reading, chain: Chain, truth: Truth) -> list[Chain]:
        """Further readings of an equation, any of which later equations may build on."""
        if truth != "valid":
            return []
        others = [other for other in reading.plausible[:MAX_VALID_READINGS] if len(other) == 2 and other != chain]
        return [other for other in others if self._knowledge.judge(Fact(number, *other), self.facts()).truth == "valid"]

    def _restored(self, text: str) -> Reading:
        """Reads the first equation; a premise that lacks only its first token is read as that premise.

        Models trained like those of Meadows et al. (2024) never write an answer's first token.
        """
        bare = "".join(text.split())
        for premise in self._question.premises:
            whole = "".join(premise.text.split())
            if bare and whole.endswith(bare) and _FIRST_TOKEN.fullmatch(whole.removesuffix(bare)):
                return replace(premise, text=text)
        return read(text, self._notation)

    def _best(self, number: int, reading: Reading) -> tuple[Judgement, Chain]:
        """The most favourable reading of an equation, and the judgement on it."""
        for chain in reading.chains:
            known = self._known(number, chain)
            if known is not None:
                return known, chain
        best: tuple[Judgement, Chain] | None = None
        for chain in self._likely(reading.plausible):
            link = self._knowledge.judge_chain(number, chain, self.facts(), self._enough)
            if link.truth == "valid":
                return link, chain
            if best is None or ORDER.index(link.truth) > ORDER.index(best[0].truth):
                best = link, chain
        assert best is not None
        if best[0].truth == "skipped" and best[1] != reading.plausible[0]:
            # No operator shows that the less usual reading is meant.
            return Judgement("undecided", DEPENDS_ON_READING, sources=None), best[1]
        if best[0].truth == "incorrect":
            doubt = reading.doubt or self._unknown(best[1])
            if not doubt and any(side.free_symbols for side in best[1]):
                doubt = self._doubt
            if doubt:
                return Judgement("undecided", doubt, sources=None), best[1]
            # Another writer may mean a reading that the data's own notation excludes.
            for chain in reading.unlikely[:MAX_EVALUATED]:
                if self._knowledge.judge_chain(number, chain, self.facts()).truth not in ("incorrect", "unparsable"):
                    return Judgement("undecided", DEPENDS_ON_READING, sources=None), best[1]
        return best

    def _unknown(self, chain: Chain) -> str:
        """Why a name that no premise has says nothing false in people's notation; empty where the names are known."""
        if self._notation.is_printed:
            return ""
        names = {name_of(side) for side in chain if is_name(side) and not isinstance(side, OpaqueTerm)}
        goals = frozenset().union(*map(names_of, chain)) & self._knowledge.names_of_goals
        return "" if names <= self._knowledge.names and not goals else NOTHING_KNOWN

    def _likely(self, chains: Sequence[Chain]) -> list[Chain]:
        """As many of the readings as are judged: of more, those with the fewest derivatives that are new."""
        if len(chains) > MAX_EVALUATED:
            known = {part for fact in self.facts() for part in fact.parts}
            chains = sorted(chains, key=lambda chain: len(_derivatives(chain) - known))
        return list(chains[:MAX_EVALUATED])

    def _known(self, number: int, chain: Chain) -> Judgement | None:
        """Judges an equation that the prompt or an earlier equation says; None for others."""
        if len(chain) != 2:
            return None
        new = Fact(number, *chain)
        for index, facts in enumerate(self._given):
            if any(fact.says(new) for fact in facts) and index not in self._stated:
                self._stated.add(index)
                return Judgement("premise", "given")
        earlier = self._said.get(frozenset(new.sides))
        if earlier is None:
            return None
        link = self.steps[earlier - 1].link
        if link.truth == "skipped":
            # An equation may be stated first and derived later.
            others = [fact for fact in self.facts() if not fact.says(new)]
            again = self._knowledge.judge(new, others, self._enough)
            link = again if again.truth == "valid" else link
        return replace(link, reason=f"says again what equation {earlier} says", repeats=earlier)

    @property
    def is_sound(self) -> bool:
        """Whether the goal is reached and every equation is true."""
        return self._goal is not None and all(step.link.truth in TRUE for step in self.steps)

    @property
    def is_verified(self) -> bool:
        """Whether the answer is sound and the goal rests on premises and valid equations alone."""
        return self.is_sound and self._goal in self._grounded

    @property
    def _goal(self) -> int | None:
        """The number of the equation that says the goal; the first derived one if there is one."""
        saying = [number for number, step in enumerate(self.steps, start=1) if _has(step, self._question.goal)]
        return next((number for number in saying if number in self._grounded), next(iter(saying), None))

    def _is_said(self, reading: Reading) -> bool:
        return any(_has(step, reading) for step in self.steps)

    def state_verdict(self) -> StateVerdict:
        """The verdict on the last equation, and on the answer as if it ended here."""
        number = len(self.steps)
        return StateVerdict(
            step=self._step(number, self.steps[-1], needed=True) if self.steps else None,
            verified_so_far=len(self._grounded) > number,
            goal_reached=self._goal is not None,
            sound=self.is_sound,
            verified=self.is_verified,
            open_intermediates=[one.text for one in self._question.intermediates if not self._is_said(one)],
        )

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
            rules=question.rules,
        )

    def _needed(self, end: int) -> set[int]:
        """The steps in at least one minimal proof of the last step; premises do not count towards its size."""
        options = {number: step.link.options(number) for number, step in enumerate(self.steps, start=1)}
        free = {number for number, step in enumerate(self.steps, start=1) if step.link.truth == "premise"}
        return smallest_supports(end, options, free)

    def _step(self, number: int, step: _Step, needed: bool) -> StepVerdict:
        link = step.link
        shown = link.justifications[0] if link.justifications else None
        return StepVerdict(
            text=step.text,
            truth=link.truth,
            stated=any(_has(step, reading) for reading in self._question.equations),
            redundant=link.repeats is not None,
            irrelevant=link.truth in TRUE and not needed,
            operator=shown.operator if shown and link.truth == "valid" else None,
            operands=[latex(operand) for operand in shown.operands] if shown else [],
            steps=[source for source in shown.steps if source] if shown else list(link.sources or ()),
            reason=link.reason,
            counterexample=link.counterexample,
        )


def _is_marked(side: Expr) -> bool:
    """Whether a name in an expression has a star or a dagger, so that it belongs to another name."""
    return any(mark in name for name in names_of(side) for mark in ("*", "dagger"))


def _derivatives(chain: Chain) -> set[Expr]:
    return set().union(*(atoms_of(side, Derivative) for side in chain))


def _has(step: _Step, reading: Reading) -> bool:
    """Whether a step says an equation of the prompt in one of its readings, mirrored or not."""
    if not step.stated:
        return False
    wanted = [Fact(0, *chain) for chain in reading.chains if len(chain) == 2]
    return any(fact.says(one) for fact in step.stated for one in wanted)
