"""The report stage: the page and the tables, from what the other stages wrote."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mathderive.config.loading import dump_config
from mathderive.config.schema import CopyPredictor
from mathderive.core.environment import describe
from mathderive.core.extensions import extension_digests
from mathderive.core.files import sha256
from mathderive.core.progress import progress, say
from mathderive.pipeline.run import (
    STAGE_VERSION,
    Run,
    evaluated_dataset,
    evaluation_examples,
    predictions_path,
    read_predictions,
)
from mathderive.pipeline.stamps import read_manifest, run_stage
from mathderive.records import EVALUATION_SETS, EvaluationSet, Score, Sensitivity, read_jsonl

if TYPE_CHECKING:
    from mathderive.metrics.checked_answers import CheckedAnswer
    from mathderive.report.page import ReportContents


def report(run: Run, data: dict[str, Any], names: Sequence[str], notes: Sequence[str]) -> None:
    """Writes `report/`: the page and the tables."""
    predictions = {name: [sha256(predictions_path(run, name, kind)) for kind in EVALUATION_SETS] for name in names}
    scores = {name: [sha256(path) for path in sorted((run.folder / "scores" / name).iterdir())] for name in names}
    stamp = {
        "version": STAGE_VERSION["report"],
        "config": run.config.model_dump(mode="json"),
        "notes": list(notes),
        "data": data[evaluated_dataset(run)]["content_hash"],
        "predictions": predictions,
        "scores": scores,
    }
    if digests := extension_digests():
        stamp["extensions"] = digests

    def work() -> dict[str, Any]:
        from mathderive.report.page import write_report
        from mathderive.report.studies import summary_tables

        with progress("report") as show:
            show("parts", 0, 2, "gathering")
            contents = gather_contents(run, data, names, notes)
            show("parts", 1, 2, "writing")
            studies = write_report(run.folder / "report", contents)
            show("parts", 2, 2)
        for table in summary_tables(studies):
            say(f"\n{table.plain()}")
        return {}

    run_stage(run.folder, "report", stamp, ["report"], work)


def gather_contents(run: Run, data: dict[str, Any], names: Sequence[str], notes: Sequence[str]) -> "ReportContents":
    """Reads the files of the other stages into the report's contents."""
    from mathderive.report.page import ReportContents
    from mathderive.training.checkpoints import read_metrics

    config = run.config
    examples = evaluation_examples(run, data)
    stages = ["data", "train", *(f"predict-{name}" for name in names), "score"]
    manifests = {stage: read_manifest(run.folder / f"{stage}.json") for stage in stages}
    described = describe()
    hashes = {f"content hash, {name}": dataset["content_hash"] for name, dataset in data.items()}
    training = None
    if config.model and (trained := manifests["train"]):
        metrics = run.folder / "checkpoints" / config.model.name / "metrics.jsonl"
        training = read_metrics(metrics, last_step=trained["results"]["steps"])
    return ReportContents(
        title=config.report.title,
        config=dump_config(config),
        seed=config.run.seed,
        environment={**_flat(described), **hashes},
        timings={stage: manifest["seconds"] for stage, manifest in manifests.items() if manifest},
        examples=examples,
        predictions={name: read_predictions(run, name) for name in names},
        scores={name: _read_scores(run, name) for name in names},
        checked={name: _read_verdicts(run, name) for name in names} if config.score.validity else {},
        sensitivity={
            name: read_jsonl(run.folder / "scores" / name / "sensitivity.jsonl", Sensitivity) for name in names
        },
        training=training,
        notes=notes,
        shown_examples=config.report.examples,
        copy_model=next((model.name for model in config.predictors if isinstance(model, CopyPredictor)), None),
    )


def _read_scores(run: Run, name: str) -> dict[EvaluationSet, list[Score]]:
    return {kind: read_jsonl(run.folder / "scores" / name / f"{kind}.jsonl", Score) for kind in EVALUATION_SETS}


def _read_verdicts(run: Run, name: str) -> "dict[EvaluationSet, list[CheckedAnswer]]":
    from mathderive.metrics.checked_answers import CheckedAnswer

    folder = run.folder / "scores" / name
    return {kind: read_jsonl(folder / f"{kind}.verdicts.jsonl", CheckedAnswer) for kind in EVALUATION_SETS}


def _flat(described: Mapping[str, Any]) -> dict[str, str]:
    """Returns `describe()` as the report's lines."""
    libraries = described["versions"]
    return {
        **{name.replace("_", " "): str(value) for name, value in described.items() if name != "versions" and value},
        "libraries": ", ".join(f"{name} {version}" for name, version in libraries.items()),
    }
