r"""Parses LaTeX to SymPy: the printer's own text exactly, and the variations of it that language models write.

A LALR(1) grammar (`grammar.lark`, on the tokens of `lexer.py`) gives a tree of bounded size and depth. The tree is
built into an expression as in `read_srepr`: numbers are bounded, and nothing is evaluated except by SymPy's
constructors. Text has fewer distinctions than expressions, so some texts have several readings. A derivative may take
the rest of its term or fewer factors; the first is preferred, because it is right for 1,852 of the 1,855 distinct
equations that Meadows et al. (2024) released. `\pi` and `i` may be names or constants.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from itertools import islice, product
from typing import NamedTuple

from sympy import Add, Derivative, Equality, Expr, Integer, Integral, Mul, Pow, Rational, S, Symbol, exp

from mathderive.symbolic.bounds import TooLargeError, check_exponential, check_power, is_runaway_integral
from mathderive.symbolic.latex.lexer import LatexError, canonical_name
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.latex.tree import MAX_REMEMBERED, Bounds, Chain, Differential, Node, parse_tree, subtrees
from mathderive.symbolic.names import PRINTED_LIKE_NAMES, function
from mathderive.symbolic.srepr import MAX_DERIVATIVE_ORDER, apply_function
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS
from mathderive.symbolic.vocabulary import RENAMING_LETTERS, VOCABULARY

__all__ = ["LatexError", "parse", "parse_equation", "prepare_parser", "readings"]

MAX_READINGS = 64
"""Maximum number of combinations of how many factors each derivative of a text takes."""

MAX_COMPARED = 16
"""Maximum number of further readings that are printed to find the one that gives the text."""

Sides = tuple[Expr, ...]


def parse(text: str) -> Sides:
    """Parses the sides of a chain of equations `a = b = c`, or a single expression, in their preferred reading.

    The preferred reading is the first one that prints as the text. If none does, because a model wrote the text in
    another style, it is the first reading.

    Raises:
        LatexError: the text is too long, too deep or outside the grammar, or a number in it is too large.
    """
    first, *others = _usual_readings(text)
    if not others or prints_as(first, text):
        return first
    return next((sides for sides in others if prints_as(sides, text)), first)


@lru_cache(maxsize=1)
def prepare_parser() -> None:
    """Does what a process's first text needs and takes as long as some thirty equations: the tables of the grammar, and
    the modules that SymPy imports at its first sum."""
    parse("x + y")


def prints_as(sides: Sides, text: str) -> bool:
    """Whether the sides print as the text, apart from spaces and backslashes, which T5 loses."""
    return _skeleton("=".join(latex(side) for side in sides)) == _skeleton(text)


def _skeleton(text: str) -> str:
    return "".join(text.replace("\\", "").split())


def parse_equation(text: str) -> Equality:
    """Parses an equation in its preferred reading, without evaluating the equality.

    Raises:
        LatexError: as `parse`, or the text does not have two sides.
    """
    sides = parse(text)
    if len(sides) != 2:
        raise LatexError(f"expected an equation, found {len(sides)} side(s)", 0)
    return Equality(*sides, evaluate=False)


def readings(text: str) -> Iterator[Sides]:
    """Yields every reading of a text, the most usual one first; some may be equal.

    Raises:
        LatexError: as `parse`, for the first reading; later readings that cannot be built are left out.
    """
    usual = _usual_readings(text)
    yield from usual
    if len(usual) > MAX_COMPARED:
        yield from islice(_build_readings(text), len(usual), None)


@lru_cache(maxsize=MAX_REMEMBERED)
def _usual_readings(text: str) -> tuple[Sides, ...]:
    """The first reading and those that it is compared with; a text is usually asked about several times."""
    return tuple(islice(_build_readings(text), 1 + MAX_COMPARED))


def _build_readings(text: str) -> Iterator[Sides]:
    trees = parse_tree(text)
    first = _build_sides(trees, next(_choices(trees, {})))
    yield first
    constants = {name: value for name, value in PRINTED_LIKE_NAMES.items() if _is_free(Symbol(name), first)}
    for choice in islice(_choices(trees, constants), 1, None):
        try:
            sides = _build_sides(trees, choice)
        except LatexError:
            continue
        yield sides


class _Choice(NamedTuple):
    """The choices that distinguish one reading from another.

    Attributes:
        extents: the number of factors that each derivative takes.
        constants: the names that are read as constants, with their values.
    """

    extents: dict[Node, int]
    constants: dict[str, Expr]


def _choices(trees: tuple[Node, ...], constants: dict[str, Expr]) -> Iterator[_Choice]:
    """Yields the choices in order: each derivative takes all factors first, then fewer; names before constants."""
    derivatives = [node for tree in trees for node in _derivatives(tree)]
    extents = (range(len(node.parts[2]), 0, -1) for node in derivatives)
    for chosen in islice(product(*extents), MAX_READINGS):
        extent_of = dict(zip(derivatives, chosen, strict=True))
        yield _Choice(extent_of, {})
        if constants:
            yield _Choice(extent_of, constants)
        if len(constants) > 1:
            yield from (_Choice(extent_of, {name: value}) for name, value in constants.items())


def _build_sides(trees: tuple[Node, ...], choice: _Choice) -> Sides:
    with refusals_as_latex_errors():
        return tuple(_build(tree, choice) for tree in trees)


@contextmanager
def refusals_as_latex_errors() -> Iterator[None]:
    """Raises `LatexError` where SymPy, or a bound on sizes, refuses the expression that a text stands for."""
    try:
        yield
    except LatexError:
        raise
    except TooLargeError as error:
        raise LatexError(str(error)) from None
    except SYMPY_ERRORS as error:
        raise LatexError(f"SymPy refuses it: {error}") from None


def _is_free(symbol: Symbol, sides: Sides) -> bool:
    """Whether a symbol is in the sides and no derivative or integral is by it."""
    if not any(symbol in side.free_symbols for side in sides):
        return False
    integrals = {limit[0] for side in sides for integral in side.atoms(Integral) for limit in integral.limits}
    counts = {count[0] for side in sides for part in side.atoms(Derivative) for count in part.variable_count}
    return symbol not in integrals | counts


_NAMED = {"E": S.Exp1, "oo": S.Infinity, "zoo": S.ComplexInfinity, "nan": S.NaN}


def _derivatives(node: Node) -> Iterator[Node]:
    if node.kind == "derivative":
        yield node
    for part in subtrees(node.parts):
        yield from _derivatives(part)


def _build(node: Node, choice: _Choice) -> Expr:
    match node.kind, node.parts:
        case "number", (text,):
            value = Fraction(text)
            return Rational(value.numerator, value.denominator)
        case "symbol", (name,):
            known = vocabulary_name(name)
            return choice.constants.get(known) or Symbol(known)
        case "constant", (name,):
            return _NAMED[name]
        case "applied", (name, arguments):
            return function(vocabulary_name(name))(*(_build(argument, choice) for argument in arguments))
        case "elementary", (name, argument):
            built = _build(argument, choice)
            return _power(S.Exp1, built) if name == "exp" else apply_function(name, [built])
        case "sum", terms:
            return Add(*(_build(term, choice) for term in terms))
        case "product", (sign, chain):
            return _product(sign, chain, choice)
        case "power", (base, exponent):
            return _power(_build(base, choice), _build(exponent, choice))
        case "root", (radicand, degree):
            return _power(_build(radicand, choice), _power(_build(degree, choice), S.NegativeOne))
        case "derivative", (differentials, sign, chain):
            extent = choice.extents[node]
            derivative = _derivative(_product(sign, chain[:extent], choice), differentials, choice)
            return multiply_factors(1, [derivative, *_factors(chain[extent:], choice)])
        case "integral", (integrand, limits):
            bounds = [_limit(variable, bounds, choice) for variable, bounds in limits]
            integral = Integral(_build(integrand, choice), *bounds)
            if is_runaway_integral(integral):
                raise LatexError("an integral of constants, or without end")
            return integral
    raise AssertionError(node.kind)


def _power(base: Expr, exponent: Expr) -> Expr:
    if base is S.Exp1:
        check_exponential(exponent)
        return exp(exponent)
    check_power(base, exponent)
    return Pow(base, exponent)


def _product(sign: int, chain: Chain, choice: _Choice) -> Expr:
    return multiply_factors(sign, _factors(chain, choice))


def _factors(chain: Chain, choice: _Choice) -> list[Expr]:
    built = [(_build(factor, choice), divides) for factor, divides in chain]
    return [_power(factor, S.NegativeOne) if divides else factor for factor, divides in built]


def multiply_factors(sign: int, factors: list[Expr]) -> Expr:
    """Multiplies factors; a number times a sum is not multiplied out, because the text shows it as a product."""
    coefficient, others = Integer(sign), []
    for factor in factors:
        number, rest = factor.as_coeff_Mul(rational=True)
        if factor.is_Rational or rest.is_Add:
            coefficient *= number
            if rest is not S.One:
                others.append(rest)
        else:
            others.append(factor)
    if len(others) == 1 and others[0].is_Add and coefficient is not S.One:
        return Mul(coefficient, others[0], evaluate=False)
    if S.ComplexInfinity in others:
        return Mul(coefficient, *others, evaluate=False) if coefficient is not S.One else Mul(*others)
    return Mul(coefficient, *others)


def _derivative(expression: Expr, differentials: tuple[Differential, ...], choice: _Choice) -> Expr:
    counts = [(_build(name, choice), _order(order, choice)) for name, order in differentials]
    if sum(order for _, order in counts if order.is_Integer) > MAX_DERIVATIVE_ORDER:
        raise LatexError(f"a derivative of order above {MAX_DERIVATIVE_ORDER}")
    # LaTeX names the variable that was differentiated by last first.
    return Derivative(expression, *reversed(counts), evaluate=False)


def _order(order: Node | None, choice: _Choice) -> Expr:
    """The order of a derivative: a positive number, or an expression that a substitution has put there."""
    value = Integer(1) if order is None else _build(order, choice)
    if value.is_Number and not (value.is_Integer and value.is_positive):
        raise LatexError("the order of a derivative is a positive number")
    return value


def _limit(differential: Differential, bounds: Bounds, choice: _Choice) -> tuple[Expr, ...]:
    name, order = differential
    if order is not None:
        raise LatexError("a power of a differential")
    return (_build(name, choice), *(_build(bound, choice) for bound in bounds))


def vocabulary_name(spelling: str) -> str:
    """The name of the vocabulary with this spelling in tokens; the spelling itself for any other name."""
    return _names().get(spelling, spelling)


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Maps the spellings of symbols and functions, as in tokens, to the names of the vocabulary."""
    names = {}
    for name in (*VOCABULARY, *RENAMING_LETTERS):
        applied = latex(function(name)(Symbol("x"))).removesuffix("{(x)}")
        for text in (latex(Symbol(name)), applied):
            names[canonical_name(text) or text] = name
    return names
