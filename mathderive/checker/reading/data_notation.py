r"""Writes equations that people type in the data's notation: `E = mc^2` becomes `E = c^{2} m`.

Nothing is evaluated as code, and what is written is always a text that the data's own printer gives.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sympy import Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.reading.equations import Chain, read
from mathderive.checker.reading.layout import equations_of
from mathderive.checker.reading.notation import Notation, is_as_printed, notation_of, parsed
from mathderive.symbolic.latex.parser import LatexError, prints_as
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.names import name_of
from mathderive.symbolic.parts import atoms_of

MARK_OF_DATA = "{("
"""The beginning of a function's arguments, which people write otherwise."""

NOT_WRITABLE = (
    "the models' notation cannot express it; expected names, numbers, powers, elementary functions, derivatives and "
    "indefinite integrals"
)
"""The fault of an equation that was read and has no text in the data's notation, such as an inequality."""


Functions = dict[Symbol, AppliedUndef]
"""The functions of equations in the data's notation: their names, with an application of each."""


class Rewritten(NamedTuple):
    """A typed equation in the data's notation.

    Attributes:
        text: the equation; empty where there is none.
        fault: what was found instead of an equation, and what was expected; empty where there is one.
    """

    text: str
    fault: str


def in_data_notation(premises: Sequence[str], others: Sequence[str]) -> list[Rewritten]:
    """Writes the equations of a question in the data's notation, in their order.

    A question that is in this notation stays as it is. In any other one, an equation stays if it could be nothing else.

    Args:
        premises: LaTeX of one equation each. They show which names are functions.
        others: further equations of the question.
    """
    found = [equations_of(text.strip().removesuffix(" and")) for text in (*premises, *others)]
    texts = ["".join(equations[:1]) for equations in found]
    notation = notation_of(texts[: len(premises)], texts[len(premises) :])
    printed = [parsed(text) if is_as_printed(text) else () for text in texts]
    functions = {symbol: one for sides in printed for symbol, one in _functions(sides).items()}
    is_data = all(sides and _function_alone(sides, functions) is None for sides in printed)

    def rewritten(equations: list[str], sides: Chain) -> Rewritten:
        if len(equations) != 1:
            return _fault(f"found {len(equations) or 'no'} equations")
        if sides and (is_data or MARK_OF_DATA in equations[0]):
            return _written(sides)
        may_be_data = bool(sides or functions)
        return _read_and_written(equations[0], notation, functions, may_be_data)

    return list(map(rewritten, found, printed))


def _functions(sides: Chain) -> Functions:
    return {Symbol(str(name_of(one))): one for side in sides for one in atoms_of(side, AppliedUndef)}


def _function_alone(sides: Chain, functions: Functions) -> AppliedUndef | None:
    """A function whose name stands alone, as never in the data: `f (x + 1)` is no product where there is `f{(x)}`."""
    symbols = {symbol for side in sides for symbol in side.free_symbols}
    return next((one for symbol, one in functions.items() if symbol in symbols), None)


def _read_and_written(text: str, notation: Notation, functions: Functions, may_be_data: bool) -> Rewritten:
    """Reads as people write; where that cannot be written, and the text may be the data's, as the data does."""
    as_people = read(text, replace(notation, is_printed=False))
    as_data = read(text, replace(notation, is_printed=True)).chains if may_be_data else ()
    chains = [*as_people.chains, *as_data]
    if not chains:
        return _fault(as_people.fault)
    alone = [_function_alone(sides, functions) for sides in chains]
    for sides, function in zip(chains, alone, strict=True):
        if function is None and (written := _written(sides)).text:
            return written
    for function in filter(None, alone):
        return Rewritten("", f"expected the arguments of a function as in {latex(function)}")
    return _written(chains[0])


def _written(sides: Chain) -> Rewritten:
    if len(sides) != 2:
        return _fault("there is no equals sign" if len(sides) < 2 else f"found {len(sides)} sides")
    text = " = ".join(map(latex, sides))
    try:
        is_readable = prints_as(parsed(text), text)
    except LatexError:
        is_readable = False
    return Rewritten(text, "") if is_readable else Rewritten("", NOT_WRITABLE)


def _fault(found: str) -> Rewritten:
    return Rewritten("", f"expected an equation in LaTeX, such as E = m c^2; {found}")
