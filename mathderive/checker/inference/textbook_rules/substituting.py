"""Steps that put equations into another one, values included, and that take a function at another argument."""

from collections.abc import Iterator, Sequence

from sympy import Derivative, Expr, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.inference.textbook_rules.question import Rule, StepQuestion
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

MAX_TRIED = 120
"""Maximum number of replacements that are tried for one equation."""

MAX_PUT_IN = 3
"""Maximum number of equations that are put into another one in one step."""

MAX_VALUES = 6
"""Maximum number of values that are put into an equation in one step."""

MAX_SIZE = 300
"""Maximum number of operations of an equation after a replacement."""


def replaced(sides: Sides, old: Expr, new: Expr) -> Sides | None:
    """The sides with an expression in place of another; None where it does not occur or the result is too large."""
    try:
        found = replace(sides[0], old, new), replace(sides[1], old, new)
    except (TooLargeError, *SYMPY_ERRORS):
        return None
    if found == sides or max(map(size_of, found)) > MAX_SIZE:
        return None
    return found


def find_put_in(question: StepQuestion) -> Iterator[Justification]:
    tried = 0
    for fact in question.facts:
        for rule in question.facts:
            if rule is fact:
                continue
            for old, new in (rule.sides, rule.sides[::-1]):
                if old.is_number:
                    continue
                sides = replaced(fact.sides, old, new) if _may_replace(question, fact, rule, old) else None
                if sides is None:
                    continue
                tried += 1
                if tried > MAX_TRIED:
                    return
                # A rule such as `f(x) = x^2` may be put into one side alone.
                choices = (sides, (sides[0], fact.rhs), (fact.lhs, sides[1]))
                if any(map(question.is_stated, dict.fromkeys(choices))):
                    yield Justification("put_in", (), (fact.number, rule.number))


def _may_replace(question: StepQuestion, fact: Fact, rule: Fact, old: Expr) -> bool:
    """Whether a rule holds wherever an equation has the term that it replaces.

    A term that is differentiated or integrated stands for its values at other places too.
    """
    if question.is_law(rule):
        return True
    return not any(part.has(old) for part in fact.equation.atoms(Derivative, Integral))


def find_several_put_in(question: StepQuestion) -> Iterator[Justification]:
    """Several definitions, or values, put into an equation at once."""
    names = {part for side in question.new.sides for part in side.atoms(Symbol, AppliedUndef)}
    for fact in question.facts:
        rules = [one for one in _definitions(question.facts, fact, names) if _may_replace(question, fact, *one[:2])]
        values = [rule for rule in rules if rule[2].is_number]
        for chosen in (rules[:MAX_PUT_IN], values[:MAX_VALUES]):
            if len(chosen) < 2:
                continue
            sides: Sides | None = fact.sides
            for _, old, new in chosen:
                sides = replaced(sides, old, new) if sides is not None else None
            if sides is not None and question.is_stated(sides):
                numbers = (fact.number, *dict.fromkeys(rule.number for rule, _, _ in chosen))
                yield Justification("several_put_in", (), numbers)


def _definitions(facts: Sequence[Fact], into: Fact, names: set[Expr]) -> list[tuple[Fact, Expr, Expr]]:
    """The equations that give a name of an equation which the new equation no longer has."""
    found: dict[Expr, tuple[Fact, Expr, Expr]] = {}
    for fact in facts:
        for old, new in (fact.sides, fact.sides[::-1]) if fact is not into else ():
            if isinstance(old, Symbol | AppliedUndef) and old not in names and old in into.parts and not new.has(old):
                found.setdefault(old, (fact, old, new))
    return list(found.values())


def _find_argument(question: StepQuestion) -> Iterator[Justification]:
    """A function of an equation, taken at other arguments."""
    wanted = {part for side in question.new.sides for part in side.atoms(AppliedUndef)}
    for fact in question.facts:
        for side in fact.sides:
            if not isinstance(side, AppliedUndef) or not all(isinstance(one, Symbol) for one in side.args):
                continue
            for application in sorted(wanted, key=str):
                if application.func != side.func or len(application.args) != len(side.args) or application == side:
                    continue
                pairs = dict(zip(side.args, application.args, strict=True))
                try:
                    sides = fact.lhs.subs(pairs, simultaneous=True), fact.rhs.subs(pairs, simultaneous=True)
                except (TooLargeError, *SYMPY_ERRORS):
                    continue
                if max(map(size_of, sides)) <= MAX_SIZE and question.is_stated(sides):
                    yield Justification("argument", (application,), (fact.number,))


RULES = (
    Rule("put_in", "{1} put into {0}", find_put_in),
    Rule("several_put_in", "what is known of its names put into {0}", find_several_put_in),
    Rule("argument", "{0} taken at {operand}", _find_argument),
)
