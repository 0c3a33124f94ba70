"""The judgement on one equation."""

from dataclasses import dataclass

from mathderive.checker.inference.matching import Justification
from mathderive.checker.verdicts import Truth

ORDER: tuple[Truth, ...] = ("incorrect", "unparsable", "undecided", "skipped", "valid", "premise")
"""The verdicts from worst to best; a chain of equations gets the verdict of its worst link."""


@dataclass(frozen=True)
class Judgement:
    """The judgement on one equation, before the dependencies between equations are known.

    Attributes:
        justifications: the operators that give it.
        sources: the equations that it may rest on where there is no justification; None for all earlier ones.
        repeats: the number of the equation that says the same.
    """

    truth: Truth
    reason: str
    justifications: tuple[Justification, ...] = ()
    sources: tuple[int, ...] | None = ()
    counterexample: dict[str, str] | None = None
    repeats: int | None = None

    def options(self, number: int) -> list[frozenset[int]]:
        """The sets of equations that this one may rest on; justifications whose operand has occurred are preferred.

        Args:
            number: the number of this equation.
        """
        if self.repeats is not None:
            return [frozenset({self.repeats})]
        if self.justifications:
            plain = [one for one in self.justifications if one.plain] or self.justifications
            return list(dict.fromkeys(frozenset(one.steps) - {0} for one in plain))
        return [frozenset(range(1, number) if self.sources is None else self.sources)]
