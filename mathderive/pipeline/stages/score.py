"""The score stage: scores and checks every prediction, and computes the sensitivity to perturbations."""

from collections.abc import Mapping, Sequence
from itertools import chain

from mathderive.checker import LIBRARIES as CHECKER_LIBRARIES
from mathderive.config.schema import BleurtSettings
from mathderive.core.environment import versions
from mathderive.core.files import sha256
from mathderive.core.progress import ProgressCallback, progress
from mathderive.pipeline.results import DataResults, ScoreResults
from mathderive.pipeline.run import Run, evaluated_dataset, evaluation_examples, make_stamp, read_predictions
from mathderive.pipeline.stamps import Stage, Stamp, run_stage
from mathderive.records import EVALUATION_SETS, RULES, EvaluationSet, Example, Prediction, ValiditySummary, write_jsonl


def known_score_stamp(run: Run) -> Stamp:
    """The part of the stamp that earlier stages do not decide."""
    checks, bleurt = run.config.score.validity, run.config.score.bleurt
    libraries = versions(["rouge-score", "nltk", "sacrebleu", *(CHECKER_LIBRARIES if checks else [])])
    seed = {"seed": run.config.run.seed} if checks else {}
    if bleurt is None:
        return make_stamp("score", validity=checks, libraries=libraries, **seed)
    libraries |= versions(["jax", "jaxlib", "flax", "numpy", "transformers", "tokenizers"])
    digest = {**bleurt.model_dump(), "checkpoint": run.opened.digest(bleurt.checkpoint)}
    return make_stamp("score", validity=checks, libraries=libraries, bleurt=digest, **seed)


def score(run: Run, data: DataResults, names: Sequence[str]) -> None:
    """Writes `scores/`: the scores and verdicts of every prediction, and every model's sensitivity to perturbations."""
    checks, bleurt = run.config.score.validity, run.config.score.bleurt
    stamp = {
        **known_score_stamp(run),
        "data": evaluated_dataset(run, data).content_hash,
        "predictions": {
            name: [sha256(run.paths.predictions(name, kind)) for kind in EVALUATION_SETS] for name in names
        },
    }

    def work() -> ScoreResults:
        from mathderive.metrics.scoring import score as score_example
        from mathderive.metrics.sensitivity import SensitivityScorer

        examples = evaluation_examples(run, data)
        answered = {name: read_predictions(run, name) for name in names}
        with progress("score") as on_progress:
            summaries = _check(run, examples, answered, on_progress) if checks else {}
            bleurt_scores = _compute_bleurt(run, bleurt, examples, answered, on_progress) if bleurt else {}
            sensitivity = SensitivityScorer(
                chain(*examples.values()), (lambda pairs: [bleurt_scores[pair] for pair in pairs]) if bleurt else None
            )
            for done, (name, predictions) in enumerate(answered.items(), start=1):
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
                    write_jsonl(run.paths.scores(name, kind), rows)
                pairs = sensitivity.rows(chain(*predictions.values()), chain(*scores.values()))
                write_jsonl(run.paths.sensitivity(name), pairs)
                on_progress("models", done, len(names))
        run.paths.bleurt_scores.unlink(missing_ok=True)
        return ScoreResults(models=list(names))

    run_stage(run.paths, Stage("score", stamp, [run.paths.all_scores], ScoreResults), work)


def _check(
    run: Run,
    examples: Mapping[EvaluationSet, Sequence[Example]],
    answered: Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]],
    on_progress: ProgressCallback,
) -> dict[tuple[str, str], ValiditySummary]:
    """Writes the verdicts on all answers, and on references that people wrote.

    Returns:
        The summaries of the verdicts on the answers, by model and example id.
    """
    from mathderive.metrics.checked_answers import summarise
    from mathderive.pipeline.answer_checking import AnswersToCheck, check_answers
    from mathderive.predictors.base import make_prediction

    jobs = [
        AnswersToCheck(
            run.paths.verdicts(name, kind),
            list(zip(examples[kind], predictions[kind], strict=True)),
        )
        for name, predictions in answered.items()
        for kind in EVALUATION_SETS
    ]
    references = []
    if run.config.evaluation.source == "physics":
        written = [(example, make_prediction(example, "reference", example.target)) for example in examples["static"]]
        references = [AnswersToCheck(run.paths.reference_verdicts(rules), written, rules) for rules in RULES]
    checked = check_answers([*jobs, *references], run.config.score.workers, on_progress, str(run.config.run.seed))
    on_answers = list(checked)[: len(jobs)]
    return {(line.model, line.id): summarise(line.validity) for lines in on_answers for line in lines}


def _compute_bleurt(
    run: Run,
    settings: BleurtSettings,
    examples: Mapping[EvaluationSet, Sequence[Example]],
    answered: Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]],
    on_progress: ProgressCallback,
) -> dict[tuple[str, str], float]:
    """Returns the BLEURT score of every pair that the stage needs."""
    from mathderive.pipeline.bleurt_scores import needed_pairs, score_pairs

    pairs = list(needed_pairs(examples, answered))
    return score_pairs(run.opened.bleurt(settings), pairs, run.paths.bleurt_scores, on_progress)
