"""The one place that tells the kinds of expressions apart for numeric evaluation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from sympy import Add, Derivative, Expr, Integral, Mul, Pow, S, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef
from sympy.core.numbers import NumberSymbol

V = TypeVar("V")
C = TypeVar("C")


class NodeEvaluator(ABC, Generic[V, C]):
    """Computes values of type V for expressions, in a scope of type C that is handed down to every part."""

    @abstractmethod
    def evaluate(self, node: Basic, scope: C) -> V:
        """The value of an expression; an implementation may look it up and calls `compute` otherwise."""

    @abstractmethod
    def add(self, terms: Sequence[V]) -> V: ...

    @abstractmethod
    def multiply(self, factors: Sequence[V]) -> V: ...

    @abstractmethod
    def power(self, base: V, exponent: V) -> V: ...

    @abstractmethod
    def number(self, node: Basic) -> V: ...

    @abstractmethod
    def symbol(self, node: Symbol, scope: C) -> V: ...

    @abstractmethod
    def derivative(self, node: Derivative, scope: C) -> V: ...

    @abstractmethod
    def integral(self, node: Integral, scope: C) -> V: ...

    @abstractmethod
    def application(self, node: AppliedUndef, scope: C) -> V:
        """The value of an undefined function of arguments."""

    @abstractmethod
    def function(self, node: Expr, scope: C) -> V:
        """The value of a known function, or of a constant that is no number."""

    def compute(self, node: Basic, scope: C) -> V:
        """The value of an expression from the values of its parts."""
        if isinstance(node, Add):
            return self.add([self.evaluate(part, scope) for part in node.args])
        if isinstance(node, Mul):
            return self.multiply([self.evaluate(part, scope) for part in node.args])
        if isinstance(node, Pow):
            return self.power(self.evaluate(node.base, scope), self.evaluate(node.exp, scope))
        if node.is_Number or isinstance(node, NumberSymbol) or node is S.ImaginaryUnit:
            return self.number(node)
        if isinstance(node, Symbol):
            return self.symbol(node, scope)
        if isinstance(node, Derivative):
            return self.derivative(node, scope)
        if isinstance(node, Integral):
            return self.integral(node, scope)
        if isinstance(node, AppliedUndef):
            return self.application(node, scope)
        return self.function(node, scope)
