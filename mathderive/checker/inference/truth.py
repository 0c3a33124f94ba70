"""Decides whether an equation is true in every model of the premises.

A premise that defines a name by an expression makes the name depend on the expression's names. A premise that defines
nothing is a condition: equations are then tested where it holds. The constant of an indefinite integral is open until
an equation gives the integral's value; while it is open, an equation is true if some constant makes it true.
`docs/validity.md` describes points and precision.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from sympy import Derivative, Expr, Integral, S, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.conditions import can_be_solved
from mathderive.checker.inference.constants import constants_exist
from mathderive.checker.inference.decisions import Decision, about_the_rest, explained
from mathderive.checker.inference.differential_equations import differential_equation
from mathderive.checker.inference.integral_values import IntegralValue, antiderivatives, values_in, without_plain_ends
from mathderive.checker.inference.integrals import derivative_by, factor_of, outer_integrals, standing_for
from mathderive.checker.inference.known_integrals import KnownIntegrals
from mathderive.checker.inference.rewriting import Sides, with_sums_joined, without_common_terms
from mathderive.checker.numeric.comparison import equal
from mathderive.checker.numeric.definitions import has_infinity, is_name
from mathderive.checker.numeric.evaluator import BudgetError, by_argument
from mathderive.checker.numeric.points import Stream
from mathderive.checker.numeric.taylor import UnsupportedError
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm
from mathderive.symbolic.parts import atoms_of

NOT_BY_DEFINITIONS = "not true by definitions alone"

NOT_EVERY_SOLUTION = "not true for every solution of a differential equation"

MAX_VALUES = 40
"""Number of values of integrals from which none is concluded from others."""

_INITIAL = re.compile(r"_\{?0\}?\Z")


@dataclass
class Context(KnownIntegrals):
    """The assumptions before an equation, and the values that earlier equations give integrals.

    Attributes:
        arguments: symbols that are arguments of functions in the prompt; equations about them are conditions.
        unresolved: premises that can be neither arranged nor tested.
        requested: the equations that the prompt asks for and that were not looked at yet; true ones name constants.
        premise_symbols: the symbols of the premises.
        asked_symbols: the symbols of the equations that the prompt asks for.
        doubtful: names that the prompt may mean as aliases of others.
    """

    arguments: frozenset[Symbol] = frozenset()
    unresolved: list[str] = field(default_factory=list)
    requested: list[Sides] = field(default_factory=list)
    premise_symbols: set[Symbol] = field(default_factory=set)
    asked_symbols: frozenset[Symbol] = frozenset()
    doubtful: set[Symbol] = field(default_factory=set)

    def copy(self) -> "Context":
        """The same assumptions; what is noted in one of them does not change the other."""
        return replace(
            self,
            definitions=self.definitions.copy(),
            conditions=[*self.conditions],
            unresolved=[*self.unresolved],
            integral_values=[*self.integral_values],
            requested=[*self.requested],
            premise_symbols={*self.premise_symbols},
            doubtful={*self.doubtful},
        )

    def move_to(self, stream: Stream) -> None:
        """Tests the next equations at the points of another stream."""
        self.stream, self.points = stream, None

    def take_premises(self, premises: Sequence[Sides]) -> None:
        """Notes the names that premises define; the other premises are differential equations or conditions."""
        self.points = None
        rest = [sides for sides in premises if not self._take_definition(sides)]
        solved: list[tuple[Expr, Expr]] = []
        for sides in rest:
            described = differential_equation(sides, self.definitions)
            if described is not None:
                self.definitions.differential[described[0]] = described[1]
            elif (found := self._solve(sides)) is not None:
                solved.append(found)
            elif equal(*sides, self.definitions, self.stream):
                continue  # an identity restricts nothing
            elif can_be_solved(sides, self.definitions):
                self.conditions.append(sides)
            else:
                self.unresolved.append("a premise that defines nothing")
        for name, divisor in solved if len(rest) > 1 else ():  # the others may make a divisor zero
            if not self._is_nonzero(divisor):
                self.definitions.forget(name)
                self.unresolved.append("a premise that defines nothing where another one holds")

    def _take_definition(self, sides: Sides) -> bool:
        """Notes the name that a premise gives by an expression; returns False if it gives none."""
        self.premise_symbols |= atoms_of(sides[0], Symbol) | atoms_of(sides[1], Symbol)
        for name, body in (sides, sides[::-1]):
            if self._can_define(name, body):
                self.definitions.define(name, body)
                return True
        return False

    def _solve(self, sides: Sides) -> tuple[Expr, Expr] | None:
        """Notes the name that a premise is solved for; returns it and its factor, or None if there is no such name.

        The premise has to be linear in the name. `cos(x) = cos(y)` does not say `x = y`.
        """
        if sides[0].has(Derivative) or sides[1].has(Derivative):
            return None
        for side, other in (sides, sides[::-1]):
            # Turned around, an equation of functions would define their argument.
            names = atoms_of(side, AppliedUndef) or (set() if other.has(AppliedUndef) else side.free_symbols)
            for name in sorted(names, key=str):
                factor = factor_of(name, side) if is_name(name) and not other.has(name) else None
                if factor is None or not self._is_nonzero(factor):
                    continue
                body = standing_for(name, side, other)
                if body is not None and self._can_define(name, body):
                    self.definitions.define(name, body)
                    return name, factor
        return None

    def _is_nonzero(self, factor: Expr) -> bool:
        """Whether an expression is nowhere zero where the premises hold; nothing is known of opaque terms."""
        if factor.is_number:
            return bool(factor != 0)
        return not factor.has(OpaqueTerm) and self.is_zero(factor) is False

    def _can_define(self, name: Expr, body: Expr) -> bool:
        """Whether an equation can be the definition of a name."""
        if not is_name(name) or self.definitions.has(name) or name in self.arguments:
            return False
        if has_infinity(body):
            return False
        if isinstance(name, Symbol) and _INITIAL.search(name.name) and body.has(Derivative):
            return False  # the value at the beginning is no function
        return not any(self.definitions.rests_on(part, name) for part in self.foundation(body))

    def take_equation(self, sides: Sides, requested: bool = False) -> None:
        """Notes the values that a true equation gives indefinite integrals."""
        sides = without_plain_ends(self.definitions.unfolded(sides), self.definitions, self.stream)
        if not any(map(self.definitions.has_integral, sides)):
            return
        before = len(self.integral_values)
        # Functions may hide what is common to both sides; replacing them takes longer.
        values = values_in(sides) or values_in(self.definitions.unfolded(sides, everything=True))
        for integral, value in values:
            self._take_value(integral, value, requested)
        if len(self.integral_values) == before:
            joined = self.with_integrals_joined(sides)
            for integral, value in values_in(joined) if joined != sides else ():
                self._take_value(integral, value, requested)

    def take_evaluation(self, before: Sides, after: Sides, nested: bool = False) -> None:
        """Notes the values that a step which evaluates integrals gives them, also inside other expressions.

        Args:
            nested: whether integrals with integrals inside are tried, which takes long.
        """
        names = before[0].free_symbols | before[1].free_symbols
        pairs = (*zip(before, after, strict=True), *zip(self.definitions.unfolded(before), after, strict=True))
        for left, right in dict.fromkeys(pairs):
            for integral in sorted(atoms_of(left, Integral), key=str):
                if len(integral.limits) > 1 or len(integral.limits[0]) > 1:
                    continue
                if integral.function.has(Integral) and not nested:
                    continue
                value = standing_for(integral, left, right)
                if value is None:
                    value = self._value_everywhere(integral, left, right)
                if value is None or not value.free_symbols - names:
                    continue
                if not self.definitions.has_integral(value):
                    self._take_value(integral, value, requested=False)

    def _value_everywhere(self, integral: Integral, before: Expr, after: Expr) -> Expr | None:
        """The antiderivative, with a new name as its constant, that stands wherever the integral stood."""
        fresh = sorted(after.free_symbols - before.free_symbols, key=str)
        values = antiderivatives([integral] if fresh else [], self.definitions).values()
        candidates = (value + constant for value in values for constant in fresh)
        return next((one for one in candidates if self.same(before.xreplace({integral: one}), after)), None)

    def _take_value(self, integral: Integral, value: Expr, requested: bool) -> None:
        """Notes that an integral has a value, if the value is an antiderivative."""
        integral = by_argument(integral)
        known = self.values_of(integral)
        if any(one.value == value and one.requested == requested for one in known):
            return
        if self.leads_to(value, integral):
            return
        slope = derivative_by(value, integral)
        if not self.same(slope, integral.function):
            # An integral inside is taken to have a constant that does not depend on this variable.
            is_nested = any(one.function.has(Integral) for one in atoms_of(integral.function, Integral))
            may_hold = value.has(Integral) and not is_nested
            if not may_hold or not self.decide_strictly((slope, integral.function), ()).holds:
                inside = self.definitions.unfolded((integral.function, S.Zero))
                inner = {} if known else self.inner_values(outer_integrals(inside[0]))
                if not inner or not self.same(slope, inside[0].xreplace(inner)):
                    return
                # The constants of the integrals inside were left out, so they are zero.
                for part, body in inner.items():
                    self.integral_values.append(IntegralValue(part, body, frozenset(), requested))
        constants = frozenset(value.free_symbols - integral.function.free_symbols)
        new = IntegralValue(integral, value, constants, requested)
        self._identify(new, known)
        said = [] if requested else [one.value for one in known if not one.requested]
        # An equation multiplied by zero, say, or of cosines, is true for other values as well.
        if any(self.decide_strictly((value, one), ()).holds is False for one in said):
            return
        self.integral_values.append(new)
        for one in said if len(self.integral_values) < MAX_VALUES else ():
            self.take_equation((one, value))  # two values of one integral say something of the integrals in them

    def _identify(self, new: IntegralValue, known: Sequence[IntegralValue]) -> None:
        """Ties the constants of one integral to each other, but not to those of other integrals as the prompt asks."""
        for one in known:
            if one.requested and self.definitions.has_integral(one.value):
                continue
            for name in sorted(new.constants - one.constants - self.premise_symbols, key=str):
                body = standing_for(name, new.value, one.value)
                if body is not None and self._can_define(name, body):
                    self.definitions.define(name, self._simplest(body))
                    return

    def _simplest(self, body: Expr) -> Expr:
        """0 or the name that an expression equals, or the expression."""
        simple = [S.Zero, *sorted(body.free_symbols, key=str)]
        return next((one for one in simple if equal(body, one, self.definitions, self.stream, True)), body)

    def _tie(self, name: Symbol, body: Expr) -> None:
        """Makes a constant stand for an expression, or gives the integral in the expression its value."""
        before = len(self.integral_values)
        simplest = self._simplest(body)
        if self.definitions.has_integral(simplest):
            self.take_equation((name, body))
        if len(self.integral_values) == before:
            self.definitions.define(name, simplest)

    def tie_constant(self, sides: Sides, fresh: Collection[Symbol], variables: Collection[Symbol]) -> None:
        """Ties the new constant of an integral to the constant that the integral has already.

        Args:
            variables: the variables of integration, which a constant does not depend on.
        """
        whole = self.definitions.unfolded(sides, everything=True)
        for side, other in dict.fromkeys((sides, sides[::-1], whole, whole[::-1])):
            for name in sorted(set(fresh) & side.free_symbols, key=str):
                body = standing_for(name, side, other)
                if body is None or not self._can_define(name, body):
                    continue
                slopes = (Derivative(body, variable, evaluate=False) for variable in variables)
                if all(self.decide_strictly((slope, S.Zero), ()).holds for slope in slopes):
                    self._tie(name, body)
                    return
        for name in sorted(set(fresh) & (sides[0].free_symbols | sides[1].free_symbols), key=str):
            for known in self.integral_values:
                for other in sorted(known.constants, key=str):
                    tied = (sides[0].xreplace({name: other}), sides[1].xreplace({name: other}))
                    if known.integral.variables[0] in variables and self.decide_strictly(tied, ()).holds:
                        self.definitions.alias(name, other)
                        return

    def take_requested(self) -> bool:
        """Notes the integrals' values in those equations of the prompt that are true; says whether it found any."""
        wanted, self.requested = self.requested, []
        before = len(self.integral_values)
        for equation in wanted:
            if self.has_integral(equation):
                names = frozenset().union(*(side.free_symbols for side in equation)) - self.premise_symbols
                if self.decide_strictly(equation, names).holds:
                    self.take_equation(equation, requested=True)
        return len(self.integral_values) > before

    def decide(self, sides: Sides, fresh: Collection[Symbol]) -> Decision:
        """Whether an equation is true; one that is false only as names and constants are understood is undecided.

        Args:
            fresh: names that neither a premise nor an earlier equation has.
        """
        decision = self.decide_strictly(sides, fresh)
        if decision.holds is not False:
            return decision
        if self.unresolved:
            return Decision(None, f"{NOT_BY_DEFINITIONS}; there is {self.unresolved[0]}")
        if any(map(self.definitions.rests_on_differential_equation, sides)):
            return Decision(None, NOT_EVERY_SOLUTION)
        if self._holds_for_another_constant(sides, fresh):
            return Decision(None, "true for another constant of integration than an earlier equation has")
        # The prompt may give one constant of integration two names; that is neither shown nor refuted.
        names = sides[0].free_symbols | sides[1].free_symbols
        for name in sorted((self.doubtful | (self.asked_symbols - self.premise_symbols)) & names, key=str):
            for other in sorted(names.union(*(one.constants for one in self.integral_values)), key=str):
                if other == name or other in self.premise_symbols:
                    continue
                if self.decide_strictly((sides[0].xreplace({name: other}), sides[1].xreplace({name: other})), ()).holds:
                    self.doubtful.add(name)
                    return Decision(None, f"true only if ${latex(name)}$ and ${latex(other)}$ are one constant")
        return decision

    def _holds_for_another_constant(self, sides: Sides, fresh: Collection[Symbol]) -> bool:
        """Whether an equation is true if integrals that an equation gives a value without a constant have one."""
        loose = {by_argument(one.integral) for one in self.integral_values if not one.constants}
        if not loose or not self.has_integral(sides):
            return False
        try:
            values = {integral: value for integral, value in self.said().items() if integral not in loose}
            return bool(self._with_values(sides, fresh, values).holds)
        except (BudgetError, UnsupportedError):
            return False

    def decide_strictly(self, sides: Sides, fresh: Collection[Symbol]) -> Decision:
        """Whether an equation is true, without a search for what may excuse a false one."""
        if any(map(has_infinity, sides)):
            return Decision(None, "infinity is no number")
        given, sides = sides, without_common_terms(sides)
        names, said = sides[0].free_symbols | sides[1].free_symbols, self.said()
        wished = {one.integral: one.value for one in self.integral_values if one.requested and one.constants & names}
        try:
            first = self._with_values(sides, fresh, said)
            if first.holds is not True and wished:
                other = self._with_values(sides, fresh, {**wished, **said})
                first = other if other.holds else first
            if first.holds is False and fresh and said and self.has_integral(sides):
                again = self._open(sides, fresh, {})
                first = again if again.holds is not False else first
            return first if sides == given else about_the_rest(first)
        except (BudgetError, UnsupportedError) as error:
            return Decision(None, str(error))

    def _with_values(self, sides: Sides, fresh: Collection[Symbol], values: Mapping[Integral, Expr]) -> Decision:
        """Decides with these values of integrals; other integrals are open."""
        comparer = self.comparer()
        same = comparer.compare(*sides, values, random_constants=True)
        if not comparer.met_open_constant:
            return explained(sides, same, self.definitions, values)
        if not same.holds:
            joined = with_sums_joined(sides, lambda one: not self.values_of(one))
            if joined != sides:
                same = comparer.compare(joined[0], joined[1], values, random_constants=True)
        if same.holds:
            return Decision(True, on_every_branch=same.on_every_branch)
        if same.depends_on_point:
            return Decision(None, "whether it is true depends on a constant of integration")
        return self._open(sides, fresh, values)

    def _open(self, sides: Sides, fresh: Collection[Symbol], values: Mapping[Integral, Expr]) -> Decision:
        """Decides an equation with open constants of integration."""
        if self.conditions:
            return Decision(None, "a constant of integration under a condition")
        unfolded = self.definitions.unfolded(sides)
        nested = [part for side in unfolded for one in outer_integrals(side) for part in outer_integrals(one.function)]
        inner = self.inner_values(list(dict.fromkeys(nested)))
        if inner and self._with_values((unfolded[0].xreplace(inner), unfolded[1].xreplace(inner)), fresh, values).holds:
            return Decision(True)  # if the integrals inside others have constants that are zero
        inside: set[Symbol] = set()
        for side in unfolded:
            for integral in atoms_of(side, Integral):
                inside |= self.definitions.symbols_under(integral)
        names = {name for side in unfolded for name in self.definitions.symbols_under(side)}
        names |= {name for one in self.integral_values if not one.requested for name in one.constants}
        fixed = sorted((n for n in names - inside - set(fresh) if not self.definitions.has(n)), key=str)
        # More is common to both sides where functions are replaced by what they stand for.
        versions = dict.fromkeys((unfolded, self.definitions.unfolded(unfolded, everything=True)))
        for iterates, version in product((False, True), versions):
            found = constants_exist(version, self.definitions, self.stream, values, fixed, iterates)
            if found is not None:
                break
        if found:
            return Decision(True)
        if found is None:
            return Decision(None, "no constant of integration was found that makes it true")
        if fixed and constants_exist(unfolded, self.definitions, self.stream, values) is not False:
            return Decision(None, "a constant of integration would have to be a name that is in use")
        shown_at = explained(
            sides, self.comparer().compare(*sides, values, random_constants=True), self.definitions, values
        )
        reason = f"whatever the constants of integration; {shown_at.reason}"
        return Decision(False, reason, shown_at.counterexample)
