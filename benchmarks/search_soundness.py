"""Are the answers that a search returns as verified true? A judge that shares nothing with the checker says so.

    python benchmarks/search_soundness.py --run runs/eval-search [--model NAME]
    python benchmarks/search_soundness.py [--checkpoint checkpoints/mini] [--released ../shared/reference]
        [--questions 50] [--samples 64] [--temperature 0.8] [--seed 0]
    both: [--sizes 1 4 16 64] [--workers 2] [--disputed FILE]

The first form reads the predictions and prompts of a run whose answers were scored, from all its searches or from one.
The second form runs a search around a T5 checkpoint, on the authors' static examples if the folder of their result
files is given, and on prompts of our own generator otherwise.

A search with a budget of n answers returns those that it had after at most n. Samples are drawn in rounds, and a record
tells the end of the round in which an answer was found. The second form draws three samples a round, so that 1, 4, 16
and 64 are ends of rounds. In the first form, an answer whose round ends later counts for the next size.

The judge of `tests/validity_corpus` judges every returned answer: whether all equations are true and one states the
goal, and whether each step to the goal takes one operator. A table has a row for each size. `--disputed` writes the
answers that the judge refutes, cannot judge, or does not find derived, one JSON object a line, to be read by hand. The
last line is a JSON object with the counts by size. The exit code is 1 if an answer is refuted.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the judge is in tests/

from mathderive.config.schema import DecodingSettings  # noqa: E402
from mathderive.core.errors import InputError  # noqa: E402
from mathderive.core.progress import progress, say  # noqa: E402
from mathderive.metrics.checked_answers import CheckedAnswer  # noqa: E402
from mathderive.metrics.verified_at import search_usage  # noqa: E402
from mathderive.pipeline.paths import RunPaths  # noqa: E402
from mathderive.predictors.search import Search  # noqa: E402
from mathderive.predictors.settings import SamplerSettings  # noqa: E402
from mathderive.predictors.t5 import T5Model  # noqa: E402
from mathderive.records import EVALUATION_SETS, Example, Prediction, iterate_jsonl, write_jsonl  # noqa: E402
from tests.validity_corpus.answers import (  # noqa: E402
    JudgedAnswer,
    ReturnedAnswer,
    Soundness,
    judge_answers,
    soundness,
)
from tests.validity_corpus.corpus import generated_sources, released_sources  # noqa: E402

SAMPLES_AT_ONCE = 3
"""The size of a round; the powers of 4 are ends of such rounds."""


def answers_of_run(paths: RunPaths, only: str | None) -> Iterator[ReturnedAnswer]:
    """Yields the verified answers of a run's searches.

    Raises:
        InputError: the run has no such predictions, or its answers were not scored.
    """
    if not paths.all_predictions.is_dir():
        raise InputError(f"{paths.folder}: has no predictions; expected a run folder such as runs/eval-search")
    models = [only] if only else sorted(path.name for path in paths.all_predictions.iterdir())
    for model in models:
        for name in EVALUATION_SETS:
            prompts = {one.id: one.prompt for one in iterate_jsonl(paths.verdicts(model, name), CheckedAnswer)}
            predictions = iterate_jsonl(paths.predictions(model, name), Prediction)
            yield from returned_answers(predictions, prompts)


def answers_of_search(options: argparse.Namespace) -> Iterator[ReturnedAnswer]:
    """Yields the verified answers of a search around a checkpoint."""
    if options.released is not None:
        sources = iter(released_sources(options.released))
    else:
        sources = generated_sources(options.questions)
    examples = [
        Example(id=f"{source.id}-static", source_id=source.id, set="static", prompt=source.prompt, target="", steps=[])
        for source in islice(sources, options.questions)
    ]
    prompts = {example.id: example.prompt for example in examples}
    settings = SamplerSettings.model_validate(
        {
            "kind": "search",
            "around": {"kind": "t5", "checkpoint": options.checkpoint},
            "samples": options.samples,
            "samples_at_once": SAMPLES_AT_ONCE,
            "temperature": options.temperature,
        }
    )
    model = T5Model("t5", options.checkpoint, DecodingSettings(max_source_length=544, max_target_length=400))
    search = Search("search", model, settings, options.seed, str(options.seed), options.workers)
    batches = search.batches(examples)
    with progress("search") as report:
        for number, predictions in enumerate(search.predict(batches), start=1):
            yield from returned_answers(predictions, prompts)
            report("batches", number, len(batches))


def returned_answers(
    predictions: Iterator[Prediction] | Sequence[Prediction], prompts: dict[str, str]
) -> Iterator[ReturnedAnswer]:
    """Yields the predictions that a search calls verified."""
    for one in predictions:
        usage = search_usage(one)
        if usage is not None and usage.is_solved:
            answers = 1 if usage.greedy_verified else usage.answers
            yield ReturnedAnswer(id=f"{one.model} {one.id}", prompt=prompts[one.id], text=one.text, answers=answers)


def judge_all(answers: Sequence[ReturnedAnswer], workers: int) -> list[JudgedAnswer]:
    judged: list[JudgedAnswer] = []
    with progress("judge") as report:
        for one in judge_answers(answers, workers):
            judged.append(one)
            report("answers", len(judged), len(answers))
    return judged


def table(rows: Sequence[Soundness]) -> str:
    """Lays out the counts; the share is that of true answers among those that the judge decides."""
    head = f"{'n':>5}{'returned':>10}{'true':>8}{'refuted':>9}{'unclear':>9}{'share true':>12}{'not derived':>13}"
    lines = [
        f"{row.n:>5}{row.returned:>10}{row.true:>8}{row.refuted:>9}{row.unclear:>9}{row.share:>12.2%}{row.underived:>13}"
        for row in rows
    ]
    return "\n".join([head, *lines])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--checkpoint", default=str(ROOT / "checkpoints" / "mini"))
    parser.add_argument("--released", type=Path)
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--disputed", type=Path)
    options = parser.parse_args()
    try:
        found = answers_of_run(RunPaths(options.run), options.model) if options.run else answers_of_search(options)
        judged = judge_all(list(found), options.workers)
    except InputError as error:
        say(str(error))
        return 2
    disputed = [one for one in judged if one.judgement != "true" or not one.derived]
    for one in disputed:
        print(f"{one.answer.id}: {one.judgement}, {'derived' if one.derived else 'not derived'}; {one.reason}")
    if options.disputed is not None:
        write_jsonl(options.disputed, disputed)
    rows = soundness(judged, options.sizes)
    print(table(rows))
    print(json.dumps([asdict(row) for row in rows]))
    return int(any(one.judgement == "refuted" for one in judged))


if __name__ == "__main__":
    raise SystemExit(main())
