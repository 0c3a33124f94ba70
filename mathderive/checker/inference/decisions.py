"""Whether an equation is true, and why not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sympy import Expr, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.comparison import Comparison, shown
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.evaluator import Evaluator
from mathderive.checker.numeric.taylor import head
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.parts import atoms_of


@dataclass(frozen=True)
class Decision:
    """Whether an equation is true.

    Attributes:
        holds: None where that is not known.
        reason: why it is false or not known.
        counterexample: values of names at which a false equation fails.
        on_every_branch: whether it is true on every branch of the functions in it.
    """

    holds: bool | None
    reason: str = ""
    counterexample: dict[str, str] | None = None
    on_every_branch: bool = False


def explained(
    sides: Sides, comparison: Comparison, definitions: Definitions, values: Mapping[Integral, Expr]
) -> Decision:
    """The decision of a comparison; for a false equation, with the values of names at which it fails.

    Args:
        values: the values that earlier equations give integrals.
    """
    if comparison.holds is not False or comparison.point is None:
        return Decision(comparison.holds, comparison.reason, on_every_branch=comparison.on_every_branch)
    example: dict[str, str] = {}
    names = {name for side in sides for name in atoms_of(side, Symbol, AppliedUndef) if not definitions.has(name)}
    evaluator = Evaluator(definitions, comparison.point, bound=values)
    for name in sorted(names, key=str):
        example[latex(name)] = shown(head(evaluator.value(name)))
    return Decision(False, comparison.reason, example)


def about_the_rest(decision: Decision) -> Decision:
    """A decision about sides without their common terms; the reason for a false equation says so."""
    if decision.holds is not False:
        return decision
    return replace(decision, reason=f"{decision.reason}, both without the terms that they share")
