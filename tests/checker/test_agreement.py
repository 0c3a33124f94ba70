"""The validity checker against the judge, on hundreds of corrupted derivations; thousands are in `benchmarks/`."""

from pathlib import Path

import pytest

from mathderive.checker.checker import check
from tests.validity_corpus.agreement import compare
from tests.validity_corpus.corpus import Corpus, Source, add_corruptions, generated_sources, released_sources

pytestmark = [pytest.mark.slow, pytest.mark.long]


def expect_agreement(sources: list[Source], at_least: int) -> None:
    corpus = Corpus()
    for source in sources:
        add_corruptions(corpus, source)
    agreement = compare(check, corpus.derivations)
    assert agreement.derivations > at_least
    # What the judge leaves undecided is no way to look good.
    assert sum(agreement.unlabelled.values()) < 0.01 * sum(agreement.counts["truth"].values())
    figures = agreement.figures()
    # A hundred false equations are too few to tell 98 % from 99 %, which the benchmark does.
    assert figures["false_called_incorrect"] >= 0.97, agreement.tables()
    assert figures["true_called_incorrect"] <= 0.003, agreement.tables()
    assert all(figures[f"{flaw}_called_so"] >= 0.95 for flaw in ("repeated", "irrelevant", "removed")), figures


def test_on_generated_derivations() -> None:
    expect_agreement(list(generated_sources(15)), 120)


def test_on_the_authors_references(shared_reference: Path) -> None:
    expect_agreement(released_sources(shared_reference)[::12], 160)
