r"""The bases of factors: names with their arguments, units, functions and commands."""

from mathderive.symbolic.latex.lexer import LatexError
from mathderive.symbolic.latex.textbook.analysis import INTEGRALS, Analysis
from mathderive.symbolic.latex.textbook.grammar import MAX_DIGITS
from mathderive.symbolic.latex.textbook.names import Names, Parsed, script_text, spelled
from mathderive.symbolic.latex.textbook.nodes import Entry, Node, node
from mathderive.symbolic.latex.textbook.tokens import Token, group_at

FUNCTION_LETTERS = frozenset(("f", "g", "h", "F", "G", "H", r"\phi", r"\varphi", r"\psi", r"\Phi", r"\Psi", r"\delta"))
_VECTOR_FONTS = frozenset(("vec", "mathbf", "boldsymbol", "bm", "pmb"))
_DOTS = {"dot": 1, "ddot": 2, "dddot": 3}
_CONSTANT_COMMANDS = {"infty": "oo"}


def parse_textbook(text: str, names: Names, styles: tuple[str, ...] = ()) -> Parsed:
    """Parses a text.

    Args:
        names: the roles of the names in the derivation.
        styles: the second meaning of a notation: `narrow`, `slash` or `product`.

    Raises:
        LatexError: the text is too long, too deep or outside the grammar.
    """
    try:
        return Constructs(text, names, styles).parse()
    except RecursionError:
        raise LatexError("nested too deeply") from None


class Constructs(Analysis):
    """The bases of factors."""

    def base(self) -> Node:
        token = self.token
        if token.kind == "number":
            if len(token.value) > MAX_DIGITS:
                raise LatexError(f"a number of more than {MAX_DIGITS} digits", token.start)
            return node("number", self.take().value)
        if token.kind in ("letter", "font"):
            return self.named()
        if token.kind == "text":
            return self.unit()
        if token.kind == "function":
            return self.function()
        if token.kind == "d":
            return self.derivative_sign()
        if token.kind == "sign":
            return self.enclosed(token.value)
        return self.command(token)

    def enclosed(self, sign: str) -> Node:
        if sign == "{":
            return self.group()
        if sign in ("(", "["):
            return self.bracket(sign)
        if sign in ("|", "||"):
            return self.absolute(sign)
        raise self.fault()

    def command(self, token: Token) -> Node:
        name = token.value
        if name == "frac":
            return self.fraction()
        if name in INTEGRALS:
            return self.integral(name)
        if name in _CONSTANT_COMMANDS:
            self.take()
            return node("constant", _CONSTANT_COMMANDS[name])
        method = getattr(self, f"read_{name}", None)
        if method is not None:
            self.take()
            return method()
        if name in ("left", "right", "begin", "end"):
            raise self.fault()
        self.take()
        self.uses.marks.add("unknown")
        return node("opaque", f"\\{name}")

    # Names

    def plain_letter(self) -> Node:
        """A letter without scripts or arguments."""
        return self._plain(self.take().value)

    def _plain(self, letter: str) -> Node:
        if letter == "e" and not self.names.e_is_name:
            if self.at("^"):
                self.uses.marks.add("e^")
            return node("constant", "E")
        return node("name", letter)

    def named(self) -> Node:
        """A name with its scripts, primes and arguments."""
        token = self.take()
        base, dots, is_vector = token.value, 0, False
        if token.kind == "font":
            if token.value in _DOTS:
                dots, base = _DOTS[token.value], token.inside
                is_vector = any(rf"\{font}" in base for font in _VECTOR_FONTS)
            elif token.value == "operatorname":
                if len(token.inside) > 1 and token.inside.isalpha() and not self.at("(", "{", "_", "^"):
                    self.uses.marks.add("unknown")
                    return node("opaque", f"\\{token.inside}")
                base = token.inside if len(token.inside) == 1 else rf"\operatorname{{{token.inside}}}"
            else:
                base = rf"\{token.value}{{{token.inside}}}"
                is_vector = token.value in _VECTOR_FONTS or any(rf"\{font}" in base for font in _VECTOR_FONTS)
                is_vector = is_vector or token.value == "hat"
        elif base == "e" and not self.names.e_is_name and not self.at("_"):
            return self._plain(base)
        script, mark, primes, exponent = self._scripts()
        name = spelled(base, mark, script)
        if is_vector:
            self.uses.marks.add("vector")
        if mark:
            self.uses.marks.add("dagger")
            if mark == r"\dagger":
                self.uses.operators |= {name, spelled(base, "", script)}
        found = self._with_arguments(name, primes, dots)
        return found if exponent is None else node("power", found, exponent)

    def _scripts(self) -> tuple[str, str, int, Node | None]:
        """The subscript, the mark, the number of primes, and an exponent that stands before them."""
        script, mark, primes = "", "", 0
        exponent: Node | None = None
        while True:
            if self.at("_") and not script:
                self.take()
                script = script_text(self.raw())
            elif self.at("'"):
                self.take()
                primes += 1
            elif self.at("^") and exponent is None:
                start = self.place
                self.take()
                found = self.mark()
                if found and not found.startswith("'") and not mark:
                    mark = found
                elif found:
                    primes += len(found)
                elif self._is_script_after_exponent() or (self._is_order() and not script):
                    exponent = self.argument()
                else:
                    self.place = start
                    break
            else:
                break
        return script, mark, primes, exponent

    def _is_order(self) -> bool:
        """Whether an exponent stands between a name and its arguments, as in `f^2(x)`."""
        end = self.place + 1
        if self.at("{"):
            end = self.closing(self.place) + 1
        elif self.token.kind == "number":
            return len(self.token.value) == 1 and self.tokens[end].value == "(" and self._applies_next(end)
        return self.tokens[min(end, len(self.tokens) - 1)].value == "(" and self._applies_next(end)

    def _applies_next(self, end: int) -> bool:
        before = self.tokens[self.place - 2] if self.place >= 2 else self.token
        return before.value in self.names.functions or before.value in FUNCTION_LETTERS

    def _is_script_after_exponent(self) -> bool:
        """Whether a subscript follows the exponent, as in `x^2_1`."""
        end = self.closing(self.place) + 1 if self.at("{") else self.place + 1
        if self.token.kind == "number" and len(self.token.value) > 1:
            return False
        following = self.tokens[min(end, len(self.tokens) - 1)]
        return following.kind == "sign" and following.value == "_"

    def raw(self) -> str:
        """Takes a group or a single token, and gives its text without spaces."""
        if not self.at("{"):
            self.one_digit()
            token = self.take()
            if token.kind in ("font", "text"):
                return token.inside if token.kind == "text" else rf"\{token.value}{{{token.inside}}}"
            if token.kind == "end" or (token.kind == "sign" and token.value not in ("+", "-", "*")):
                raise LatexError("a subscript of nothing", token.start)
            return token.value if token.kind != "command" else rf"\{token.value}"
        start, end = self.place, self.closing(self.place)
        _, inside = group_at(self.text, self.tokens[start].start)
        self.place = min(end + 1, len(self.tokens) - 1)
        return inside

    def _with_arguments(self, name: str, primes: int, dots: int) -> Node:
        arguments = self._arguments(name, primes + dots)
        if arguments is not None:
            known = tuple(part.parts[0] if part.kind == "name" else "" for part in arguments)
            if name not in self.uses.applied or not all(self.uses.applied[name]):
                self.uses.applied[name] = known
            return node("applied", name, primes, dots, tuple(arguments))
        if primes or dots:
            self.uses.primes.append((name, "t" if dots else ""))
            return node("primed", name, primes, dots)
        self.uses.alone.add(name)
        return node("name", name)

    def _arguments(self, name: str, derivatives: int) -> list[Node] | None:
        """The arguments of a function; None where a bracket after a name is a factor."""
        braces = self.at("{") and self.peek().value == "(" and self.peek().kind == "sign"
        if not (braces or self.at("(")):
            return None
        start = self.place
        marks = set(self.uses.marks)
        if braces:
            end = self.closing(start)
            if self.tokens[end - 1].value != ")":
                return None
            self.take()
        self.take()
        self.deeper()
        open_integrals, self.integrals = self.integrals, []
        parts = [self.sum()]
        while self.skip(",") or self.skip(";"):
            parts.append(self.sum())
        self.integrals = open_integrals
        self.depth -= 1
        if not self.skip(")"):
            raise self.fault()
        if braces:
            self.expect("}")
        if braces or self._is_applied(name, parts, derivatives):
            return parts
        self.place = start
        self.uses.marks = marks
        return None

    def _is_applied(self, name: str, parts: list[Node], derivatives: int) -> bool:
        if name in self.names.functions or len(parts) > 1:
            return True
        if name in self.names.alone and not derivatives:
            return False
        simple = parts[0].kind in ("name", "constant") or (parts[0].kind == "number" and parts[0].parts[0] in "01")
        applied = simple or (name in FUNCTION_LETTERS and parts[0].kind in ("sum", "minus", "product", "applied"))
        if applied:
            self.ambiguous.add("product")
        return applied and "product" not in self.styles

    def unit(self) -> Node:
        """The text of `\\text{...}`: a product of units, such as `m/s^2`."""
        token = self.take()
        parts: list[Entry] = []
        sign = ""
        place = 0
        while place < len(token.inside):
            character = token.inside[place]
            if character.isalpha():
                end = place
                while end < len(token.inside) and token.inside[end].isalpha():
                    end += 1
                unit: Node = node("name", rf"\mathrm{{{token.inside[place:end]}}}")
                if token.inside[end : end + 1] == "^":
                    digits = token.inside[end + 1 :].lstrip("{")
                    length = len(digits) - len(digits.lstrip("-0123456789"))
                    power, end = digits[:length], token.inside.index(digits, end) + length
                    if not power.lstrip("-").isdigit():
                        raise LatexError("a unit with an exponent that is no number", token.start)
                    unit = node("power", unit, node("number", power))
                parts.append((sign, unit))
                sign, place = "", end
                continue
            if character == "/":
                sign = "/"
            elif character not in "{}()*.,-~\\":
                raise LatexError(f"a text that is no unit: {token.inside[:20]}", token.start)
            place += 1
        if not parts:
            raise LatexError("a text without a unit", token.start)
        return node("product", tuple(parts))

    # Functions

    def function(self) -> Node:
        name = self.take().value
        power = base = None
        while self.at("^", "_"):
            if self.take().value == "^":
                power = self.argument()
            else:
                base = self.argument()
        argument = self.function_argument()
        found = node("function", name, argument) if base is None else node("logarithm", name, base, argument)
        if power is None:
            return found
        if power == node("minus", node("number", "1")) and f"a{name}" in _INVERSES:
            self.ambiguous.add("inverse")
            if "inverse" not in self.styles:
                return node("function", f"a{name}", argument)
        return node("power", found, power)

    def function_argument(self) -> Node:
        if self.at("(", "["):
            return self.bracket("(")
        if self.at("{"):
            return self.group()
        if self.at("|", "||"):
            return self.base()
        if self.at("-"):
            self.take()
            return node("minus", self.function_argument())
        entries: list[Entry] = []
        while not entries or self._goes_on(entries[-1][1]):
            if not self.starts_factor() or self.is_differential():
                raise self.fault()
            if self.token.kind == "function":
                return self.function()
            entries.append(("", self.factor()))
        if len(entries) > 2 or (len(entries) == 2 and entries[0][1].kind != "number"):
            self.ambiguous.add("narrow")
        return entries[0][1] if len(entries) == 1 else node("product", tuple(entries))

    def _goes_on(self, last: Node) -> bool:
        """Whether the argument of a function without brackets goes on after a factor."""
        if "narrow" in self.styles and last.kind != "number":
            return False
        token = self.token
        if last.kind not in ("name", "number", "constant", "power", "primed") or self.is_differential():
            return False
        if token.kind == "letter":
            return not (token.value == "e" and self.peek().value == "^")
        return token.kind == "font"


_INVERSES = frozenset(("asin", "acos", "atan", "acot", "asinh", "acosh", "atanh"))
