"""A text for a list of equations that does not depend on their names.

SymPy orders sums, products and mixed derivatives by name, and it places the minus sign of odd and even functions by
name (`sin(x - y)` or `-sin(y - x)`). So names are numbered by their places in the equations, and sums, products and
signs are put in an order that is independent of names.
"""

from collections.abc import Iterator, Mapping, Sequence

from sympy import Add, Derivative, Equality, Integer, Mul, Pow, Rational, Symbol, Tuple
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

ODD_FUNCTIONS = frozenset({"sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "erf", "erfi", "Si", "Shi"})
EVEN_FUNCTIONS = frozenset({"cos", "cosh", "Abs"})
"""SymPy's names of functions that drop the sign of their argument; `ODD_FUNCTIONS` pass it on."""

Signed = tuple[int, str]
"""A sign and the text without it; the sign is 0 if both signs give the same text."""


def canonical_text(equations: Sequence[Equality]) -> str:
    """Writes the equations with numbered names; equations that are equal up to an injective renaming give one text.

    Names in an ordered place (a function and its arguments, a base, an exponent, a limit) are numbered in order of
    appearance. Other names occur only within sums and products, as integration constants do. Among these, the next
    number goes to the name that gives the least text when its occurrences are marked. Names that give the same text
    count as interchangeable, which could only be wrong with half a dozen such names in a derivation.
    """
    numbers: dict[str, str] = {}
    for equation in equations:
        for name in _ordered_names(equation):
            numbers.setdefault(name, str(len(numbers)))
    remaining = sorted(set(_names(equations)) - set(numbers))
    while remaining:
        if len(remaining) == 1:
            chosen = remaining[0]
        else:
            chosen = min(remaining, key=lambda name: _text(equations, {**numbers, name: "*"}))
        numbers[chosen] = str(len(numbers))
        remaining.remove(chosen)
    return _text(equations, numbers)


def _text(equations: Sequence[Equality], numbers: Mapping[str, str]) -> str:
    """The equations with the names in `numbers` replaced, and every other name by a question mark."""
    form = _Form(numbers)
    return ";".join(f"{form.text(equation.lhs)}={form.text(equation.rhs)}" for equation in equations)


def _names(equations: Sequence[Equality]) -> Iterator[str]:
    for equation in equations:
        for symbol in equation.atoms(Symbol):
            yield symbol.name
        for application in equation.atoms(AppliedUndef):
            yield application.func.__name__


def _ordered_names(node: Basic) -> Iterator[str]:
    """Yields, in order, the names in places that SymPy does not reorder."""
    if isinstance(node, Symbol):
        yield node.name
    elif isinstance(node, Derivative):
        yield from _ordered_names(node.expr)
    elif not isinstance(node, Add | Mul):
        if isinstance(node, AppliedUndef):
            yield node.func.__name__
        for part in node.args:
            yield from _ordered_names(part)


class _Form:
    """Writes expressions under one numbering of names."""

    def __init__(self, numbers: Mapping[str, str]) -> None:
        self._numbers = numbers
        self._seen: dict[Basic, Signed] = {}

    def text(self, node: Basic) -> str:
        """The text of an expression with its sign."""
        sign, body = self._signed(node)
        return "~+-"[sign] + body

    def _signed(self, node: Basic) -> Signed:
        if node not in self._seen:
            self._seen[node] = self._compute(node)
        return self._seen[node]

    def _compute(self, node: Basic) -> Signed:
        if isinstance(node, Symbol):
            return 1, f"s{self._number(node.name)}"
        if isinstance(node, Rational):
            return (-1 if node.p < 0 else 1), f"{abs(node.p)}/{node.q}"
        if isinstance(node, Add):
            return self._sum(node)
        if isinstance(node, Mul):
            return self._product(node)
        if isinstance(node, Pow):
            return self._power(node)
        if isinstance(node, Derivative):
            variables = sorted(f"{self.text(variable)}^{count}" for variable, count in node.variable_count)
            return 1, f"D({self.text(node.expr)},{','.join(variables)})"
        return self._application(node)

    def _sum(self, node: Add) -> Signed:
        """The terms in order of their texts, with the overall sign that gives the lesser text."""
        terms = [self._signed(term) for term in node.args]
        plain, negated = (sorted("~+-"[sign * factor] + body for sign, body in terms) for factor in (1, -1))
        sign = 0 if plain == negated else 1 if plain < negated else -1
        return sign, f"({''.join(min(plain, negated))})"

    def _product(self, node: Mul) -> Signed:
        factors = [self._signed(factor) for factor in node.args]
        sign = 1
        for factor_sign, _ in factors:
            sign *= factor_sign
        bodies = sorted(body for _, body in factors if body != "1/1")
        return sign, bodies[0] if len(bodies) == 1 else f"[{'*'.join(bodies)}]"

    def _power(self, node: Pow) -> Signed:
        """A power; an integer exponent takes the sign out of the base, as in SymPy."""
        sign, base = self._signed(node.base)
        exponent = self.text(node.exp)
        if isinstance(node.exp, Integer):
            return (1 if node.exp.p % 2 == 0 else sign), f"P({base},{exponent})"
        return 1, f"P({'~+-'[sign]}{base},{exponent})"

    def _application(self, node: Basic) -> Signed:
        """A function, an integral with its limits, or a constant such as `pi`."""
        if not node.args:
            return 1, str(node)
        head = node.func.__name__
        if head in EVEN_FUNCTIONS or head in ODD_FUNCTIONS:
            sign, body = self._signed(node.args[0])
            return (sign if head in ODD_FUNCTIONS else 1), f"{head}({body})"
        if isinstance(node, AppliedUndef):
            head = f"f{self._number(head)}"
        elif isinstance(node, Tuple):
            head = ""
        return 1, f"{head}({','.join(self.text(part) for part in node.args)})"

    def _number(self, name: str) -> str:
        return self._numbers.get(name, "?")
