"""Replacing one expression by another within a third, as SymPy's `subs` does and many times as fast.

`subs` compares the whole of every part with what it was before, at every level. Expressions are immutable and know
their hash, so it is enough to see whether a part is the same object or equal; and a part that lacks a name of what
is replaced need not be looked at.
"""

from functools import lru_cache

from sympy import Expr
from sympy.core.basic import Basic

from mathderive.symbolic.renaming import names_of


@lru_cache(maxsize=20_000)
def replace(node: Basic, old: Expr, new: Expr) -> Basic:
    """`node.subs(old, new)`.

    What counts as an occurrence is SymPy's decision, type by type (`_eval_subs`): some terms of a sum, a power within
    a power, no bound variable. Only the walk down to it is ours.
    """
    if node == old:
        return new
    if not names_of(old) <= names_of(node):
        return node
    result = node._eval_subs(old, new)
    if result is not None:
        return result
    parts = [replace(part, old, new) for part in node.args]
    return node if parts == list(node.args) else node.func(*parts)
