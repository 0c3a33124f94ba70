"""The operators that combine both sides with an operand: addition, subtraction, product, quotient and power."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache

from sympy import Equality, Expr, Integer, Pow, Rational, S, Symbol, exp, factor_terms, powsimp

from mathderive.symbolic.bounds import check_power
from mathderive.symbolic.engine.operators.inverses import operands_by_letter, size_of
from mathderive.symbolic.engine.operators.operator import Arity, Comparison, Function, Operator
from mathderive.symbolic.engine.zero import has_no_zero_side, is_zero_given
from mathderive.symbolic.parts import atoms_of, equation_parts

MAX_EXPONENTS = 16
"""Maximum number of exponents that the inverse of the power tries on an equation."""

_UNIT_INTEGERS = (-1, 0, 1)


def with_operand(transform: Callable[[Expr, Expr], Expr]) -> Function:
    """The function of an operator that combines both sides with its operand."""
    return lambda equation, operand, _draw: (transform(equation.lhs, operand), transform(equation.rhs, operand))


def earlier_parts(_equation: Equality, parts: Collection[Expr]) -> list[Expr]:
    """All subexpressions so far, except integers other than -1, 0 and 1."""
    return [part for part in parts if not _is_large_integer(part)]


def _exponents(equation: Equality, _parts: Collection[Expr]) -> list[Expr]:
    """The symbols of the equation, and its integers other than -1, 0 and 1."""
    return [part for part in equation_parts(equation) if isinstance(part, Symbol) or _is_large_integer(part)]


def _is_large_integer(part: Expr) -> bool:
    return isinstance(part, Integer) and part.p not in _UNIT_INTEGERS


def _is_not_zero(premises: Sequence[Equality], _equation: Equality, operand: Expr | None) -> bool:
    return operand is None or not is_zero_given(premises, operand)


def _is_known_not_to_be_zero(is_zero: bool | None) -> bool:
    return is_zero is False


def _power(side: Expr, exponent: Expr) -> Expr:
    check_power(side, exponent)
    return side**exponent


def _find_summand(operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    new, before = comparison.new, comparison.before
    if not new.has_fingerprint:
        differences = (new.lhs - before.lhs, new.rhs - before.rhs)
        yield from operands_by_letter(operator, comparison, differences)
    summand = _summand(comparison)
    if summand is not None and not summand.could_extract_minus_sign():
        yield (summand,)


def _find_subtrahend(_operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    summand = _summand(comparison)
    if summand is not None and summand.could_extract_minus_sign():
        yield (-summand,)


@lru_cache(maxsize=1)
def _summand(comparison: Comparison) -> Expr | None:
    """The expression that was added to both sides, if there is one; `add` and `minus` ask for it in turn."""
    new, before = comparison.new, comparison.before
    if not comparison.has_same_difference or new.sides == before.sides:
        return None
    summand = min((new.lhs - before.lhs, new.rhs - before.rhs), key=size_of)
    # Every trivially true equation has the same difference, 0; and a summand with the value 0 has to be visible.
    doubtful = before.is_trivial() or comparison.same_sides[0]
    if summand == 0 or (doubtful and (before.lhs + summand, before.rhs + summand) != new.sides):
        return None
    return summand


def _find_factor(operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    new, before = comparison.new, comparison.before
    if not new.has_fingerprint:
        yield from operands_by_letter(operator, comparison, (new.lhs / before.lhs, new.rhs / before.rhs))
    factor = _factor(comparison)
    if factor is not None and _divisor(factor) is None:
        yield (factor,)


def _find_divisor(operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    new, before = comparison.new, comparison.before
    yield from operands_by_letter(operator, comparison, before.sides)
    if new.lhs.has(S.ComplexInfinity) and (before.lhs * S.ComplexInfinity, before.rhs * S.ComplexInfinity) == new.sides:
        yield (S.Zero,)
    factor = _factor(comparison)
    divisor = None if factor is None else _divisor(factor)
    if divisor is not None:
        yield (divisor,)


def _divisor(factor: Expr) -> Expr | None:
    """The expression that a multiplication by the factor divides by; None where it is no mere division."""
    numerator, denominator = factor.as_numer_denom() if factor.has(Pow) else (factor, S.One)
    return denominator * numerator if numerator in (1, -1) and denominator != 1 else None


@lru_cache(maxsize=1)
def _factor(comparison: Comparison) -> Expr | None:
    """The expression that both sides were multiplied by, if there is one; `times` and `divide` ask for it in turn."""
    new, before = comparison.new, comparison.before
    if not comparison.has_same_ratio:
        return None
    if all(comparison.same_sides):
        return None
    sides = ((new.lhs, before.lhs, before.left), (new.rhs, before.rhs, before.right))
    ratios = [(after, side) for after, side, value in sides if not comparison.is_zero(value)]
    factors = [_quotient(after, side) for after, side in ratios]
    if all(factor.has(side) for factor, (_, side) in zip(factors, ratios, strict=True)):
        # SymPy multiplies numbers into sums, where they no longer cancel.
        shorter = (_quotient(factor_terms(after), factor_terms(side)) for after, side in ratios)
        factors += [factor for factor in shorter if factor != 0 and not factor.has(S.NaN, S.ComplexInfinity)]
    factor = min(factors, key=size_of, default=None)
    return factor if factor is not None and _is_factor(factor, len(ratios) == 1, comparison) else None


def _quotient(numerator: Expr, denominator: Expr) -> Expr:
    """The quotient, with one exponential in place of several, which SymPy does not join by itself."""
    quotient = numerator / denominator
    several = sum(isinstance(factor, exp) for factor in quotient.args) > 1 if quotient.is_Mul else False
    return powsimp(quotient, combine="exp") if several else quotient


def _is_factor(factor: Expr, of_one_side: bool, comparison: Comparison) -> bool:
    """Whether both sides were multiplied by the factor.

    Where a side is 0, or both are the same, any factor would do for the other side, so the factor has to be visible.
    """
    new, before = comparison.new, comparison.before
    doubtful = of_one_side or before.is_trivial() or comparison.is_zero(comparison.number(factor))
    if doubtful and (before.lhs * factor, before.rhs * factor) != new.sides:
        return False
    return not of_one_side or _is_visible(factor, comparison) or comparison.has_occurred(factor)


def _is_visible(factor: Expr, comparison: Comparison) -> bool:
    """Whether a factor or divisor is a part of the equations that it was found from, not a quotient of the two."""
    size = min(size_of(factor), size_of(1 / factor))
    return size < max(map(size_of, (*comparison.new.sides, *comparison.before.sides)))


def _find_exponent(operator: Operator, comparison: Comparison) -> Iterator[tuple[Expr, ...]]:
    new, before = comparison.new, comparison.before
    exponents = [part.exp for part in new.equation.atoms(Pow)] if not new.has_fingerprint else []
    yield from operands_by_letter(operator, comparison, sorted(exponents, key=size_of)[:MAX_EXPONENTS])
    if not comparison.may_be_power:
        return
    for exponent in _likely_exponents(comparison)[:MAX_EXPONENTS]:
        if exponent in (0, 1):
            continue
        value = comparison.number(exponent)
        sides = zip(new.sides, (new.left, new.right), before.sides, (before.left, before.right), strict=True)
        if all(
            comparison.close(after, comparison.power(base, value)) or _is_infinite_power(side, earlier, exponent)
            for side, after, earlier, base in sides
        ):
            yield (exponent,)


def _likely_exponents(comparison: Comparison) -> list[Expr]:
    new, before = comparison.new, comparison.before
    powers = atoms_of(new.equation, Pow, exp)
    if not powers and not any(side.is_Number for side in new.sides):
        return []
    candidates: dict[Expr, None] = {}
    for part in powers:
        exponent = part.exp
        candidates |= dict.fromkeys((exponent, exponent.as_coeff_Mul()[0], exponent.as_coeff_Mul()[1]))
    return list(candidates | dict.fromkeys(_usual_exponents(before.equation)))


@lru_cache(maxsize=1_000)
def _usual_exponents(equation: Equality) -> list[Expr]:
    """The symbols and integers of an equation, and the most frequent numbers."""
    symbols, integers = sorted(equation.atoms(Symbol), key=str), sorted(equation.atoms(Integer), key=int)
    return [*symbols, *map(Integer, (2, 3, 4, -1, -2)), *integers, Rational(1, 2)]


def _is_infinite_power(side: Expr, before: Expr, exponent: Expr) -> bool:
    """Whether both are infinite: a power of infinity is infinity, but its value at random points is another."""
    return bool(side.has(S.ComplexInfinity)) and side == before**exponent


ADD = Operator(
    "add",
    Arity.OPERAND,
    sentence="{operand} added to {0}",
    function=with_operand(lambda side, operand: side + operand),
    operands=earlier_parts,
    inverse=_find_summand,
    inverse_is_quick=True,
)
MINUS = Operator(
    "minus",
    Arity.OPERAND,
    sentence="{operand} subtracted from {0}",
    function=with_operand(lambda side, operand: side - operand),
    operands=earlier_parts,
    inverse=_find_subtrahend,
    inverse_is_quick=True,
)
TIMES = Operator(
    "times",
    Arity.OPERAND,
    sentence="{0} times {operand}",
    function=with_operand(lambda side, operand: side * operand),
    operands=earlier_parts,
    guard=_is_not_zero,
    side_condition=_is_known_not_to_be_zero,
    inverse=_find_factor,
    inverse_is_quick=True,
)
DIVIDE = Operator(
    "divide",
    Arity.OPERAND,
    sentence="{0} divided by {operand}",
    function=with_operand(lambda side, operand: side / operand),
    operands=earlier_parts,
    guard=_is_not_zero,
    side_condition=_is_known_not_to_be_zero,
    inverse=_find_divisor,
    inverse_is_quick=True,
)
POWER = Operator(
    "power",
    Arity.OPERAND,
    sentence="{0} to the power of {operand}",
    function=with_operand(_power),
    operands=_exponents,
    guard=has_no_zero_side,  # SymPy substitutes wrongly in powers of zero
    side_condition=_is_known_not_to_be_zero,
    inverse=_find_exponent,
    inverse_is_quick=True,
)
