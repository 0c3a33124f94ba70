r"""Gives the trees of textbook notation a meaning: expressions, with opaque terms for what cannot be evaluated.

Nothing is evaluated except by SymPy's constructors, and numbers are bounded as in `latex.parser`.
"""

from abc import ABC, abstractmethod
from fractions import Fraction

from sympy import Derivative, Expr, Integer, Integral, Rational, S, Symbol
from sympy.core.function import AppliedUndef

from mathderive.symbolic.latex.lexer import LatexError
from mathderive.symbolic.latex.parser import multiply_factors, vocabulary_name
from mathderive.symbolic.latex.textbook.names import Names
from mathderive.symbolic.latex.textbook.nodes import Entry, Node
from mathderive.symbolic.latex.textbook.opaque import (
    OpaqueTerm,
    Value,
    Word,
    add,
    atom,
    multiply,
    negative,
    rendered,
    scalar,
)
from mathderive.symbolic.names import function

_VECTOR_FONTS = (r"\vec{", r"\mathbf{", r"\boldsymbol{", r"\bm{", r"\pmb{")
_NAMED = {"E": S.Exp1, "oo": S.Infinity}


class OperatorNeededError(LatexError):
    """A derivative sign stands without an operand, so it is an operator, and what it acts on does not commute."""


class BuilderBase(ABC):
    """The values of names, sums and products.

    Attributes:
        sign: the sign that `\\pm` stands for.
        closed: opaque terms with a known value, such as sums with a closed form.
        extents: for the derivatives of the text, which of their possible operands each one takes.
        options: the numbers of possible operands that were met.
        has_infinity: whether an infinity is a part of a formula, not only a bound.
        is_doubtful: whether the text holds notation of which too little is known to refute it.
    """

    def __init__(
        self, names: Names, constants: dict[str, Expr], styles: frozenset[str], extents: tuple[int, ...]
    ) -> None:
        self.names = names
        self.constants = constants
        self.styles = styles
        self.extents = extents
        self.sign = 1
        self.closed: dict[OpaqueTerm, Expr] = {}
        self.options: list[int] = []
        self._open: set[str] = set()
        self.is_doubtful = False
        self.has_infinity = False

    def build(self, tree: Node) -> Value:
        return getattr(self, f"build_{tree.kind}")(*tree.parts)

    def expression(self, tree: Node) -> Expr:
        return self.build(tree).expression

    def build_bound(self, tree: Node) -> Value:
        """The value of a bound, which may be infinite."""
        before = self.has_infinity
        value = self.build(tree)
        self.has_infinity = before
        return value

    # Names and numbers

    def build_number(self, digits: str) -> Value:
        value = Fraction(digits)
        return scalar(Rational(value.numerator, value.denominator))

    def build_constant(self, name: str) -> Value:
        self.has_infinity = self.has_infinity or name == "oo"
        return scalar(_NAMED[name])

    def is_operator(self, name: str) -> bool:
        """Whether a name does not commute: a vector, an operator, or what a bare derivative acts on."""
        if name in self.names.operators:
            return True
        if self.names.has_vectors and name.startswith((*_VECTOR_FONTS, r"\hat{", r"\dot{\mathbf", r"\ddot{\mathbf")):
            return True
        return "operators" in self.styles and name in self.names.variables

    def symbol(self, name: str) -> Expr:
        known = vocabulary_name(name)
        return self.constants.get(known) or Symbol(known)

    def build_name(self, name: str) -> Value:
        if "*" in name or "dagger" in name:
            self.is_doubtful = True
        partial = self.partial(name, ())
        if partial is not None:
            return partial
        if self.is_operator(name):
            return atom(name, is_scalar=False)
        if name in self.names.implicit and "operators" not in self.styles:
            return scalar(self.implicit(name))
        return scalar(self.symbol(name))

    def implicit(self, name: str) -> Expr:
        variables = [self.symbol(variable) for variable in self.names.implicit[name]]
        return function(vocabulary_name(name))(*variables)

    def partial(self, name: str, arguments: tuple[Node, ...]) -> Value | None:
        """The derivative that a name such as `f_x` or `f_{xy}` stands for; None for other names."""
        head, _, script = name.partition("_")
        letters = tuple(script.strip("{}"))
        variables = self.names.functions.get(head, ())
        if not letters or not variables or name in self.names.functions or not set(letters) <= set(variables):
            return None
        known = tuple(part.parts[0] if part.kind == "name" else "" for part in arguments)
        if known != variables and (arguments or len(variables) < 2):
            return None
        applied = function(vocabulary_name(head))(*map(self.symbol, variables))
        counts = [(self.symbol(letter), S.One) for letter in letters]
        return scalar(Derivative(applied, *counts, evaluate=False))

    def build_applied(self, name: str, primes: int, dots: int, arguments: tuple[Node, ...]) -> Value:
        partial = None if primes or dots else self.partial(name, arguments)
        if partial is not None:
            return partial
        values = [self.build_bound(argument) for argument in arguments]
        if "*" in name or "dagger" in name:
            self.is_doubtful = True
        order = primes + dots
        inside = ",".join(map(rendered, values))
        acts = "operators" in self.styles and any(value.words for value in values)
        if self.is_operator(name) or acts or any(value.is_opaque for value in values):
            self.is_doubtful = True
            head = name + "'" * primes if not dots else f"{name}{'.' * dots}"
            return atom(f"{head}({inside})", is_scalar=not (self.is_operator(name) or acts))
        expressions = [value.scalar for value in values]
        applied = function(vocabulary_name(name))(*expressions)
        if not order:
            return scalar(applied)
        (variable, *others) = expressions
        known = None if others or isinstance(variable, Symbol) else self._at_place(name, order, variable)
        if known is not None:
            term = OpaqueTerm(f"{name}{chr(39) * order}({inside})")
            self.closed[term] = known
            return scalar(term)
        if others or not isinstance(variable, Symbol):
            self.is_doubtful = True
            return atom(f"{name}{chr(39) * order}({inside})", is_scalar=True)
        return scalar(Derivative(applied, (variable, Integer(order)), evaluate=False))

    def _body(self, name: str) -> tuple[tuple[Expr, ...], Expr] | None:
        """The parameters and the expression of a function that a premise defines; None where they are not known."""
        if name not in self.names.bodies or name in self._open:
            return None
        parameters, body = self.names.bodies[name]
        self._open.add(name)
        value = self.build(body)
        self._open.remove(name)
        if value.is_opaque or value.scalar.atoms(Derivative, Integral, AppliedUndef):
            return None
        return tuple(map(self.symbol, parameters)), value.scalar

    def _at_place(self, name: str, order: int, place: Expr) -> Expr | None:
        """The derivative at a place of a function that a premise defines; None where it is not known."""
        known = self._body(name)
        if known is None:
            return None
        (parameter,), body = known
        return body.diff(parameter, order).xreplace({parameter: place})

    def unfolded(self, expression: Expr) -> Expr:
        """The expression with the functions that premises define replaced by what they are."""
        for part in sorted(expression.atoms(AppliedUndef), key=str):
            known = self._body(part.func.__name__)
            if known is not None and len(known[0]) == len(part.args):
                places = dict(zip(known[0], part.args, strict=True))
                expression = expression.xreplace({part: known[1].xreplace(places)})
        return expression

    def build_primed(self, name: str, primes: int, dots: int) -> Value:
        order = primes + dots
        variables = self.names.functions.get(name) or self.names.implicit.get(name) or ()
        is_name = name in self.names.primed
        if not is_name and len(variables) == 1 and variables[0]:
            if self.is_operator(name):
                return atom(f"{name}{chr(39) * order}", is_scalar=False)
            variable = self.symbol(variables[0])
            applied = function(vocabulary_name(name))(variable)
            return scalar(Derivative(applied, (variable, Integer(order)), evaluate=False))
        if not is_name and name in self.names.defined and len(self.names.variables) == 1:
            variable = self.symbol(next(iter(self.names.variables)))
            return scalar(Derivative(self.symbol(name), (variable, Integer(order)), evaluate=False))
        spelling = rf"\{'d' * dots}ot{{{name}}}" if dots else f"{name}^{{{chr(92)}prime}}"
        if primes > 1 or (primes and "_" in name):
            spelling = f"{name}^{{{(chr(92) + 'prime') * primes}}}"
        if self.is_operator(name):
            return atom(spelling, is_scalar=False)
        self.is_doubtful = self.is_doubtful or not is_name
        return scalar(self.symbol(spelling))

    # Sums and products

    def build_bracket(self, inside: Node) -> Value:
        return self.build(inside)

    def build_sum(self, *terms: Node) -> Value:
        return add([self.build(term) for term in terms])

    def build_minus(self, term: Node) -> Value:
        value = self.build(term)
        if value.words:
            return negative(value)
        return scalar(multiply_factors(-1, [value.scalar]))

    def build_choice(self, kind: str, term: Node) -> Value:
        value = self.build(term)
        return value if (self.sign > 0) == (kind == "pm") else negative(value)

    def build_dots(self, place: str) -> Value:
        return atom(rf"\dots_{{{place}}}", is_scalar=True)

    def build_product(self, entries: tuple[Entry, ...]) -> Value:
        return self.product(list(entries))

    def product(self, entries: list[Entry]) -> Value:
        """The product of factors; an operator takes those after it as its operand."""
        factors: list[Expr] = []
        result: Value | None = None

        def flush() -> Value | None:
            nonlocal factors
            if factors:
                plain = scalar(multiply_factors(1, factors))
                factors = []
                return plain if result is None else multiply(result, plain)
            return result

        place = 0
        while place < len(entries):
            sign, tree = entries[place]
            if self.is_acting(tree):
                value, place = self.acted(entries, place)
            elif sign == "/" and "slash" in self.styles:
                rest = [("", tree), *entries[place + 1 :]]
                value, place = self.product(rest), len(entries)
            else:
                value, place = self.build(tree), place + 1
            if sign == "/":
                value, sign = self.raised(value, scalar(S.NegativeOne)), ""
            if value.words or (result is not None and result.words):
                result = flush()
                result = value if result is None else self.joined(sign, result, value)
            else:
                factors.append(value.scalar)
        result = flush()
        assert result is not None
        return result

    def joined(self, sign: str, left: Value, right: Value) -> Value:
        if not left.words or not right.words or sign not in ("cdot", "times"):
            return multiply(left, right)
        return self.dotted(left, right) if sign == "cdot" else multiply(left, right, self._crossed)

    def dotted(self, left: Value, right: Value) -> Value:
        """The scalar product of vectors; the product of what is no vector."""
        return multiply(left, right, self._dot)

    def _dot(self, word: Word, other: Word) -> tuple[Word, Expr]:
        if not (self._is_vector(word) and self._is_vector(other)):
            return word + other, S.One
        first, second = sorted((" ".join(word), " ".join(other)))
        return (), OpaqueTerm(rf"{first} \cdot {second}")

    def _crossed(self, word: Word, other: Word) -> tuple[Word, Expr]:
        first, second = " ".join(word), " ".join(other)
        if not (self._is_vector(word) and self._is_vector(other)):
            return (rf"{first} \times {second}",), S.One
        if first == second:
            return (), S.Zero
        if first < second:
            return (rf"{first} \times {second}",), S.One
        return (rf"{second} \times {first}",), S.NegativeOne

    def _is_vector(self, word: Word) -> bool:
        """Whether a word is one vector, and no operator."""
        return len(word) == 1 and word[0] not in self.names.operators and not word[0].startswith(("<", "|", "op "))

    def build_commutator(self, first: Node, second: Node) -> Value:
        left, right = self.build(first), self.build(second)
        return add([multiply(left, right), negative(multiply(right, left))])

    def build_text(self, text: str) -> Value:
        return atom(text, is_scalar=True)

    def build_opaque(self, kind: str, *parts: Node) -> Value:
        """A term that cannot be evaluated: a state, a mean, a tuple, a component, an unknown command."""
        self.is_doubtful = True
        inside = ", ".join(self.inside(part) for part in parts)
        is_scalar = kind in ("braket", "mean", "norm", "d") or kind.startswith(("component", "mean"))
        mark = "|" if kind == "ket" else "<" if kind == "bra" else "op " if kind.startswith("\\") else ""
        return atom(f"{mark}{kind} {inside}".strip(), is_scalar)

    def inside(self, part: Node) -> str:
        return str(part.parts[0]) if part.kind == "text" else rendered(self.build(part))

    def build_equation(self, left: Node, right: Node) -> Value:
        raise LatexError("an equation inside of a formula")

    def build_statement(self, relation: str, left: Node, right: Node) -> Value:
        raise LatexError("a relation inside of a formula")

    # The methods of `functions.py` and `calculus.py`

    @abstractmethod
    def raised(self, base: Value, exponent: Value) -> Value: ...

    def is_acting(self, tree: Node) -> bool:
        return tree.kind == "nabla" or (tree.kind == "derivative" and tree.parts[1] is None)

    @abstractmethod
    def acted(self, entries: list[Entry], place: int) -> tuple[Value, int]: ...
