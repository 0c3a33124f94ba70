"""Deriving one equation from others: a best-first search from both ends.

Forward, operators are applied to the equations that are known. Backward, operators are undone on the wanted equation;
each of the equations that this gives is wanted in turn. Both ends are expanded by turns, those equations first that
look most like the other end. Where an equation of one end is the same as one of the other, or one sum or product away
from it, the checker judges the derivation that this makes. The search is bounded by counts and by the size of
equations, so its result does not depend on the machine.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from sympy import Derivative, Expr, Integral, Pow, Symbol, cos, exp, log, sin

from mathderive.checker.consequences import MAX_SIZE, consequence, equation_text, shape_distance
from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.judging import AnswerCheck
from mathderive.predictors.engine.index import EquationIndex
from mathderive.predictors.engine.subgoals import before_substitution, subgoals
from mathderive.symbolic.engine.operators import OPERATORS, Arity, Operator, OperatorError

MAX_EXPANDED = 60
"""Maximum number of equations that are expanded at each end."""

MAX_EQUATIONS = 1_500
"""Maximum number of equations at each end."""

MAX_JUDGED = 40
"""Maximum number of derivations that the checker judges."""

MAX_DEPTH = 6
"""Maximum number of operators that are undone one after another."""


@dataclass(eq=False)
class Known:
    """An equation of the forward end.

    Attributes:
        sources: the equations that an operator has made it from.
    """

    fact: Fact
    sources: tuple["Known", ...] = ()
    operator: str = ""
    depth: int = 0
    is_refused: bool = False

    def ancestors(self) -> dict["Known", None]:
        """The equations that it rests on, and itself, in the order in which they can be derived."""
        found: dict[Known, None] = {}
        for source in self.sources:
            found |= source.ancestors()
        return {**found, self: None}


@dataclass(eq=False)
class Wanted:
    """An equation of the backward end.

    Attributes:
        leads_to: the wanted equation that one operator gives from it; None for the goal.
        rule: the equation that the operator substitutes, if it does.
    """

    fact: Fact
    leads_to: "Wanted | None" = None
    rule: Known | None = None
    depth: int = 0

    def path(self) -> Iterator["Wanted"]:
        """From this equation to the goal."""
        one: Wanted | None = self
        while one is not None:
            yield one
            one = one.leads_to


@dataclass
class Derivation:
    """A derivation so far: the texts of its equations, and the check that has taken them."""

    check: AnswerCheck
    texts: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def take(self, text: str) -> bool:
        """Adds an equation; says whether it is a premise or valid and new."""
        self.check.take(text)
        self.texts.append(text)
        step = self.check.steps[-1]
        self.facts += step.facts
        return step.link.truth in ("premise", "valid") and step.link.repeats is None

    def copy(self) -> "Derivation":
        return Derivation(self.check.copy(), [*self.texts], [*self.facts])


class Search:
    """The search for a derivation of one equation."""

    def __init__(
        self, before: Derivation, text: str, goal: Fact, fresh: Sequence[Symbol], on_progress: Callable[[], object]
    ) -> None:
        """
        Args:
            before: the derivation so far.
            text: the equation as the prompt writes it.
            fresh: names for constants of integration.
        """
        self._before, self._text, self._goal, self._fresh = before, text, goal, fresh
        self._on_progress = on_progress
        self._known: EquationIndex[Known] = EquationIndex()
        self._wanted: EquationIndex[Wanted] = EquationIndex()
        self._all_known: list[Known] = []
        self._all_wanted: list[Wanted] = []
        self._expanded: list[Known] = []
        self._order = count()
        self._open_known: list[tuple[float, int, Known]] = []
        self._open_wanted: list[tuple[float, int, Wanted]] = []
        self._judged = 0
        self._found: Derivation | None = None
        self._wishes = _Wishes(goal)

    def result(self) -> Derivation | None:
        """The longer derivation, which ends with the goal; None where none was found."""
        for fact in self._before.facts:
            self._learn(Known(fact))
        self._want(Wanted(self._goal))
        for _ in range(MAX_EXPANDED):
            if self._is_over or not (self._open_wanted or self._open_known):
                break
            self._on_progress()
            if self._open_wanted:
                self._expand_wanted(heapq.heappop(self._open_wanted)[2])
            if self._open_known and not self._is_over:
                self._expand_known(heapq.heappop(self._open_known)[2])
        return self._found

    @property
    def _is_over(self) -> bool:
        return self._found is not None or self._judged >= MAX_JUDGED

    def _learn(self, new: Known) -> None:
        """Adds an equation to the forward end, and tries where it meets the other one."""
        if new.fact.has_fingerprint and new.fact.is_trivial():
            return
        if len(self._all_known) >= MAX_EQUATIONS or next(self._known.equal(new.fact), None) is not None:
            return
        self._known.add(new.fact, new)
        self._all_known.append(new)
        heapq.heappush(self._open_known, (self._distance(new), next(self._order), new))
        for wanted in [*self._wanted.equal(new.fact)]:
            self._try(new, wanted, is_equal=True)
        for wanted in [*self._wanted.near(new.fact)]:
            self._try(new, wanted, is_equal=False)

    def _want(self, new: Wanted) -> None:
        """Adds an equation to the backward end, and tries where it meets the other one."""
        if new.fact.has_fingerprint and new.fact.is_trivial():
            return
        if len(self._all_wanted) >= MAX_EQUATIONS or next(self._wanted.equal(new.fact), None) is not None:
            return
        self._wanted.add(new.fact, new)
        self._all_wanted.append(new)
        if new.depth < MAX_DEPTH:
            priority = sum(map(size_of, new.fact.sides)) + 2 * new.depth
            heapq.heappush(self._open_wanted, (priority, next(self._order), new))
        for known in [*self._known.equal(new.fact)]:
            self._try(known, new, is_equal=True)
        for known in [*self._known.near(new.fact)]:
            self._try(known, new, is_equal=False)

    def _distance(self, known: Known) -> float:
        best = min((shape_distance(known.fact, wanted.fact) for wanted in self._all_wanted[:10]), default=0)
        return best + 2 * known.depth

    def _try(self, known: Known, wanted: Wanted, is_equal: bool) -> None:
        """Lets the checker judge the derivation by way of these two equations."""
        if self._is_over:
            return
        path = [*wanted.path()]
        rules = [one.rule for one in path if one.rule is not None]
        needed: dict[Known, None] = {}
        for one in (*rules, known):
            needed |= one.ancestors()
        if any(one.is_refused for one in needed):
            return
        self._judged += 1
        self._on_progress()
        trial = self._before.copy()
        for one in needed:
            if one.sources and not trial.take(equation_text(one.fact)):
                one.is_refused = True
                return
        for place, one in enumerate(path):
            if place == 0 and is_equal and one.leads_to is not None:
                continue
            if place == 0 and is_equal and not known.sources:
                return
            text = self._text if one.leads_to is None else equation_text(one.fact)
            if place == 0 and is_equal:
                trial = self._before.copy()
                for other in [*needed][:-1]:
                    if other.sources:
                        trial.take(equation_text(other.fact))
            if not trial.take(text):
                return
        self._found = trial

    def _expand_wanted(self, wanted: Wanted) -> None:
        rules = [known for known in self._expanded if not known.is_refused]
        for sides in subgoals(wanted.fact, ()):
            self._want_sides(sides, wanted, None)
        for rule in rules:
            self._undo_substitution(wanted, rule)

    def _undo_substitution(self, wanted: Wanted, rule: Known) -> None:
        for old, new in (rule.fact.sides, rule.fact.sides[::-1]):
            for sides in before_substitution(wanted.fact.sides, old, new):
                self._want_sides(sides, wanted, rule)

    def _want_sides(self, sides: Sides, leads_to: Wanted, rule: Known | None) -> None:
        if sides[0] != sides[1] and max(map(size_of, sides)) <= MAX_SIZE and not self._is_over:
            self._want(Wanted(Fact(0, *sides), leads_to, rule, leads_to.depth + 1))

    def _expand_known(self, known: Known) -> None:
        if known.is_refused:
            return
        self._expanded.append(known)
        for operator in self._wishes.operators(known.fact):
            seconds: Sequence[Expr | None] = [None]
            if operator.arity is Arity.OPERAND:
                seconds = self._wishes.operands(operator, known.fact)
            for second in seconds:
                self._apply(operator, known, second)
        for other in self._expanded[:-1]:
            for operator in OPERATORS.values():
                if operator.arity is Arity.TWO_EQUATIONS:
                    self._apply(operator, known, other)
                    self._apply(operator, other, known)
        for wanted in self._all_wanted[:20]:
            if wanted.depth < MAX_DEPTH:
                self._undo_substitution(wanted, known)

    def _apply(self, operator: Operator, known: Known, second: Expr | Known | None) -> None:
        if self._is_over:
            return
        operand = second.fact if isinstance(second, Known) else second
        fresh = iter(self._fresh)

        def draw_constant() -> Symbol:
            name = next(fresh, None)
            if name is None:
                raise OperatorError("there is no new name")
            return name

        made = consequence(operator, known.fact, operand, draw_constant, 0)
        if made is not None:
            sources = (known, second) if isinstance(second, Known) else (known,)
            self._learn(Known(made, sources, operator.name, 1 + max(one.depth for one in sources)))


class _Wishes:
    """The operators and operands that an equation suggests for its derivation."""

    def __init__(self, goal: Fact) -> None:
        self._functions = {kind.__name__ for kind in (cos, sin, exp, log) if goal.equation.has(kind)}
        self._derived_by = _variables(goal, Derivative)
        self._integrated_by = _variables(goal, Integral)
        self._exponents = list(dict.fromkeys(part.exp for part in goal.ordered_parts if isinstance(part, Pow)))
        self._parts = [part for part in dict.fromkeys(goal.ordered_parts) if size_of(part) <= 6]

    def operators(self, fact: Fact) -> Iterator[Operator]:
        """The operators on one equation to apply to a known one."""
        for operator in OPERATORS.values():
            if operator.arity is Arity.OPERAND:
                yield operator
            elif operator.arity is Arity.EQUATION and (
                operator.name not in ("cos", "sin", "exp", "log") or operator.name in self._functions
            ):
                yield operator

    def operands(self, operator: Operator, fact: Fact) -> list[Expr]:
        if operator.name == "differentiate":
            return list(self._derived_by)
        if operator.name == "integrate":
            return list(self._integrated_by)
        if operator.name == "power":
            return self._exponents[:4]
        return []


def _variables(goal: Fact, kind: type[Derivative] | type[Integral]) -> dict[Expr, None]:
    found: dict[Expr, None] = {}
    for part in goal.ordered_parts:
        if isinstance(part, kind):
            limits = part.variable_count if isinstance(part, Derivative) else part.limits
            found |= dict.fromkeys(limit[0] for limit in limits)
    return found
