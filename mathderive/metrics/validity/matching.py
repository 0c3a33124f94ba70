"""Which of the eighteen operators gives an equation from those before it.

Operators without an operand, and substitutions, are carried out on the earlier equations. Where an operand is to be
found it is solved for on one side and tried on the other. What comes out is compared by fingerprints, so it counts as
the same however it is printed and however SymPy simplifies it on the way.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import comb, prod

import numpy as np
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
    S,
    Symbol,
    exp,
    preorder_traversal,
)
from sympy.core.basic import Basic

from mathderive.metrics.validity import functions
from mathderive.metrics.validity.evaluation import (
    Fingerprint,
    close,
    counts_of,
    fingerprint,
    is_zero,
    minus,
    of_derivative,
    of_integral,
    times,
)
from mathderive.metrics.validity.integrals import evaluates_integrals
from mathderive.metrics.validity.taylor import Array, Value
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.history import parts_of
from mathderive.symbolic.operators import (
    OPERATORS,
    SYMPY_ERRORS,
    OperatorError,
    apply_operator,
    substitute,
)
from mathderive.symbolic.renaming import names_of

Sides = tuple[Expr, Expr]

GROWTH = 3
"""How many times as large each differentiation may make an expression, roughly."""

MAX_TERMS = 300
"""Of a product or power that is expanded."""

MAX_GROWN = 20_000
"""Operations; an equation of the data has some dozens."""

MAX_EXPONENTS = 16
"""Exponents that are tried on an equation."""


@dataclass(frozen=True)
class Way:
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
        return sum(int(operand.count_ops()) for operand in self.operands)


@dataclass(frozen=True)
class Fact:
    """An equation that others may follow from."""

    number: int
    lhs: Expr
    rhs: Expr
    _evaluated: dict[str, "Fact | None"] = field(default_factory=dict, compare=False, repr=False)

    @property
    def sides(self) -> Sides:
        return self.lhs, self.rhs

    @cached_property
    def equation(self) -> Equality:
        return Equality(self.lhs, self.rhs, evaluate=False)

    @cached_property
    def left(self) -> Fingerprint:
        return fingerprint(self.lhs)

    @cached_property
    def right(self) -> Fingerprint:
        return fingerprint(self.rhs)

    @cached_property
    def residual(self) -> Fingerprint:
        return minus(self.left, self.right)

    @cached_property
    def has_integral(self) -> bool:
        return bool(self.equation.has(Integral))

    @cached_property
    def has_derivative(self) -> bool:
        return bool(self.equation.has(Derivative))

    @cached_property
    def differentiates_integrals(self) -> bool:
        """Whether carrying out derivatives carries out integrals too, which takes long."""
        return any(derivative.expr.has(Integral) for derivative in self.equation.atoms(Derivative))

    @cached_property
    def symbols(self) -> frozenset[Symbol]:
        return frozenset(self.equation.atoms(Symbol))

    @cached_property
    def parts(self) -> frozenset[Expr]:
        return frozenset((*parts_of(self.lhs), *parts_of(self.rhs)))

    def mirrored(self) -> "Fact":
        return Fact(self.number, self.rhs, self.lhs)

    def is_trivial(self) -> bool:
        """Whether it says nothing, because both sides are the same to begin with."""
        return close(self.left, self.right)

    def says(self, other: "Fact") -> bool:
        """Whether both are the same equation, mirrored or not."""
        return self.sides in (other.sides, other.sides[::-1])

    def applied(self, name: str) -> "Fact | None":
        """What an operator without operand makes of it; None where that cannot be, or changes nothing."""
        if name not in self._evaluated:
            self._evaluated[name] = self._apply(name)
        return self._evaluated[name]

    def _apply(self, name: str) -> "Fact | None":
        if not _is_affordable(self.equation):
            return None
        try:
            equation = apply_operator(OPERATORS[name], self.equation, None, _no_constant)
        except OperatorError:
            return None
        return None if equation.args == self.sides else Fact(self.number, *equation.args)


def _is_affordable(equation: Equality) -> bool:
    """Whether derivatives can be carried out and products expanded without the result growing out of hand."""
    for part in preorder_traversal(equation):
        if isinstance(part, Derivative):
            order = sum(int(count) for _, count in part.variable_count if count.is_Integer)
            if max(1, _size(part.expr)) * GROWTH**order > MAX_GROWN:
                return False
        elif isinstance(part, Pow) and isinstance(part.base, Add) and part.exp.is_Integer:
            if comb(len(part.base.args) + abs(int(part.exp)) - 1, abs(int(part.exp))) > MAX_TERMS:
                return False
        elif isinstance(part, Mul) and prod(len(Add.make_args(factor)) for factor in part.args) > MAX_TERMS:
            return False
    return True


def _no_constant() -> Symbol:
    raise OperatorError("constants are not drawn here")


def ways(new: Fact, facts: Sequence[Fact]) -> list[Way]:
    """Every way to get an equation, or its mirror image, from earlier ones by one operator."""
    found: dict[Way, None] = {}
    known = frozenset().union(*(fact.parts for fact in facts))
    fresh = new.symbols.difference(*(fact.symbols for fact in facts if fact.number))
    for target in (new, new.mirrored()):
        for fact in facts:
            for match in _MATCHES:
                for operator, operands in match(target, fact, known):
                    plain = all(_occurs(operand, known) for operand in operands)
                    found[Way(operator, operands, (fact.number,), plain)] = None
            if fact.has_integral and evaluates_integrals(target.sides, fact.equation, fresh, carry_out=False):
                found[Way("evaluate_integrals", (), (fact.number,))] = None
        for way in _substitutions(target, facts):
            found[way] = None
    if not found:
        for target, fact in product((new, new.mirrored()), facts):
            if fact.has_integral and evaluates_integrals(target.sides, fact.equation, fresh, carry_out=True):
                found[Way("evaluate_integrals", (), (fact.number,))] = None
            if fact.differentiates_integrals:
                for operator, operands in _carried_out_derivatives(target, fact):
                    found[Way(operator, operands, (fact.number,))] = None
    return sorted(found, key=lambda way: (not way.plain, way.size))


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
    with np.errstate(all="ignore"):
        for name, function in _ONE_EQUATION.items():
            if all(
                _is_value(after, function(_argument(side, before.values)))
                for after, side, before in ((new.left, fact.lhs, fact.left), (new.right, fact.rhs, fact.right))
            ) or _is_result_beyond_numbers(new, fact, name):
                yield name, ()


def _is_result_beyond_numbers(new: Fact, fact: Fact, name: str) -> bool:
    """Whether an operator gives an equation that has no fingerprint, because it is too large."""
    if np.isfinite(new.left.values).all() and np.isfinite(new.right.values).all():
        return False
    result = fact.applied(name)
    return result is not None and result.sides == new.sides


def _argument(side: Expr, values: Array) -> Array:
    """A side's values as functions see it: SymPy takes an integral of zero, left as it is, for zero."""
    of_zero = any(integral.function.is_zero for integral in side.atoms(Integral))
    return values * 0 if of_zero and side.is_zero else values


def _is_value(value: Fingerprint, values: Value) -> bool:
    array = np.asarray(values)
    return close(value, Fingerprint(array, np.abs(array)))


def _sums(new: Fact, fact: Fact, _: Collection[Expr]) -> Matches:
    """`add` and `minus`: what was added on the left was added on the right."""
    if not close(new.residual, fact.residual) or new.sides == fact.sides:
        return
    operand = min((new.lhs - fact.lhs, new.rhs - fact.rhs), key=_size)
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
    factors = [after / before for after, before, value in sides if not is_zero(value)]
    if not factors:
        return
    factor = min(factors, key=_size)
    # Where a side is 0, or both are the same, any factor would do on the other: it has to be seen as one.
    if (len(factors) == 1 or fact.is_trivial() or is_zero(fingerprint(factor))) and (
        fact.lhs * factor,
        fact.rhs * factor,
    ) != new.sides:
        return
    if len(factors) == 1 and not _is_visible(factor, new, fact) and not _occurs(factor, known):
        return
    numerator, denominator = factor.as_numer_denom() if factor.has(Pow) else (factor, S.One)
    if numerator in (1, -1) and denominator != 1:
        yield "divide", (denominator * numerator,)
    else:
        yield "times", (factor,)


def _is_visible(factor: Expr, new: Fact, fact: Fact) -> bool:
    """Whether a factor, or what was divided by, is a part of what it was found from and no mere quotient of the two."""
    size = min(_size(factor), _size(1 / factor))
    return size < max(map(_size, (*new.sides, *fact.sides)))


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


_MATCHES = (
    _expanded,
    _functions,
    _sums,
    _products,
    _powers,
    _derivatives,
    _integrals,
    _evaluated_derivatives,
)


def _substitutions(new: Fact, facts: Sequence[Fact]) -> Iterator[Way]:
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
                if sides and close(new.left, fingerprint(sides[0])) and close(new.right, fingerprint(sides[1])):
                    yield Way(name, (), (fact.number, rule.number))


def _substituted(fact: Fact, old: Expr, replacement: Expr) -> Sides | None:
    try:
        result = substitute(fact.equation, old, replacement)
    except (OperatorError, TooLargeError, *SYMPY_ERRORS):
        return None
    return None if result is None else (result.lhs, result.rhs)


def _size(expression: Expr) -> int:
    return int(expression.count_ops())
