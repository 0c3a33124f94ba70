"""verified@n of searches, and the cost of a verified derivation.

A search answers a question with the model's greedy answer and then with samples. verified@n is the probability that one
of n answers is verified. What it can be estimated from depends on when the search stopped:

unbiased: every question has all its samples, whether or not one is verified. Of m samples, c are verified, and
    1 - C(m - c, n) / C(m, n) is an unbiased estimate for n samples (Chen et al., 2021, "Evaluating Large Language
    Models Trained on Code", equation 1).
solved: the search stopped at the first verified answer. Then the number of samples depends on their verdicts, so the
    formula above would be biased upwards. The share of questions that have a verified answer among their first n is
    unbiased. Samples are drawn in rounds, and a record does not say which answer of the last round was verified first,
    so within a round the share is a lower bound.

Estimates with a limit on tokens are about the search with that limit: a question that reached it counts as not solved.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mathderive.metrics.statistics import Estimate, mean, rate
from mathderive.records import EVALUATION_SETS, EvaluationSet, Prediction

Estimator = Literal["unbiased", "solved"]
"""How verified@n is estimated; see above."""

Predictions = Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]]
"""Predictions by model, then by set."""


@dataclass(frozen=True)
class SearchUsage:
    """The cost of a search for an answer to one question.

    Attributes:
        answers: the number of answers: the greedy one and the samples.
        greedy_verified: whether the greedy answer is verified.
        verified_samples: the number of samples that are verified.
        tokens: the number of tokens of all answers.
        checks: the number of answers that were checked; equal ones count once.
        seconds: the time for sampling and checking.
    """

    source_id: str
    answers: int
    greedy_verified: bool
    verified_samples: int
    tokens: int
    checks: int
    seconds: float

    @property
    def is_solved(self) -> bool:
        """Whether any answer is verified."""
        return self.greedy_verified or self.verified_samples > 0


@dataclass(frozen=True)
class VerifiedPoint:
    """verified@n for one n.

    Attributes:
        share: the estimate.
        is_exact: whether `share` is an estimate; otherwise it is a lower bound.
        seconds: the mean time per question for n answers, where a question's time is divided evenly among its answers.
    """

    n: int
    share: Estimate | None
    is_exact: bool
    seconds: float


@dataclass(frozen=True)
class VerifiedRow:
    """verified@n of one model's searches on one set.

    Attributes:
        set: the set; None for all sets together.
        includes_greedy: whether the first of the n answers is the greedy one; otherwise all n are samples.
        points: one for each n, in ascending order.
    """

    model: str
    set: EvaluationSet | None
    questions: int
    estimator: Estimator
    includes_greedy: bool
    points: Sequence[VerifiedPoint]


@dataclass(frozen=True)
class SearchCostRow:
    """The cost of one model's searches on one set.

    Attributes:
        set: the set; None for all sets together.
        verified: the number of questions with a verified answer.
        samples, tokens, checks, seconds: the cost of all questions per question with a verified answer; None where
            there is none. The greedy answers count as samples.
    """

    model: str
    set: EvaluationSet | None
    questions: int
    verified: int
    samples: Estimate | None
    tokens: Estimate | None
    checks: Estimate | None
    seconds: Estimate | None


def search_usage(prediction: Prediction) -> SearchUsage | None:
    """Returns the cost of an answer; None for an answer that no search gave."""
    usage = prediction.usage or {}
    try:
        return SearchUsage(
            source_id=prediction.source_id,
            answers=usage["samples"],
            greedy_verified=bool(usage["greedy_verified"]),
            verified_samples=usage["verified_samples"],
            tokens=usage["completion_tokens"],
            checks=usage["checks"],
            seconds=usage.get("milliseconds", 0) / 1000,
        )
    except KeyError:
        return None


def unbiased_share(samples: int, verified: int, n: int) -> float:
    """Returns the unbiased estimate of verified@n from one question's samples (Chen et al., 2021, equation 1).

    Args:
        samples: the number of samples, at least n.
        verified: the number of verified ones among them.
    """
    return 1 - math.comb(samples - verified, n) / math.comb(samples, n)


def verified_rows(predictions: Predictions) -> list[VerifiedRow]:
    """Returns rows by model, in the order given, and by set, then over all sets; none for models that do not search.

    A model whose questions all have the same number of answers sampled to the end, and has two rows for each set: one
    with the greedy answer first, and one for samples alone.
    """
    rows = []
    for model, usages in _by_model(predictions).items():
        every = usages[None]
        budget = max(usage.answers for usage in every)
        ends = all(usage.answers == budget for usage in every)
        rounds = _round_size(every, budget)
        for name, of_set in usages.items():
            if ends:
                rows.append(_unbiased_row(model, name, of_set, budget, includes_greedy=True))
                if budget > 1:
                    rows.append(_unbiased_row(model, name, of_set, budget, includes_greedy=False))
            else:
                rows.append(_solved_row(model, name, of_set, budget, rounds))
    return rows


def search_cost_rows(predictions: Predictions) -> list[SearchCostRow]:
    """Returns a row for each row of `verified_rows`, but only one for each model and set."""
    return [
        _cost_row(model, name, of_set)
        for model, usages in _by_model(predictions).items()
        for name, of_set in usages.items()
    ]


def _by_model(predictions: Predictions) -> dict[str, dict[EvaluationSet | None, list[SearchUsage]]]:
    """Returns the usages of every search by set and over all sets.

    Models with predictions of no search are left out, and so are questions without an answer.
    """
    found = {}
    for model, by_set in predictions.items():
        answered = {name: [one for one in by_set.get(name, ()) if one.error is None] for name in EVALUATION_SETS}
        usages = {name: [search_usage(one) for one in of_set] for name, of_set in answered.items()}
        known = {name: [one for one in of_set if one is not None] for name, of_set in usages.items()}
        everything: list[SearchUsage] = [one for of_set in known.values() for one in of_set]
        if everything and known == usages:
            named: dict[EvaluationSet | None, list[SearchUsage]] = {name: one for name, one in known.items() if one}
            found[model] = {**named, None: everything}
    return found


def shown_sizes(most: int) -> list[int]:
    """Returns the powers of two up to a number of answers, and that number."""
    return sorted({*(2**power for power in range(most.bit_length())), most})


def _unbiased_row(
    model: str, name: EvaluationSet | None, usages: Sequence[SearchUsage], budget: int, includes_greedy: bool
) -> VerifiedRow:
    def share(usage: SearchUsage, n: int) -> float:
        if includes_greedy and usage.greedy_verified:
            return 1.0
        return unbiased_share(budget - 1, usage.verified_samples, n - includes_greedy)

    sources = [usage.source_id for usage in usages]
    points = [
        VerifiedPoint(
            n, mean([share(usage, n) for usage in usages], sources), is_exact=True, seconds=_seconds(usages, n)
        )
        for n in shown_sizes(budget if includes_greedy else budget - 1)
    ]
    return VerifiedRow(model, name, len(usages), "unbiased", includes_greedy, points)


def _solved_row(
    model: str, name: EvaluationSet | None, usages: Sequence[SearchUsage], budget: int, round_size: int
) -> VerifiedRow:
    sources = [usage.source_id for usage in usages]
    points = []
    for n in shown_sizes(budget):
        solved = [float(usage.is_solved and usage.answers <= n) for usage in usages]
        may_be_more = any(usage.is_solved and _start(usage.answers, round_size) < n < usage.answers for usage in usages)
        points.append(VerifiedPoint(n, mean(solved, sources), not may_be_more, _seconds(usages, n)))
    return VerifiedRow(model, name, len(usages), "solved", True, points)


def _round_size(usages: Sequence[SearchUsage], budget: int) -> int:
    """Returns the number of samples of a round, or a multiple of it where the records show no more.

    Every search ends with a whole round, and the rounds follow the greedy answer.
    """
    return math.gcd(*(usage.answers - 1 for usage in usages if usage.answers < budget)) or budget


def _start(answers: int, round_size: int) -> int:
    """Returns the number of answers before the last round, or fewer."""
    return 1 + round_size * ((answers - 2) // round_size)


def _seconds(usages: Sequence[SearchUsage], n: int) -> float:
    return math.fsum(usage.seconds * min(n, usage.answers) / usage.answers for usage in usages) / len(usages)


def _cost_row(model: str, name: EvaluationSet | None, usages: Sequence[SearchUsage]) -> SearchCostRow:
    solved = [float(usage.is_solved) for usage in usages]
    sources = [usage.source_id for usage in usages]
    return SearchCostRow(
        model=model,
        set=name,
        questions=len(usages),
        verified=int(sum(solved)),
        samples=rate([usage.answers for usage in usages], solved, sources),
        tokens=rate([usage.tokens for usage in usages], solved, sources),
        checks=rate([usage.checks for usage in usages], solved, sources),
        seconds=rate([usage.seconds for usage in usages], solved, sources),
    )
