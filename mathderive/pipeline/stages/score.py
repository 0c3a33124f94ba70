"""The score stage: scores and checks every prediction, and computes the sensitivity to perturbations."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from mathderive.config.schema import BleurtSettings
from mathderive.core.environment import versions
from mathderive.core.extensions import extension_digests
from mathderive.core.files import sha256
from mathderive.core.progress import ProgressCallback, progress
from mathderive.pipeline.planning import checkpoint_digest
from mathderive.pipeline.run import (
    STAGE_VERSION,
    Run,
    evaluated_dataset,
    evaluation_examples,
    predictions_path,
    read_predictions,
)
from mathderive.pipeline.stamps import run_stage
from mathderive.records import EVALUATION_SETS, EvaluationSet, Example, Prediction, ValiditySummary, write_jsonl

_BLEURT_FILE = "scores/bleurt.partial"


def score(run: Run, data: dict[str, Any], names: Sequence[str]) -> None:
    """Writes `scores/`: the scores and verdicts of every prediction, and every model's sensitivity to perturbations."""
    checks, bleurt = run.config.score.validity, run.config.score.bleurt
    stamp = {
        "version": STAGE_VERSION["score"],
        "data": data[evaluated_dataset(run)]["content_hash"],
        "predictions": {
            name: [sha256(predictions_path(run, name, kind)) for kind in EVALUATION_SETS] for name in names
        },
        "validity": checks,
        "libraries": versions(["rouge-score", "nltk", "sacrebleu", *(["sympy", "lark", "numpy"] if checks else [])]),
    }
    if digests := extension_digests():
        stamp["extensions"] = digests
    if bleurt:
        stamp["bleurt"] = {**bleurt.model_dump(), "checkpoint": checkpoint_digest(bleurt.checkpoint)}
        stamp["libraries"] |= versions(["jax", "jaxlib", "flax", "numpy", "transformers", "tokenizers"])

    def work() -> dict[str, Any]:
        from mathderive.metrics.scoring import score as score_example
        from mathderive.metrics.sensitivity import SensitivityScorer

        examples = evaluation_examples(run, data)
        answered = {name: read_predictions(run, name) for name in names}
        with progress("score") as show:
            summaries = _check(run, examples, answered, show) if checks else {}
            bleurt_scores = _compute_bleurt(run, bleurt, examples, answered, show) if bleurt else {}
            sensitivity = SensitivityScorer(
                chain(*examples.values()), (lambda pairs: [bleurt_scores[pair] for pair in pairs]) if bleurt else None
            )
            for done, (name, predictions) in enumerate(answered.items(), start=1):
                folder = run.folder / "scores" / name
                scores = {
                    kind: [
                        score_example(
                            example,
                            prediction,
                            validity=summaries.get((name, example.id)),
                            bleurt=bleurt_scores.get((prediction.text, example.target)),
                        )
                        for example, prediction in zip(examples[kind], predictions[kind], strict=True)
                    ]
                    for kind in EVALUATION_SETS
                }
                for kind, rows in scores.items():
                    write_jsonl(folder / f"{kind}.jsonl", rows)
                pairs = sensitivity.rows(chain(*predictions.values()), chain(*scores.values()))
                write_jsonl(folder / "sensitivity.jsonl", pairs)
                show("models", done, len(names))
        (run.folder / _BLEURT_FILE).unlink(missing_ok=True)
        return {"models": list(names)}

    run_stage(run.folder, "score", stamp, ["scores"], work)


def _check(
    run: Run,
    examples: Mapping[EvaluationSet, Sequence[Example]],
    answered: Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]],
    show: ProgressCallback,
) -> dict[tuple[str, str], ValiditySummary]:
    """Writes `scores/MODEL/SET.verdicts.jsonl`; returns the verdicts' summaries by model and example id."""
    from mathderive.metrics.checked_answers import summarise
    from mathderive.pipeline.answer_checking import AnswersToCheck, check_answers

    jobs = [
        AnswersToCheck(
            run.folder / "scores" / name / f"{kind}.verdicts.jsonl",
            list(zip(examples[kind], predictions[kind], strict=True)),
        )
        for name, predictions in answered.items()
        for kind in EVALUATION_SETS
    ]
    checked = check_answers(jobs, run.config.score.workers, show)
    return {(line.model, line.id): summarise(line.validity) for lines in checked for line in lines}


def _compute_bleurt(
    run: Run,
    settings: BleurtSettings,
    examples: Mapping[EvaluationSet, Sequence[Example]],
    answered: Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]],
    show: ProgressCallback,
) -> dict[tuple[str, str], float]:
    """Returns the BLEURT score of every pair that the stage needs."""
    from mathderive.metrics.bleurt import Bleurt
    from mathderive.pipeline.bleurt_scores import needed_pairs, score_pairs

    pairs = list(needed_pairs(examples, answered))
    return score_pairs(Bleurt(settings), pairs, run.folder / _BLEURT_FILE, show)
