"""Replaces one expression by another within a third, like SymPy's `subs` but many times faster.

`subs` compares every part with its former value, at every level. Expressions are immutable and know their hash, so it
is enough to test whether a part is the same object or equal. A part that lacks a name of the replaced expression can be
skipped.

SymPy decides for each type what counts as an occurrence (`_eval_subs`): some terms of a sum, a power within a power, no
bound variable. This takes long for products, powers and derivatives, and usually finds nothing, so easy cases of these
are decided here. The code supposes that products commute.

Two results differ from SymPy's, and both are better. SymPy rebuilds fractions without an occurrence, which may change
signs in them. And it takes every power for a power of an integral of 0 with the same exponent, because it gives that
integral an infinite logarithm.
"""

from collections import Counter
from functools import lru_cache

from sympy import Derivative, Expr, Mul, Pow, S, Symbol, exp, fraction, powdenest
from sympy.core.basic import Basic

from mathderive.symbolic.names import names_of


@lru_cache(maxsize=20_000)
def replace(node: Basic, old: Expr, new: Expr) -> Basic:
    """Returns `node.subs(old, new)`."""
    if node == old:
        return new
    if not names_of(old) <= names_of(node):
        return node
    result = _replace_by_type(node, old, new)
    if result is not None:
        return result
    parts = [replace(part, old, new) for part in node.args]
    return node if parts == list(node.args) else node.func(*parts)


def _replace_by_type(node: Basic, old: Expr, new: Expr) -> Basic | None:
    """Returns `node._eval_subs(old, new)`; None where the replacement goes on in the parts."""
    if isinstance(node, Mul):
        return _replace_in_product(node, old, new) if isinstance(old, Mul) else None
    if isinstance(node, Pow) and not _may_combine(node, old):
        return None
    if isinstance(node, Derivative):
        return _replace_in_derivative(node, old, new)
    return node._eval_subs(old, new)


def _replace_in_product(node: Mul, old: Mul, new: Expr) -> Basic | None:
    """Replaces a product within a product: first in numerator and denominator, then among the factors.

    All factors of `old` must occur, each with at least its power.
    """
    coefficient = old.args[0]
    if coefficient.is_Number and coefficient.is_negative and node.args[0].is_Number:
        return replace(node, -old, -new) if node.args[0].is_negative else None
    result, product = None, node
    numerator, denominator = _fraction(node)
    if denominator is not S.One:
        if node.has(Derivative):
            return node._eval_subs(old, new)  # it rebuilds derivatives, which may change their sign
        product = replace(numerator, old, new) / replace(denominator, old, new)
        if not isinstance(product, Mul):
            return replace(product, old, new)
        if product != node:
            result = product
    if coefficient.is_Rational:
        if not product.args[0].is_Rational:
            return result
        if product.args[0] != coefficient:
            return node._eval_subs(old, new)
    powers = _powers(product)
    if all(base in powers and (powers[base] > 0) == (power > 0) for base, power in _powers(old).items()):
        return node._eval_subs(old, new)
    return result


@lru_cache(maxsize=20_000)
def _fraction(product: Mul) -> tuple[Expr, Expr]:
    return fraction(product)


@lru_cache(maxsize=20_000)
def _powers(product: Mul) -> Counter[Expr]:
    """The rational powers of factors by base: `2*x**y*x**(3*y)` has 2 once and `x**y` four times."""
    powers: Counter[Expr] = Counter()
    for factor in map(_denest, product.args):
        base, exponent = factor.as_base_exp() if isinstance(factor, Pow | exp) else (factor, S.One)
        coefficient = S.One if exponent is S.One else exponent.as_coeff_mul()[0]
        powers[base if exponent is S.One else Pow(base, exponent / coefficient)] += coefficient
    return powers


@lru_cache(maxsize=20_000)
def _denest(factor: Expr) -> Expr:
    return powdenest(factor)


def _may_combine(power: Pow, old: Expr) -> bool:
    """Whether SymPy may find `old` in a power other than in its base and exponent.

    It knows neither sign nor logarithm of an expression that contains a name.
    """
    if isinstance(old, exp):
        return power.base == old or not names_of(power.base)
    if not isinstance(old, Pow):
        return power.base == old
    return power.base in (old, old.base) or not (names_of(power.base) and names_of(old.base))


def _replace_in_derivative(derivative: Derivative, old: Expr, new: Expr) -> Basic | None:
    """Replaces in the differentiated expression.

    SymPy does the work if the replacement changes a variable or an order, or brings a variable of the derivative in.

    Raises:
        RecursionError: `old` is a variable of the derivative and occurs in an order and in `new`. SymPy would replace
            it in the order again and again, and take twice as long each time.
    """
    if old.is_Number or (isinstance(old, Derivative) and old.expr == derivative.expr):
        return derivative._eval_subs(old, new)
    variables, orders = zip(*derivative.variable_count, strict=True)
    if old in variables and new.has(old) and any(order.has(old) for order in orders):
        raise RecursionError(f"{old} in an order of differentiation is replaced without end")
    for variable, count in derivative.variable_count:
        if not (isinstance(variable, Symbol) and count.is_Integer and replace(variable, old, new) == variable):
            return derivative._eval_subs(old, new)
    expression = replace(derivative.expr, old, new)
    changed = derivative.expr != old and expression != derivative.expr
    if changed and derivative.expr.free_symbols & set(variables) & (new.free_symbols - old.free_symbols):
        return derivative._eval_subs(old, new)
    return Derivative(expression, *derivative.variable_count)
