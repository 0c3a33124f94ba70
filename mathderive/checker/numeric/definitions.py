"""Definitions of names by premises and earlier equations."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sympy import Expr, Integral, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef


@dataclass(frozen=True)
class Definition:
    """The definition of a function of these parameters."""

    parameters: tuple[Symbol, ...]
    body: Expr


@dataclass
class Definitions:
    """Definitions of names: of symbols, of functions, and of applications such as `f(0)` as written."""

    exact: dict[Basic, Expr] = field(default_factory=dict)
    functions: dict[tuple[str, int], Definition] = field(default_factory=dict)

    def define(self, name: Basic, body: Expr) -> None:
        """Adds a definition; the first one of a name stands."""
        if isinstance(name, AppliedUndef) and all(isinstance(part, Symbol) for part in name.args):
            self.functions.setdefault((name.func.__name__, len(name.args)), Definition(name.args, body))
        self.exact.setdefault(name, body)

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

    def names_under(self, expression: Basic) -> set[Basic]:
        """The symbols and functions in an expression and in the definitions of its names, without end."""
        found: set[Basic] = set()
        for part in self._closure(expression):
            found |= {
                name.func if isinstance(name, AppliedUndef) else name for name in part.atoms(Symbol, AppliedUndef)
            }
        return found

    def has_integral(self, expression: Basic) -> bool:
        """Whether an integral is in an expression or in the definitions of its names."""
        return any(part.has(Integral) for part in self._closure(expression))

    def rests_on(self, expression: Basic, part: Basic) -> bool:
        """Whether an expression, or a definition that it rests on, holds a part."""
        return any(one.has(part) for one in self._closure(expression))

    def _closure(self, expression: Basic) -> Iterator[Basic]:
        """An expression and the definitions that it rests on."""
        seen: set[Basic] = set()
        waiting = [expression]
        while waiting:
            part = waiting.pop()
            if part in seen:
                continue
            seen.add(part)
            yield part
            for name in part.atoms(Symbol, AppliedUndef):
                if name in self.exact:
                    waiting.append(self.exact[name])
                elif isinstance(name, AppliedUndef):
                    definition = self.functions.get((name.func.__name__, len(name.args)))
                    if definition is not None:
                        waiting.append(definition.body)
