r"""Parses LaTeX as people write it, by recursive descent, in time linear in the length of the text.

The result is a tree of `Node`s; `building.py` gives it a meaning. Where a notation has two meanings, such as `\sin x y`
and `a/bc`, a style chooses one, and the parser notes that the other one exists.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection
from hashlib import blake2b

from mathderive.symbolic.latex.lexer import LatexError
from mathderive.symbolic.latex.textbook.names import Names, Parsed, Uses
from mathderive.symbolic.latex.textbook.nodes import Entry, Frame, Node, node
from mathderive.symbolic.latex.textbook.tokens import Token, tokens_of

MAX_DEPTH = 24
"""Maximum depth of brackets and braces within each other."""

MAX_DIGITS = 100
"""Maximum number of digits of a number."""

RELATIONS = frozenset(
    ("<", ">", ":", "approx", "simeq", "cong", "neq", "leq", "geq", "ll", "gg", "propto", "sim", "in", "to")
)
"""Relations other than equality; a statement with one of them is never refuted."""

_PRODUCT_SIGNS = {
    "cdot": "cdot",
    "times": "times",
    "*": "*",
    "ast": "*",
    "/": "/",
    "div": "/",
    "wedge": "times",
    "otimes": "*",
}


class Reader:
    """The place in the tokens, and the brackets and integrals that are open; the mixins read constructs."""

    def __init__(self, text: str, names: Names, styles: Collection[str]) -> None:
        self.text = text
        self.names = names
        self.styles = frozenset(styles)
        self.tokens = tokens_of(text)
        self.place = 0
        self.depth = 0
        self.bars: list[int] = []  # the depths at which absolute values are open
        self.integrals: list[Frame] = []
        self.uses = Uses()
        self.ambiguous: set[str] = set()

    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def peek(self, ahead: int = 1) -> Token:
        return self.tokens[min(self.place + ahead, len(self.tokens) - 1)]

    def take(self) -> Token:
        token = self.tokens[self.place]
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def at(self, *signs: str) -> bool:
        """Whether the next token is one of these signs or commands."""
        return self.token.kind in ("sign", "command") and self.token.value in signs

    def skip(self, sign: str) -> bool:
        if self.at(sign):
            self.take()
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.skip(sign):
            raise self.fault()

    def fault(self) -> LatexError:
        token = self.token
        if token.kind == "end":
            return LatexError("the text ends too early", token.start)
        return LatexError(f"unexpected {token.value!r}", token.start)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise LatexError(f"nested too deeply (more than {MAX_DEPTH})", self.token.start)

    def closing(self, place: int) -> int:
        """The place of the token that closes the brace at a place; the last place if there is none."""
        depth = 0
        for end in range(place, len(self.tokens)):
            depth += {"{": 1, "}": -1}.get(self.tokens[end].value, 0)
            if depth == 0:
                return end
        return len(self.tokens) - 1

    def one_digit(self) -> None:
        r"""Splits a number so that its first digit stands alone, as in `\frac12`."""
        token = self.token
        if token.kind == "number" and len(token.value) > 1:
            first, rest = token._replace(value=token.value[0]), token._replace(value=token.value[1:])
            self.tokens[self.place : self.place + 1] = [first, rest]


class Grammar(Reader, ABC):
    """Sums, products and brackets."""

    def parse(self) -> Parsed:
        sides, relations = [self.sum()], []
        while self.token.kind != "end":
            if self.at("=", "equiv"):
                self.take()
                relations.append("=")
            elif self.at(*RELATIONS):
                relations.append(self.take().value)
                self.skip("=")
            else:
                raise self.fault()
            sides.append(self.sum())
        for side in sides:
            if side.kind == "name":
                self.uses.alone.add(side.parts[0])
        return Parsed(tuple(sides), tuple(relations), self.uses, frozenset(self.ambiguous))

    def sum(self) -> Node:
        terms = [self.signed_term()]
        while self.at("+", "-", "pm", "mp") and not self._integral_ends():
            terms.append(self.signed_term())
        return terms[0] if len(terms) == 1 else node("sum", *terms)

    def signed_term(self) -> Node:
        sign, choice = 1, ""
        while self.at("+", "-", "pm", "mp"):
            value = self.take().value
            if value in ("pm", "mp"):
                choice = value
            elif value == "-":
                sign = -sign
        if self.at("dots") or self._is_remainder():
            return self._omitted()
        term = self.term()
        if choice:
            term = node("choice", choice, term)
        return term if sign > 0 else node("minus", term)

    def _is_remainder(self) -> bool:
        """Whether the term is one like `+ O(x^2)`, where the prompt does not say what `O` is."""
        is_o = "O" in (self.token.value, self.token.inside) and self.token.kind in ("letter", "font")
        known = self.names.defined | self.names.functions.keys()
        follows_sign = self.place > 0 and self.tokens[self.place - 1].value in ("+", "-")
        return is_o and follows_sign and self.peek().value == "(" and not {"O", r"\mathcal{O}"} & known

    def _omitted(self) -> Node:
        """Terms that are left out. Every place leaves out others, so the term is named after its text and place."""
        start = self.take().start
        depth = 0
        while self.token.kind != "end" and (depth or self.at("(")):
            depth += {"(": 1, ")": -1}.get(self.take().value, 0)
        digest = blake2b(self.text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
        return node("dots", f"{digest}.{start}")

    def _integral_ends(self) -> bool:
        return bool(self.integrals) and self.integrals[-1].is_done and self.integrals[-1].depth == self.depth

    def term(self) -> Node:
        entries: list[Entry] = []
        sign = ""
        while True:
            if self._integral_ends() and entries and self.integrals[-1].found[-1][2]:
                break
            if self.token.kind in ("sign", "command") and self.token.value in _PRODUCT_SIGNS:
                sign = _PRODUCT_SIGNS[self.take().value]
                if self.at("-", "+"):  # `a \cdot -b`
                    entries.append((sign, self.signed_term()))
                    break
                continue
            if self.is_differential():
                if self.integrals:
                    self.differential()
                    if self._integral_ends():
                        self._mark_end(bool(entries))
                        if entries:
                            break
                    continue
                entries.append((sign, self.loose_differential()))
            elif self.starts_factor():
                entries.append((sign, self.factor()))
                self._note_slash(sign)
            else:
                break
            sign = ""
        if not entries and not (self.integrals and self.integrals[-1].found):
            raise self.fault()
        if not entries:
            return node("number", "1")
        return entries[0][1] if len(entries) == 1 and not entries[0][0] else node("product", tuple(entries))

    def _mark_end(self, has_integrand: bool) -> None:
        """Notes whether the integrand stood before its last differential."""
        variable, order, _ = self.integrals[-1].found[-1]
        self.integrals[-1].found[-1] = variable, order, has_integrand

    def _note_slash(self, sign: str) -> None:
        if sign == "/" and self.starts_factor() and not self.is_differential():
            self.ambiguous.add("slash")

    def starts_factor(self) -> bool:
        token = self.token
        if token.kind == "sign":
            if token.value == "|":
                return not (self.bars and self.bars[-1] == self.depth) and not self._is_evaluation_bar()
            return token.value in ("(", "[", "{", "||")
        if token.kind == "command":
            return token.value not in RELATIONS and token.value not in _NO_FACTORS
        return token.kind != "end"

    def _is_evaluation_bar(self) -> bool:
        return self.peek().kind == "sign" and self.peek().value in ("_", "^")

    def factor(self) -> Node:
        """A base with its exponents, factorials, and the bounds of an evaluation bar."""
        base = self.base()
        while True:
            if self.at("^"):
                self.take()
                base = self._raised(base)
            elif self.at("!"):
                self.take()
                base = node("factorial", base)
            elif self.at("|") and self._is_evaluation_bar() and not (self.bars and self.bars[-1] == self.depth):
                self.take()
                base = node("at", base, *self.bounds())
            elif self.at("_") and base.kind in ("bracket", "abs", "product", "opaque", "power"):
                base = self._lowered(base)
            elif self.at("'"):
                self.take()
                base = node("opaque", "prime", base)
            else:
                return base

    def _raised(self, base: Node) -> Node:
        mark = self.mark()
        if mark:
            self.uses.marks.add("dagger")
            return node("opaque", mark, base)
        return node("power", base, self.argument())

    def _lowered(self, base: Node) -> Node:
        start = self.place
        lower, upper = self.bounds()
        if base.kind == "bracket" and lower is not None and upper is not None:
            return node("at", base.parts[0], lower, upper)
        return node("opaque", "component " + self.source(start), base)

    def source(self, start: int) -> str:
        """The text of the tokens from a place on."""
        return "".join(self.text[self.tokens[start].start : self.token.start].split())

    def mark(self) -> str:
        r"""Takes an exponent that is a mark, such as `^*`, `^\dagger` or `^\prime`; empty for others."""
        first, inner = self.token, self.peek()
        braces = first.kind == "sign" and first.value == "{"
        token = inner if braces else first
        known = {"*": "*", "ast": "*", "dagger": r"\dagger", "prime": "'", "T": "T", "top": "T"}
        if token.kind not in ("sign", "command") or token.value not in known:
            return ""
        count = 1
        while braces and self.peek(count + 1).value == token.value:
            count += 1
        if braces and self.peek(count + 1).value != "}":
            return ""
        for _ in range(count + 2 if braces else 1):
            self.take()
        return known[token.value] * count

    def bounds(self) -> tuple[Node | None, Node | None]:
        """The lower and the upper bound, in either order."""
        lower = upper = None
        while self.at("_", "^"):
            if self.take().value == "_":
                lower = self.bound()
            else:
                upper = self.bound()
        return lower, upper

    def bound(self) -> Node:
        if not self.at("{"):
            return self.argument()
        self.take()
        self.deeper()
        open_integrals, self.integrals = self.integrals, []
        inside = self.sum()
        if self.skip("="):
            inside = node("equation", inside, self.sum())
        elif self.at(*RELATIONS):
            relation = self.take().value
            inside = node("statement", relation, inside, self.sum())
        self.expect("}")
        self.integrals = open_integrals
        self.depth -= 1
        return inside

    def argument(self) -> Node:
        r"""The argument of a command: a group, or a single letter, digit or command."""
        if self.at("{"):
            return self.group()
        if self.at("-"):
            self.take()
            return node("minus", self.argument())
        self.one_digit()
        token = self.token
        if token.kind == "number":
            return node("number", self.take().value)
        if token.kind == "letter":
            return self.plain_letter()
        if token.kind in ("font", "text", "function") or (token.kind == "command" and self.starts_factor()):
            return self.base()
        raise self.fault()

    def group(self) -> Node:
        """The content of braces."""
        self.expect("{")
        self.deeper()
        inside = self.sum()
        if self.skip("over"):
            inside = node("product", (("", inside), ("/", self.sum())))
        self.expect("}")
        self.depth -= 1
        return inside

    def bracket(self, opening: str) -> Node:
        """The content of round or square brackets; several parts make a vector or a commutator."""
        self.take()
        self.deeper()
        parts = [self.sum()]
        while self.at(",", ";"):
            self.take()
            parts.append(self.sum())
        if not (self.skip(")") or self.skip("]")):
            raise self.fault()
        self.depth -= 1
        if len(parts) == 1:
            return node("bracket", parts[0])
        if opening == "[" and len(parts) == 2:
            return self.commutator(*parts)
        self.uses.marks.add("vector")
        return node("opaque", "tuple", *parts)

    def absolute(self, sign: str) -> Node:
        self.take()
        self.bars.append(self.depth)
        inside = self.sum()
        self.bars.pop()
        self.expect(sign)
        return node("abs", inside) if sign == "|" else node("opaque", "norm", inside)

    # The classes of `analysis.py` and `constructs.py` give the methods below.
    @abstractmethod
    def named(self) -> Node: ...

    @abstractmethod
    def raw(self) -> str: ...

    @abstractmethod
    def base(self) -> Node: ...

    @abstractmethod
    def plain_letter(self) -> Node: ...

    @abstractmethod
    def is_differential(self) -> bool: ...

    @abstractmethod
    def differential(self) -> None: ...

    @abstractmethod
    def loose_differential(self) -> Node: ...

    def commutator(self, first: Node, second: Node) -> Node:
        self.uses.marks.add("quantum")
        for part in (first, second):
            if part.kind == "name":
                self.uses.operators.add(part.parts[0])
        return node("commutator", first, second)


_NO_FACTORS = frozenset(("pm", "mp", "over", "equiv", "dots", *_PRODUCT_SIGNS))
