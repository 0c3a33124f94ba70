"""Judges one equation against everything that is known before it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from itertools import islice, pairwise, product

from sympy import Expr, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.confirmation import is_confirmed
from mathderive.checker.inference.decisions import Decision
from mathderive.checker.inference.facts import Fact
from mathderive.checker.inference.integrals import outer_integrals
from mathderive.checker.inference.matching import Justification, enough_justifications, justifications
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.inference.textbook_rules.identities import Identities, parts_as_names
from mathderive.checker.inference.textbook_rules.proving import Rewriting, is_law, names_that_may_be_zero, proofs
from mathderive.checker.inference.textbook_rules.question import StepQuestion
from mathderive.checker.inference.textbook_rules.series import first_terms
from mathderive.checker.inference.textbook_rules.steps import is_allowed, textbook_steps
from mathderive.checker.inference.truth import Context
from mathderive.checker.judgement import ORDER, Judgement
from mathderive.checker.numeric.branches import values_on_other_branches
from mathderive.checker.numeric.definitions import is_name
from mathderive.checker.numeric.evaluator import BudgetError
from mathderive.checker.numeric.points import Stream
from mathderive.checker.reading.equations import Chain
from mathderive.checker.reasons import sentence
from mathderive.checker.verdicts import TRUE
from mathderive.records import Rules
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm
from mathderive.symbolic.names import name_of, names_of
from mathderive.symbolic.parts import atoms_of

MAX_CHOICES = 16
"""Maximum number of combinations of justifications of a chain's links."""

_MARK = re.compile(r"\^|prime|dot|dagger|hat|\*")

NEW_NAME = "a new name for an expression"

NO_OPERATOR = "true, but no single operator gives it"

NO_RULE = "true, but no single step gives it"


class Knowledge:
    """The premises, the equations that the prompt asks for, and the names in use."""

    def __init__(
        self,
        given: Sequence[Sequence[Fact]],
        asked: Sequence[Fact],
        stream: Stream,
        closed: Mapping[OpaqueTerm, Expr] | None = None,
        rules: Rules = "paper",
    ) -> None:
        """
        Args:
            given: the equations of every premise; none for a premise that cannot be read.
            asked: the equations that the prompt asks for.
            stream: the points at which premises are compared.
            closed: terms that stand for an expression.
            rules: the steps that count as one.
        """
        self.given = given
        self._rules = rules
        self._closed: dict[OpaqueTerm, Expr] = {}
        premises = [fact for facts in given for fact in facts]
        self.context = Context(stream, arguments=_arguments([*premises, *asked]))
        self.define(closed or {})
        self.context.take_premises([fact.sides for fact in premises])
        self.context.requested += [fact.sides for fact in asked]
        self.context.asked_symbols = frozenset().union(*(fact.symbols for fact in asked))
        self._asked_names = frozenset().union(*map(_names, asked))
        self._used: set[Symbol] = set()
        self._used_names: set[str] = set()
        self.use(premises)
        self._premise_names = frozenset(self._used_names)

    def copy(self) -> "Knowledge":
        """The same knowledge; what one of them learns the other does not."""
        other = copy(self)
        other.context = self.context.copy()
        other._used, other._used_names, other._closed = {*self._used}, {*self._used_names}, {**self._closed}
        return other

    @property
    def symbols(self) -> frozenset[Symbol]:
        """All symbols of the prompt and of the equations so far."""
        return self.context.asked_symbols | self._used

    @property
    def names(self) -> set[str]:
        """The names of the premises and of the equations so far."""
        return self._used_names

    @property
    def names_of_goals(self) -> frozenset[str]:
        """The names that the prompt only asks about, and that no equation has defined."""
        defined = {name_of(name) for name in self.context.definitions.exact}
        return self._asked_names - self._premise_names - defined

    def define(self, closed: Mapping[OpaqueTerm, Expr]) -> None:
        """Notes the expressions that terms stand for."""
        self._closed |= closed
        for term, body in closed.items():
            self.context.definitions.define(term, body)

    def use(self, facts: Collection[Fact]) -> None:
        """Notes the names of equations, which are no longer new."""
        for fact in facts:
            self._used |= fact.symbols
            self._used_names |= _names(fact)

    def learn(self, judgement: Judgement, stated: Sequence[Fact], facts: Sequence[Fact]) -> None:
        """Notes the values that a true equation gives integrals.

        Args:
            stated: the equation, in every reading in which it is true.
            facts: the equations that it follows from.
        """
        for new in stated:
            self.context.take_equation(new.sides)
        self._learn_evaluation(judgement.justifications, stated, facts)

    def _learn_evaluation(
        self, found: Sequence[Justification], stated: Sequence[Fact], facts: Sequence[Fact], nested: bool = False
    ) -> bool:
        """Notes the values that integrals get where a step evaluates them; says whether there were any."""
        steps = {step for one in found if one.operator == "evaluate_integrals" for step in one.steps[:1]}
        before = len(self.context.integral_values)
        for new, fact in product(stated, facts):
            if fact.number in steps:
                self.context.take_evaluation(fact.sides, new.sides, nested)
                self.context.take_evaluation(fact.sides, new.mirrored().sides, nested)
        return len(self.context.integral_values) > before

    def _definition(self, new: Fact, facts: Sequence[Fact]) -> Judgement | None:
        """Judges a definition of a new name; it is a renaming premise if the expression has occurred."""
        known = [*facts, *(fact for given in self.given for fact in given)]
        used = self._asked_names | self._used_names
        for name, body in (new.sides, new.sides[::-1]):
            if (
                not is_name(name)
                or isinstance(name, OpaqueTerm)
                or name_of(name) in used | names_of(body)
                or body.is_number
                or self._is_in_opaque_term(name)
            ):
                continue
            of_function = isinstance(name, AppliedUndef)
            if of_function and set(name.args) != body.free_symbols:
                continue
            self.context.take_premises([(name, body)])
            if of_function and any(body in fact.parts for fact in known):
                renaming = Justification("renaming_premise", (body,), ())
                return Judgement("valid", sentence(renaming), (renaming,))
            if self._rules == "textbook" and self._is_plain(name):
                return Judgement("valid", NEW_NAME, (Justification("new_name", (name,), ()),))
            return Judgement("skipped", NEW_NAME)
        return None

    def _is_in_opaque_term(self, name: Expr) -> bool:
        """Whether a name may be in a term that was not read, such as an inequality about it."""
        return any(isinstance(one, OpaqueTerm) and str(name_of(name)) in one.name for one in self.symbols)

    def _is_plain(self, name: Expr) -> bool:
        """Whether a name has no prime or other mark, and no term that cannot be evaluated may hold it."""
        has_opaque = any(isinstance(one, OpaqueTerm) for one in self.symbols)
        return not has_opaque and _MARK.search(str(name_of(name))) is None

    def judge_chain(
        self, number: int, chain: Chain, facts: Sequence[Fact], verified: Collection[int] | None = None
    ) -> Judgement:
        """Judges an equation; in a chain, each side is compared with the one before it and with the first.

        Args:
            facts: the equations that it may follow from.
            verified: as in `judge`.
        """
        if len(chain) == 2:
            return self.judge(Fact(number, *chain), facts, verified)
        found: list[Judgement] = []
        own = None if verified is None else {*verified, number}
        for position in range(1, len(chain)):
            pair = [
                self._link(Fact(number, chain[earlier], chain[position]), facts, own) for earlier in {position - 1, 0}
            ]
            found.append(max(pair, key=lambda link: ORDER.index(link.truth)))
            if found[-1].truth in TRUE:
                facts = [*facts, *links(number, chain[: position + 1])]
        worst = min(found, key=lambda link: ORDER.index(link.truth))
        if worst.truth != "valid":
            return worst
        # Every link is valid or a premise, so the chain rests on everything that its links rest on.
        choices = product(*(link.justifications for link in found if link.justifications))
        together = [
            replace(chosen[0], steps=tuple(sorted({step for part in chosen for step in part.steps} - {number})))
            for chosen in islice(choices, MAX_CHOICES)
        ]
        return replace(worst, justifications=tuple(together))

    def _link(self, new: Fact, facts: Sequence[Fact], verified: Collection[int] | None) -> Judgement:
        """Judges one link of a chain."""
        if any(fact.says(new) for given in self.given for fact in given):
            return Judgement("premise", "given")
        return self.judge(new, facts, verified)

    def judge(self, new: Fact, facts: Sequence[Fact], verified: Collection[int] | None = None) -> Judgement:
        """Judges an equation: first whether it is true, then whether an operator derives it.

        Args:
            verified: the numbers of equations. An operator that derives it from these alone is enough, except where new
                names may be constants of integration. None for all operators, the plainest first.
        """
        if new.lhs == new.rhs:
            return Judgement("skipped", "both sides are the same")
        definition = self._definition(new, facts)
        if definition is not None:
            return definition
        # A term that cannot be evaluated is neither a constant nor a new name.
        fresh = frozenset(one for one in new.symbols - self._used if not isinstance(one, OpaqueTerm))
        decision = self.context.decide(new.sides, fresh)
        if not decision.holds and self.context.take_requested():
            decision = self.context.decide(new.sides, fresh)
        if not decision.holds and fresh:
            decision = self._decide_with_constants(new, facts, fresh) or decision
        known = decision.on_every_branch and not self.context.conditions
        if decision.holds and not known and not self._holds_on_every_branch(new.sides, fresh):
            decision = Decision(None, "it is true at some points and false at others")
        if decision.holds is False:
            return Judgement("incorrect", decision.reason, sources=None, counterexample=decision.counterexample)
        if decision.holds is None:
            return Judgement("undecided", decision.reason, sources=None)
        found = self._justifications(new, facts, None if fresh else verified)
        if found:
            return Judgement("valid", sentence(found[0]), tuple(found))
        if self._rules == "paper":
            return Judgement("skipped", NO_OPERATOR, sources=None)
        found = textbook_steps(self._question(new, facts))
        if found:
            return Judgement("valid", sentence(found[0]), tuple(found))
        return Judgement("skipped", NO_RULE, sources=None)

    def _justifications(
        self, new: Fact, facts: Sequence[Fact], verified: Collection[int] | None
    ) -> list[Justification]:
        """The operators that derive an equation, or one of them if that is enough."""
        used = frozenset(self._used)
        confirms = cache(lambda one: is_confirmed(one, new, facts, self.context.stream.key, self.context.is_zero))
        if verified is None:
            return list(filter(confirms, justifications(new, facts, used)))

        def is_enough(one: Justification) -> bool:
            return one.plain and all(step in verified for step in one.steps) and confirms(one)

        return list(filter(confirms, enough_justifications(new, facts, used, is_enough)))

    def _question(self, new: Fact, facts: Sequence[Fact], proves: bool = False) -> StepQuestion:
        """The question that the textbook rules answer.

        Args:
            proves: whether the equation is not known to be true.
        """
        symbols = new.symbols.union(*(fact.symbols for fact in facts))
        defined = {name for name in self.context.definitions.exact if isinstance(name, Symbol)}
        identities = Identities(
            self.context.stream, defined, symbols, self._closed, proves, self._tied_names if proves else ()
        )
        fresh = new.symbols.difference(self._used, *(fact.symbols for fact in facts))

        def is_nonzero(divisor: Expr) -> bool:
            return self.context.is_zero(divisor) is False

        return StepQuestion(new, facts, frozenset(fresh), identities, is_nonzero)

    @property
    def _tied_names(self) -> set[Symbol]:
        """The names in premises about functions that define nothing; they may depend on the functions' variables."""
        exact, found = self.context.definitions.exact, set[Symbol]()
        for fact in (fact for given in self.given for fact in given):
            if exact.get(fact.lhs) == fact.rhs or exact.get(fact.rhs) == fact.lhs:
                continue
            (left, right), parts = parts_as_names(*fact.sides)
            if parts:
                found |= (left.free_symbols | right.free_symbols) - parts.keys()
        return found - self.context.arguments

    def prove(
        self,
        new: Fact,
        facts: Sequence[Fact],
        laws: Collection[int],
        rewritings: Iterator[Rewriting],
    ) -> Judgement | None:
        """Proves an equation that could not be tested, from true ones by a textbook rule; None where that fails.

        Args:
            facts: true equations.
            laws: the numbers of those that follow from laws alone.
            rewritings: further equations that follow from true ones.
        """
        begun = first_terms(new, self.context.definitions)
        if begun is not None:
            return Judgement("valid", sentence(begun), (begun,))
        known = [fact for given in self.given for fact in given] + [*facts]
        definitions, conditions = self.context.definitions, self.context.conditions
        restricted = {name for name in definitions.exact if isinstance(name, Symbol)}
        restricted |= names_that_may_be_zero([fact.sides for fact in known])
        restricted |= {name for sides in conditions for side in sides for name in definitions.symbols_under(side)}
        question = self._question(new, facts, proves=True)
        question = replace(question, is_law=lambda fact: fact.number in laws and self.is_law(fact))
        found = [step for step in proofs(question, rewritings, restricted) if is_allowed(step, question)]
        return Judgement("valid", sentence(found[0]), tuple(found)) if found else None

    def is_law(self, fact: Fact) -> bool:
        """Whether an equation says something about functions everywhere."""
        if fact.sides in self.context.conditions or fact.sides[::-1] in self.context.conditions:
            return False
        return is_law(fact.sides, self.context.definitions.exact)

    def _holds_on_every_branch(self, sides: Sides, fresh: frozenset[Symbol]) -> bool:
        """Whether an equation that is true at the usual points is not false where other branches of functions hold."""
        context = self.context.copy()
        here = context.stream
        restricted = {symbol for pair in context.conditions for side in pair for symbol in side.free_symbols}
        try:
            for values in values_on_other_branches(sides, context.definitions, here, restricted):
                context.move_to(replace(here, values=values))
                if context.decide_strictly(sides, fresh).holds is False:
                    return False
        except BudgetError:
            return False
        return True

    def _decide_with_constants(self, new: Fact, facts: Sequence[Fact], fresh: frozenset[Symbol]) -> Decision | None:
        """Decides an equation that evaluates integrals, whose new names are their constants; None for others."""
        found = justifications(new, facts, frozenset(self._used))
        decision = (
            self.context.decide(new.sides, ()) if self._learn_evaluation(found, [new], facts, nested=True) else None
        )
        if decision is not None and decision.holds:
            return decision
        steps = {step for one in found if one.operator == "evaluate_integrals" for step in one.steps[:1]}
        limits = {
            limit
            for fact in facts
            if fact.number in steps
            for side in fact.sides
            for integral in outer_integrals(side, bounded=True)
            for limit in integral.limits
        }
        # A definite integral brings no constant.
        if not limits or any(len(limit) > 2 for limit in limits):
            return decision
        # The constant of an integral up to an end depends on neither its variable nor its end.
        variables = {symbol for limit in limits for part in limit for symbol in part.free_symbols}
        self.context.tie_constant(new.sides, fresh, variables)
        return self.context.decide(new.sides, ())


def links(number: int, chain: Chain) -> list[Fact]:
    """The equations in a chain: each side with the next, and the first with the last."""
    pairs = list(pairwise(chain))
    if len(chain) > 2:
        pairs.append((chain[0], chain[-1]))
    return [Fact(number, *pair) for pair in pairs]


def _arguments(facts: Sequence[Fact]) -> frozenset[Symbol]:
    """The symbols that are arguments of functions, or that are integrated by: variables, not names for expressions."""
    found: set[object] = set()
    for fact in facts:
        for application in atoms_of(fact.equation, AppliedUndef):
            found |= set(application.args)
        for integral in atoms_of(fact.equation, Integral):
            found |= {limit[0] for limit in integral.limits}
    return frozenset(part for part in found if isinstance(part, Symbol))


def _names(fact: Fact) -> frozenset[str]:
    return names_of(fact.lhs) | names_of(fact.rhs)
