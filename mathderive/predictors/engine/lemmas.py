"""Equations that are not asked for but may help: a part of the goal equals the part with its functions written out."""

from collections.abc import Sequence

from sympy import Add, Expr, Mul, Pow
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.facts import Fact, size_of
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

MAX_LEMMAS = 4
"""Maximum number of lemmas of a goal; those about the largest parts are taken."""


def lemmas(goal: Fact, facts: Sequence[Fact]) -> list[Fact]:
    """The lemmas of a goal, the largest first.

    Args:
        facts: equations that may define functions.
    """
    definitions = [fact for fact in facts if isinstance(fact.lhs, AppliedUndef)]
    definitions += [fact.mirrored() for fact in facts if isinstance(fact.rhs, AppliedUndef)]
    parts = [part for part in dict.fromkeys(goal.ordered_parts) if isinstance(part, Add | Mul | Pow)]
    found: dict[Expr, Fact] = {}
    for part in sorted(parts, key=size_of, reverse=True):
        try:
            written_out = _written_out(part, definitions)
        except (TooLargeError, *SYMPY_ERRORS):
            continue
        if written_out != part:
            found.setdefault(part, Fact(0, part, written_out))
    return list(found.values())[:MAX_LEMMAS]


def _written_out(part: Expr, definitions: Sequence[Fact]) -> Expr:
    for one in definitions:
        if not one.rhs.has(one.lhs):
            part = replace(part, one.lhs, one.rhs)
    return part
