"""Prints LaTeX as in the released data: SymPy 1.5.1's printer, reproduced on current SymPy, then cleaned.

Subexpressions recur throughout a derivation, so the text of each one is cached. It does not depend on the place of the
subexpression, because the brackets around it are printed by its parent.
"""

from functools import lru_cache
from typing import Any

from sympy import Expr, Number, NumberSymbol, Order, Symbol, default_sort_key
from sympy.core.basic import Basic
from sympy.printing.latex import LatexPrinter, accepted_latex_functions
from sympy.printing.str import StrPrinter


def latex(expression: Basic) -> str:
    r"""Prints an expression or equation for models, without `\left` and `\right`.

    Meadows et al. (2024) remove `\left`, `\right` and thin spaces from SymPy's text. The result equals their text for
    every released equation.
    """
    text = raw_latex(expression).replace(r"\left", "").replace(r"\right", "")
    return text.replace(" )", ")").replace(r"\, ", " ")


def raw_latex(expression: Basic) -> str:
    """Prints as SymPy 1.5.1, before cleaning; the generator's bound on equations counts these characters."""
    return _printer.doprint(expression)


def plain_text(expression: Basic) -> str:
    """Prints as `str` and caches the texts of subexpressions."""
    return _plain_printer.doprint(expression)


@lru_cache(maxsize=20_000)
def _ordered_terms(expression: Expr) -> tuple[Expr, ...]:
    """The terms of a sum in printing order; finding the order takes longer than printing.

    The order is that of `as_ordered_terms`: by the powers of the terms' factors and then by their coefficients.
    """
    terms = expression.args
    may_start_with_number = len(terms) == 2 and any(isinstance(term, Number | NumberSymbol) for term in terms)
    if may_start_with_number or not expression.is_commutative or expression.has(Order):
        return tuple(expression.as_ordered_terms())
    rows = list(map(_coefficient_and_powers, terms))
    bases = sorted(set().union(*(powers for _, powers in rows)), key=default_sort_key)
    key, reverse = expression._parse_order(None)
    data = [
        (term, (coefficient, tuple(powers.get(base, 0) for base in bases), ()))
        for term, (coefficient, powers) in zip(terms, rows, strict=True)
    ]
    return tuple(term for term, _ in sorted(data, key=key, reverse=reverse))


@lru_cache(maxsize=20_000)
def _coefficient_and_powers(term: Expr) -> tuple[tuple[float, float], dict[Expr, int]]:
    """Splits a term as SymPy does: the real and imaginary part of its coefficient, and the exponents of its bases."""
    ((_, (coefficient, exponents, _)),), bases = term.as_terms()
    return coefficient, dict(zip(bases, exponents, strict=True))


class _PlainPrinter(StrPrinter):
    def _print(self, expr: Any, **kwargs: Any) -> str:
        if kwargs or not isinstance(expr, Expr):
            return super()._print(expr, **kwargs)
        return _print_plain_part(expr)

    def _as_ordered_terms(self, expr: Expr, order: str | None = None) -> tuple[Expr, ...]:
        return _ordered_terms(expr)

    def print_part(self, part: Expr) -> str:
        """Prints without a look into the cache."""
        return super()._print(part)


_plain_printer = _PlainPrinter()


@lru_cache(maxsize=50_000)
def _print_plain_part(part: Expr) -> str:
    return _plain_printer.print_part(part)


class _LegacyLatexPrinter(LatexPrinter):
    """SymPy's LaTeX printer with four behaviours of release 1.5.1 that later releases changed."""

    def _print(self, expr: Any, **kwargs: Any) -> str:
        if kwargs or not isinstance(expr, Expr):
            return super()._print(expr, **kwargs)
        return _print_part(expr)

    def print_part(self, part: Expr) -> str:
        """Prints without a look into the cache."""
        return super()._print(part)

    def _as_ordered_terms(self, expr: Expr, order: str | None = None) -> tuple[Expr, ...]:
        return _ordered_terms(expr)

    def _print_Symbol(self, expr: Symbol, style: str = "plain") -> str:
        """Prints a name that is LaTeX already as it is, without splitting it into scripts."""
        return expr.name if "\\" in expr.name else super()._print_Symbol(expr, style)

    def _hprint_Function(self, func: str) -> str:
        r"""Puts the whole name of a function, with its subscripts, inside `\operatorname`."""
        name = self._deal_with_super_sub(func)
        if name in accepted_latex_functions:
            return rf"\{name}"
        return name if len(name) == 1 or name.startswith("\\") else rf"\operatorname{{{name}}}"

    def _print_Function(self, expr: Any, exp: str | None = None) -> str:
        """Prints the exponent of a function after its name, even if the name has a superscript of its own."""
        if exp is None or hasattr(self, f"_print_{expr.func.__name__}"):
            return super()._print_Function(expr, exp)
        arguments = ",".join(self._print(argument) for argument in expr.args)
        return rf"{self._hprint_Function(expr.func.__name__)}^{{{exp}}}{{\left({arguments} \right)}}"

    def parenthesize(self, item: Any, level: int, is_neg: bool = False, strict: bool = False) -> str:
        """Puts no brackets around a negative operand of a derivative or an integral."""
        return super().parenthesize(item, level, strict=strict)


@lru_cache(maxsize=50_000)
def _print_part(part: Expr) -> str:
    return _printer.print_part(part)


_printer = _LegacyLatexPrinter()
