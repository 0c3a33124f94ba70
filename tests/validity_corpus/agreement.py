"""Compares the checker's verdicts with the judge's labels."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.validity_corpus.corpus import LabelledDerivation, LabelledStep

Check = Callable[[str, str], Any]
"""The type of `mathderive.checker.checker.check`, which turns a prompt and an output into a `Validity`."""

CATCHES_FALSE = 0.99
"""The least share of false equations that are called incorrect."""

SPARES_TRUE = 0.002
"""The largest share of true equations that are called incorrect."""

CATCHES_FLAWS = 0.97
"""The least share of repeated, irrelevant and removed steps that are called so."""


@dataclass(frozen=True)
class Disagreement:
    """A label and an answer that differ; `step` counts from 1, and is 0 for the derivation as a whole."""

    derivation: LabelledDerivation
    step: int
    expected: str
    got: str
    why: str


@dataclass
class Agreement:
    """Counts of pairs of label and answer, for each property."""

    counts: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    disagreements: list[Disagreement] = field(default_factory=list)
    derivations: int = 0
    unlabelled: Counter[str] = field(default_factory=Counter)

    def share(self, what: str, label: str, answer: str) -> float:
        """Returns the share of an answer among the items with a label."""
        counts = self.counts.get(what, Counter())
        total = sum(count for (labelled, _), count in counts.items() if labelled == label)
        return counts[label, answer] / total if total else float("nan")

    def figures(self) -> dict[str, float]:
        """Returns the shares that measure the checker."""
        return {
            "false_called_incorrect": self.share("truth", "false", "incorrect"),
            "true_called_incorrect": self.share("truth", "true", "incorrect"),
            "repeated_called_so": self.share("redundant", "repeated", "redundant"),
            "irrelevant_called_so": self.share("irrelevant", "irrelevant", "irrelevant"),
            "removed_called_so": self.share("removed", "skipped", "skipped"),
        }

    def meets_its_aims(self) -> bool:
        figures = self.figures()
        return (
            figures["false_called_incorrect"] >= CATCHES_FALSE
            and figures["true_called_incorrect"] <= SPARES_TRUE
            and all(figures[f"{flaw}_called_so"] >= CATCHES_FLAWS for flaw in ("repeated", "irrelevant", "removed"))
        )

    def tables(self) -> str:
        """Returns the confusion matrices, with a row for each label and a column for each answer."""
        lines = []
        for what, counts in self.counts.items():
            answers = sorted({answer for _, answer in counts})
            lines.append(f"{what:32}" + "".join(f"{answer:>14}" for answer in answers))
            labels = sorted({label for label, _ in counts})
            lines += [f"  {label:30}" + "".join(f"{counts[label, a]:14}" for a in answers) for label in labels]
        return "\n".join(lines)

    def add(self, derivation: LabelledDerivation, validity: Any) -> None:
        """Counts one derivation's answers."""
        self.derivations += 1
        if len(validity.steps) != len(derivation.steps):
            self._note(derivation, 0, f"{len(derivation.steps)} steps", f"{len(validity.steps)} steps", "")
            return
        for number, (label, answer) in enumerate(zip(derivation.steps, validity.steps, strict=True), start=1):
            self._add_step(derivation, number, label, answer)
        if derivation.goal_reached is not None:
            expected = _word(derivation.goal_reached, "reached")
            self._count(derivation, 0, "goal", expected, _word(validity.goal_reached, "reached"), "")
        if derivation.verified is not None:
            expected = _word(derivation.verified, "verified")
            self._count(derivation, 0, "verified", expected, _word(validity.verified, "verified"), "")

    def _add_step(self, derivation: LabelledDerivation, number: int, label: LabelledStep, answer: Any) -> None:
        if label.truth not in ("true", "false"):
            self.unlabelled[label.note or label.truth] += 1
            return
        right = ("incorrect",) if label.truth == "false" else ("premise", "valid", "skipped")
        self._count(derivation, number, "truth", label.truth, answer.truth, answer.reason, right)
        if label.truth == "false":
            return
        if label.support is not None and not label.redundant:
            what = "removed" if label.support == "skipped" and "removed" in derivation.kind else "support"
            self._count(derivation, number, what, label.support, answer.truth, answer.reason)
        if label.redundant is not None:
            self._count(
                derivation,
                number,
                "redundant",
                "repeated" if label.redundant else "new",
                "redundant" if answer.redundant else "new",
                answer.reason,
                ("redundant",) if label.redundant else ("new",),
            )
        if label.irrelevant is not None and not label.redundant:
            self._count(
                derivation,
                number,
                "irrelevant",
                "irrelevant" if label.irrelevant else "used",
                "irrelevant" if answer.irrelevant else "used",
                answer.reason,
            )

    def _count(
        self,
        derivation: LabelledDerivation,
        number: int,
        what: str,
        expected: str,
        got: str,
        why: str,
        right: tuple[str, ...] = (),
    ) -> None:
        self.counts.setdefault(what, Counter())[expected, got] += 1
        if got not in (right or (expected,)):
            self._note(derivation, number, expected, got, why)

    def _note(self, derivation: LabelledDerivation, number: int, expected: str, got: str, why: str) -> None:
        self.disagreements.append(Disagreement(derivation, number, expected, got, why))


def compare(check: Check, derivations: Iterable[LabelledDerivation]) -> Agreement:
    """Runs the checker on labelled derivations."""
    agreement = Agreement()
    for derivation in derivations:
        agreement.add(derivation, check(derivation.prompt, derivation.output))
    return agreement


def _word(holds: bool, word: str) -> str:
    return word if holds else f"not {word}"
