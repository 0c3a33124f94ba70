"""Equations of an answer that define a new name."""

from collections.abc import Iterable

from sympy import Equality

from mathderive.symbolic.names import name_of, names_of


def definitions_of_new_names(asked: Iterable[Equality], lines: Iterable[Equality | None]) -> frozenset[int]:
    """The numbers, from 1, of lines that give an expression a name that neither the prompt nor an earlier line has.

    Args:
        asked: the equations of the prompt.
        lines: the equations of an answer; None for one that is not parsed.
    """
    used = frozenset().union(*map(names_of, asked))
    found = set()
    for number, line in enumerate(lines, start=1):
        if line is None:
            continue
        for name, body in (line.args, line.args[::-1]):
            own = name_of(name)
            if own is not None and own not in used | names_of(body):
                found.add(number)
                break
        used |= names_of(line)
    return frozenset(found)
