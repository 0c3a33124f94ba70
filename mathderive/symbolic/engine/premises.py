"""Drawing premises: equations that follow from nothing.

The rules are those of Meadows et al. (2024). One deviation, where theirs depends on the process: the arguments of
the new function stand in alphabetical order, not in the order of a Python set. And one that their data bears out
(it is so in every released premise): the name of a fresh premise's function occurs nowhere before.
"""

import random
from collections.abc import Sequence

from sympy import Derivative, Equality, Expr, Integral, Symbol, cos, exp, log, sin
from sympy.core.function import AppliedUndef

from mathderive.symbolic.engine.history import History
from mathderive.symbolic.latex.printer import plain_text
from mathderive.symbolic.names import function

ONE_ARGUMENT = (cos, sin, exp, log)
ARITHMETIC = ("add", "minus", "times", "power", "divide")
CALCULUS = ("differentiate", "integrate")
MAX_REDRAWS = 99


def draw_premise(history: History, names: Sequence[str], rng: random.Random) -> Equality | None:
    """A fresh premise; None where the draw leaves no name or no symbol.

    One function of a symbol, or an arithmetic operation on two different symbols, half of the time wrapped in one
    more operation, on the right; a new function of the symbols that occur in it on the left.
    """
    if rng.random() < 0.5:
        drawn = [Symbol(rng.choice(names))]
        expression: Expr = rng.choice(ONE_ARGUMENT)(drawn[0])
    else:
        drawn = [Symbol(name) for name in rng.sample(names, 2)]
        expression = _combine(rng.choice(ARITHMETIC), *drawn)
    if rng.random() < 0.5:
        expression = _wrap(expression, names, rng)
    arguments = sorted_symbols(expression)
    taken = history.names | {symbol.name for symbol in (*drawn, *arguments)}
    free = [name for name in names if name not in taken]
    if not arguments or not free:
        return None
    return Equality(function(rng.choice(free))(*arguments), expression, evaluate=False)


def draw_renaming_premise(history: History, names: Sequence[str], rng: random.Random) -> Equality | None:
    """A function name for a subexpression that has occurred; None where 99 redraws find no good one."""
    candidates = [part for part in history.parts if part.free_symbols and len(plain_text(part)) > 1]
    if not candidates:
        return None
    for _ in range(1 + MAX_REDRAWS):
        expression = rng.choice(candidates)
        name = rng.choice(names)
        arguments = sorted_symbols(expression)
        if isinstance(expression, AppliedUndef) or name in [symbol.name for symbol in arguments]:
            continue
        application = function(name)(*arguments)
        if not history.mentions(plain_text(application)):
            return Equality(application, expression, evaluate=False)
    return None


def sorted_symbols(expression: Expr) -> list[Symbol]:
    """The free symbols in alphabetical order."""
    return sorted(expression.free_symbols, key=lambda symbol: symbol.name)


def _wrap(expression: Expr, names: Sequence[str], rng: random.Random) -> Expr:
    """One more operation around the right side of a premise."""
    if rng.random() < 0.5:
        return rng.choice(ONE_ARGUMENT)(expression)
    operation = rng.choice((*ARITHMETIC, *CALCULUS))
    if operation in ARITHMETIC:
        return _combine(operation, expression, Symbol(rng.choice(names)))
    variable = rng.choice(sorted_symbols(expression))
    return Derivative(expression, variable) if operation == "differentiate" else Integral(expression, variable)


def _combine(operation: str, first: Expr, second: Expr) -> Expr:
    match operation:
        case "add":
            return first + second
        case "minus":
            return first - second
        case "times":
            return first * second
        case "divide":
            return first / second
        case _:
            return first**second
