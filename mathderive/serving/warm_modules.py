"""Loads everything that a child process of the server needs; see `children`, the only one that loads this module."""

import gc
from typing import get_args

from mathderive.checker.checker import check
from mathderive.records import Rules
from mathderive.serving.check_processes import SAMPLE
from mathderive.serving.notation import TypedQuestion, rewrite
from mathderive.serving.typesetting import ToTypeset, typeset_all

_VARIED = (
    r"f{(x,y)} = \log{(x)} \sin{(\frac{y}{x})}",
    r"\frac{\partial}{\partial y} f{(x,y)} = \frac{\partial}{\partial y} \log{(x)} \sin{(\frac{y}{x})}",
    r"\frac{\partial}{\partial y} f{(x,y)} = \frac{\log{(x)} \cos{(\frac{y}{x})}}{x}",
    r"\int \frac{\partial}{\partial y} f{(x,y)} dy = \int \frac{\log{(x)} \cos{(\frac{y}{x})}}{x} dy",
    r"(x + e^{y}) \frac{\partial}{\partial y} f{(x,y)} = \frac{(e^{y} + x) \log{(x)} \cos{(\frac{y}{x})}}{x}",
    r"x \frac{\partial}{\partial y} f{(x,y)} + 1 = \log{(x)} \sin{(\frac{y}{x})} + 1",
)
"""Equations that are given, follow by one step or by several, and are wrong: each needs other parts of the checker."""

# Work on samples fills the caches of the parser and the checker, and loads what they import when first needed. Without
# it, the first check of every child would take a third longer.
for rules in get_args(Rules):
    check(SAMPLE.prompt, SAMPLE.output, rules=rules)
    check(f"Given {_VARIED[0]}, then obtain {_VARIED[-1]}", " and ".join(_VARIED), rules=rules)
typeset_all(ToTypeset(equations=SAMPLE.output.split(" and ")))
rewrite(TypedQuestion(premises=[r"f(x) = \sin x"], goal=r"\frac{df}{dx} = \cos x"))

gc.collect()
gc.freeze()  # a fork would otherwise copy the pages of all objects, as its garbage collector looks at them
