"""The two substitutions, which replace one side of a second equation by its other side in the first."""

import random
from collections.abc import Iterator
from functools import lru_cache

from sympy import Dummy, Equality, Expr, S

from mathderive.symbolic.bounds import UNIT, TooLargeError, check_expression, expression_size, tower_height
from mathderive.symbolic.engine.operators.operator import (
    Arity,
    Comparison,
    DrawConstant,
    DrawPair,
    Inverse,
    Operator,
    OperatorError,
    Past,
    Sides,
)
from mathderive.symbolic.fast.relations import NotAnEquationError, relate
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.names import names_of
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

_PROBE = Dummy()

MAX_REMEMBERED = 5_000
"""Maximum number of substitutions whose results the inverse remembers."""


def substitute(equation: Equality, old: Expr, new: Expr) -> Equality | None:
    """Returns `equation.subs(old, new)`; None where that changes nothing.

    Raises:
        OperatorError: the result is not an equation or is too large, or SymPy cannot carry it out.
    """
    try:
        sides = _substitute(equation, old, new)
        return None if sides == equation.args else relate(*sides)
    except (NotAnEquationError, TooLargeError) as error:
        raise OperatorError(f"substitution: {error}") from None
    except SYMPY_ERRORS as error:
        raise OperatorError(f"substitution: SymPy raises {type(error).__name__}") from error


def _substitute(equation: Equality, old: Expr, new: Expr) -> Sides:
    left, right = (_substitute_in_side(side, old, new) for side in equation.args)
    return left, right


def _substitute_in_side(side: Expr, old: Expr, new: Expr) -> Expr:
    """SymPy's `subs`, where there can be something to replace and nothing grows out of bounds."""
    if not names_of(old) <= names_of(side):
        return side
    if tower_height(side) + tower_height(new) >= 2 and (size := expression_size(new, {})) != UNIT:
        check_expression(replace(side, old, _PROBE), {_PROBE: size})
    return replace(side, old, new)


def _substitute_left_for_right(equation: Equality, rule: Equality, _draw: DrawConstant) -> Sides:
    return _substitute(equation, rule.lhs, rule.rhs)


def _substitute_right_for_left(equation: Equality, rule: Equality, _draw: DrawConstant) -> Sides:
    return _substitute(equation, rule.rhs, rule.lhs)


def _draw_pair(left_for_right: bool) -> DrawPair:
    def draw(past: Past, rng: random.Random, acts_on: int | None) -> tuple[int, int, Equality] | None:
        return past.draw_substitution(left_for_right, rng, acts_on)

    return draw


def _substitute_and_compare(left_for_right: bool) -> Inverse:
    def find(_operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
        if comparison.second is None:
            return
        rule, before = comparison.second, comparison.before
        names, put_in = rule.names if left_for_right else rule.names[::-1]
        may_change = [names <= names_of_side for names_of_side in before.names]
        old, replacement = rule.sides if left_for_right else rule.sides[::-1]
        if not any(may_change) or old is S.Zero or old is S.One:
            return
        new_names = comparison.new.names
        if not all(after <= earlier | put_in for after, earlier in zip(new_names, before.names, strict=True)):
            return  # a name comes from nowhere
        if not all(changes or same for changes, same in zip(may_change, comparison.same_sides, strict=True)):
            return  # a side that cannot change is another one
        result = _sides_after(before.equation, old, replacement)
        if result is not None and comparison.states(result):
            yield ()
        elif _has_minus_sign(old):
            # SymPy does not find `-a` in `a`, and which of the two it writes depends on the names in `a`.
            result = _sides_after(before.equation, S.NegativeOne * old, S.NegativeOne * replacement)
            if result is not None and comparison.states(result):
                yield ()

    return find


@lru_cache(maxsize=MAX_REMEMBERED)
def _has_minus_sign(expression: Expr) -> bool:
    return bool(expression.could_extract_minus_sign())


@lru_cache(maxsize=MAX_REMEMBERED)
def _sides_after(equation: Equality, old: Expr, new: Expr) -> Sides | None:
    """The sides after a substitution; None where it changes nothing or fails. Every later equation asks for them."""
    try:
        result = substitute(equation, old, new)
    except (OperatorError, TooLargeError, *SYMPY_ERRORS):
        return None
    return None if result is None else (result.lhs, result.rhs)


SUBSTITUTE_LEFT_FOR_RIGHT = Operator(
    "substitute_LHS_for_RHS",
    Arity.TWO_EQUATIONS,
    sentence="{0} with the left side of {1} replaced by its right side",
    function=_substitute_left_for_right,
    weight=5,
    draw_pair=_draw_pair(left_for_right=True),
    inverse=_substitute_and_compare(left_for_right=True),
    mirror="substitute_RHS_for_LHS",
)
SUBSTITUTE_RIGHT_FOR_LEFT = Operator(
    "substitute_RHS_for_LHS",
    Arity.TWO_EQUATIONS,
    sentence="{0} with the right side of {1} replaced by its left side",
    function=_substitute_right_for_left,
    weight=5,
    draw_pair=_draw_pair(left_for_right=False),
    inverse=_substitute_and_compare(left_for_right=False),
    mirror="substitute_LHS_for_RHS",
)
