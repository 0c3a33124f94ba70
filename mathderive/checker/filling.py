"""Says how many operators are missing before each skipped equation of an answer, and writes the answer with them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from mathderive.checker.judging import TOO_MUCH, AnswerCheck
from mathderive.checker.missing_steps import Missing, missing_steps
from mathderive.checker.verdicts import StepVerdict, Validity

MaySearch = Callable[[int], bool]
"""Is called with an equation's number before each part of the search for it; says whether to search."""


def with_missing_operators(found: Validity, again: AnswerCheck, may_search: MaySearch) -> Validity:
    """The verdict with the missing operators of its skipped equations.

    Args:
        found: the verdict on an answer.
        again: a check without equations, with the readings of the verdict.
    """
    return found.model_copy(update={"steps": list(_counted(found, again, may_search))})


def _counted(found: Validity, again: AnswerCheck, may_search: MaySearch) -> Iterator[StepVerdict]:
    by_number: dict[int, StepVerdict] = {}
    for number, step in enumerate(found.steps, start=1):
        before = again.copy()
        again.leave_out(step.text) if step.reason == TOO_MUCH else again.take(step.text)
        taken = again.steps[-1]
        if step.truth == taken.link.truth == "skipped":
            earlier = taken.link.repeats
            if earlier is not None:
                missing = Missing(by_number[earlier].missing_operators or "unknown")
            elif may_search(number):
                missing = missing_steps(before, step.text, taken.stated[0], partial(may_search, number))
            else:
                missing = Missing("unknown")
            counted = {"missing_operators": missing.operators, "missing_equations": list(missing.equations)}
            step = step.model_copy(update=counted)
        elif step.truth == "skipped":
            step = step.model_copy(update={"missing_operators": "unknown"})
        by_number[number] = step
        yield step


@dataclass(frozen=True)
class FilledDerivation:
    """A derivation with its missing equations.

    Attributes:
        equations: all equations in their order.
        missing: the numbers, from 1, of the equations that were missing.
        open: how many equations stay skipped.
    """

    equations: tuple[str, ...]
    missing: frozenset[int]
    open: int

    @property
    def text(self) -> str:
        """The equations, one a line."""
        return "\n".join(self.equations)


def fill(validity: Validity) -> FilledDerivation:
    """Writes the missing equations before the equations that skip them."""
    equations: list[str] = []
    missing: set[int] = set()
    for step in validity.steps:
        missing |= {len(equations) + place for place in range(1, len(step.missing_equations) + 1)}
        equations += [*step.missing_equations, step.text]
    still = sum(step.truth == "skipped" and not step.missing_equations for step in validity.steps)
    return FilledDerivation(tuple(equations), frozenset(missing), still)
