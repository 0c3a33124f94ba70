"""Which of the eighteen operators gives an equation from those before it.

Operators without an operand, and substitutions, are carried out on the earlier equations. Where an operand is to be
found it is solved for on one side and tried on the other. What comes out is compared by fingerprints, so it counts as
the same however it is printed and however SymPy simplifies it on the way.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from sympy import (
    Derivative,
    Expr,
    Integer,
    Integral,
    Pow,
    Rational,
    S,
    Symbol,
    exp,
    factor_terms,
)
from sympy.core.basic import Basic

from mathderive.checker.inference.facts import Fact, no_constant, size_of
from mathderive.checker.inference.integrals import evaluates_integrals
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric import array_functions as functions
from mathderive.checker.numeric.array_functions import Array
from mathderive.checker.numeric.fingerprints import (
    Fingerprint,
    close,
    counts_of,
    fingerprint,
    is_zero,
    of_derivative,
    of_integral,
    times,
)
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.engine.operators import (
    OPERATORS,
    SYMPY_ERRORS,
    OperatorError,
    apply_operator,
    substitute,
)
from mathderive.symbolic.renaming import names_of

MAX_EXPONENTS = 16
"""Exponents that are tried on an equation."""


@dataclass(frozen=True)
class Justification:
    """How an operator gives an equation.

    Attributes:
        steps: the numbers of the equations it acts on; 0 stands for a premise that the output does not state.
        plain: the operand, if there is one, has occurred.
    """

    operator: str
    operands: tuple[Expr, ...]
    steps: tuple[int, ...]
    plain: bool = True

    @property
    def size(self) -> int:
        """Of the operand: how many operations it holds."""
        return sum(size_of(operand) for operand in self.operands)


def justifications(new: Fact, facts: Sequence[Fact], used: frozenset[Symbol] = frozenset()) -> list[Justification]:
    """Every way to get an equation, or its mirror image, from earlier ones by one operator."""
    found: dict[Justification, None] = {}
    known = frozenset().union(*(fact.parts for fact in facts))
    fresh = new.symbols.difference(used, *(fact.symbols for fact in facts))
    for target in (new, new.mirrored()):
        for fact in facts:
            for match in _MATCHES:
                for operator, operands in match(target, fact, known):
                    plain = all(_occurs(operand, known) for operand in operands)
                    found[Justification(operator, operands, (fact.number,), plain)] = None
            if fact.has_integral and evaluates_integrals(target.sides, fact.equation, fresh, carry_out=False):
                found[Justification("evaluate_integrals", (), (fact.number,))] = None
        for substitution in _substitutions(target, facts):
            found[substitution] = None
    if not found:
        for target, fact in product((new, new.mirrored()), facts):
            if fact.has_integral and evaluates_integrals(target.sides, fact.equation, fresh, carry_out=True):
                found[Justification("evaluate_integrals", (), (fact.number,))] = None
            if fact.differentiates_integrals:
                for operator, operands in _carried_out_derivatives(target, fact):
                    found[Justification(operator, operands, (fact.number,))] = None
    return sorted(found, key=lambda one: (not one.plain, one.size))


def _occurs(operand: Expr, known: Collection[Expr]) -> bool:
    """Whether an operand is part of an earlier equation, sign and inversion aside, which operators share."""
    candidates = (operand, -operand, 1 / operand, -1 / operand)
    return operand.is_Number or any(candidate in known for candidate in candidates)


Matches = Iterator[tuple[str, tuple[Expr, ...]]]


def _same(first: Fact, second: Fact) -> bool:
    return close(first.left, second.left) and close(first.right, second.right)


def _expanded(new: Fact, fact: Fact, _: Collection[Expr]) -> Matches:
    expanded = fact.applied("expand")
    if expanded is not None and _same(new, expanded) and new.applied("expand") is None:
        yield "expand", ()


_ONE_EQUATION = {"exp": functions.exp, "log": functions.log, "sin": functions.sin, "cos": functions.cos}


def _functions(new: Fact, fact: Fact, _: Collection[Expr]) -> Matches:
    if any(integral.function.is_zero for integral in fact.equation.atoms(Integral)):
        # SymPy's functions take an integral of zero, left as it is, for zero.
        for name in _ONE_EQUATION:
            result = fact.applied(name)
            if result is not None and _same(new, result):
                yield name, ()
        return
    with np.errstate(all="ignore"):
        for name, function in _ONE_EQUATION.items():
            if _is_value(new.left, function(fact.left.values)) and _is_value(new.right, function(fact.right.values)):
                yield name, ()


def _is_value(value: Fingerprint, values: Array) -> bool:
    array = np.asarray(values)
    return close(value, Fingerprint(array, np.abs(array)))


def _sums(new: Fact, fact: Fact, _: Collection[Expr]) -> Matches:
    """`add` and `minus`: what was added on the left was added on the right."""
    if not close(new.residual, fact.residual) or new.sides == fact.sides:
        return
    operand = min((new.lhs - fact.lhs, new.rhs - fact.rhs), key=size_of)
    # What is trivially true has the same difference, 0, and what amounts to 0 has to be seen to be added.
    doubtful = fact.is_trivial() or close(new.left, fact.left)
    if operand == 0 or (doubtful and (fact.lhs + operand, fact.rhs + operand) != new.sides):
        return
    if operand.could_extract_minus_sign():
        yield "minus", (-operand,)
    else:
        yield "add", (operand,)


def _products(new: Fact, fact: Fact, known: Collection[Expr]) -> Matches:
    """`times` and `divide`: the sides have the same ratio to those before."""
    if new.lhs.has(S.ComplexInfinity) and (fact.lhs * S.ComplexInfinity, fact.rhs * S.ComplexInfinity) == new.sides:
        yield "divide", (S.Zero,)
    if not close(times(new.left, fact.right), times(new.right, fact.left)) or _same(new, fact):
        return
    sides = ((new.lhs, fact.lhs, fact.left), (new.rhs, fact.rhs, fact.right))
    ratios = [(after, before) for after, before, value in sides if not is_zero(value)]
    # SymPy multiplies numbers into sums, where they no longer cancel.
    for plainer in (lambda side: side, factor_terms):
        factors = [plainer(after) / plainer(before) for after, before in ratios]
        if factors and _is_factor(factor := min(factors, key=size_of), len(factors) == 1, new, fact, known):
            numerator, denominator = factor.as_numer_denom() if factor.has(Pow) else (factor, S.One)
            if numerator in (1, -1) and denominator != 1:
                yield "divide", (denominator * numerator,)
            else:
                yield "times", (factor,)
            return


def _is_factor(factor: Expr, of_one_side: bool, new: Fact, fact: Fact, known: Collection[Expr]) -> bool:
    """Whether that is what both sides were multiplied with.

    Where a side is 0, or both are the same, any factor would do on the other: it has to be seen as one.
    """
    doubtful = of_one_side or fact.is_trivial() or is_zero(fingerprint(factor))
    if doubtful and (fact.lhs * factor, fact.rhs * factor) != new.sides:
        return False
    return not of_one_side or _is_visible(factor, new, fact) or _occurs(factor, known)


def _is_visible(factor: Expr, new: Fact, fact: Fact) -> bool:
    """Whether a factor, or what was divided by, is a part of what it was found from and no mere quotient of the two."""
    size = min(size_of(factor), size_of(1 / factor))
    return size < max(map(size_of, (*new.sides, *fact.sides)))


def _powers(new: Fact, fact: Fact, _: Collection[Expr]) -> Matches:
    exponents = new.equation.atoms(Pow, exp)
    if not exponents and not any(side.is_Number for side in new.sides):
        return
    candidates: dict[Expr, None] = {}
    for part in exponents:
        exponent = part.exp
        candidates |= dict.fromkeys((exponent, exponent.as_coeff_Mul()[0], exponent.as_coeff_Mul()[1]))
    candidates |= dict.fromkeys(sorted(fact.symbols, key=str))
    candidates |= dict.fromkeys(map(Integer, (2, 3, 4, -1, -2)))
    candidates |= dict.fromkeys(sorted(fact.equation.atoms(Integer), key=int))
    candidates[Rational(1, 2)] = None
    bases = fact.left.values, fact.right.values
    with np.errstate(all="ignore"):
        for exponent in list(candidates)[:MAX_EXPONENTS]:
            if exponent in (0, 1):
                continue
            value = fingerprint(exponent).values
            if all(
                _is_value(after, functions.raise_to(base, value)) or _is_infinite_power(side, before, exponent)
                for side, after, base, before in zip(new.sides, (new.left, new.right), bases, fact.sides, strict=True)
            ):
                yield "power", (exponent,)


def _is_infinite_power(side: Expr, before: Expr, exponent: Expr) -> bool:
    """Infinity's powers are itself, which its fingerprint's are not."""
    return bool(side.has(S.ComplexInfinity)) and side == before**exponent


def _derivatives(new: Fact, fact: Fact, _: Collection[Expr]) -> Matches:
    """`differentiate`: taking one variable off the derivatives leaves what was before."""
    for variable in _variables(new, Derivative):
        if _is_derivative(new.lhs, new.left, fact.lhs, fact.left, variable) and _is_derivative(
            new.rhs, new.right, fact.rhs, fact.right, variable
        ):
            yield "differentiate", (variable,)


def _is_derivative(side: Expr, value: Fingerprint, before: Expr, inner: Fingerprint, variable: Symbol) -> bool:
    if isinstance(side, Derivative):
        counts = counts_of(side)
        if variable in counts:
            counts[variable] -= 1
            if counts[variable] == 0:
                del counts[variable]
            return close(of_derivative(fingerprint(side.expr), counts), inner)
    return close(value, fingerprint(Derivative(before, variable)))


def _integrals(new: Fact, fact: Fact, _: Collection[Expr]) -> Matches:
    for variable in _variables(new, Integral):
        if _is_integral(new.lhs, fact.left, variable) and _is_integral(new.rhs, fact.right, variable):
            yield "integrate", (variable,)


def _is_integral(side: Expr, inner: Fingerprint, variable: Symbol) -> bool:
    if not isinstance(side, Integral):
        return False
    limits = list(side.limits)
    for limit in reversed(limits):
        if len(limit) == 1 and limit[0] == variable:
            limits.remove(limit)
            return close(of_integral(fingerprint(side.function), limits), inner)
    return False


def _variables(new: Fact, kind: type[Basic]) -> list[Symbol]:
    """What the sides are derivatives or integrals by."""
    variables: dict[Symbol, None] = {}
    for side in new.sides:
        if isinstance(side, kind):
            limits = side.limits if isinstance(side, Integral) else side.variable_count
            variables |= dict.fromkeys(limit[0] for limit in limits if isinstance(limit[0], Symbol))
    return list(variables)


def _evaluated_derivatives(new: Fact, fact: Fact, _: Collection[Expr]) -> Matches:
    if fact.has_derivative and not fact.differentiates_integrals:
        yield from _carried_out_derivatives(new, fact)


def _carried_out_derivatives(new: Fact, fact: Fact) -> Matches:
    evaluated = fact.applied("evaluate_derivatives")
    if evaluated is not None and _same(new, evaluated):
        yield "evaluate_derivatives", ()


def _literally(new: Fact, fact: Fact, _: Collection[Expr]) -> Matches:
    """What operators give to the letter, for an equation without a fingerprint: too large, or infinite, as log 0 is."""
    if new.has_fingerprint:
        return
    for name in (*_ONE_EQUATION, "expand", "evaluate_derivatives"):
        result = fact.applied(name)
        if result is not None and result.sides == new.sides:
            yield name, ()
    exponents = [part.exp for part in new.equation.atoms(Pow)]
    candidates = (
        *(("add", operand) for operand in (new.lhs - fact.lhs, new.rhs - fact.rhs)),
        *(("times", operand) for operand in (new.lhs / fact.lhs, new.rhs / fact.rhs)),
        *(("divide", operand) for operand in fact.sides),
        *(("power", operand) for operand in sorted(exponents, key=size_of)[:MAX_EXPONENTS]),
        *(("differentiate", operand) for operand in _variables(new, Derivative)),
        *(("integrate", operand) for operand in _variables(new, Integral)),
    )
    for name, operand in dict.fromkeys(candidates):
        if _given(fact, name, operand) == new.sides:
            yield name, (operand,)


def _given(fact: Fact, name: str, operand: Expr) -> Sides | None:
    """The sides that an operator gives; None where it cannot be carried out."""
    try:
        result = apply_operator(OPERATORS[name], fact.equation, operand, no_constant)
    except OperatorError:
        return None
    return result.lhs, result.rhs


_MATCHES = (
    _literally,
    _expanded,
    _functions,
    _sums,
    _products,
    _powers,
    _derivatives,
    _integrals,
    _evaluated_derivatives,
)


def _substitutions(new: Fact, facts: Sequence[Fact]) -> Iterator[Justification]:
    for fact in facts:
        for rule in facts:
            if rule is fact:
                continue
            for name, old, replacement in (
                ("substitute_LHS_for_RHS", rule.lhs, rule.rhs),
                ("substitute_RHS_for_LHS", rule.rhs, rule.lhs),
            ):
                if old in (0, 1) or not names_of(old) <= names_of(fact.equation):
                    continue
                sides = _substituted(fact, old, replacement)
                if sides and (sides == new.sides or _same(new, Fact(0, *sides))):
                    yield Justification(name, (), (fact.number, rule.number))


def _substituted(fact: Fact, old: Expr, replacement: Expr) -> Sides | None:
    try:
        result = substitute(fact.equation, old, replacement)
    except (OperatorError, TooLargeError, *SYMPY_ERRORS):
        return None
    return None if result is None else (result.lhs, result.rhs)
