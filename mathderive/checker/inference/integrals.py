"""Recognises the evaluation of integrals by differentiating the expressions that replace them.

SymPy need not integrate anything: the expression in the place of an integral is right if its derivative is the
integrand.
"""

from collections.abc import Collection
from functools import reduce
from itertools import product
from operator import truediv

from sympy import Add, Derivative, Dummy, Equality, Expr, Integral, Mul, S, Symbol, preorder_traversal
from sympy.core.basic import Basic

from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.comparison import equal
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.fingerprints import close, fingerprint
from mathderive.symbolic.engine.operators import OPERATORS, OperatorError, apply_operator
from mathderive.symbolic.parts import atoms_of
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

NO_DEFINITIONS = Definitions()

MAX_NEW_CONSTANTS = 3
"""Maximum number of constants of integration that one step may introduce."""


def evaluates_integrals(new: Sides, before: Equality, fresh: Collection[Symbol], carry_out: bool) -> bool:
    """Whether each integral that the new equation lacks was replaced by an antiderivative plus a fresh constant.

    Args:
        carry_out: whether integrals are carried out where their replacements cannot be told apart, which is slow.
    """
    if not fresh:
        return False
    values: dict[Integral, Expr] = {}
    is_plain = True
    for after, side in sorted(zip(new, before.args, strict=True), key=lambda pair: pair[1].has(Integral)):
        integrals = outer_integrals(side, bounded=True)
        targets = [integral for integral in integrals if not _stands_in(integral, after)]
        if not targets:
            if close(fingerprint(after), fingerprint(side)):
                continue
            # An integral of the same integrand, written differently, may have got a constant.
            targets = [integral for integral in integrals if not after.has(integral)]
            if not targets:
                return False
        value = standing_for(targets[0], side, after)
        if (
            len(targets) > 1
            or value is None
            or value.has(S.NaN, S.ComplexInfinity)
            or any(len(limit) > 1 for limit in targets[0].limits)
            or values.setdefault(targets[0], value) != value
        ):
            is_plain = False
    if values and is_plain and all(_is_value(integral, value, fresh) for integral, value in values.items()):
        return True
    return carry_out and _carried_out(new, before, fresh)


def _carried_out(new: Sides, before: Equality, fresh: Collection[Symbol]) -> bool:
    """Whether carrying out the operator gives the new equation, with some of the fresh names as its constants."""
    constants: list[Symbol] = []

    def draw_constant() -> Symbol:
        constants.append(Dummy())
        return constants[-1]

    try:
        result = apply_operator(OPERATORS["evaluate_integrals"], before, None, draw_constant)
    except OperatorError:
        return False
    if not 0 < len(constants) <= MAX_NEW_CONSTANTS:
        return False
    names = sorted(fresh, key=str)[:MAX_NEW_CONSTANTS]
    for chosen in product(names, repeat=len(constants)):
        named = dict(zip(constants, chosen, strict=True))
        if all(close(fingerprint(a), fingerprint(b.xreplace(named))) for a, b in zip(new, result.args, strict=True)):
            return True
    return False


def outer_integrals(side: Expr, bounded: bool = False) -> list[Integral]:
    """The distinct outermost indefinite integrals of an expression; with `bounded`, definite ones too."""
    found: dict[Integral, None] = {}
    parts = preorder_traversal(side)
    for part in parts:
        if isinstance(part, Integral):
            parts.skip()
            if bounded or all(len(limit) == 1 for limit in part.limits):
                found[part] = None
    return list(found)


def _stands_in(integral: Integral, side: Expr) -> bool:
    """Whether a side contains the integral, in whatever form."""
    return any(part == integral or close(fingerprint(part), fingerprint(integral)) for part in atoms_of(side, Integral))


def _is_value(integral: Integral, value: Expr, fresh: Collection[Symbol]) -> bool:
    """Whether the value is an antiderivative plus one of the fresh symbols."""
    # The constants of integrals that are left do not depend on the new one.
    bare = value.xreplace({part: Dummy() for part in outer_integrals(value)})
    return any(
        symbol in bare.free_symbols
        and equal(Derivative(bare, symbol, evaluate=False), S.One, NO_DEFINITIONS)
        and is_antiderivative(value, integral)
        for symbol in fresh
    )


def is_antiderivative(value: Expr, integral: Integral) -> bool:
    """Whether the derivative of the value by the variables of integration is the integrand.

    The value may hold other integrals: those of the terms of a sum that have no antiderivative in closed form.
    """
    return equal(derivative_by(value, integral), integral.function, NO_DEFINITIONS, random_constants=True)


def derivative_by(value: Expr, integral: Integral) -> Expr:
    """The unevaluated derivative by the variables of an integral."""
    if isinstance(value, Integral) and value.limits == integral.limits and all(len(one) == 1 for one in value.limits):
        return value.function
    return Derivative(value, *[(variable, 1) for variable in integral.variables], evaluate=False)


def factor_of(target: Expr, side: Expr) -> Expr | None:
    """The factor of `target` in an expression; None for an expression that is not linear in it."""
    unknown = Dummy()
    try:
        slope = side.xreplace({target: unknown}).diff(unknown)
    except SYMPY_ERRORS:
        return None
    return None if slope.has(unknown) else slope


def standing_for(target: Basic, before: Expr, after: Expr) -> Expr | None:
    """The expression in `after` in the place of `target` in `before`; None where the two differ elsewhere."""
    while before != target:
        step = _step_inside(target, before, after)
        if step is None:
            return None
        before, after = step
    return after


def _step_inside(target: Basic, before: Expr, after: Expr) -> Sides | None:
    """The part of `before` that contains the target, and the corresponding part of `after`."""
    inside = [part for part in before.args if part.has(target)]
    if len(inside) != 1:
        return None
    part = inside[0]
    if isinstance(before, Add | Mul):
        others = [other for other in before.args if other is not part]
        # One factor at a time, because SymPy multiplies out the product of a number and a sum.
        return part, (after - Add(*others) if isinstance(before, Add) else reduce(truediv, others, after))
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
