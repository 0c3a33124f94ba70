"""BLEURT of every pair of texts that a run's scores and sensitivity need: once per pair, resumable after a kill.

Each batch's scores are appended as one line to a file among the stage's output, in the batches' order. After a kill,
the complete lines of that file are kept.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, takewhile
from pathlib import Path

from mathderive.core.progress import ProgressCallback
from mathderive.core.resumable import ResumableFile
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


def score_pairs(
    bleurt: Bleurt, pairs: Sequence[Pair], partial: Path, on_progress: ProgressCallback
) -> dict[Pair, float]:
    """Returns the score of each pair.

    Args:
        partial: the file with the scores of an earlier call on the same pairs, if there was one; it is not removed.
        on_progress: is called with the number of scored pairs.

    Raises:
        InputError: as `Bleurt.score` does; the scores so far are kept.
    """
    batches = bleurt.batches(pairs)
    wanted = sum(map(len, batches))
    file = ResumableFile(partial, _to_line, _parse_line)
    whole = takewhile(lambda pair: len(pair[0]) == len(pair[1]), zip(file.read(), batches, strict=False))
    done = [scores for scores, _ in whole]
    on_progress("BLEURT", sum(map(len, done)), wanted)
    with file.resume(done) as append:
        for batch in batches[len(done) :]:
            done.append(bleurt.score(batch))
            append(done[-1:])
            on_progress("BLEURT", sum(map(len, done)), wanted)
    return dict(zip(chain(*batches), chain(*done), strict=True))


def _to_line(scores: Sequence[float]) -> str:
    return json.dumps(scores) + "\n"


def _parse_line(line: str) -> list[float]:
    scores = json.loads(line)
    if not isinstance(scores, list):
        raise ValueError("expected a list of scores")
    return scores
