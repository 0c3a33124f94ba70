"""Evaluates expressions on branches drawn at random, to show that an equation is true on every branch.

A branch of the logarithm differs from another by a constant, a branch of a power by a constant factor, and an absolute
value is its argument times a sign. Here these constants are random numbers. An equation of analytic functions that is
true for random constants is true for all of them, so nobody has to know where the branches are. The converse is false:
`sqrt(x**2)**2 = x**2` is true on every branch but not for random constants.
"""

from flint import acb
from sympy import Expr, Pow, Symbol
from sympy.core.basic import Basic

from mathderive.checker.numeric.branches import has_branch, is_positive
from mathderive.checker.numeric.evaluator import Evaluator, Scope
from mathderive.checker.numeric.functions import FUNCTIONS, exp, is_real
from mathderive.checker.numeric.taylor import UnsupportedError, Value, head

SHIFTED = ("log", "atan", "acot", "atanh", "Ei", "Ci")
"""Functions whose branches differ by constants, so that their derivative has no branches."""

TURNED = ("asin", "acos", "asinh", "acosh")
"""Functions whose branches differ by constants and in sign."""


class AnyBranchEvaluator(Evaluator):
    """Takes a random branch of every function that may leave its branch.

    The constants depend on the argument's value, so equal arguments have the same branch.
    """

    def compute(self, node: Basic, scope: Scope) -> Value:
        if isinstance(node, Pow) and self._may_leave(node, scope):
            base, exponent = self.evaluate(node.base, scope), self.evaluate(node.exp, scope)
            return self.power(base, exponent) * exp(exponent * self._constant_of("log", base))
        return super().compute(node, scope)

    def function(self, node: Expr, scope: Scope) -> Value:
        name = node.func.__name__
        if name not in FUNCTIONS or len(node.args) != 1 or not self._may_leave(node, scope):
            return super().function(node, scope)
        argument = self.evaluate(node.args[0], scope)
        if name in ("Abs", "sign"):
            if not is_real(head(argument)):
                raise UnsupportedError("the absolute value of a complex number has no branches")
            sign = self._constant_of("sign", argument)
            return argument * sign if name == "Abs" else sign
        value = super().function(node, scope)
        if name in SHIFTED:
            return value + self._constant_of(name, argument)
        if name in TURNED:
            return value * self._constant_of(f"sign of {name}", argument) + self._constant_of(name, argument)
        raise UnsupportedError(f"the branches of {name} are not known")

    def _may_leave(self, node: Expr, scope: Scope) -> bool:
        """Whether a function may leave its branch."""
        argument = node.args[0]
        if not has_branch(node):
            return False
        # The parameter of a function that is defined by an expression is no positive number.
        return not is_positive(argument, self.definitions) or any(
            name in scope.values and not head(scope.values[name]).overlaps(self._usual_value(name))
            for name in argument.free_symbols
        )

    def _usual_value(self, name: Symbol) -> acb:
        return head(self.evaluate(name, Scope({})))

    def _constant_of(self, kind: str, argument: Value) -> acb:
        """A random number that belongs to an argument's value."""
        return self.point.number_of(f"branch of {kind}", [head(argument)])
