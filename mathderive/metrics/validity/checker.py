"""Decides step by step whether a derivation is right.

Each equation is looked at in the light of those before it: is it given, does one of the eighteen operators give it
(`matching.py`), is it true at all (`truth.py`)? What it follows from then says what the goal depends on.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sympy import Derivative, Expr, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.metrics.validity.matching import Fact, Way, ways
from mathderive.metrics.validity.reading import Chain, Reading, read, split_output
from mathderive.metrics.validity.truth import Context, is_name
from mathderive.metrics.validity.verdicts import TRUE, StepVerdict, Truth, Validity
from mathderive.prompts import split_prompt
from mathderive.symbolic.printer import latex

MAX_EQUATIONS = 60
"""Of an output; further ones are undecided. The longest reference has 9."""

MAX_FACTS = 30
"""Earlier equations that one is compared with, the latest ones."""

MAX_EVALUATED = 6
"""Readings of an equation whose truth is looked into, where no operator gives any of them."""

_ORDER: tuple[Truth, ...] = ("incorrect", "unparsable", "undecided", "skipped", "valid", "premise")
"""The worst first: a chain of equations is what its worst link is."""


@dataclass(frozen=True)
class _Link:
    """What was found about one equation, before it is known what depends on it."""

    truth: Truth
    reason: str
    ways: tuple[Way, ...] = ()
    sources: tuple[int, ...] | None = ()
    counterexample: dict[str, str] | None = None
    repeats: int | None = None


@dataclass
class _Step:
    text: str
    link: _Link
    facts: list[Fact] = field(default_factory=list)


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
        self.premises = [read(text) for text in asked.premises]
        self.intermediates = [read(text) for text in asked.derive]
        self.goal = read(asked.goal)

    def check(self, output: str, leave_out: Collection[int] = ()) -> Validity:
        run = _Run(self)
        for number, text in enumerate(split_output(output), start=1):
            run.take(number, text, number in leave_out or number > MAX_EQUATIONS)
        return run.verdict()


class _Run:
    """One output, equation by equation."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.steps: list[_Step] = []
        self.context = Context()
        self.given = [_facts(0, reading) for reading in checker.premises]
        for reading, facts in zip(checker.premises, self.given, strict=True):
            if not facts:
                self.context.unresolved.append(f"a premise that cannot be read: {reading.text}")
            for fact in facts:
                self.context.take_premise(fact.sides)
        for reading in (*checker.intermediates, checker.goal):
            self.context.requested += [fact.sides for fact in _facts(0, reading)]
        self.stated: set[int] = set()

    def facts(self) -> list[Fact]:
        """What the next equation may follow from: true equations, and premises that were not stated yet."""
        unstated = [fact for index, facts in enumerate(self.given) if index not in self.stated for fact in facts]
        known = [fact for step in self.steps if step.link.truth not in ("incorrect", "unparsable") for fact in step.facts]
        return (unstated + known)[-MAX_FACTS:]

    def take(self, number: int, text: str, left_out: bool) -> None:
        """Looks at the next equation."""
        if left_out:
            self.steps.append(_Step(text, _Link("undecided", "it takes more time or memory than is given to an equation")))
            return
        reading = read(text)
        if not reading.chains:
            self.steps.append(_Step(text, _Link("unparsable", reading.fault)))
            return
        link, chain = self._best(number, reading)
        facts = _links(number, chain) if link.truth in (*TRUE, "undecided") else []
        facts = [fact for fact in facts if fact.lhs != fact.rhs]
        self.steps.append(_Step(text, link, facts))
        for fact in facts:
            if link.truth in TRUE:
                self.context.take_equation(fact.sides)

    def _best(self, number: int, reading: Reading) -> tuple[_Link, Chain]:
        """The reading that says most for the equation, and what it says."""
        best: tuple[_Link, Chain] | None = None
        for chain in reading.chains:
            link = self._structure(number, chain)
            if link is not None:
                return link, chain
        for chain in reading.chains[:MAX_EVALUATED]:
            link = self._chain(number, chain)
            if best is None or _ORDER.index(link.truth) > _ORDER.index(best[0].truth):
                best = link, chain
            if link.truth in TRUE:
                break
        assert best is not None
        return best

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
            if any(fact.says(new) for fact in step.facts):
                return replace(step.link, reason=f"says again what equation {earlier} says", repeats=earlier)
        return self._derived(new, self.facts())

    def _derived(self, new: Fact, facts: Sequence[Fact]) -> _Link | None:
        if new.lhs == new.rhs:
            return None
        found = ways(new, facts)
        if found:
            return _Link("valid", _sentence(found[0], facts), tuple(found))
        return self._definition(new, facts)

    def _definition(self, new: Fact, facts: Sequence[Fact]) -> _Link | None:
        """A fresh name for an expression is a renaming premise, if the expression has occurred."""
        used = set().union(*(_names(fact) for fact in facts), *(_names(fact) for given in self.given for fact in given))
        for name, body in (new.sides, new.sides[::-1]):
            if not isinstance(name, AppliedUndef) or not is_name(name) or name.func.__name__ in used | _names_in(body):
                continue
            if set(name.args) != body.free_symbols:
                continue
            self.context.take_premise((name, body))
            occurred = any(body in fact.parts for fact in (*facts, *(f for given in self.given for f in given)))
            if occurred:
                operand = (body,)
                way = Way("renaming_premise", operand, ())
                return _Link("valid", f"a new name for ${latex(body)}$", (way,))
            return _Link("skipped", "a new name for an expression that has not occurred", sources=())
        return None

    def _chain(self, number: int, chain: Chain) -> _Link:
        """What a chain of equations is: each side is compared with the one before it, and with the first."""
        worst: _Link | None = None
        facts = self.facts()
        for position in range(1, len(chain)):
            links = [self._link(Fact(number, chain[earlier], chain[position]), facts) for earlier in {position - 1, 0}]
            link = max(links, key=lambda found: _ORDER.index(found.truth))
            if worst is None or _ORDER.index(link.truth) < _ORDER.index(worst.truth):
                worst = link
            if link.truth in TRUE:
                facts = [*facts, *_links(number, chain[: position + 1])]
        assert worst is not None
        return worst

    def _link(self, new: Fact, facts: Sequence[Fact]) -> _Link:
        """What one equation is."""
        if any(fact.says(new) for given in self.given for fact in given):
            return _Link("premise", "given")
        link = self._derived(new, facts)
        if link is not None:
            return link
        if new.lhs == new.rhs:
            return _Link("skipped", "both sides are the same", sources=())
        earlier = set().union(*(fact.symbols for fact in facts), *(f.symbols for given in self.given for f in given))
        finding = self.context.decide(new.sides, new.symbols - earlier)
        if finding.holds:
            return _Link("skipped", "true, but no single operator gives it", sources=None)
        if finding.holds is None:
            return _Link("undecided", finding.reason)
        return _Link("incorrect", finding.reason, counterexample=finding.counterexample)

    def verdict(self) -> Validity:
        """The verdicts, once all equations have been taken."""
        goal = next((n for n, step in enumerate(self.steps, start=1) if _has(step, self.checker.goal)), None)
        needed = self._needed(goal or len(self.steps))
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
        """The equations that lead to one, itself included."""
        needed: set[int] = set()
        waiting = [end] if end else []
        while waiting:
            number = waiting.pop()
            if number in needed or number == 0:
                continue
            needed.add(number)
            link = self.steps[number - 1].link
            waiting += link.sources if link.sources is not None else range(1, number)
            waiting += _sources(link.ways)
        return needed

    def _grounded(self) -> set[int]:
        """The equations that are premise or valid, and that follow from such equations alone."""
        grounded: set[int] = {0}
        for number, step in enumerate(self.steps, start=1):
            link = step.link
            if link.truth == "premise" or any(set(way.steps) <= grounded | {number} for way in link.ways):
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
    pairs = list(zip(chain, chain[1:], strict=False))
    if len(chain) > 2:
        pairs.append((chain[0], chain[-1]))
    return [Fact(number, *pair) for pair in pairs]


def _has(step: _Step, reading: Reading) -> bool:
    """Whether a step states an equation in one of its readings, mirrored or not."""
    wanted = [Fact(0, *chain) for chain in reading.chains if len(chain) == 2]
    return any(fact.says(one) for fact in step.facts for one in wanted)


def _sources(found: Sequence[Way]) -> Iterator[int]:
    """The equations that an equation rests on: of all ways, those whose operand has occurred, if there are any."""
    plain = [way for way in found if way.plain] or found
    for way in plain:
        yield from way.steps


def _sentence(way: Way, facts: Sequence[Fact]) -> str:
    operands = ", ".join(f"${latex(operand)}$" for operand in way.operands)
    sources = " and ".join(f"equation {number}" if number else "what is given" for number in way.steps)
    return f"{way.operator} {operands + ' ' if operands else ''}on {sources}"


def _names(fact: Fact) -> set[str]:
    return _names_in(fact.lhs) | _names_in(fact.rhs)


def _names_in(expression: Expr) -> set[str]:
    return {part.func.__name__ for part in expression.atoms(AppliedUndef)} | {s.name for s in expression.atoms(Symbol)}
