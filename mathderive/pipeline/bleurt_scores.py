"""BLEURT of all that a run's scores and sensitivity ask for: each pair once, in batches that a kill leaves whole.

A batch's scores are a line of a file among the stage's output, in the batches' order; after a kill, the lines that are
whole there are kept.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from mathderive.core.files import write_text
from mathderive.core.progress import ProgressCallback
from mathderive.metrics.bleurt import Bleurt, Pair
from mathderive.metrics.sensitivity import pair_up
from mathderive.records import EvaluationSet, Example, Prediction


def asked_pairs(
    examples: Mapping[EvaluationSet, Sequence[Example]],
    answered: Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]],
) -> Iterator[Pair]:
    """Every pair that a metric is given: answers and references, and variants and static examples, of either kind.

    Args:
        answered: every model's answers to the examples, in their order.
    """
    couples = list(chain.from_iterable(pair_up(chain(*examples.values())).values()))
    yield from ((variant.target, static.target) for static, variant in couples)
    targets = {example.id: example.target for example in chain(*examples.values())}
    for predictions in answered.values():
        texts = {prediction.id: prediction.text for prediction in chain(*predictions.values())}
        yield from ((text, targets[example]) for example, text in texts.items())
        yield from ((texts[variant.id], texts[static.id]) for static, variant in couples)


def score_pairs(bleurt: Bleurt, pairs: Sequence[Pair], partial: Path, report: ProgressCallback) -> dict[Pair, float]:
    """The score of each pair.

    Args:
        partial: what an earlier call on the same pairs has scored, if there was one; stays when all is done.
        report: is told how many pairs are scored.

    Raises:
        InputError: as `Bleurt.score`; what was scored is kept.
    """
    batches = bleurt.batches(pairs)
    wanted = sum(map(len, batches))
    done = _done(partial, batches)
    write_text(partial, "".join(map(_line, done)))  # without what a kill left half-written
    report("BLEURT", sum(map(len, done)), wanted)
    with partial.open("a", encoding="utf-8") as stream:
        for batch in batches[len(done) :]:
            done.append(bleurt.score(batch))
            stream.write(_line(done[-1]))
            stream.flush()
            os.fsync(stream.fileno())
            report("BLEURT", sum(map(len, done)), wanted)
    return dict(zip(chain(*batches), chain(*done), strict=True))


def _done(partial: Path, batches: Sequence[Sequence[Pair]]) -> list[list[float]]:
    """The scores of the first batches, as far as their lines are whole."""
    found: list[list[float]] = []
    lines = partial.read_bytes().splitlines(keepends=True) if partial.exists() else []
    for line, batch in zip(lines, batches, strict=False):
        try:
            scores = json.loads(line)
        except ValueError:
            break  # a kill in the middle of a line
        if not line.endswith(b"\n") or len(scores) != len(batch):
            break
        found.append(scores)
    return found


def _line(scores: Sequence[float]) -> str:
    return json.dumps(scores) + "\n"
