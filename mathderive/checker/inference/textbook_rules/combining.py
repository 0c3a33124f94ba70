"""Steps that combine two equations: sums, differences, products, quotients, and multiples of one added to the other."""

from collections.abc import Iterator
from itertools import combinations, permutations

import numpy as np
from sympy import Rational, S

from mathderive.checker.inference.facts import Fact
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.textbook_rules.question import Rule, StepQuestion
from mathderive.checker.inference.textbook_rules.rearranging import is_multiple
from mathderive.checker.numeric.fingerprints import Fingerprint, close, fingerprint, times

MAX_PAIRS = 60
"""Maximum number of pairs of equations of which one replaces a hidden part of the other; the latest are taken."""

MAX_DENOMINATOR = 12
"""Maximum denominator of the multiples of two equations that are added."""


def find_sum(question: StepQuestion) -> Iterator[Justification]:
    for first, second in combinations(question.facts, 2):
        yield from _multiples(question, first, second)


def _multiples(question: StepQuestion, first: Fact, second: Fact) -> Iterator[Justification]:
    """The new difference as a sum of multiples of two differences."""
    one, other = first.lhs - first.rhs, second.lhs - second.rhs
    wanted = fingerprint(question.difference).values
    known = np.array([fingerprint(one).values, fingerprint(other).values]).T
    if not (np.isfinite(known).all() and np.isfinite(wanted).all()):
        return
    found, _, rank, _ = np.linalg.lstsq(known, wanted, rcond=None)
    scale = np.abs(wanted).max() + np.abs(known).max()
    if rank < 2 or np.abs(known @ found - wanted).max() > 1e-8 * scale:
        return
    factors = [Rational(str(round(value.real, 10))).limit_denominator(MAX_DENOMINATOR) for value in found]
    if any(abs(complex(factor) - value) > 1e-7 or factor == 0 for factor, value in zip(factors, found, strict=True)):
        return
    if question.identities.same(question.difference, factors[0] * one + factors[1] * other):
        subtracted = factors[0] * factors[1] < 0
        yield Justification("difference" if subtracted else "sum", (), (first.number, second.number))


def _find_product(question: StepQuestion) -> Iterator[Justification]:
    for first, second in combinations(question.facts, 2):
        for other in (second, second.mirrored()):
            sides = first.lhs * other.lhs, first.rhs * other.rhs
            if _may_be_stated(question, times(first.left, other.left), times(first.right, other.right)) and (
                question.is_stated(sides)
            ):
                yield Justification("product", (), (first.number, second.number))


def _find_quotient(question: StepQuestion) -> Iterator[Justification]:
    for first, second in permutations(question.facts, 2):
        if S.Zero in second.sides or not _may_be_stated(question, _over(first, 0, second), _over(first, 1, second)):
            continue
        if question.is_stated((first.lhs / second.lhs, first.rhs / second.rhs)) and question.is_nonzero(second.lhs):
            yield Justification("quotient", (), (first.number, second.number))


def _over(first: Fact, side: int, second: Fact) -> Fingerprint:
    return fingerprint(first.sides[side] / second.sides[side])


def _may_be_stated(question: StepQuestion, left: Fingerprint, right: Fingerprint) -> bool:
    """Whether rough values agree with the new equation, mirrored or not."""
    new = question.new
    return (close(new.left, left) and close(new.right, right)) or (close(new.left, right) and close(new.right, left))


def find_multiple_added(question: StepQuestion) -> Iterator[Justification]:
    """A part replaced that is hidden in a sum or product: a multiple of one equation added to another."""
    pairs = [
        (first, second)
        for first, second in permutations(question.facts, 2)
        if second.symbols <= first.symbols | question.new.symbols
    ]
    for first, second in pairs[-MAX_PAIRS:]:
        old, rule = first.lhs - first.rhs, second.lhs - second.rhs
        for added in (question.difference - old, question.difference + old):
            if is_multiple(question, added, rule):
                yield Justification("part_replaced", (), (first.number, second.number))
                break


RULES = (
    Rule("sum", "{both} added", find_sum),
    Rule("difference", "{1} subtracted from {0}"),
    Rule("product", "{both} multiplied", _find_product),
    Rule("quotient", "{0} divided by {1}", _find_quotient),
)

SLOW_RULES = (Rule("part_replaced", "a part of {0} replaced by {1}", find_multiple_added),)
