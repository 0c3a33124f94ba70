"""The score stage: every prediction scored, and how scores move from static examples to their variants."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from mathderive.environment import versions
from mathderive.files import sha256
from mathderive.progress import progress
from mathderive.records import EVALUATION_SETS, write_jsonl
from mathderive.stages.run import (
    STAGE_VERSION,
    Run,
    evaluated_dataset,
    evaluation_examples,
    predictions_path,
    read_predictions,
)
from mathderive.stamps import run_stage


def score(run: Run, data: dict[str, Any], names: Sequence[str]) -> None:
    """Scores every prediction, and how scores move from the static examples to their variants."""
    stamp = {
        "version": STAGE_VERSION["score"],
        "data": data[evaluated_dataset(run)]["content_hash"],
        "predictions": {
            name: [sha256(predictions_path(run, name, kind)) for kind in EVALUATION_SETS] for name in names
        },
        "libraries": versions(["rouge-score", "nltk", "sacrebleu"]),
    }

    def work() -> dict[str, Any]:
        from mathderive.metrics.sensitivity import SensitivityScorer
        from mathderive.metrics.text import score as score_example

        examples = evaluation_examples(run, data)
        sensitivity = SensitivityScorer(chain(*examples.values()))
        with progress("score") as show:
            for done, name in enumerate(names, start=1):
                folder = run.folder / "scores" / name
                predictions = read_predictions(run, name)
                scores = {
                    kind: [score_example(*pair) for pair in zip(examples[kind], predictions[kind], strict=True)]
                    for kind in EVALUATION_SETS
                }
                for kind, rows in scores.items():
                    write_jsonl(folder / f"{kind}.jsonl", rows)
                pairs = sensitivity.rows(chain(*predictions.values()), chain(*scores.values()))
                write_jsonl(folder / "sensitivity.jsonl", pairs)
                show("models", done, len(names))
        return {"models": list(names)}

    run_stage(run.folder, "score", stamp, ["scores"], work)
