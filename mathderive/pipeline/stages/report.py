"""The report stage: the page and the tables, from the other stages' files."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from mathderive.config.loading import dump_config
from mathderive.core.environment import describe
from mathderive.core.files import sha256
from mathderive.core.progress import progress, say
from mathderive.pipeline.paths import START, control_part, round_part
from mathderive.pipeline.results import DataResults, NoResults, PhysicsResults, SelfTrainingResults
from mathderive.pipeline.run import Run, evaluated_dataset, evaluation_examples, make_stamp, read_predictions
from mathderive.pipeline.stages.self_training import NAME as SELF_TRAINING
from mathderive.pipeline.stamps import Stage, Stamp, read_manifest, run_stage
from mathderive.predictors.base import seconds_path
from mathderive.predictors.settings import CopySettings
from mathderive.records import (
    EVALUATION_SETS,
    RULES,
    AnswerSeconds,
    EvaluationSet,
    Prediction,
    Score,
    Sensitivity,
    read_jsonl,
)

if TYPE_CHECKING:
    from mathderive.metrics.checked_answers import CheckedAnswer
    from mathderive.metrics.physics import PhysicsReferences
    from mathderive.report.page import ReportContents
    from mathderive.report.self_training_table import SelfTrainingRow


def known_report_stamp(run: Run) -> Stamp:
    """The part of the stamp that earlier stages do not decide."""
    # Of the extensions, the contents count and not the paths.
    return make_stamp("report", config=run.config.model_dump(mode="json", exclude={"extensions"}))


def make_report(
    run: Run,
    data: DataResults,
    models: Sequence[str],
    notes: Sequence[str],
    further: SelfTrainingResults | None = None,
) -> None:
    """Writes the page and the tables; `further` are the results of self-training, where there are any."""
    paths = run.paths
    stamp = {
        **known_report_stamp(run),
        "notes": list(notes),
        "data": evaluated_dataset(run, data).content_hash,
        "predictions": {
            model: [sha256(paths.predictions(model, name)) for name in EVALUATION_SETS] for model in models
        },
        "scores": {model: [sha256(path) for path in sorted(paths.scores_of(model).iterdir())] for model in models},
        **({"topics": data.physics.topics_hash} if data.physics else {}),
        **({"self_training": further.model_dump(mode="json")} if further else {}),
    }

    def work() -> NoResults:
        from mathderive.report.page import write_report

        with progress("report") as on_progress:
            on_progress("parts", 0, 2, "gathering")
            contents = gather_contents(run, data, models, notes, further)
            on_progress("parts", 1, 2, "writing")
            tables = write_report(paths.report, contents)
            on_progress("parts", 2, 2)
        if tables:
            say(f"\n{tables}")
        return NoResults()

    run_stage(paths, Stage("report", stamp, [paths.report], NoResults), work)


def gather_contents(
    run: Run,
    data: DataResults,
    models: Sequence[str],
    notes: Sequence[str],
    further: SelfTrainingResults | None = None,
) -> "ReportContents":
    """Reads what the report shows from the other stages' files."""
    from mathderive.report.page import ReportContents
    from mathderive.training.checkpoints import read_metrics

    config, paths = run.config, run.paths
    stages = ["data", "train", *_self_training_stages(further), *(f"predict-{model}" for model in models), "score"]
    manifests = {stage: read_manifest(paths.manifest(stage)) for stage in stages}
    hashes = {f"content hash, {name}": dataset.content_hash for name, dataset in data.datasets().items()}
    training = None
    if config.model and (trained := manifests["train"]) and trained.results:
        training = read_metrics(paths.metrics(config.model.name), last_step=trained.results["steps"])
    return ReportContents(
        title=config.report.title,
        config=dump_config(config),
        seed=config.run.seed,
        environment={**_as_text(describe()), **hashes},
        timings={stage: manifest.seconds for stage, manifest in manifests.items() if manifest},
        examples=evaluation_examples(run, data),
        predictions={model: _timed_predictions(run, model) for model in models},
        scores={model: _read_scores(run, model) for model in models},
        checked={model: _read_verdicts(run, model) for model in models} if config.score.validity else {},
        sensitivity={model: read_jsonl(paths.sensitivity(model), Sensitivity) for model in models},
        training=training,
        notes=notes,
        shown_examples=config.report.examples,
        copy_model=next((model.name for model in config.predictors if isinstance(model, CopySettings)), None),
        self_training=_self_training_rows(further) if further else (),
        physics=_physics_references(run, data.physics) if data.physics else None,
        origin=config.evaluation.source,
        facts=_facts(run),
    )


def _physics_references(run: Run, dataset: PhysicsResults) -> "PhysicsReferences":
    from mathderive.metrics.checked_answers import CheckedAnswer
    from mathderive.metrics.physics import PhysicsReferences
    from tfds_builders.physics.topics import read_topics

    topics = read_topics((run.data_from or run).paths.dataset(dataset.path))
    checked = RULES if run.config.score.validity else ()
    return PhysicsReferences(
        names={key: topic.name for key, topic in topics.items()},
        fields={key: topic.field for key, topic in topics.items()},
        verdicts={rules: read_jsonl(run.paths.reference_verdicts(rules), CheckedAnswer) for rules in checked},
    )


def _facts(run: Run) -> dict[str, str]:
    """The date, the command and the number of parameters of a trained model, for the top of the page."""
    facts = {"Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
    if run.command:
        facts["Command"] = run.command
    model = run.config.model
    if model and (folder := run.paths.checkpoint(model.name)).exists():
        from mathderive.model.parameters import parameter_shapes
        from mathderive.training.description import read_description

        shapes = parameter_shapes(read_description(folder).config)
        facts["Parameters"] = f"{sum(map(math.prod, shapes.values())):,} of {model.name}"
    return facts


def _timed_predictions(run: Run, model: str) -> dict[EvaluationSet, list[Prediction]]:
    """Reads a model's predictions; their usage includes the time of each answer where that was measured."""
    found = read_predictions(run, model)
    for name, predictions in found.items():
        path = seconds_path(run.paths.predictions(model, name))
        seconds = {one.id: one.seconds for one in read_jsonl(path, AnswerSeconds)} if path.exists() else {}
        found[name] = [
            one.model_copy(update={"usage": {**(one.usage or {}), "milliseconds": round(1000 * seconds[one.id])}})
            if one.id in seconds
            else one
            for one in predictions
        ]
    return found


def _self_training_stages(further: SelfTrainingResults | None) -> list[str]:
    if further is None:
        return []
    rounds = [round_part(number) for number in range(1, len(further.rounds) + 1)]
    controls = [control_part(number) for number in range(1, len(further.controls) + 1)]
    return [f"{SELF_TRAINING}-{part}" for part in (START, *rounds, *controls)]


def _self_training_rows(further: SelfTrainingResults) -> "list[SelfTrainingRow]":
    from mathderive.report.self_training_table import SelfTrainingRow

    before = [further.start, *(done.validation for done in further.rounds)]
    return [
        SelfTrainingRow(
            round=number,
            **done.model_dump(exclude={"digest", "validation"}),
            validation_prompts=done.validation.prompts,
            verified_before=before[number - 1].verified,
            verified_after=done.validation.verified,
            verified_control=control.validation.verified if control else None,
        )
        for number, (done, control) in enumerate(zip_longest(further.rounds, further.controls), start=1)
    ]


def _read_scores(run: Run, model: str) -> dict[EvaluationSet, list[Score]]:
    return {name: read_jsonl(run.paths.scores(model, name), Score) for name in EVALUATION_SETS}


def _read_verdicts(run: Run, model: str) -> "dict[EvaluationSet, list[CheckedAnswer]]":
    from mathderive.metrics.checked_answers import CheckedAnswer

    return {name: read_jsonl(run.paths.verdicts(model, name), CheckedAnswer) for name in EVALUATION_SETS}


def _as_text(described: Mapping[str, Any]) -> dict[str, str]:
    """`describe()` as the lines of the report's table."""
    libraries = described["versions"]
    return {
        **{name.replace("_", " "): str(value) for name, value in described.items() if name != "versions" and value},
        "libraries": ", ".join(f"{name} {version}" for name, version in libraries.items()),
    }
