"""The elementary functions on balls and power series, on principal branches.

A negative real number whose imaginary part is rounding error is taken for real, so that the same number has the same
logarithm however it was computed.
"""

from collections.abc import Callable

from flint import acb, arb, ctx, fmpq

from mathderive.checker.numeric.taylor import (
    ONE,
    ZERO,
    Taylor,
    UnsupportedError,
    Value,
    compose,
    exponential,
    head,
    leaves,
    power,
    sine_and_cosine,
)

MAX_REPEATED = 64
"""Maximum natural power of a series that is computed by multiplication."""


def raise_to(base: Value, exponent: Value) -> Value:
    """`base**exponent`; an exponent that varies makes it an exponential."""
    if (isinstance(base, Taylor) or isinstance(exponent, Taylor)) and all(part == 0 for part in leaves(base)):
        # 0 to the power of any positive number is 0.
        return ZERO if head(exponent).imag == 0 and head(exponent).real > 0 else acb("nan")
    if isinstance(exponent, Taylor) and (not isinstance(base, Taylor) or exponent.level >= base.level):
        return exp(exponent * log(base))
    if not isinstance(base, Taylor):
        return _power(settled(base), exponent)  # type: ignore[arg-type]
    whole = None if isinstance(exponent, Taylor) else natural(exponent)
    if whole is not None and whole <= MAX_REPEATED:
        return _repeated(base, whole)
    return power(base, exponent, raise_to)


def natural(exponent: acb) -> int | None:
    """The natural number that a ball is exactly, if it is one."""
    whole = exponent.real.unique_fmpz() if exponent.imag == 0 and exponent.real.is_exact() else None
    return None if whole is None or whole < 0 else int(whole)


def _power(base: acb, exponent: acb) -> acb:
    if base == 0:
        if exponent == 0:
            return ONE
        return ZERO if exponent.real > 0 else acb("nan")
    if 2 * exponent == 1:
        return base.sqrt()
    if base.contains(0) and exponent.imag == 0 and exponent.real > 0 and natural(exponent) is None:
        # The powers of a disc about 0 lie in a disc about 0.
        radius = base.abs_upper() ** exponent.real.lower() if base.abs_upper() < 1 else arb("nan")
        return acb(arb(0, radius.upper()), arb(0, radius.upper()))
    return base**exponent


def exp(value: Value) -> Value:
    return exponential(value, exp) if isinstance(value, Taylor) else value.exp()


def log(value: Value) -> Value:
    return compose(value, log, _reciprocal) if isinstance(value, Taylor) else settled(value).log()


def sin(value: Value) -> Value:
    return _sin_and_cos(value)[0] if isinstance(value, Taylor) else value.sin()


def cos(value: Value) -> Value:
    return _sin_and_cos(value)[1] if isinstance(value, Taylor) else value.cos()


def _sin_and_cos(value: Value) -> tuple[Value, Value]:
    return sine_and_cosine(value, _sin_and_cos, -1) if isinstance(value, Taylor) else value.sin_cos()


def _sinh_and_cosh(value: Value) -> tuple[Value, Value]:
    if isinstance(value, Taylor):
        return sine_and_cosine(value, _sinh_and_cosh, 1)
    ball = settled(value)
    return ball.sinh(), ball.cosh()


def _reciprocal(value: Value) -> Value:
    return ONE / value if isinstance(value, acb) else raise_to(value, acb(-1))


def _square(value: Value) -> Value:
    return value * value


def _repeated(base: Taylor, exponent: int) -> Value:
    result: Value = ONE
    while exponent:
        if exponent & 1:
            result = base * result
        base, exponent = base * base, exponent >> 1
    return result


def settled(value: acb) -> acb:
    """The value as a real number where its imaginary part is rounding error of 0."""
    imaginary = value.imag
    if imaginary == 0 or not imaginary.contains(0):
        return value
    small = abs(value.real).lower() * arb(2) ** (-ctx.prec // 2)
    return acb(value.real) if imaginary.abs_upper() < small else value


def is_real(value: acb) -> bool:
    return bool(settled(value).imag == 0)


def _on_balls(
    function: Callable[[acb], acb], derivative: Callable[[Value], Value] | None = None
) -> Callable[[Value], Value]:
    """A function of balls, extended to series by its derivative."""

    def apply(value: Value) -> Value:
        if not isinstance(value, Taylor):
            return function(settled(value))
        if derivative is None:
            raise UnsupportedError("a function without derivative is differentiated")
        return compose(value, apply, derivative)

    return apply


def _inverse_root(sign: int) -> Callable[[Value], Value]:
    """`(1 + sign*x**2)**(-1/2)`."""
    return lambda value: raise_to(ONE + sign * _square(value), acb(fmpq(-1, 2)))


def _sign(value: acb) -> acb:
    if not is_real(value):
        return value.sgn()
    real = settled(value).real
    return acb(1) if real > 0 else acb(-1) if real < 0 else acb("nan")


def _of_real(function: Callable[[Value], Value]) -> Callable[[Value], Value]:
    """A derivative that exists for real values only."""

    def apply(value: Value) -> Value:
        if not is_real(head(value)):
            raise UnsupportedError("an absolute value of a complex number is differentiated")
        return function(value)

    return apply


_sign_of = _on_balls(_sign, _of_real(lambda value: ZERO))


def _slope_of_erf(sign: int) -> Callable[[Value], Value]:
    return lambda value: exp(sign * _square(value)) * (2 / acb.pi().sqrt())


FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "exp": exp,
    "log": log,
    "sin": sin,
    "cos": cos,
    "tan": _on_balls(acb.tan, lambda value: ONE + _square(FUNCTIONS["tan"](value))),
    "cot": _on_balls(acb.cot, lambda value: -1 * (ONE + _square(FUNCTIONS["cot"](value)))),
    "sec": lambda value: _reciprocal(cos(value)),
    "csc": lambda value: _reciprocal(sin(value)),
    "sinh": lambda value: _sinh_and_cosh(value)[0],
    "cosh": lambda value: _sinh_and_cosh(value)[1],
    "tanh": _on_balls(acb.tanh, lambda value: ONE - _square(FUNCTIONS["tanh"](value))),
    "coth": _on_balls(acb.coth, lambda value: ONE - _square(FUNCTIONS["coth"](value))),
    "asin": _on_balls(acb.asin, _inverse_root(-1)),
    "acos": _on_balls(acb.acos, lambda value: -1 * _inverse_root(-1)(value)),
    "atan": _on_balls(acb.atan, lambda value: _reciprocal(ONE + _square(value))),
    "acot": _on_balls(lambda ball: (1 / ball).atan(), lambda value: -1 * _reciprocal(ONE + _square(value))),
    "asinh": _on_balls(acb.asinh, _inverse_root(1)),
    "acosh": _on_balls(
        acb.acosh,
        lambda value: raise_to(value - ONE, acb(fmpq(-1, 2))) * raise_to(value + ONE, acb(fmpq(-1, 2))),
    ),
    "atanh": _on_balls(acb.atanh, lambda value: _reciprocal(ONE - _square(value))),
    "Abs": _on_balls(lambda ball: acb(abs(ball)), _of_real(lambda value: _sign_of(value))),
    "sign": _sign_of,
    "re": _on_balls(lambda ball: acb(ball.real), _of_real(lambda value: ONE)),
    "im": _on_balls(lambda ball: acb(ball.imag), _of_real(lambda value: ZERO)),
    "arg": _on_balls(lambda ball: acb(ball.arg()), _of_real(lambda value: ZERO)),
    "conjugate": _on_balls(acb.conjugate, _of_real(lambda value: ONE)),
    "factorial": _on_balls(lambda ball: (ball + 1).gamma()),
    "erf": _on_balls(acb.erf, _slope_of_erf(-1)),
    "erfi": _on_balls(acb.erfi, _slope_of_erf(1)),
    "Ei": _on_balls(acb.ei, lambda value: exp(value) * _reciprocal(value)),
    "Si": _on_balls(acb.si, lambda value: sin(value) * _reciprocal(value)),
    "Ci": _on_balls(acb.ci, lambda value: cos(value) * _reciprocal(value)),
    "li": _on_balls(acb.li, lambda value: _reciprocal(log(value))),
}
"""Every function that a derivation may mention, by SymPy's name."""

PIECEWISE = {
    "Abs",
    "sign",
    "re",
    "im",
    "arg",
    "conjugate",
    "log",
    "asin",
    "acos",
    "atan",
    "acot",
    "asinh",
    "acosh",
    "atanh",
    "Ei",
    "Ci",
    "li",
}
"""Functions with branches; equations that hold them are tested at more points."""
