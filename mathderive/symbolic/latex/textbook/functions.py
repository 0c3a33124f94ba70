"""The values of functions, powers, roots and factorials in textbook notation."""

from sympy import Abs, Expr, Pow, S, exp, factorial, log

from mathderive.symbolic.bounds import check_exponential, check_power
from mathderive.symbolic.latex.lexer import LatexError
from mathderive.symbolic.latex.textbook.building import BuilderBase
from mathderive.symbolic.latex.textbook.nodes import Node, node
from mathderive.symbolic.latex.textbook.opaque import Value, atom, multiply, rendered, scalar
from mathderive.symbolic.srepr import apply_function

MAX_FACTORIAL = 100
"""Maximum number whose factorial is computed."""

MAX_REPEATED = 6
"""Maximum power of a term that does not commute which is written out."""


class FunctionBuilder(BuilderBase):
    """The values of functions; a function of opaque terms is opaque."""

    def opaque_function(self, text: str, *values: Value) -> Value:
        """A function of opaque terms, which is opaque."""
        inside = ",".join(map(rendered, values))
        return atom(f"{text}({inside})", is_scalar=not any(value.words for value in values))

    def is_hidden(self, value: Value) -> bool:
        """Whether a value holds opaque terms or names tied to them, of whose signs nothing is known."""
        return value.is_opaque or any(symbol.name in self.names.opaque for symbol in value.scalar.free_symbols)

    def build_function(self, name: str, argument: Node) -> Value:
        value = self.build(argument)
        if self.is_hidden(value):
            return self.opaque_function(rf"\{name}", value)
        if name == "exp":
            return scalar(self.power(S.Exp1, value.scalar))
        if name == "lg":
            return scalar(log(value.scalar) / log(10))
        return scalar(apply_function(name, [value.scalar]))

    def build_logarithm(self, name: str, base: Node, argument: Node) -> Value:
        below, value = self.build(base), self.build(argument)
        if name not in ("log", "lg") or below.is_opaque or value.is_opaque:
            return self.opaque_function(rf"\{name}", below, value)
        return scalar(apply_function("log", [value.scalar]) / apply_function("log", [below.scalar]))

    def build_power(self, base: Node, exponent: Node) -> Value:
        if base.kind == "nabla":
            return self.build(node("nabla", exponent))
        return self.raised(self.build(base), self.build(exponent))

    def raised(self, base: Value, exponent: Value) -> Value:
        power = exponent.scalar
        if base.words and not exponent.is_opaque and power.is_Integer and 0 < int(power) <= MAX_REPEATED:
            result = base
            for _ in range(int(power) - 1):
                result = self.dotted(result, base) if int(power) == 2 else multiply(result, base)
            return result
        if base.words or exponent.is_opaque or (not power.is_Integer and self.is_hidden(base)):
            if base.scalar == S.Exp1 and not base.words:
                return self.opaque_function(r"\exp", exponent)
            return self.opaque_function("^", base, exponent)
        return scalar(self.power(base.scalar, power))

    def power(self, base: Expr, exponent: Expr) -> Expr:
        if base is S.Exp1:
            check_exponential(exponent)
            return exp(exponent)
        check_power(base, exponent)
        return Pow(base, exponent)

    def build_root(self, radicand: Node, degree: Node) -> Value:
        inverse = self.raised(self.build(degree), scalar(S.NegativeOne))
        return self.raised(self.build(radicand), inverse)

    def build_factorial(self, argument: Node) -> Value:
        value = self.build(argument)
        if value.is_opaque:
            return self.opaque_function("!", value)
        return scalar(self.factorial(value.scalar))

    def factorial(self, argument: Expr) -> Expr:
        if argument.is_number and not (argument.is_Integer and 0 <= int(argument) <= MAX_FACTORIAL):
            raise LatexError("the factorial of a number that is no small natural one")
        return factorial(argument)

    def build_binomial(self, upper: Node, lower: Node) -> Value:
        n, k = self.build(upper), self.build(lower)
        if n.is_opaque or k.is_opaque:
            return self.opaque_function("binom", n, k)
        parts = [self.factorial(part) for part in (n.scalar, k.scalar, n.scalar - k.scalar)]
        return scalar(parts[0] / (parts[1] * parts[2]))

    def build_abs(self, inside: Node) -> Value:
        value = self.build(inside)
        if self.is_hidden(value):
            return atom(f"|{rendered(value)}|", is_scalar=True)
        return scalar(apply_function("Abs", [value.scalar]) if value.scalar.is_number else Abs(value.scalar))
