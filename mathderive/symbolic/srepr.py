"""Writes and reads expressions as text in the `srepr` dialect of the released derivations.

`Symbol('x', commutative=True)` and `Function('f')(…)` are the authors' spelling, that of SymPy 1.5.1; writing gives
exactly that text. Reading never evaluates Python: the text is parsed to a syntax tree, and only a fixed list of
constructors is applied to it, so a file of derivations cannot run code. Bounds on length, depth and the size of numbers
keep a hostile file from filling the memory.
"""

import ast
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy
from sympy import (
    Add,
    Derivative,
    Equality,
    Expr,
    Integer,
    Integral,
    Mul,
    Pow,
    Rational,
    Symbol,
    Tuple,
    exp,
)
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef
from sympy.printing.repr import ReprPrinter

from mathderive.symbolic.bounds import (
    TooLargeError,
    check_constant,
    check_exponential,
    check_power,
    is_runaway_integral,
)
from mathderive.symbolic.names import function

MAX_CHARACTERS = 50_000
MAX_DEPTH = 100
MAX_DIGITS = 400
MAX_DERIVATIVE_ORDER = 50


class SreprError(ValueError):
    """The text is not an expression of the `srepr` dialect."""


FUNCTIONS: dict[str, Callable[..., Expr]] = {
    name: getattr(sympy, name)
    for name in (
        *("log", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot"),
        *("sinh", "cosh", "tanh", "coth", "asinh", "acosh", "atanh", "Abs", "sign", "re", "im", "arg"),
        *("erf", "erfi", "Ei", "Si", "Ci", "li"),
    )
}
"""Functions of SymPy that a derivation may contain besides `exp`; none computes a large number from a small one."""

CONSTANTS: dict[str, Expr] = {
    "pi": sympy.pi,
    "E": sympy.E,
    "I": sympy.I,
    "oo": sympy.oo,
    "zoo": sympy.zoo,
    "nan": sympy.nan,
    "EulerGamma": sympy.EulerGamma,
}


@lru_cache(maxsize=4096)
def write_srepr(expression: Basic) -> str:
    """Writes an expression or equation in the released format."""
    return _printer.doprint(expression)


@lru_cache(maxsize=4096)
def read_srepr(text: str) -> Any:
    """Reads the text of `write_srepr`; SymPy's constructors evaluate, as they did when the text was written.

    Returns:
        An `Expr` or, for text that begins with `Equality(`, an unevaluated `Equality`.

    Raises:
        SreprError: the text is too long, too deep or not of this dialect, or a number in it is too large.
    """
    if len(text) > MAX_CHARACTERS:
        raise SreprError(f"srepr of {len(text)} characters; at most {MAX_CHARACTERS} are read")
    if _depth(text) > MAX_DEPTH:
        raise SreprError(f"srepr nested deeper than {MAX_DEPTH}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise SreprError(f"no srepr: {type(error).__name__} in {text[:60]!r}") from None
    try:
        return _build(tree)
    except TooLargeError as error:
        raise SreprError(f"{error}: {text[:60]!r}") from None
    except SreprError:
        raise
    except (ValueError, TypeError, AttributeError, NotImplementedError, RecursionError) as error:
        raise SreprError(f"{type(error).__name__} while building {text[:60]!r}: {error}") from None


def is_readable(part: Basic) -> bool:
    """Whether `read_srepr` can read a node of this kind; its parts are not considered."""
    return (isinstance(part, _NODES) and not is_runaway_integral(part)) or part in CONSTANTS.values()


class _SreprPrinter(ReprPrinter):
    """SymPy's `srepr` printer with two spellings of SymPy 1.5.1 that later releases changed."""

    def _print_Symbol(self, expr: Symbol) -> str:
        return f"Symbol({expr.name!r}, commutative=True)"

    def _print_AppliedUndef(self, expr: AppliedUndef) -> str:
        arguments = ", ".join(self._print(argument) for argument in expr.args)
        return f"Function({expr.func.__name__!r})({arguments})"


_printer = _SreprPrinter()


def _depth(text: str) -> int:
    """The nesting depth of brackets and signs, counted before any recursive function gets the text."""
    depth = deepest = 0
    for character in text:
        if character in "([{-+~":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
        elif character in ",'\"":
            continue
    return deepest


def _build(node: ast.expr) -> Any:
    """Builds an expression from its syntax tree."""
    match node:
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))]):
            return _build_symbol(name, node.keywords)
        case ast.Call(func=ast.Name(id="Integer" | "Rational"), args=numbers, keywords=[]):
            return _build_number(numbers)
        case ast.Call(func=ast.Call(func=ast.Name(id="Function"), args=[ast.Constant(value=str(name))])):
            return function(_checked_name(name))(*_build_all(node))
        case ast.Call(func=ast.Name(id=head)) if head in _CONSTRUCTORS:
            return _CONSTRUCTORS[head](*_build_all(node))
        case ast.Call(func=ast.Name(id=head)) if head in FUNCTIONS:
            return apply_function(head, _expressions(_build_all(node)))
    raise SreprError(f"no srepr: {ast.unparse(node)[:60]!r}")


def apply_function(name: str, arguments: list[Expr]) -> Expr:
    """Applies one of `FUNCTIONS`.

    Raises:
        TooLargeError: SymPy cannot evaluate an argument numerically in a moment.
    """
    for argument in arguments:
        check_constant(argument)
    return FUNCTIONS[name](*arguments)


def _build_all(call: ast.Call) -> list[Any]:
    if call.keywords or not call.args:
        raise SreprError(f"no srepr: {ast.unparse(call)[:60]!r}")
    return [_build(argument) for argument in call.args]


def _build_symbol(name: str, keywords: list[ast.keyword]) -> Symbol:
    match keywords:
        case [] | [ast.keyword(arg="commutative", value=ast.Constant(value=True))]:
            return Symbol(_checked_name(name))
    raise SreprError(f"symbol {name!r}: only commutative=True may be said of it")


def _build_number(arguments: list[ast.expr]) -> Rational:
    values = [_integer(argument) for argument in arguments]
    if not 1 <= len(values) <= 2 or (len(values) == 2 and values[1] == 0):
        raise SreprError("a number is Integer(n) or Rational(p, q) with q other than 0")
    return Integer(values[0]) if len(values) == 1 else Rational(*values)


def _integer(node: ast.expr) -> int:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_integer(operand)
        case ast.Constant(value=int(value)) if not isinstance(value, bool) and abs(value) < 10**MAX_DIGITS:
            return value
    raise SreprError(f"no integer of at most {MAX_DIGITS} digits: {ast.unparse(node)[:60]!r}")


def _checked_name(name: str) -> str:
    if not name or len(name) > 100 or not name.isprintable():
        raise SreprError(f"no name: {name[:60]!r}")
    return name


def _expressions(values: list[Any]) -> list[Any]:
    for value in values:
        if not isinstance(value, Expr):
            raise SreprError(f"expected an expression, found {type(value).__name__}")
    return values


def _equality(*sides: Any) -> Equality:
    if len(sides) != 2:
        raise SreprError("an equation has two sides")
    return Equality(*_expressions(list(sides)), evaluate=False)


def _power(*parts: Any) -> Expr:
    if len(parts) != 2:
        raise SreprError("a power has a base and an exponent")
    base, exponent = _expressions(list(parts))
    check_power(base, exponent)
    return Pow(base, exponent)


def _product(*factors: Any) -> Expr:
    """Builds a product; a number times a sum is not evaluated, because SymPy would multiply it out."""
    is_hollow = len(factors) == 2 and isinstance(factors[0], Rational) and isinstance(factors[1], Add)
    return Mul(*_expressions(list(factors)), evaluate=not is_hollow)


def _exponential(*arguments: Any) -> Expr:
    (argument,) = _expressions(list(arguments))
    check_exponential(argument)
    return exp(argument)


def _derivative(*parts: Any) -> Derivative:
    expression, *limits = parts
    order = sum(limit[1] if _is_pair(limit) and limit[1].is_Integer else 1 for limit in limits)
    if not limits or order > MAX_DERIVATIVE_ORDER:
        raise SreprError(f"a derivative names its variables and has at most order {MAX_DERIVATIVE_ORDER}")
    return Derivative(*_expressions([expression]), *limits, evaluate=False)


def _integral(*parts: Any) -> Integral:
    expression, *limits = parts
    if not limits:
        raise SreprError("an integral names its variables")
    integral = Integral(*_expressions([expression]), *limits)
    if is_runaway_integral(integral):
        raise SreprError("an integral of constants, or without end")
    return integral


def _is_pair(limit: Any) -> bool:
    return isinstance(limit, Tuple) and len(limit) == 2


_CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "Equality": _equality,
    "Add": lambda *terms: Add(*_expressions(list(terms))),
    "Mul": _product,
    "Pow": _power,
    "exp": _exponential,
    "Derivative": _derivative,
    "Integral": _integral,
    "Tuple": Tuple,
}

_NODES = (
    *(Symbol, Rational, Add, Mul, Pow, exp, Derivative, Integral, AppliedUndef, Tuple, Equality),
    *(function for function in FUNCTIONS.values() if isinstance(function, type)),
)
