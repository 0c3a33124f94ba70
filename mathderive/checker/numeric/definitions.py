"""Definitions of names by premises and earlier equations."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from sympy import Expr, Integral, S, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.fast.integration import IntegralError, carry_out
from mathderive.symbolic.parts import atoms_of
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

MAX_UNFOLDED = 3
"""Maximum depth of definitions within definitions that are followed to find integrals."""


@dataclass(frozen=True)
class Definition:
    """The definition of a function of these parameters."""

    parameters: tuple[Symbol, ...]
    body: Expr


@dataclass(frozen=True)
class DifferentialEquation:
    """The derivative of a function of one variable, as an expression in the function and its lower derivatives."""

    variable: Symbol
    order: int
    body: Expr


@dataclass
class Definitions:
    """Definitions of names: of symbols, of functions, and of applications such as `f(0)` as written.

    Functions of one variable may have a differential equation instead.
    """

    exact: dict[Basic, Expr] = field(default_factory=dict)
    functions: dict[tuple[str, int], Definition] = field(default_factory=dict)
    differential: dict[str, DifferentialEquation] = field(default_factory=dict)

    def copy(self) -> "Definitions":
        """The same definitions; new ones in one of them leave the other as it is."""
        return Definitions({**self.exact}, {**self.functions}, {**self.differential})

    def define(self, name: Basic, body: Expr) -> None:
        """Adds a definition; the first one of a name stands."""
        if isinstance(name, AppliedUndef) and all(isinstance(part, Symbol) for part in name.args):
            self.functions.setdefault((name.func.__name__, len(name.args)), Definition(name.args, body))
        self.exact.setdefault(name, body)

    def forget(self, name: Basic) -> None:
        """Removes a definition."""
        del self.exact[name]
        if isinstance(name, AppliedUndef):
            self.functions.pop((name.func.__name__, len(name.args)), None)

    def alias(self, name: Symbol, other: Symbol) -> None:
        """Makes a name an alias of another."""
        self.exact[name] = other

    def root(self, name: Basic) -> Basic:
        """Follows aliases to the final symbol."""
        while isinstance(self.exact.get(name), Symbol):
            name = self.exact[name]
        return name

    def has(self, name: Basic) -> bool:
        """Whether the name has a definition."""
        if isinstance(name, AppliedUndef):
            return name in self.exact or (name.func.__name__, len(name.args)) in self.functions
        return name in self.exact

    def unfolded(self, sides: tuple[Expr, Expr], everything: bool = False) -> tuple[Expr, Expr]:
        """The sides with the integrals in place of functions that are defined as integrals.

        Args:
            everything: whether other functions are replaced by their definitions too.
        """
        for _ in range(MAX_UNFOLDED):
            bodies = {
                part: self.exact[part]
                for side in sides
                for part in atoms_of(side, AppliedUndef)
                if part in self.exact and (everything or self.has_integral(part))
            }
            if not bodies:
                break
            try:
                sides = (sides[0].xreplace(bodies), sides[1].xreplace(bodies))
            except SYMPY_ERRORS:
                break  # a derivative by such a function
        return sides

    def rests_on_differential_equation(self, expression: Basic) -> bool:
        """Whether a function with a differential equation is in an expression or in the definitions of its names."""
        return bool(self.differential) and any(
            one.func.__name__ in self.differential
            for part in self.closure(expression)
            for one in atoms_of(part, AppliedUndef)
        )

    def name_equal_to(self, expression: Expr) -> Symbol | None:
        """The name without definition that an expression equals by definitions and derivatives; None for others."""
        bodies = {part: self.exact[part] for part in atoms_of(expression, AppliedUndef) if part in self.exact}
        try:
            found = carry_out(expression.xreplace(bodies))
        except (IntegralError, TooLargeError, *SYMPY_ERRORS):
            return None
        return found if isinstance(found, Symbol) and not self.has(found) else None

    def symbols_under(self, expression: Basic) -> set[Symbol]:
        """The symbols in an expression and in the definitions of its names, without end."""
        return {name for part in self.closure(expression) for name in atoms_of(part, Symbol)}

    def rests_on(self, expression: Basic, name: Basic) -> bool:
        """Whether a name, or the function in it whatever its arguments are, is needed for an expression's value.

        Functions with different numbers of arguments are different functions.
        """
        if not isinstance(name, AppliedUndef):
            return name in self.symbols_under(expression)
        return any(
            one.func == name.func and len(one.args) == len(name.args)
            for part in self.closure(expression)
            for one in atoms_of(part, AppliedUndef)
        )

    def has_integral(self, expression: Basic) -> bool:
        """Whether an integral is in an expression or in the definitions of its names."""
        return any(part.has(Integral) for part in self.closure(expression))

    def integrals_under(self, expression: Basic) -> set[Integral]:
        """The integrals in an expression and in the definitions that it rests on."""
        return {part for one in self.closure(expression) for part in atoms_of(one, Integral)}

    def closure(self, expression: Basic) -> Iterator[Basic]:
        """An expression and the definitions that it rests on."""
        seen: set[Basic] = set()
        waiting = [expression]
        while waiting:
            part = waiting.pop()
            if part in seen:
                continue
            seen.add(part)
            yield part
            for name in atoms_of(part, Symbol, AppliedUndef):
                if name in self.exact:
                    waiting.append(self.exact[name])
                elif isinstance(name, AppliedUndef):
                    definition = self.functions.get((name.func.__name__, len(name.args)))
                    described = definition or self.differential.get(name.func.__name__)
                    if described is not None:
                        waiting.append(described.body)


@lru_cache(maxsize=20_000)
def has_infinity(expression: Expr) -> bool:
    """Whether an expression holds what is no number: an infinity or NaN."""
    return bool(expression.has(S.ComplexInfinity, S.Infinity, S.NegativeInfinity, S.NaN))


def is_name(expression: Expr) -> bool:
    """Whether the expression can be defined: a symbol, or an undefined function of distinct symbols."""
    if isinstance(expression, AppliedUndef):
        distinct = len(set(expression.args)) == len(expression.args)
        return distinct and all(isinstance(part, Symbol) for part in expression.args)
    return isinstance(expression, Symbol)
