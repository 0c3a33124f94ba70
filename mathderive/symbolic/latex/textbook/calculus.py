r"""The values of derivatives, integrals, sums and limits in textbook notation."""

from sympy import (
    Add,
    Derivative,
    Dummy,
    Expr,
    Integer,
    Integral,
    Mul,
    Poly,
    PolynomialError,
    S,
    Symbol,
    bernoulli,
    cancel,
)
from sympy import binomial as binomial_coefficient
from sympy.core.function import AppliedUndef

from mathderive.symbolic.bounds import is_runaway_integral
from mathderive.symbolic.latex.lexer import LatexError
from mathderive.symbolic.latex.textbook.building import OperatorNeededError
from mathderive.symbolic.latex.textbook.functions import FunctionBuilder
from mathderive.symbolic.latex.textbook.nodes import Entry, Node, node
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm, Value, Word, atom, linear, multiply, rendered, scalar
from mathderive.symbolic.srepr import MAX_DERIVATIVE_ORDER

MAX_WRITTEN_OUT = 30
"""Maximum number of terms of a sum or factors of a product with numeric bounds."""

MAX_OPERATIONS = 20
"""Maximum number of operations of the terms of a sum that may be a geometric series."""

MAX_DEGREE = 8
"""Maximum degree of a polynomial whose sum gets a closed form."""

_ENDLESS = (S.Infinity, S.NegativeInfinity, S.ComplexInfinity, S.NaN)
_NATURE = frozenset(
    (r"\varepsilon_{0}", r"\mu_{0}", r"\hbar", "c", "c_{0}", "G", "q", "m", r"\varepsilon_0", r"\mu_0", "c_0")
)
"""Names that stand before a differential operator of vector calculus: constants of nature, charge and mass."""

Variables = tuple[tuple[Node, Node | None], ...]


class Builder(FunctionBuilder):
    """The meaning of a tree."""

    # Derivatives

    def acted(self, entries: list[Entry], place: int) -> tuple[Value, int]:
        """The value of an operator with its operand, and the place after the operand."""
        tree = entries[place][1]
        following = entries[place + 1 :]
        if tree.kind == "nabla":
            return self._nabla(tree, following, place)
        if "operators" in self.styles:
            return self.operator(tree.parts[0]), place + 1
        if not following or following[0][0] == "/":
            raise OperatorNeededError("a derivative of nothing")
        extents = list(range(len(following), 0, -1))
        if following[0][1].kind == "bracket" or following[0][0] in ("cdot", "times"):
            extents = [1, *extents[:-1]]
        chosen = self._choose(extents)
        operand = [("", following[0][1]), *following[1:chosen]]
        return self.derivative(self.product(operand), tree.parts[0]), place + 1 + chosen

    def _choose(self, extents: list[int]) -> int:
        number = len(self.options)
        self.options.append(len(extents))
        chosen = self.extents[number] if number < len(self.extents) else 0
        return extents[min(chosen, len(extents) - 1)]

    def operator(self, variables: Variables) -> Value:
        """A derivative sign as an operator."""
        parts = [
            f"{self._spelled(variable)}^{'' if order is None else rendered(self.build(order))}"
            for variable, order in variables
        ]
        self.is_doubtful = True
        return atom(f"op d/d {' '.join(parts)}", is_scalar=False)

    def _spelled(self, variable: Node) -> str:
        return rendered(self.build(variable))

    def build_derivative(self, variables: Variables, operand: Node | None) -> Value:
        if operand is None:
            value, _ = self.acted([("", node("derivative", variables, None))], 0)
            return value
        if "operators" in self.styles:
            return multiply(self.operator(variables), self.build(operand))
        return self.derivative(self.build(operand), variables)

    def derivative(self, value: Value, variables: Variables) -> Value:
        """The derivative of a value; an opaque term for one that cannot be evaluated."""
        counts: list[tuple[Expr, Expr]] = []
        for variable, order in variables:
            built = self.build(variable)
            count = S.One if order is None else self.expression(order)
            if built.is_opaque or not isinstance(built.scalar, Symbol | AppliedUndef) or not count.is_Integer:
                return self._opaque_derivative(value, variables, ())
            if not 0 < int(count) <= MAX_DERIVATIVE_ORDER:
                raise LatexError("the order of a derivative is a small positive number")
            counts.append((built.scalar, count))
        symbols = tuple(symbol for symbol, _ in counts)
        if value.is_opaque or self._is_tied(value.scalar, symbols):
            return self._opaque_derivative(value, variables, symbols)
        # LaTeX names the variable that was differentiated by last first.
        return scalar(Derivative(value.scalar, *reversed(counts), evaluate=False))

    def _is_tied(self, expression: Expr, variables: tuple[Expr, ...]) -> bool:
        """Whether a derivative by the variables is not known: a name's that nothing defines, or an opaque name's."""
        names = {symbol.name for symbol in expression.free_symbols}
        if names & self.names.opaque:
            return True
        if isinstance(expression, AppliedUndef) and not expression.free_symbols.issuperset(variables):
            return True
        if any(isinstance(variable, AppliedUndef) for variable in variables) and isinstance(expression, Symbol):
            return True
        bare = isinstance(expression, Symbol) and expression not in variables
        return bare and expression.name not in self.names.defined and not self._is_integrated(expression)

    def _is_integrated(self, expression: Expr) -> bool:
        return expression.name in self.names.variables and len(self.names.variables) == 1

    def _opaque_derivative(self, value: Value, variables: Variables, symbols: tuple[Expr, ...]) -> Value:
        self.is_doubtful = True
        text = "d/d " + " ".join(
            f"{self._spelled(variable)}^{'' if order is None else rendered(self.build(order))}"
            for variable, order in variables
        )

        def is_constant(factor: Expr) -> bool:
            return (
                not factor.atoms(AppliedUndef, OpaqueTerm, Derivative, Integral)
                and not (
                    factor.free_symbols & set(symbols)
                    or {symbol.name for symbol in factor.free_symbols} & self.names.opaque
                )
                and (bool(symbols) or factor.is_number)
                and not self._stands_bare(factor, value)
            )

        return linear(value, text, is_constant, lambda word: not word)

    def _stands_bare(self, factor: Expr, value: Value) -> bool:
        """Whether a factor is the name that the derivative is taken of."""
        return isinstance(factor, Symbol) and not value.words and value.scalar == factor

    def _nabla(self, tree: Node, following: list[Entry], place: int) -> tuple[Value, int]:
        order = tree.parts[0]
        power = "" if order is None else rendered(self.build(order))
        sign = following[0][0] if following else ""
        if not following or sign == "/":
            self.is_doubtful = True
            return atom(f"op nabla{power}", is_scalar=False), place + 1
        taken = 1
        if sign or power:
            while taken < len(following) and following[taken][0] not in ("cdot", "times"):
                taken += 1
        operand = self.product([("", following[0][1]), *following[1:taken]])
        kind = {"cdot": "div", "times": "curl"}.get(sign, "grad" if not power else "laplace")
        self.is_doubtful = True

        def gives_scalar(word: Word) -> bool:
            return kind == "div" or (kind == "laplace" and not word)

        text = {"div": r"\nabla \cdot ", "curl": r"\nabla \times ", "grad": r"\nabla "}.get(
            kind, rf"\nabla^{{{power}}} "
        )
        return linear(operand, text, self._is_constant_of_nature, gives_scalar), place + 1 + taken

    def _is_constant_of_nature(self, factor: Expr) -> bool:
        return all(
            isinstance(symbol, Symbol) and not isinstance(symbol, OpaqueTerm) and symbol.name in _NATURE
            for symbol in factor.free_symbols
        ) and not factor.atoms(AppliedUndef)

    def build_nabla(self, order: Node | None) -> Value:
        value, _ = self._nabla(node("nabla", order), [], 0)
        return value

    # Integrals

    def build_integral(
        self,
        name: str,
        integrand: Node,
        lower: Node | None,
        upper: Node | None,
        found: tuple[tuple[Node, Node | None, bool], ...],
        region: str,
    ) -> Value:
        need = {"iint": 2, "iiint": 3, "iiiint": 4}.get(name, 1)
        value = self.build(integrand)
        variables = [self.build(variable) for variable, _, _ in found]
        plain = all(isinstance(one.scalar, Symbol) and not one.is_opaque for one in variables)
        orders = [order for _, order, _ in found if order is not None]
        tied = {symbol.name for symbol in value.scalar.free_symbols} & self.names.opaque
        if region or orders or len(found) != need or not plain or value.is_opaque or tied:
            return self._opaque_integral(name, value, lower, upper, found, region)
        bounds = () if lower is None or upper is None else (self.build_bound(lower), self.build_bound(upper))
        if any(bound.is_opaque for bound in bounds):
            return self._opaque_integral(name, value, lower, upper, found, region)
        limits = [(one.scalar,) for one in variables]
        ends = [bound.scalar for bound in bounds]
        integral = Integral(value.scalar, *limits[:-1], (*limits[-1], *ends))
        if not is_runaway_integral(integral):
            return scalar(integral)
        if any(end.has(*_ENDLESS) for end in ends):
            return self._opaque_integral(name, value, lower, upper, found, region)
        # SymPy would evaluate an integral of numbers; with a name for its upper end it stays as it is.
        end = OpaqueTerm(f"({ends[1]})")
        self.closed[end] = ends[1]
        return scalar(Integral(value.scalar, *limits[:-1], (*limits[-1], ends[0], end)))

    def _opaque_integral(
        self,
        name: str,
        value: Value,
        lower: Node | None,
        upper: Node | None,
        found: tuple[tuple[Node, Node | None, bool], ...],
        region: str,
    ) -> Value:
        self.is_doubtful = True
        limits = region or "".join(
            "" if bound is None else f"_{rendered(self.build_bound(bound))}" for bound in (lower, upper)
        )
        variables = [self.build(variable) for variable, _, _ in found]
        orders = "".join("" if order is None else f"^{self.inside(order)}" for _, order, _ in found)
        text = rf"\{name}{limits} d{' d'.join(map(rendered, variables))}{orders} "
        inner = set().union(*(one.scalar.free_symbols for one in variables)) if variables else set()
        is_vector = any(one.words for one in variables)

        def is_constant(factor: Expr) -> bool:
            if region or not variables or is_vector:
                return self._is_constant_of_nature(factor)
            return not factor.atoms(AppliedUndef, OpaqueTerm, Derivative, Integral) and not (
                factor.free_symbols & inner or {symbol.name for symbol in factor.free_symbols} & self.names.opaque
            )

        return linear(value, text, is_constant, lambda word: not word or (is_vector and len(word) == 1))

    def build_at(self, body: Node, lower: Node | None, upper: Node | None) -> Value:
        """A value at a place, or the difference of the values at two places."""
        value = self.build(body)
        variable, ends = None, []
        for bound in (upper, lower):
            if bound is not None and bound.kind == "equation":
                variable, bound = self.build(bound.parts[0]).scalar, bound.parts[1]
            ends.append(None if bound is None else self.build_bound(bound))
        if variable is None and upper is not None and lower is not None:
            variable = self._variable_of(value.scalar)
        moving = [one for one in ends if one is not None]
        hidden = value.scalar.atoms(Derivative, Integral)
        if (
            variable is None
            or value.is_opaque
            or not isinstance(variable, Symbol)
            or any(part.has(variable) for part in hidden)
            or any(end.is_opaque or end.scalar.has(S.Infinity) for end in moving)
        ):
            self.is_doubtful = True
            text = f"at {variable} {' '.join(rendered(end) for end in moving)} "
            return linear(value, text, lambda factor: bool(factor.is_number), lambda word: not word)
        parts = [value.scalar.xreplace({variable: end.scalar}) for end in moving]
        return scalar(parts[0] - parts[1] if len(parts) == 2 else parts[0])

    def _variable_of(self, expression: Expr) -> Expr | None:
        symbols = sorted(expression.free_symbols, key=str)
        known = [symbol for symbol in symbols if symbol.name in self.names.variables]
        return symbols[0] if len(symbols) == 1 else known[0] if len(known) == 1 else None

    # Sums and limits

    def build_series(self, kind: str, lower: Node | None, upper: Node | None, body: Node, source: str) -> Value:
        known = self.constants
        if lower is not None and lower.kind == "equation" and lower.parts[0].kind == "name":
            # An index is a name, also where the letter is a constant elsewhere.
            self.constants = {name: value for name, value in known.items() if name != lower.parts[0].parts[0]}
        found = self._series(kind, lower, upper, body, source)
        self.constants = known
        return found

    def _series(self, kind: str, lower: Node | None, upper: Node | None, body: Node, source: str) -> Value:
        value = self.build(body)
        index = self.build(lower.parts[0]).scalar if lower is not None and lower.kind == "equation" else None
        if value.is_opaque or not isinstance(index, Symbol) or upper is None or lower is None:
            return self._opaque_series(kind, value, source)
        start, end = self.build_bound(lower.parts[1]).expression, self.build_bound(upper).expression
        if start.is_Integer and end.is_Integer and int(end) - int(start) < MAX_WRITTEN_OUT:
            parts = [value.scalar.xreplace({index: Integer(n)}) for n in range(int(start), int(end) + 1)]
            return scalar(Add(*parts) if kind == "sum" else Mul(*parts))
        closed = closed_sum(value.scalar, index, start, end) if kind == "sum" else None
        term = OpaqueTerm(rf"\{kind}_{{{index}={start}}}^{{{end}}} {value.scalar}")
        if closed is None:
            return self._opaque_series(kind, value, source)
        self.closed[term] = closed
        return scalar(term)

    def _opaque_series(self, kind: str, value: Value, source: str) -> Value:
        self.is_doubtful = True
        if kind == "prod":
            return self.opaque_function(rf"\prod{source} ", value)
        return linear(value, rf"\sum{source} ", lambda factor: bool(factor.is_number), lambda word: not word)

    def build_limit(self, bound: Node | None, body: Node, source: str) -> Value:
        value = self.build(body)
        if bound is not None and bound.kind == "statement" and bound.parts[0] == "to":
            variable, end = self.build(bound.parts[1]).scalar, self.build_bound(bound.parts[2])
            found = (
                None
                if value.is_opaque or end.is_opaque
                else limit_of(self.unfolded(value.scalar), variable, end.scalar)
            )
            if found is not None:
                term = OpaqueTerm(rf"\lim{source} {value.scalar}")
                self.closed[term] = found
                return scalar(term)
        self.is_doubtful = True
        return linear(value, rf"\lim{source} ", lambda factor: bool(factor.is_number), lambda word: not word)


def closed_sum(body: Expr, index: Symbol, start: Expr, end: Expr) -> Expr | None:
    """The closed form of a sum of a polynomial or a geometric series; None for others."""
    if end is S.Infinity:
        return _geometric(body, index, start, None)
    try:
        polynomial = Poly(body, index)
    except PolynomialError:
        return _geometric(body, index, start, end)
    if polynomial.degree() > MAX_DEGREE or any(part.has(index) for part in polynomial.all_coeffs()):
        return None
    total: Expr = S.Zero
    for (power,), coefficient in polynomial.terms():
        total += coefficient * (_power_sum(power, end) - _power_sum(power, start - 1))
    return total


def _power_sum(power: int, end: Expr) -> Expr:
    """The sum of the powers of 1 to `end`, by Faulhaber's formula."""
    if power == 0:
        return end
    # The formula takes the second of the two conventions for the first Bernoulli number.
    numbers = [S.Half if k == 1 else bernoulli(k) for k in range(power + 1)]
    terms = [binomial_coefficient(power + 1, k) * numbers[k] * end ** (power + 1 - k) for k in range(power + 1)]
    return Add(*terms) / (power + 1)


def _geometric(body: Expr, index: Symbol, start: Expr, end: Expr | None) -> Expr | None:
    """The sum of `a * r**index`."""
    place = Dummy("n", positive=True)
    first, second, third = (body.xreplace({index: place + shift}) for shift in range(3))
    if first == 0 or body.count_ops() > MAX_OPERATIONS:
        return None
    ratio = (second / first).simplify()
    if (
        ratio.has(place)
        or ratio == 1
        or (third / second).simplify() != ratio
        or (ratio.is_number and end is None and abs(ratio) >= 1)
    ):
        return None
    head = body.xreplace({index: start})
    tail = S.Zero if end is None else body.xreplace({index: end + 1})
    return (head - tail) / (1 - ratio)


def limit_of(body: Expr, variable: Expr, end: Expr) -> Expr | None:
    """The limit of a rational expression that is continuous after common factors are cancelled; None for others."""
    if not isinstance(variable, Symbol) or end.has(S.Infinity, S.NegativeInfinity) or body.count_ops() > 60:
        return None
    if (
        any(part.has(variable) for part in body.atoms(Derivative, Integral, AppliedUndef))
        or not body.is_rational_function()
    ):
        return None
    numerator, denominator = cancel(body).as_numer_denom()
    below = denominator.xreplace({variable: end}).expand()
    return None if below == 0 else numerator.xreplace({variable: end}) / below
