r"""Sums of terms that do not commute: vectors, operators and states, with scalar coefficients.

A term that cannot be evaluated, such as `\nabla \cdot \mathbf{E}`, is a symbol of its own, an `OpaqueTerm`. Scalar ones
commute; the others are letters of words. Nothing is known about an opaque term except that it equals itself, so an
equation of opaque terms that holds as a linear identity is true, and any other one is undecided.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sympy import Add, Expr, Mul, S, Symbol

from mathderive.symbolic.latex.lexer import LatexError

Word = tuple[str, ...]
"""Letters that do not commute, side by side."""

MAX_TERMS = 64
"""Maximum number of words of a product."""

MAX_LETTERS = 12
"""Maximum number of letters of a word."""


class OpaqueTerm(Symbol):
    """A symbol that stands for a term that cannot be evaluated."""

    __slots__ = ()


class Value(NamedTuple):
    """A scalar, and the scalar coefficients of words."""

    scalar: Expr
    words: tuple[tuple[Word, Expr], ...] = ()

    @property
    def is_opaque(self) -> bool:
        """Whether a part cannot be evaluated."""
        return bool(self.words) or bool(self.scalar.atoms(OpaqueTerm))

    @property
    def expression(self) -> Expr:
        """The value as one expression, in which every word is a symbol."""
        terms = [coefficient * OpaqueTerm(" ".join(word)) for word, coefficient in self.words]
        return Add(self.scalar, *terms) if terms else self.scalar

    def terms(self) -> Iterator[tuple[Word, Expr]]:
        """The words with their coefficients; the scalar part has the empty word."""
        if self.scalar != 0:
            yield (), self.scalar
        yield from self.words


def scalar(expression: Expr) -> Value:
    return Value(expression)


def atom(text: str, is_scalar: bool) -> Value:
    """An opaque term."""
    return Value(OpaqueTerm(text)) if is_scalar else Value(S.Zero, (((text,), S.One),))


def collect(terms: Iterator[tuple[Word, Expr]]) -> Value:
    """The sum of terms."""
    plain: list[Expr] = []
    words: dict[Word, Expr] = {}
    for word, coefficient in terms:
        if word:
            words[word] = words.get(word, S.Zero) + coefficient
        else:
            plain.append(coefficient)
    if len(words) > MAX_TERMS or any(len(word) > MAX_LETTERS for word in words):
        raise LatexError("too many terms that do not commute")
    kept = tuple(sorted((word, coefficient) for word, coefficient in words.items() if coefficient != 0))
    return Value(plain[0] if len(plain) == 1 else Add(*plain), kept)


def add(values: list[Value]) -> Value:
    if not any(value.words for value in values):
        return Value(Add(*(value.scalar for value in values)))
    return collect((word, coefficient) for value in values for word, coefficient in value.terms())


def negative(value: Value) -> Value:
    return Value(-value.scalar, tuple((word, -coefficient) for word, coefficient in value.words))


def multiply(left: Value, right: Value, join: Callable[[Word, Word], tuple[Word, Expr]] | None = None) -> Value:
    """The product, word by word.

    Args:
        join: the word that two words give, with a factor; side by side by default.
    """
    if not left.words and not right.words:
        return Value(left.scalar * right.scalar)

    def joined() -> Iterator[tuple[Word, Expr]]:
        for word, coefficient in left.terms():
            for other, further in right.terms():
                if join is not None and word and other:
                    both, factor = join(word, other)
                    yield both, coefficient * further * factor
                else:
                    yield word + other, coefficient * further

    if len(left.words) * len(right.words) > MAX_TERMS:
        raise LatexError("too many terms that do not commute")
    return collect(joined())


def linear(value: Value, text: str, is_constant: Callable[[Expr], bool], gives_scalar: Callable[[Word], bool]) -> Value:
    """A linear operator applied to a value, term by term; constant factors stand before it.

    Args:
        text: the operator as written.
        is_constant: whether a factor may stand before the operator.
        gives_scalar: whether the operator makes a scalar of a word; the empty word stands for a scalar.
    """

    def applied() -> Iterator[tuple[Word, Expr]]:
        for word, coefficient in value.terms():
            for part in Add.make_args(
                coefficient.expand() if coefficient.is_Mul or coefficient.is_Pow else coefficient
            ):
                factors = Mul.make_args(part)
                outside = Mul(*(factor for factor in factors if is_constant(factor)))
                inside = Mul(*(factor for factor in factors if not is_constant(factor)))
                letter = f"{text}[{inside} {' '.join(word)}]"
                if gives_scalar(word):
                    yield (), outside * OpaqueTerm(letter)
                else:
                    yield (letter,), outside

    if value.scalar == 0 and not value.words:
        return Value(S.Zero)
    return collect(applied())


def rendered(value: Value) -> str:
    """A text that equal values share."""
    return str(value.expression)
