r"""The grammar of analysis and physics: fractions, derivatives, integrals, sums, limits, states and commutators."""

from mathderive.symbolic.latex.textbook.grammar import Grammar
from mathderive.symbolic.latex.textbook.nodes import Frame, Node, node
from mathderive.symbolic.latex.textbook.tokens import Token

INTEGRALS = {"int": 1, "iint": 2, "iiint": 3, "iiiint": 4, "oint": 1, "oiint": 2, "oiiint": 3}


class Analysis(Grammar):
    """The constructs that bind variables, and those of vectors and states."""

    # Fractions and derivatives

    def fraction(self) -> Node:
        self.take()
        found = self.leibniz()
        if found is not None:
            return found
        over = self.argument()
        under = self.argument()
        return node("product", (("", over), ("/", under)))

    def _is_d(self, token: Token) -> bool:
        return token.kind == "d" or (token.kind == "letter" and token.value == "d")

    def leibniz(self) -> Node | None:
        r"""A derivative such as `\frac{d^2 f}{dx^2}`; None for other fractions."""
        start = self.place
        braces = self.at("{")
        if not self._is_d(self.peek() if braces else self.token):
            return None
        end = self.closing(start) + 1 if braces else start + 1
        under = self.tokens[min(end, len(self.tokens) - 1)]
        following = self.tokens[min(end + 1, len(self.tokens) - 1)]
        if not self._is_d(following if under.value == "{" else under):
            return None
        self.place = start + (2 if braces else 1)
        if self.skip("^"):
            self.argument()
        self.depth += 1
        open_integrals, self.integrals = self.integrals, []
        operand = None if not braces or self.at("}") else self.term()
        if braces:
            self.expect("}")
        variables = self.denominator()
        self.integrals = open_integrals
        self.depth -= 1
        return self.derivative(operand, variables)

    def denominator(self) -> tuple[tuple[Node, Node | None], ...]:
        """The variables of a derivative, with their orders."""
        braces = self.skip("{")
        variables: list[tuple[Node, Node | None]] = []
        while self._is_d(self.token) and (braces or not variables):
            self.take()
            power = None
            if self.at("^"):  # d^2 x
                self.take()
                power = self.argument()
            variable, order = self.variable()
            variables.append((variable, order or power))
        if not variables:
            raise self.fault()
        if braces:
            self.expect("}")
        return tuple(variables)

    def variable(self) -> tuple[Node, Node | None]:
        """A variable of a derivative or an integral, and its exponent."""
        if self.at("("):
            found = self.bracket("(")
            found = found.parts[0] if found.kind == "bracket" else found
        elif self.at("|", "{"):
            found = self.base()
        elif self.token.kind in ("letter", "font"):
            found = self.named()
        else:
            raise self.fault()
        order = None
        if found.kind == "power":
            found, order = found.parts
        elif self.at("^"):
            self.take()
            order = self.argument()
        return found, order

    def derivative(self, operand: Node | None, variables: tuple[tuple[Node, Node | None], ...]) -> Node:
        for variable, _ in variables:
            if variable.kind == "name":
                self.uses.differentiated_by.add(variable.parts[0])
                if operand is not None and operand.kind == "name":
                    self.uses.by.append((operand.parts[0], variable.parts[0]))
                    self.uses.alone.add(operand.parts[0])
            elif variable.kind == "primed":
                self.uses.primed.add(variable.parts[0])
                if operand is not None and operand.kind == "name":
                    self.uses.by.append((operand.parts[0], f"{variable.parts[0]}'"))
        return node("derivative", variables, operand)

    def derivative_sign(self) -> Node:
        r"""An operator such as `\partial_x`, or a derivative on one line, such as `dy/dx`."""
        start = self.token
        if self.peek().value == "_" and start.value == "partial":
            self.take()
            self.take()
            parts = self.argument_names()
            order = None
            if self.skip("^"):
                order = self.argument()
            return self.derivative(None, tuple((part, order) for part in parts))
        return self.loose_differential()

    def argument_names(self) -> list[Node]:
        if not self.at("{"):
            return [self.argument()]
        self.take()
        parts = []
        while not self.at("}"):
            self.skip(",")
            parts.append(self.variable()[0])
        self.take()
        return parts

    # Differentials

    def is_differential(self) -> bool:
        token, following = self.token, self.peek()
        if not self._is_d(token):
            return False
        if following.kind in ("letter", "font"):
            return token.kind == "d" or bool(self.integrals) or "d" not in self.names.alone
        if following.value == "^" and (token.kind == "d" or bool(self.integrals)):
            return self.peek(3).kind in ("letter", "font") or self.peek(2).value == "{"
        return token.kind == "d" and following.value != "_"

    def differential(self) -> None:
        """Takes a differential for the innermost integral."""
        self.take()
        power = None
        if self.skip("^"):
            power = self.argument()
        if self.token.kind == "d":
            raise self.fault()
        variable, order = self.variable()
        if variable.kind == "name":
            self.uses.summed.add(variable.parts[0])
        self.integrals[-1].found.append((variable, order or power, False))

    def loose_differential(self) -> Node:
        """A differential outside of integrals: of a derivative on one line, or by itself."""
        self.take()
        power = None
        if self.skip("^"):
            power = self.argument()
        if self.at("/") and self._is_d(self.peek()):  # d/dx
            self.take()
            return self.derivative(None, (self._inline_variable(),))
        variable, order = self.variable()
        if self.at("/") and self._is_d(self.peek()):  # dy/dx
            self.take()
            return self.derivative(variable, (self._inline_variable(),))
        parts = [variable] + [part for part in (power, order) if part is not None]
        return node("opaque", "d", *parts)

    def _inline_variable(self) -> tuple[Node, Node | None]:
        self.take()
        return self.variable()

    # Integrals, sums and limits

    def integral(self, name: str) -> Node:
        start = self.place
        self.take()
        lower, upper = self.bounds()
        region = self.source(start) if (lower is not None) != (upper is not None) or name.startswith("o") else ""
        frame = Frame(self.depth, INTEGRALS[name])
        self.integrals.append(frame)
        while self.is_differential() and not frame.is_done:
            self.differential()
        integrand = node("number", "1")
        if not frame.is_done:
            integrand = self.sum()
        elif self.starts_factor() and not self.is_differential():
            self.integrals.pop()
            integrand = self.term()
            self.integrals.append(frame)
        self.integrals.pop()
        return node("integral", name, integrand, lower, upper, tuple(frame.found), region)

    def _bound_to(self) -> tuple[Node | None, Node | None]:
        lower, upper = self.bounds()
        if lower is not None and lower.kind == "equation" and lower.parts[0].kind == "name":
            self.uses.summed.add(lower.parts[0].parts[0])
        return lower, upper

    def read_sum(self) -> Node:
        start = self.place
        lower, upper = self._bound_to()
        source = self.source(start)
        return node("series", "sum", lower, upper, self.term(), source)

    def read_prod(self) -> Node:
        start = self.place
        lower, upper = self._bound_to()
        source = self.source(start)
        return node("series", "prod", lower, upper, self.term(), source)

    def read_lim(self) -> Node:
        start = self.place
        lower, _ = self.bounds()
        source = self.source(start)
        return node("limit", lower, self.term(), source)

    def read_sqrt(self) -> Node:
        degree = node("number", "2")
        if self.at("["):
            self.take()
            degree = self.sum()
            self.expect("]")
        radicand = self.bracket("(") if self.at("(") else self.argument()
        return node("root", radicand, degree)

    def read_binom(self) -> Node:
        return node("binomial", self.argument(), self.argument())

    # Physics

    def read_nabla(self) -> Node:
        self.uses.marks.add("vector")
        order = None
        if self.skip("^"):
            order = self.argument()
        return node("nabla", order)

    def read_Box(self) -> Node:
        return node("nabla", node("name", r"\Box"))

    def read_langle(self) -> Node:
        """A mean or a product of states between angles."""
        self.uses.marks.add("quantum")
        self.deeper()
        start = self.place
        while not self.at("rangle"):
            if self.token.kind == "end":
                raise self.fault()
            self.take()
        source = self.source(start)
        self.take()
        self.depth -= 1
        return node("opaque", f"mean {source}")

    def _raw_argument(self) -> str:
        if not self.at("{"):
            raise self.fault()
        return self.raw()

    def read_bra(self) -> Node:
        self.uses.marks.add("quantum")
        inside = self._raw_argument()
        if self.at("ket"):
            self.take()
            return node("opaque", "braket", node("text", inside), node("text", self._raw_argument()))
        return node("opaque", "bra", node("text", inside))

    def read_ket(self) -> Node:
        self.uses.marks.add("quantum")
        return node("opaque", "ket", node("text", self._raw_argument()))

    def read_braket(self) -> Node:
        self.uses.marks.add("quantum")
        return node("opaque", "braket", node("text", self._raw_argument()), node("text", self._raw_argument()))

    def read_expval(self) -> Node:
        self.uses.marks.add("quantum")
        return node("opaque", "mean", node("text", self._raw_argument()))

    def read_comm(self) -> Node:
        return self.commutator(self.group(), self.group())

    def read_eval(self) -> Node:
        inside = self.group()
        lower, upper = self.bounds()
        return node("at", inside, lower, upper)
