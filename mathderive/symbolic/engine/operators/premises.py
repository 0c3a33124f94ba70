"""The operators that draw premises: equations that follow from nothing.

The rules are those of Meadows et al. (2024), with two deviations. The arguments of the new function stand in
alphabetical order; the authors' order is that of a Python set, which depends on the process. And the name of a fresh
premise's function occurs nowhere before, as in every premise that they released.
"""

import random
from collections.abc import Callable, Sequence
from operator import add, mul, pow, sub, truediv

from sympy import Derivative, Equality, Expr, Integral, Symbol, cos, exp, log, sin
from sympy.core.function import AppliedUndef

from mathderive.symbolic.engine.operators.operator import Arity, Operator, Past
from mathderive.symbolic.engine.zero import given_symbols
from mathderive.symbolic.latex.printer import plain_text
from mathderive.symbolic.names import function

Operation = Callable[[Expr, Expr], Expr]

FUNCTIONS: tuple[Callable[[Expr], Expr], ...] = (cos, sin, exp, log)
ARITHMETIC: tuple[Operation, ...] = (add, sub, mul, pow, truediv)
CALCULUS: tuple[Operation, ...] = (Derivative, Integral)

MAX_REDRAWS = 99
"""Maximum number of further draws of a renaming premise."""


def draw_premise(past: Past, names: Sequence[str], rng: random.Random) -> Equality | None:
    """Draws a fresh premise; returns None where the draw leaves no name or no symbol.

    The right side is one function of a symbol, or an arithmetic operation on two different symbols, and half of the
    time one more operation around that. The left side is a new function of the symbols that occur on the right.
    """
    if rng.random() < 0.5:
        drawn = [Symbol(rng.choice(names))]
        expression = rng.choice(FUNCTIONS)(drawn[0])
    else:
        drawn = [Symbol(name) for name in rng.sample(names, 2)]
        expression = rng.choice(ARITHMETIC)(drawn[0], drawn[1])
    if rng.random() < 0.5:
        expression = _wrap(expression, names, rng)
    arguments = _sort_symbols(expression)
    taken = past.names | {symbol.name for symbol in (*drawn, *arguments)}
    free = [name for name in names if name not in taken]
    if not arguments or not free:
        return None
    return Equality(function(rng.choice(free))(*arguments), expression, evaluate=False)


def draw_renaming_premise(past: Past, names: Sequence[str], rng: random.Random) -> Equality | None:
    """Draws a function name for an earlier subexpression; returns None where no draw gives a usable one."""
    # A premise that names a constant of integration would have the constant stand for something else before it is new.
    known = given_symbols(past.premises())
    candidates = [
        part for part in past.parts if part.free_symbols and part.free_symbols <= known and len(plain_text(part)) > 1
    ]
    if not candidates:
        return None
    for _ in range(1 + MAX_REDRAWS):
        expression = rng.choice(candidates)
        name = rng.choice(names)
        arguments = _sort_symbols(expression)
        if isinstance(expression, AppliedUndef) or name in [symbol.name for symbol in arguments]:
            continue
        application = function(name)(*arguments)
        if not past.mentions(plain_text(application)):
            return Equality(application, expression, evaluate=False)
    return None


def _sort_symbols(expression: Expr) -> list[Symbol]:
    """The free symbols in alphabetical order."""
    return sorted(expression.free_symbols, key=lambda symbol: symbol.name)


def _wrap(expression: Expr, names: Sequence[str], rng: random.Random) -> Expr:
    """Puts one more operation around the right side of a premise."""
    if rng.random() < 0.5:
        return rng.choice(FUNCTIONS)(expression)
    operation = rng.choice((*ARITHMETIC, *CALCULUS))
    if operation in ARITHMETIC:
        return operation(expression, Symbol(rng.choice(names)))
    return operation(expression, rng.choice(_sort_symbols(expression)))


GET_PREMISE = Operator("get_premise", Arity.PREMISE, sentence="given", draw_premise=draw_premise)
RENAMING_PREMISE = Operator(
    "renaming_premise", Arity.PREMISE, sentence="a new name for {operand}", draw_premise=draw_renaming_premise
)
