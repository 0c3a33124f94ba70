r"""The readings of a text in people's notation, and the roles of a prompt's names in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice, product

from sympy import Expr, Mul, S, Symbol

from mathderive.symbolic.latex.lexer import LatexError
from mathderive.symbolic.latex.parser import refusals_as_latex_errors
from mathderive.symbolic.latex.textbook.building import OperatorNeededError
from mathderive.symbolic.latex.textbook.calculus import Builder
from mathderive.symbolic.latex.textbook.constructs import FUNCTION_LETTERS, parse_textbook
from mathderive.symbolic.latex.textbook.names import Names, Parsed
from mathderive.symbolic.latex.textbook.nodes import Node
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm
from mathderive.symbolic.latex.textbook.tokens import MAX_CHARACTERS
from mathderive.symbolic.names import PRINTED_LIKE_NAMES

Chain = tuple[Expr, ...]

OPAQUE = "it holds terms that cannot be evaluated, and it is no linear consequence of what is known"

MAX_EXTENTS = 8
"""Maximum number of combinations of the operands of derivatives."""

MAX_REMEMBERED = 300
"""Maximum number of texts whose readings are remembered."""

_OR = re.compile(r"(?<=\s)or(?=\s)")
_STYLES = ("narrow", "slash", "product", "inverse")


@dataclass(frozen=True)
class TextbookReadings:
    """The readings of a text.

    Attributes:
        chains: the readings with the usual meaning of every notation.
        unlikely: the readings with another meaning of one notation.
        doubt: why a refutation does not make the text incorrect; empty where it does.
        closed: opaque terms whose values are known.
        has_infinity: whether an infinity is a part of a formula, not only a bound.
    """

    chains: tuple[Chain, ...]
    unlikely: tuple[Chain, ...] = ()
    doubt: str = ""
    closed: dict[OpaqueTerm, Expr] = field(default_factory=dict, hash=False, compare=False)
    has_infinity: bool = False


@lru_cache(maxsize=MAX_REMEMBERED)
def _read(text: str, key: "NamesKey") -> TextbookReadings:
    names = key.names
    alternatives = _OR.split(text[:MAX_CHARACTERS])
    if len(alternatives) > 1 and all("=" in part for part in alternatives):
        return _disjunction([_read(part, key) for part in alternatives])
    try:
        return _in_styles(text, names, ())
    except OperatorNeededError:
        return _in_styles(text, names, ("operators",))


class NamesKey:
    """Names as a key of a cache: equal only to itself."""

    def __init__(self, names: Names) -> None:
        self.names = names


def read_textbook(text: str, key: NamesKey) -> TextbookReadings:
    """Reads a text.

    Raises:
        LatexError: the text is outside the grammar, too long or too deep, or a number in it is too large.
    """
    return _read(text, key)


def _in_styles(text: str, names: Names, styles: tuple[str, ...]) -> TextbookReadings:
    parsed = parse_textbook(text, names, styles)
    if not names.operators.issuperset(parsed.uses.operators):
        names = replace(names, operators=names.operators | parsed.uses.operators)
    chains, doubt, closed, has_infinity = _built(parsed, names, styles)
    unlikely: dict[Chain, None] = {}
    for style in _STYLES:
        if style in parsed.ambiguous:
            try:
                others, *_ = _built(parse_textbook(text, names, (*styles, style)), names, (*styles, style))
            except LatexError:
                continue
            unlikely |= dict.fromkeys(others)
    return TextbookReadings(chains, tuple(one for one in unlikely if one not in chains), doubt, closed, has_infinity)


def _built(
    parsed: Parsed, names: Names, styles: tuple[str, ...]
) -> tuple[tuple[Chain, ...], str, dict[OpaqueTerm, Expr], bool]:
    chains: dict[Chain, None] = {}
    first = _build(parsed, names, styles, {}, ())
    chains[first.chain] = None
    symbols = {symbol for side in first.chain for symbol in side.free_symbols}
    constants = {name: value for name, value in PRINTED_LIKE_NAMES.items() if Symbol(name) in symbols}
    choices = [{}, constants, *({name: value} for name, value in constants.items())] if constants else [{}]
    closed = dict(first.closed)
    for extents in islice(product(*map(range, first.options)), MAX_EXTENTS):
        for chosen in choices:
            try:
                built = _build(parsed, names, styles, chosen, extents)
            except LatexError:
                continue
            chains.setdefault(built.chain)
            closed |= built.closed
    return tuple(chains), first.doubt, closed, first.has_infinity


@dataclass(frozen=True)
class _Built:
    chain: Chain
    options: tuple[int, ...]
    doubt: str
    closed: dict[OpaqueTerm, Expr]
    has_infinity: bool


def _build(
    parsed: Parsed, names: Names, styles: tuple[str, ...], constants: dict[str, Expr], extents: tuple[int, ...]
) -> _Built:
    def sides(sign: int) -> tuple[Builder, Chain]:
        builder = Builder(names, constants, frozenset(styles), extents)
        builder.sign = sign
        with refusals_as_latex_errors():
            return builder, tuple(builder.expression(side) for side in parsed.sides)

    builder, chain = sides(1)
    doubt = (
        OPAQUE if builder.is_doubtful or any(side.atoms(OpaqueTerm) - builder.closed.keys() for side in chain) else ""
    )
    if any(relation != "=" for relation in parsed.relations):
        parts = [str(chain[0])]
        for relation, side in zip(parsed.relations, chain[1:], strict=True):
            parts += [relation, str(side)]
        return _Built(
            (OpaqueTerm(" ".join(parts)), S.One), tuple(builder.options), OPAQUE, builder.closed, builder.has_infinity
        )
    other = sides(-1)[1]
    if other != chain:
        chain = _with_both_signs(chain, other)
    return _Built(chain, tuple(builder.options), doubt, builder.closed, builder.has_infinity)


def _with_both_signs(chain: Chain, other: Chain) -> Chain:
    r"""The chain that holds where, for every link, the upper signs hold or the lower ones."""
    found: list[Expr] = []
    for place in range(1, len(chain)):
        upper, lower = chain[place - 1] - chain[place], other[place - 1] - other[place]
        found += [Mul(upper, lower), S.Zero]
    return tuple(found)


def _disjunction(parts: Sequence[TextbookReadings]) -> TextbookReadings:
    r"""The readings of `a = b or c = d`: the product of the differences is zero."""
    firsts = [part.chains[0] for part in parts]
    if any(len(chain) != 2 for chain in firsts):
        raise LatexError("alternatives that are no equations")
    whole = (Mul(*(left - right for left, right in firsts)), S.Zero)
    doubt = next((part.doubt for part in parts if part.doubt), "")
    return TextbookReadings((whole,), (), doubt, {term: body for part in parts for term, body in part.closed.items()})


def names_in_prompt(premises: Sequence[str], others: Sequence[str]) -> Names:
    """The roles of the names of a prompt."""
    first = _roles(_parsed_all((*premises, *others), Names()), len(premises))
    second = _roles(_parsed_all((*premises, *others), first), len(premises))
    return _with_opaque_names(second, premises)


def _parsed_all(texts: Sequence[str], names: Names) -> list[Parsed | None]:
    found: list[Parsed | None] = []
    for text in texts:
        try:
            found.append(parse_textbook(text, names))
        except LatexError:
            found.append(None)
    return found


def _roles(found: Sequence[Parsed | None], count: int) -> Names:
    parsed = [one for one in found if one is not None]
    uses = [one.uses for one in parsed]
    marks = set().union(*(use.marks for use in uses)) if uses else set()
    alone = set().union(*(use.alone for use in uses)) if uses else set()
    by = [pair for use in uses for pair in use.by]
    primed = set().union(*(use.primed for use in uses)) if uses else set()
    variables = set().union(*(use.summed | use.differentiated_by for use in uses)) if uses else set()
    operators = set().union(*(use.operators for use in uses)) if uses else set()
    headed = {side.parts[0] for one in parsed for side in one.sides if side.kind == "applied"}
    functions: dict[str, tuple[str, ...]] = {}
    for use in uses:
        for name, arguments in use.applied.items():
            if name in headed or name not in alone or name in FUNCTION_LETTERS:
                if not all(functions.get(name, ("",))):
                    functions[name] = arguments
                functions.setdefault(name, arguments)
    for name in [name for name in functions if _is_partial(name, functions)]:
        del functions[name]
    for arguments in functions.values():
        variables |= {argument for argument in arguments if argument}
    defined = {side.parts[0] for one in found[:count] if one is not None for side in one.sides if side.kind == "name"}
    implicit: dict[str, tuple[str, ...]] = {
        name: arguments for name, arguments in functions.items() if arguments and all(arguments)
    }
    default = min(variables - set(functions), default="x") if len(variables - set(functions)) == 1 else "x"
    pairs = by + [(name, variable or default) for use in uses for name, variable in use.primes]
    # A name that is differentiated by functions or by derivatives depends on more than is known.
    varied = {name for name, variable in pairs if variable in functions or variable.rstrip("'") in primed}
    for name, variable in pairs:
        if (
            name in varied
            or name in functions
            or name in defined
            or name in variables
            or name in primed
            or name == variable
        ):
            continue
        if variable not in implicit.get(name, ()):
            implicit[name] = (*implicit.get(name, ()), variable)
    variables |= {variable for arguments in implicit.values() for variable in arguments}
    quantum = "quantum" in marks or "dagger" in marks
    if quantum:
        operators |= {name for name in alone | functions.keys() if name.startswith(r"\hat{")}
    return Names(
        functions=functions,
        implicit=implicit,
        alone=frozenset(alone - implicit.keys()),
        defined=frozenset(defined),
        variables=frozenset(variables),
        primed=frozenset(primed),
        operators=frozenset(operators),
        bodies=_bodies(found[:count]),
        has_vectors="vector" in marks,
        e_is_name="e^" not in marks
        and any(side.kind == "constant" and side.parts == ("E",) for one in parsed for side in one.sides),
    )


def _bodies(premises: Sequence[Parsed | None]) -> dict[str, tuple[tuple[str, ...], Node]]:
    """The functions that premises define by an expression of distinct names."""
    found: dict[str, tuple[tuple[str, ...], Node]] = {}
    for one in premises:
        if one is None or len(one.sides) != 2 or one.relations != ("=",) or one.sides[0].kind != "applied":
            continue
        name, primes, dots, arguments = one.sides[0].parts
        parameters = tuple(part.parts[0] for part in arguments if part.kind == "name")
        if not primes and not dots and len(set(parameters)) == len(arguments):
            found.setdefault(name, (parameters, one.sides[1]))
    return found


def _is_partial(name: str, functions: dict[str, tuple[str, ...]]) -> bool:
    """Whether a name such as `f_x` stands for a derivative of another function of the prompt."""
    head, _, script = name.partition("_")
    return (
        bool(script) and set(script.strip("{}")) <= set(functions.get(head, ())) and functions[name] == functions[head]
    )


def _with_opaque_names(names: Names, premises: Sequence[str]) -> Names:
    """Notes the names that premises equate to terms that cannot be evaluated."""
    found: set[str] = set()
    key = NamesKey(names)
    for text in premises:
        try:
            readings = _read(text, key)
        except LatexError:
            continue
        found |= set(_tied_names(readings))
    return replace(names, opaque=names.opaque | found) if found else names


def _tied_names(readings: TextbookReadings) -> Iterator[str]:
    for chain in readings.chains[:1]:
        opaque = [side for side in chain if side.atoms(OpaqueTerm) - readings.closed.keys()]
        if opaque:
            yield from (side.name for side in chain if isinstance(side, Symbol) and not isinstance(side, OpaqueTerm))
