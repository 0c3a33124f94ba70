"""Expressions as text: the `srepr` dialect of the released derivations, written and read.

`Symbol('x', commutative=True)` and `Function('f')(…)` are the authors' spelling (SymPy 1.5.1); writing gives that
text exactly. Reading never evaluates Python: the text is parsed to a syntax tree, which is walked by hand with a
fixed list of constructors, so a file of derivations cannot run code, and bounds on length, depth and the size of
numbers keep a hostile one from filling the memory.
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
    """The text is no expression of the `srepr` dialect."""


FUNCTIONS: dict[str, Callable[..., Expr]] = {
    name: getattr(sympy, name)
    for name in (
        *("log", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot"),
        *("sinh", "cosh", "tanh", "coth", "asinh", "acosh", "atanh", "Abs", "sign", "re", "im", "arg"),
        *("erf", "erfi", "Ei", "Si", "Ci", "li"),
    )
}
"""Functions of SymPy that a derivation may mention besides `exp`; none computes anything of size from a number."""

CONSTANTS: dict[str, Expr] = {
    "pi": sympy.pi,
    "E": sympy.E,
    "I": sympy.I,
    "oo": sympy.oo,
    "zoo": sympy.zoo,
    "nan": sympy.nan,
    "EulerGamma": sympy.EulerGamma,
}


def write_srepr(expression: Basic) -> str:
    """Writes an expression or equation in the released format."""
    return _printer.doprint(expression)


@lru_cache(maxsize=4096)
def read_srepr(text: str) -> Any:
    """Reads what `write_srepr` writes; the constructors evaluate, as they did when the text was written.

    Returns:
        An `Expr` or, for text that begins with `Equality(`, an `Equality`, whose sides are left as they are.

    Raises:
        SreprError: the text is too long, too deep, not of this dialect, or stands for a number too large.
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
    """Whether a node, its own parts aside, is of a kind that `read_srepr` can read."""
    return (isinstance(part, _NODES) and not is_runaway_integral(part)) or part in CONSTANTS.values()


class _SreprPrinter(ReprPrinter):
    """SymPy's `srepr` with the two spellings of SymPy 1.5.1 that later releases changed."""

    def _print_Symbol(self, expr: Symbol) -> str:
        return f"Symbol({expr.name!r}, commutative=True)"

    def _print_AppliedUndef(self, expr: AppliedUndef) -> str:
        arguments = ", ".join(self._print(argument) for argument in expr.args)
        return f"Function({expr.func.__name__!r})({arguments})"


_printer = _SreprPrinter()


def _depth(text: str) -> int:
    """The nesting of brackets and signs, counted before anything recursive sees the text."""
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
    """An expression from its syntax tree."""
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
    """One of `FUNCTIONS`, of arguments whose value SymPy can see.

    Raises:
        TooLargeError: it cannot.
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
    """A number times a sum stays as it was written; building it anew would multiply it out."""
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
