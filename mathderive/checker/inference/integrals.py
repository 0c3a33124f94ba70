"""Whether an equation comes from another by evaluating integrals, seen by differentiating what stands for them.

SymPy need not integrate anything: where an integral stood, the new equation has some other expression, and that is
right if its derivative is the integrand.
"""

from collections.abc import Collection
from itertools import product

import numpy as np
from sympy import Add, Derivative, Dummy, Equality, Expr, Integral, Mul, S, Symbol, preorder_traversal
from sympy.core.basic import Basic

from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.evaluator import BudgetError, Definitions, Evaluator
from mathderive.checker.numeric.fingerprints import TOLERANCE, close, fingerprint
from mathderive.checker.numeric.taylor import UnsupportedError
from mathderive.symbolic.engine.operators import OPERATORS, OperatorError, apply_operator

NOTHING = Definitions()

MAX_CONSTANTS = 3
"""Of one step; more are not told apart."""


def evaluates_integrals(new: Sides, before: Equality, fresh: Collection[Symbol], carry_out: bool) -> bool:
    """Whether every integral that the new equation lacks has become an antiderivative plus a fresh constant.

    Args:
        carry_out: where what stands for the integrals cannot be told apart, they are carried out, which takes long.
    """
    if not fresh:
        return False
    values: dict[Integral, Expr] = {}
    unclear = False
    for after, side in sorted(zip(new, before.args, strict=True), key=lambda pair: pair[1].has(Integral)):
        targets = [integral for integral in outer_integrals(side, bounded=True) if not _stands_in(integral, after)]
        if not targets:
            if not close(fingerprint(after), fingerprint(side)):
                return False
            continue
        value = standing_for(targets[0], side, after)
        if (
            len(targets) > 1
            or value is None
            or value.has(S.NaN, S.ComplexInfinity)
            or any(len(limit) > 1 for limit in targets[0].limits)
        ):
            unclear = True
        elif values.setdefault(targets[0], value) != value:
            return False
    if values and not unclear:
        if all(_is_value(integral, value, fresh) for integral, value in values.items()):
            return True
        # An integral within has a constant of its own, which the value may lack.
        unclear = any(integral.function.has(Integral) for integral in values)
    return unclear and carry_out and _carried_out(new, before, fresh)


def _carried_out(new: Sides, before: Equality, fresh: Collection[Symbol]) -> bool:
    """Whether the operator, carried out, gives the new equation with some of the fresh names for its constants."""
    constants: list[Symbol] = []

    def draw_constant() -> Symbol:
        constants.append(Dummy())
        return constants[-1]

    try:
        result = apply_operator(OPERATORS["evaluate_integrals"], before, None, draw_constant)
    except OperatorError:
        return False
    if not 0 < len(constants) <= MAX_CONSTANTS:
        return False
    names = sorted(fresh, key=str)[:MAX_CONSTANTS]
    for chosen in product(names, repeat=len(constants)):
        named = dict(zip(constants, chosen, strict=True))
        if all(close(fingerprint(a), fingerprint(b.xreplace(named))) for a, b in zip(new, result.args, strict=True)):
            return True
    return False


def outer_integrals(side: Expr, bounded: bool = False) -> list[Integral]:
    """The distinct indefinite integrals of an expression that stand in no other; on demand all kinds."""
    found: dict[Integral, None] = {}
    parts = preorder_traversal(side)
    for part in parts:
        if isinstance(part, Integral):
            parts.skip()
            if bounded or all(len(limit) == 1 for limit in part.limits):
                found[part] = None
    return list(found)


def _stands_in(integral: Integral, side: Expr) -> bool:
    """Whether the integral is a part of a side, however it is printed there."""
    return any(part == integral or close(fingerprint(part), fingerprint(integral)) for part in side.atoms(Integral))


def _is_value(integral: Integral, value: Expr, fresh: Collection[Symbol]) -> bool:
    """Whether it is an antiderivative plus one of the fresh symbols."""
    return any(
        symbol in value.free_symbols
        and holds(Derivative(value, symbol, evaluate=False), S.One)
        and is_antiderivative(value, integral)
        for symbol in fresh
    )


def is_antiderivative(value: Expr, integral: Integral) -> bool:
    """Whether the derivative by the variables of the integral is its integrand, whatever the functions in it are."""
    return not value.has(integral) and holds(derivative_by(value, integral), integral.function)


def derivative_by(value: Expr, integral: Integral) -> Derivative:
    """The derivative, left as it is, by the variables of an integral."""
    return Derivative(value, *[(variable, 1) for variable in integral.variables], evaluate=False)


def holds(left: Expr, right: Expr, definitions: Definitions = NOTHING) -> bool:
    """Whether two expressions have the same values at the points of some region."""
    for region in (0, 1):
        meaning = Evaluator(definitions, region, independent=True)
        try:
            values, others = np.broadcast_arrays(meaning.value(left), meaning.value(right))
            scale = np.abs(values) + meaning.scale(right)
        except (BudgetError, UnsupportedError):
            return False
        usable = np.isfinite(values) & np.isfinite(others)
        if usable.any() and (np.abs(values - others) <= TOLERANCE * (1 + scale))[usable].all():
            return True
    return False


def standing_for(target: Basic, before: Expr, after: Expr) -> Expr | None:
    """What stands in `after` where `target` stands in `before`, once; None where the two differ otherwise."""
    while before != target:
        step = _step_inside(target, before, after)
        if step is None:
            return None
        before, after = step
    return after


def _step_inside(target: Basic, before: Expr, after: Expr) -> Sides | None:
    """The part of `before` that has the target, and what corresponds to it in `after`."""
    inside = [part for part in before.args if part.has(target)]
    if len(inside) != 1:
        return None
    part = inside[0]
    if isinstance(before, Add | Mul):
        others = before.func(*[other for other in before.args if other is not part])
        return part, (after - others if isinstance(before, Add) else after / others)
    if type(after) is not type(before) or len(after.args) != len(before.args):
        return None
    pairs = list(zip(before.args, after.args, strict=True))
    if all(_alike(ours, theirs) for ours, theirs in pairs if ours is not part):
        return next(pair for pair in pairs if pair[0] is part)
    return None


def _alike(first: Basic, second: Basic) -> bool:
    if isinstance(first, Expr) and isinstance(second, Expr):
        return close(fingerprint(first), fingerprint(second))
    return bool(first == second)
