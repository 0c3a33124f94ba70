"""BLEURT of every pair of texts that a run's scores and sensitivity need: once per pair, resumable after a kill.

Each batch's scores are appended as one line to a file among the stage's output, in the batches' order. After a kill,
the complete lines of that file are kept.
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


def needed_pairs(
    examples: Mapping[EvaluationSet, Sequence[Example]],
    answered: Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]],
) -> Iterator[Pair]:
    """Yields every pair that a metric is given.

    The scores need each answer with its reference. The sensitivity needs each variant's reference with the static
    example's, and a model's answer to the variant with its answer to the static example.

    Args:
        answered: every model's answers to the examples, in their order.
    """
    variants = list(chain.from_iterable(pair_up(chain(*examples.values())).values()))
    yield from ((variant.target, static.target) for static, variant in variants)
    targets = {example.id: example.target for example in chain(*examples.values())}
    for predictions in answered.values():
        texts = {prediction.id: prediction.text for prediction in chain(*predictions.values())}
        yield from ((text, targets[example]) for example, text in texts.items())
        yield from ((texts[variant.id], texts[static.id]) for static, variant in variants)


def score_pairs(bleurt: Bleurt, pairs: Sequence[Pair], partial: Path, show: ProgressCallback) -> dict[Pair, float]:
    """Returns the score of each pair.

    Args:
        partial: the file with the scores of an earlier call on the same pairs, if there was one; it is not removed.
        show: is called with the number of pairs scored.

    Raises:
        InputError: as `Bleurt.score` does; the scores so far are kept.
    """
    batches = bleurt.batches(pairs)
    wanted = sum(map(len, batches))
    done = _read_complete_lines(partial, batches)
    write_text(partial, "".join(map(_line, done)))  # without a line that a kill cut short
    show("BLEURT", sum(map(len, done)), wanted)
    with partial.open("a", encoding="utf-8") as stream:
        for batch in batches[len(done) :]:
            done.append(bleurt.score(batch))
            stream.write(_line(done[-1]))
            stream.flush()
            os.fsync(stream.fileno())
            show("BLEURT", sum(map(len, done)), wanted)
    return dict(zip(chain(*batches), chain(*done), strict=True))


def _read_complete_lines(partial: Path, batches: Sequence[Sequence[Pair]]) -> list[list[float]]:
    """Returns the scores of the first batches, up to the first line that is not complete."""
    done: list[list[float]] = []
    lines = partial.read_bytes().splitlines(keepends=True) if partial.exists() else []
    for line, batch in zip(lines, batches, strict=False):
        try:
            scores = json.loads(line)
        except ValueError:
            break  # a kill cut the line short
        if not line.endswith(b"\n") or len(scores) != len(batch):
            break
        done.append(scores)
    return done


def _line(scores: Sequence[float]) -> str:
    return json.dumps(scores) + "\n"
