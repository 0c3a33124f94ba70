r"""Prints a parsed LaTeX text in a uniform style without evaluating anything: `x + x` stays `x + x`.

A reader who looks for mistakes must see the text as it was written. The style is that of our printer, whatever the
style of the text: `(a+b)/2` and `\dfrac{a+b}{2}` both become `\frac{a + b}{2}`. The result contains only the commands
below and those of names, and it parses to the same tree.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from mathderive.symbolic.latex.lexer import LatexError, canonical_name
from mathderive.symbolic.latex.tree import Bounds, Chain, Differential, Node, parse_tree

_COMMANDS = frozenset(("sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sinh", "cosh", "tanh", "coth", "arg"))
_NAMES = {"asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan"}
_CONSTANTS = {"E": "e", "oo": r"\infty", "zoo": r"\tilde{\infty}", "nan": r"\operatorname{NaN}"}
_DERIVATIVE_SIGN = re.compile(r"frac\s*\{\s*(?:(d)|\\?\s*partial)(?![A-Za-z]{2})")
_FUNCTIONS = ("applied", "elementary")
_SIMPLE_BASES = ("symbol", "number", "constant")


def as_written(text: str) -> str:
    """Prints a text in the printer's style, as it was written.

    Raises:
        LatexError: as `parse_tree`, or the signs `d` and `\\partial` cannot be assigned to the derivatives.
    """
    return _Writer(text).sides()


class _Writer:
    def __init__(self, text: str) -> None:
        self._trees = parse_tree(text)
        # The tree lacks the signs, but its derivatives are in the order of the text.
        self._signs = ["d" if match[1] else r"\partial" for match in _DERIVATIVE_SIGN.finditer(text)]
        self._next_sign: Iterator[str] = iter(self._signs)

    def sides(self) -> str:
        try:
            text = " = ".join(map(self._inside, self._trees))
        except StopIteration:
            raise LatexError("a derivative whose sign is not found") from None
        if next(self._next_sign, None) and len(set(self._signs)) > 1:
            raise LatexError("derivatives whose signs are not told apart")
        return text

    def _write(self, node: Node) -> str:
        if node.kind in _FUNCTIONS:
            return self._name(node) + self._arguments(node)
        return getattr(self, f"_{node.kind}")(*node.parts)

    def _inside(self, node: Node) -> str:
        """Prints a tree that stands between braces and so needs no brackets."""
        return self._write(_unwrapped(node))

    def _number(self, digits: str) -> str:
        return digits

    def _symbol(self, name: str) -> str:
        return _spelling(name)

    def _constant(self, name: str) -> str:
        return _CONSTANTS[name]

    def _sum(self, *terms: Node) -> str:
        text = self._write(terms[0])
        for term in terms[1:]:
            written = self._write(term)
            text += f" - {written[2:]}" if term.kind == "product" and term.parts[0] < 0 else f" + {written}"
        return text

    def _product(self, sign: int, chain: Chain) -> str:
        return "- " * (sign < 0) + self._chain(chain)

    def _chain(self, chain: Chain) -> str:
        """Prints factors side by side, with each divisor below the factor before it."""
        factors: list[str] = []
        for place, (node, divides) in enumerate(chain):
            is_fraction = place + 1 < len(chain) and chain[place + 1][1]
            if divides:
                factors[-1] = rf"\frac{{{factors[-1]}}}{{{self._inside(node)}}}"
            elif is_fraction:
                factors.append(self._inside(node))
            else:
                factors.append(self._factor(node, is_last=place == len(chain) - 1))
        text = factors[0]
        for factor in factors[1:]:
            text += (r" \cdot " if factor[0].isdigit() else " ") + factor
        return text

    def _factor(self, node: Node, is_last: bool) -> str:
        """Prints a factor, in brackets if its extent would be ambiguous without them."""
        node = _unwrapped(node)
        written = self._write(node)
        takes_the_rest = node.kind == "derivative" and not is_last
        return f"({written})" if node.kind == "sum" or takes_the_rest or _is_plain_product(node) else written

    def _power(self, base: Node, exponent: Node) -> str:
        base = _unwrapped(base)
        power = f"^{{{self._inside(exponent)}}}"
        if base.kind in _FUNCTIONS:
            name = self._name(base)
            if name == r"\log":  # as in our printer
                return name + self._arguments(base) + power
            return (f"{{{name}}}" if "^" in name else name) + power + self._arguments(base)
        written = self._write(base)
        return (written if base.kind in _SIMPLE_BASES and "^" not in written else f"({written})") + power

    def _name(self, function: Node) -> str:
        name = function.parts[0]
        return _function(name) if function.kind == "elementary" else _spelling(name)

    def _arguments(self, function: Node) -> str:
        arguments = function.parts[1:] if function.kind == "elementary" else function.parts[1]
        return f"{{({','.join(map(self._inside, arguments))})}}"

    def _root(self, radicand: Node, degree: Node) -> str:
        is_square = degree.kind == "number" and degree.parts == ("2",)
        of_degree = "" if is_square else f"[{self._inside(degree)}]"
        return rf"\sqrt{of_degree}{{{self._inside(radicand)}}}"

    def _derivative(self, differentials: tuple[Differential, ...], sign: int, chain: Chain) -> str:
        d = next(self._next_sign)
        written = [(self._write(name), order and self._inside(order)) for name, order in differentials]
        orders = [order or "1" for _, order in written]
        order = str(sum(map(int, orders))) if all(map(str.isdecimal, orders)) else " + ".join(orders)
        numerator = d if order == "1" else f"{d}^{{{order}}}"
        denominator = " ".join(f"{d} {name}" + (f"^{{{order}}}" if order else "") for name, order in written)
        return rf"\frac{{{numerator}}}{{{denominator}}} {self._product(sign, chain)}"

    def _integral(self, integrand: Node, limits: tuple[tuple[Differential, Bounds], ...]) -> str:
        bounds = [bound for _, bound in reversed(limits)]
        signs = "".join(map(self._integral_sign, bounds)) if any(bounds) else rf"\{'i' * len(bounds)}nt"
        integrand = _unwrapped(integrand)
        written = self._write(integrand)
        inside = f"({written})" if integrand.kind == "sum" else written
        return f"{signs} {inside}" + "".join(f" d{self._write(name)}" for (name, _), _ in limits)

    def _integral_sign(self, bound: Bounds) -> str:
        *lower, upper = [f"{{{self._inside(node)}}}" for node in bound] or [""]
        return r"\int" + "".join(f"_{text}" for text in lower) + (f"^{upper}" if upper else "")


def _unwrapped(node: Node) -> Node:
    """The tree without products of a single factor, which come from brackets."""
    while node.kind == "product" and node.parts[0] > 0 and len(node.parts[1]) == 1:
        ((node, _),) = node.parts[1]
    return node


def _is_plain_product(node: Node) -> bool:
    """Whether a node is a product other than a single fraction."""
    if node.kind != "product":
        return False
    sign, chain = node.parts
    return sign < 0 or not (len(chain) == 2 and chain[1][1])


@lru_cache(maxsize=4096)
def _spelling(name: str) -> str:
    return name if canonical_name(name) == name else rf"\operatorname{{{name}}}"


def _function(name: str) -> str:
    return rf"\{name}" if name in _COMMANDS else _NAMES.get(name, rf"\operatorname{{{name}}}")
