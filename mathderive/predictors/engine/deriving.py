"""Deriving one equation from others: a best-first search from both ends.

Forward, operators are applied to the equations that are known. Backward, operators are undone on the wanted equation;
each of the equations that this gives is wanted in turn. Both ends are expanded by turns: of the known equations those
whose shape is nearest to a wanted one, of the wanted equations the smallest. Where an equation of one end is the same
as one of the other, or one sum or product away from it, the checker judges the derivation that this makes. The search
is bounded by counts and by the size of equations, so its result does not depend on the machine.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from sympy import Expr, Symbol

from mathderive.checker.consequences import consequence, equation_text, shape_distance
from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.judging import AnswerCheck
from mathderive.checker.verdicts import TRUE
from mathderive.predictors.engine.index import EquationIndex
from mathderive.predictors.engine.subgoals import before_substitution, subgoals
from mathderive.predictors.engine.suggestions import Suggestions, is_far_fetched
from mathderive.symbolic.engine.operators import OPERATORS, Arity, Operator, OperatorError

MAX_EQUATIONS = 1_500
"""Maximum number of equations at each end."""

MAX_JUDGED = 40
"""Maximum number of derivations that the checker judges."""

MAX_AIMS = 12
"""Number of wanted equations, those expanded first, that known equations are compared with."""

MAX_CONSTANTS = 3
"""Maximum number of names that are tried for a constant of integration."""

MAX_DEPTH = 6
"""Maximum number of operators that are undone one after another."""

STEP_COST = 2
"""Cost of an operator, in nodes of the distance between two equations."""

FAR_FETCHED_COST = 4
"""Further cost of an operator that can be applied to any equation."""


@dataclass(frozen=True)
class Bounds:
    """Bounds of the search for one equation.

    Attributes:
        expansions: maximum number of equations that are expanded at each end.
        operations: maximum number of operations in a side of an equation.
    """

    expansions: int
    operations: int


@dataclass(eq=False)
class Known:
    """An equation of the forward end.

    Attributes:
        sources: the equations that an operator has made it from.
        cost: a measure of the operators that have led to it.
        is_refused: whether the checker does not find it valid.
    """

    fact: Fact
    sources: tuple["Known", ...] = ()
    cost: float = 0.0
    is_refused: bool = False

    def ancestors(self) -> dict["Known", None]:
        """The equations that it rests on, and itself, in an order in which they can be derived."""
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
        depth: the number of operators from here to the goal.
        is_refused: whether the checker does not find that it leads there.
    """

    fact: Fact
    leads_to: "Wanted | None" = None
    rule: Known | None = None
    depth: int = 0
    is_refused: bool = False

    def path(self) -> Iterator["Wanted"]:
        """The wanted equations from this one to the goal."""
        one: Wanted | None = self
        while one is not None:
            yield one
            one = one.leads_to

    @property
    def cost(self) -> float:
        """The size of the equation and the way to the goal; one that says 0 or 1 is rarely of use."""
        of_sides = sum(FAR_FETCHED_COST * (side in (0, 1)) + size_of(side) for side in self.fact.sides)
        return of_sides + STEP_COST * self.depth


@dataclass
class Derivation:
    """A derivation so far: the texts of its equations, and the check that has taken them."""

    check: AnswerCheck
    texts: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def take(self, text: str) -> bool:
        """Adds an equation; says whether it is a premise, or valid and new."""
        self.check.take(text)
        self.texts.append(text)
        step = self.check.steps[-1]
        self.facts += step.facts
        return step.link.truth in ("premise", "valid") and step.link.repeats is None

    def copy(self) -> "Derivation":
        return Derivation(self.check.copy(), [*self.texts], [*self.facts])


class Search:
    """The search for a derivation of one equation.

    Attributes:
        expanded: the number of equations that were expanded, at both ends together.
    """

    def __init__(self, before: Derivation, text: str, goal: Fact, fresh: Sequence[Symbol], bounds: Bounds) -> None:
        """
        Args:
            before: the derivation so far.
            text: the goal as the prompt writes it.
            fresh: names for constants of integration.
        """
        self._before, self._text, self._goal, self._fresh, self._bounds = before, text, goal, fresh, bounds
        self._known: EquationIndex[Known] = EquationIndex()
        self._wanted: EquationIndex[Wanted] = EquationIndex()
        self._order = count()
        self._open_known: list[tuple[float, int, Known]] = []
        self._open_wanted: list[tuple[float, int, Wanted]] = []
        self._expanded_known: list[Known] = []
        self._expanded_wanted: list[Wanted] = []
        self._suggestions = Suggestions()
        self._judged = 0
        self._found: Derivation | None = None

    @property
    def expanded(self) -> int:
        return len(self._expanded_known) + len(self._expanded_wanted)

    def result(self, on_progress: Callable[[], object]) -> Derivation | None:
        """The longer derivation, which ends with the goal; None where none was found.

        Args:
            on_progress: is called before each part of the search.
        """
        for fact in self._before.facts:
            self._learn(Known(fact))
        self._want(Wanted(self._goal))
        for _ in range(self._bounds.expansions):
            if self._is_over or not (self._open_wanted or self._open_known):
                break
            on_progress()
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
        if self._is_useless(new.fact, self._known):
            return
        self._known.add(new.fact, new)
        heapq.heappush(self._open_known, (self._distance(new, self._aims), next(self._order), new))
        equal = [*self._wanted.equal(new.fact)]
        for wanted in [*equal, *self._wanted.near(new.fact)]:
            self._try(new, wanted, is_equal=wanted in equal)

    def _want(self, new: Wanted) -> None:
        """Adds an equation to the backward end, and tries where it meets the other one."""
        if new.depth > 0 and self._is_useless(new.fact, self._wanted):
            return
        self._wanted.add(new.fact, new)
        if new.depth < MAX_DEPTH:
            heapq.heappush(self._open_wanted, (new.cost, next(self._order), new))
        equal = [*self._known.equal(new.fact)]
        for known in [*equal, *self._known.near(new.fact)]:
            self._try(known, new, is_equal=known in equal)

    def _is_useless(self, fact: Fact, index: EquationIndex[Known] | EquationIndex[Wanted]) -> bool:
        """Whether an equation is trivial, infinite or there already, or its end is full."""
        if not fact.has_fingerprint or fact.is_trivial() or len(index) >= MAX_EQUATIONS:
            return True
        return next(iter(index.equal(fact)), None) is not None

    @property
    def _aims(self) -> Sequence[Wanted]:
        return self._expanded_wanted[:MAX_AIMS]

    def _distance(self, known: Known, aims: Sequence[Wanted]) -> float:
        return min((shape_distance(known.fact, wanted.fact) for wanted in aims), default=0) + known.cost

    def _aim_at(self, wanted: Wanted) -> None:
        """Moves those open equations of the forward end to the front that look like a wanted one."""
        self._expanded_wanted.append(wanted)
        if wanted in self._aims:
            self._open_known = [
                (min(distance, self._distance(known, [wanted])), number, known)
                for distance, number, known in self._open_known
            ]
            heapq.heapify(self._open_known)

    def _try(self, known: Known, wanted: Wanted, is_equal: bool) -> None:
        """Lets the checker judge the derivation by way of these two equations."""
        path = [*wanted.path()]
        needed: dict[Known, None] = {}
        for rule in (*(step.rule for step in path if step.rule is not None), known):
            needed |= rule.ancestors()
        if self._is_over or any(one.is_refused for one in needed) or any(step.is_refused for step in path):
            return
        self._judged += 1
        trial = self._before.copy()
        for one in needed:
            is_goal = is_equal and one is known and wanted.leads_to is None
            if one.sources and not trial.take(self._text if is_goal else equation_text(one.fact)):
                one.is_refused = True
                return
        is_stated = is_equal and (bool(known.sources) or wanted.leads_to is not None or known.fact.says(wanted.fact))
        for place, step in enumerate(path):
            if place == 0 and is_stated:
                continue
            if not trial.take(self._text if step.leads_to is None else equation_text(step.fact)):
                is_true = trial.check.steps[-1].link.truth in TRUE
                self._refuse(path[:place], step, is_true)
                return
        self._found = trial

    def _refuse(self, before: Sequence[Wanted], step: Wanted, is_true: bool) -> None:
        """Notes that a wanted equation cannot be judged, or does not follow from the one before it on the path."""
        if not is_true and step.leads_to is not None:
            step.is_refused = True
        elif before:
            before[-1].is_refused = True

    def _expand_wanted(self, wanted: Wanted) -> None:
        """Undoes operators on a wanted equation, and applies those that it suggests."""
        self._aim_at(wanted)
        for operator, operand in self._suggestions.add(wanted.fact, is_goal=wanted.leads_to is None):
            for known in [*self._expanded_known]:
                self._apply(operator, known, operand)
        for sides in subgoals(wanted.fact, self._fresh):
            self._want_sides(sides, wanted, None)
        for rule in [*self._expanded_known]:
            self._undo_substitution(wanted, rule)

    def _undo_substitution(self, wanted: Wanted, rule: Known) -> None:
        for old, new in (rule.fact.sides, rule.fact.sides[::-1]):
            for sides in before_substitution(wanted.fact.sides, old, new):
                self._want_sides(sides, wanted, rule)

    def _want_sides(self, sides: Sides, leads_to: Wanted, rule: Known | None) -> None:
        if sides[0] != sides[1] and max(map(size_of, sides)) <= self._bounds.operations and not self._is_over:
            self._want(Wanted(Fact(0, *sides), leads_to, rule, leads_to.depth + 1))

    def _expand_known(self, known: Known) -> None:
        """Applies operators to a known equation, and substitutes it in wanted ones."""
        if known.is_refused:
            return
        self._expanded_known.append(known)
        for operator, operand in self._suggestions:
            self._apply(operator, known, operand)
        for operator in OPERATORS.values():
            if operator.arity is Arity.TWO_EQUATIONS:
                for other in self._expanded_known[:-1]:
                    self._apply(operator, known, other)
                    self._apply(operator, other, known)
        for wanted in [*self._expanded_wanted]:
            self._undo_substitution(wanted, known)

    def _apply(self, operator: Operator, known: Known, second: Expr | Known | None) -> None:
        if self._is_over or known.is_refused:
            return
        if operator.name == "differentiate" and second not in known.fact.symbols:
            return  # both sides are constant
        names = self._fresh[:MAX_CONSTANTS]
        for first in range(max(1, len(names)) if operator.introduces_constants else 1):
            self._apply_with(operator, known, second, iter((*names[first:], *names[:first])))

    def _apply_with(
        self, operator: Operator, known: Known, second: Expr | Known | None, names: Iterator[Symbol]
    ) -> None:
        """Applies an operator that gives constants of integration these names."""

        def draw_constant() -> Symbol:
            name = next(names, None)
            if name is None:
                raise OperatorError("there is no new name")
            return name

        operand = second.fact if isinstance(second, Known) else second
        made = consequence(operator, known.fact, operand, draw_constant, self._bounds.operations)
        if made is not None:
            sources = (known, second) if isinstance(second, Known) else (known,)
            cost = STEP_COST + FAR_FETCHED_COST * is_far_fetched(operator, known.fact, second)
            self._learn(Known(made, sources, cost + max(one.cost for one in sources)))
