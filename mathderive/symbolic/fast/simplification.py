"""SymPy's `simplify` with a memory, for the kinds of expressions that integrals and antiderivatives consist of.

An integral and its value share most of their parts, and `simplify` asks for the same parts, and tries the same
rewritings of them, again and again. The steps here are those of SymPy 1.14 in its order, without those for functions
that do not occur. Any expression of another kind is left to SymPy. Only the sign of a cancelled fraction is that of
SymPy 1.5.1, which counts as an operation and so decides between forms of the text.
"""

from functools import lru_cache

from sympy import (
    Add,
    Ci,
    Derivative,
    Ei,
    Expr,
    I,
    Integer,
    Integral,
    Mul,
    Poly,
    Pow,
    Rational,
    S,
    Si,
    Symbol,
    Tuple,
    cancel,
    cos,
    count_ops,
    erf,
    erfi,
    exp,
    expand_log,
    expand_mul,
    expand_power_exp,
    exptrigsimp,
    factor_terms,
    fraction,
    li,
    log,
    logcombine,
    pi,
    powsimp,
    radsimp,
    signsimp,
    simplify,
    sin,
    tan,
    together,
    trigsimp,
)
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef, _mexpand
from sympy.core.rules import Transform
from sympy.core.traversal import bottom_up
from sympy.functions.elementary.exponential import ExpBase
from sympy.functions.elementary.hyperbolic import HyperbolicFunction
from sympy.functions.elementary.trigonometric import TrigonometricFunction
from sympy.simplify.trigsimp import _futrig

PLAIN = frozenset(
    {Symbol, Rational, Integer, type(S.Half), type(S.One), type(S.NegativeOne), type(S.Zero), type(pi), type(I), Tuple}
    | {Add, Mul, Pow, exp, log, sin, cos, tan, Integral, Derivative, Ei, Si, Ci, li, erf, erfi}
)
"""The types of nodes that are simplified here, besides undefined functions."""

TRANSPARENT = (Add, Mul, Pow, exp)
"""The types of nodes that are simplified together with their parts; the parts of others are simplified alone."""

MAX_RATIO = 1.7
"""Maximum ratio of the numbers of operations after and before."""


def simplify_without_evaluation(expression: Basic) -> Basic:
    """Returns `simplify(expression, doit=False)`."""
    return _simplify_plain(expression) if _is_plain(expression) else simplify(expression, doit=False)


@lru_cache(maxsize=20_000)
def _is_plain(node: Basic) -> bool:
    return (type(node) in PLAIN or isinstance(node, AppliedUndef)) and all(map(_is_plain, node.args))


@lru_cache(maxsize=20_000)
def _simplify_plain(expression: Basic) -> Basic:
    """Simplifies by what SymPy defines for the type, or else by its general steps."""
    if not isinstance(expression, Expr):
        return expression.func(*map(_simplify_plain, expression.args))
    if expression.is_zero:
        return expression if expression.is_Number else S.Zero
    if expression.is_Atom:
        return expression
    if isinstance(expression, Integral):
        factored = factor_terms(expression)
        if isinstance(factored, Integral):
            return factored.func(*map(simplify_without_evaluation, factored.args))
        return simplify_without_evaluation(factored)
    if isinstance(expression, log):
        inner = expand_log(log(simplify_without_evaluation(expression.args[0])), deep=True)
        return min([inner, expression], key=count_ops)
    return _simplify_generally(expression)


def _simplify_generally(expression: Expr) -> Expr:
    original = expression = signsimp(expression)
    if not expression.args:
        return expression
    expression = expression.replace(
        lambda part: isinstance(part, Expr) and part.args and not isinstance(part, TRANSPARENT),
        lambda part: part.func(*map(simplify_without_evaluation, part.args)),
        simultaneous=False,
    )
    if not isinstance(expression, TRANSPARENT):
        return expression
    expression = factor_terms(_combine(expression), sign=False)
    if expression.has(TrigonometricFunction, HyperbolicFunction):
        expression = _simplify_waves(expression)
    if expression.has(log):
        expression = _shorter(expand_log(expression, deep=True), logcombine(expression))
    if expression.has(Integral):
        expression = expression.xreplace({part: factor_terms(part) for part in expression.atoms(Integral)})
    expression = _arrange(expression)
    return original if count_ops(expression) > MAX_RATIO * count_ops(original) else expression


def _combine(expression: Expr) -> Expr:
    """Combines powers and fractions in the way that leaves the fewest operations."""
    normal = bottom_up(expression, lambda part: getattr(part, "normal", lambda: part)())
    combined = Mul(*_combine_powers(normal).as_content_primitive())
    reduced = _cancel(combined)
    reduced = _shorter(reduced, _cancel(_mexpand(reduced)))
    return _shorter(_shorter(_together(combined), _together(reduced)), reduced, combined)


def _simplify_waves(expression: Expr) -> Expr:
    """Returns `trigsimp(expression)`."""
    if expression.has(HyperbolicFunction):
        return trigsimp(expression, deep=True)
    result = bottom_up(expression, _simplify_wave)
    if result != expression and result.is_Mul and result.args[0].is_Rational:
        return Mul(*result.as_coeff_Mul())
    return result


def _arrange(expression: Expr) -> Expr:
    """Chooses the shortest arrangement and then its sign and its denominator."""
    short = _shorter(powsimp(expression, combine="exp", deep=True), _combine_powers(expression), expression)
    short = _shorter(short, _cancel(short))
    short = _shorter(short, factor_terms(short), expand_power_exp(expand_mul(short)))
    if short.has(TrigonometricFunction, HyperbolicFunction, ExpBase):
        short = exptrigsimp(short)
    expression = short.xreplace(_WITHOUT_OUTER_NUMBER)
    numerator, denominator = expression.as_numer_denom()
    if denominator.is_Add:
        factor, divisor = fraction(radsimp(1 / denominator, symbolic=False, max_terms=1))
        if factor is not S.One:
            expression = (numerator * factor).expand() / divisor
    if expression.could_extract_minus_sign():
        numerator, denominator = fraction(expression)
        if denominator != 0:
            expression = signsimp(-numerator / (-denominator))
    return expression


_WITHOUT_OUTER_NUMBER = Transform(
    lambda part: Mul(*part.args),
    lambda part: part.is_Mul and len(part.args) == 2 and part.args[0].is_Number and part.args[1].is_Add,
)


def _shorter(*choices: Expr) -> Expr:
    """The choice with the fewest operations, and the first of several."""
    return choices[0] if all(choice == choices[0] for choice in choices) else min(choices, key=count_ops)


@lru_cache(maxsize=5_000)
def _cancel(expression: Expr) -> Expr:
    return take_out_sign(cancel(expression))


def take_out_sign(fraction_or_sum: Expr) -> Expr:
    """Takes the sign of the numerator's first term out of a fraction that is cancelled, as SymPy 1.5.1 does."""
    numerator, denominator = fraction(fraction_or_sum)
    if denominator == 1 or not numerator.is_Add or not Poly(numerator).LC().is_negative:
        return fraction_or_sum
    return Mul(-1, -numerator, 1 / denominator)


@lru_cache(maxsize=5_000)
def _together(expression: Expr) -> Expr:
    return together(expression, deep=True)


@lru_cache(maxsize=5_000)
def _combine_powers(expression: Expr) -> Expr:
    return powsimp(expression)


@lru_cache(maxsize=5_000)
def _simplify_wave(expression: Expr) -> Expr:
    return _futrig(expression)
