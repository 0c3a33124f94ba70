"""The stages of a run, in their order; each reads and writes files in the run folder and nothing else.

A stage is called after all that precede it: what is done with the same inputs is skipped (`stamps`), so naming a
stage means "have this, up to date". Heavy libraries are imported where a stage begins its work, so that finding
nothing to do takes a moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mathderive.config import (
    Config,
    CopyPredictor,
    PredictorSettings,
    ReleasedPredictor,
    T5Predictor,
    dump_config,
)
from mathderive.environment import describe, versions
from mathderive.errors import InputError
from mathderive.files import sha256, write_text
from mathderive.planning import Plan, plan_predictors
from mathderive.progress import progress, say
from mathderive.records import (
    EVALUATION_SETS,
    EvaluationSet,
    Example,
    Prediction,
    Score,
    Sensitivity,
    read_jsonl,
    write_jsonl,
)
from mathderive.stamps import locked, read_manifest, run_stage

if TYPE_CHECKING:
    from mathderive.report.page import ReportContents

STAGES = ("data", "train", "predict", "score", "report")

STAGE_VERSION: Mapping[str, int] = {"data": 1, "train": 1, "predict": 1, "score": 1, "report": 1}
"""Raised when a stage's output changes for the same inputs."""


@dataclass(frozen=True)
class Run:
    """A config and its run folder.

    Attributes:
        config: resolved.
        folder: the run folder.
        data_from: another run whose examples are evaluated instead of this run's own.
    """

    config: Config
    folder: Path
    data_from: "Run | None" = None

    @property
    def data_folder(self) -> Path:
        return (self.data_from or self).folder / "data"


def run_stages(run: Run, last: str) -> Path:
    """Brings every stage up to `last` up to date.

    Returns:
        Where the last stage's output lies.

    Raises:
        InputError: something given is wrong; what was done before it stays.
    """
    steps = STAGES[: STAGES.index(last) + 1]
    with locked(run.folder):
        write_text(run.folder / "config.yaml", dump_config(run.config))
        data = prepare_data(run.data_from or run)
        model = train_model(run, data) if "train" in steps and run.config.training else None
        if "predict" in steps:
            plans, notes = plan_predictors(run.config, run.folder, data, model)
            for note in notes:
                say(f"predict: {note}")
            names = predict(run, data, plans)
        if "score" in steps:
            score(run, data, names)
        if "report" in steps:
            report(run, data, names, notes)
    return run.folder / _PLACES[last]


_PLACES = {
    "data": "data",
    "train": "checkpoints",
    "predict": "predictions",
    "score": "scores",
    "report": "report/index.html",
}


def run_evaluation(run: Run, predictions: Sequence[str], checkpoints: Sequence[str]) -> Path:
    """Scores recorded outputs or checkpoints, beside the copy baseline, in the run folder `eval-NAME`.

    Args:
        run: whose config says how to decode, evaluate and report.
        predictions: result files in the authors' format; or
        checkpoints: answer the released examples where those can be had, else the run's own.

    Returns:
        The report.

    Raises:
        InputError: as `run_stages`.
    """
    named = run.config.run.model_copy(update={"name": f"eval-{run.config.run.name}"})
    models: list[PredictorSettings] = [T5Predictor(kind="t5", checkpoint=place) for place in checkpoints]
    evaluation, data_from = run.config.evaluation, None
    if predictions:
        models = [ReleasedPredictor(kind="released")]
        evaluation = evaluation.model_copy(update={"source": "released", "released": tuple(predictions)})
    elif evaluation.source == "generated":
        from tfds_builders.released.download import fetch_result_files

        try:
            fetch_result_files(run.folder.with_name(str(named.name)) / "data" / "downloads")
            evaluation = evaluation.model_copy(update={"source": "released"})
        except InputError as error:
            say(f"eval: on the run's own examples, as the released ones cannot be had: {error}")
            data_from = run
    own_data = run.config.data if data_from else None
    changes = {"run": named, "evaluation": evaluation, "predictors": (*models, CopyPredictor(kind="copy"))}
    config = run.config.model_copy(update={**changes, "data": own_data, "model": None, "training": None})
    return run_stages(Run(config, run.folder.with_name(str(named.name)), data_from), "report")


# --- data -------------------------------------------------------------------------------------------------------


def prepare_data(run: Run) -> dict[str, Any]:
    """Builds the generated dataset and, where the evaluation wants them, the released examples.

    Returns:
        For each dataset (`derivations`, `released`) its `path` below the run folder and its metadata.
    """
    config = run.config
    released = config.evaluation.source == "released"
    files: list[Path] | None = None
    if released and config.evaluation.released is not None:
        from tfds_builders.released.result_files import find_result_files, read_result_files

        files = find_result_files([Path(place) for place in config.evaluation.released])
        read_result_files(files)  # a malformed file is refused before anything is moved aside
    stamp = {
        "version": STAGE_VERSION["data"],
        "seed": config.run.seed,
        "data": config.data and config.data.model_dump(mode="json", exclude={"workers", "expected_content_hash"}),
        "released": released and [sha256(path) for path in files or []],
        "libraries": versions(["sympy"]),
    }

    def work() -> dict[str, Any]:
        from tfds_builders.building import build_derivations, build_released

        results = {}
        with progress("data") as show:
            if config.data:
                results["derivations"] = build_derivations(config.data, config.run, run.folder, show)
            if released:
                results["released"] = build_released(files, run.folder)
        return results

    results = run_stage(run.folder, "data", stamp, ["data"], work)
    for name, dataset in results.items():
        sizes = ", ".join(f"{split} {size}" for split, size in dataset["sizes"].items())
        say(f"data: {name}: {sizes}; content hash {dataset['content_hash']}")
    expected = config.data and config.data.expected_content_hash
    if expected and results["derivations"]["content_hash"] != expected:
        raise InputError(
            f"data.expected_content_hash: expected {expected}, got {results['derivations']['content_hash']}: "
            "these are not the examples this config was made for"
        )
    return results


def _evaluated(run: Run) -> str:
    return "derivations" if run.config.evaluation.source == "generated" else "released"


def evaluation_examples(run: Run, data: dict[str, Any]) -> dict[EvaluationSet, list[Example]]:
    """The examples that are evaluated, by set: the same ones in every stage."""
    from tfds_builders.evaluation_sets import choose_examples
    from tfds_builders.example_features import read_examples

    folder = (run.data_from or run).folder / data[_evaluated(run)]["path"]
    splits = {name: read_examples(folder, name) for name in EVALUATION_SETS}
    return choose_examples(splits, run.config.evaluation, run.config.run.seed)


# --- train ------------------------------------------------------------------------------------------------------


def train_model(run: Run, data: dict[str, Any]) -> dict[str, Any]:
    """Trains the config's model on the generated training split.

    Returns:
        The trainer's results, among them the `digest` of the parameters that predictions are made with.
    """
    config, model, training = run.config, run.config.model, run.config.training
    assert model is not None
    assert training is not None
    folder = run.folder / "checkpoints" / model.name
    stamp = {
        "version": STAGE_VERSION["train"],
        "seed": config.run.seed,
        "model": model.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "data": data["derivations"]["content_hash"],
        "libraries": versions(["jax", "jaxlib", "flax", "optax", "numpy", "sentencepiece"]),
    }

    def work() -> dict[str, Any]:
        from mathderive.training.checkpoints import digest, load_model
        from mathderive.training.loop import train
        from tfds_builders.example_features import read_pairs

        dataset = run.folder / data["derivations"]["path"]
        train_pairs, validation_pairs = read_pairs(dataset, "train"), read_pairs(dataset, "validation")
        with progress("train") as show:
            result = train(model, training, config.run.seed, train_pairs, validation_pairs, folder, show)
        trained = load_model(folder)
        return {**result._asdict(), "best_step": trained.step, "digest": digest(trained.params)}

    return run_stage(run.folder, "train", stamp, ["checkpoints"], work)


# --- predict ----------------------------------------------------------------------------------------------------


def predict(run: Run, data: dict[str, Any], plans: Sequence[Plan]) -> list[str]:
    """Lets every model answer the evaluated examples; each is a stage of its own, `predict-MODEL`.

    Returns:
        The models' names.
    """
    common = {
        "version": STAGE_VERSION["predict"],
        "seed": run.config.run.seed,
        "evaluation": run.config.evaluation.model_dump(mode="json", exclude={"released"}),
        "data": data[_evaluated(run)]["content_hash"],
    }

    def work(plan: Plan) -> dict[str, Any]:
        from mathderive.predictors.base import predict_set

        examples = evaluation_examples(run, data)
        predictor = plan.make()
        with progress("predict") as show:
            for name in EVALUATION_SETS:
                predict_set(predictor, examples[name], _predictions(run, plan.name, name), show)
        return {name: len(examples[name]) for name in EVALUATION_SETS}

    for plan in plans:
        stamp = {**common, **plan.stamp}
        run_stage(run.folder, f"predict-{plan.name}", stamp, [f"predictions/{plan.name}"], partial(work, plan))
    return [plan.name for plan in plans]


def _predictions(run: Run, model: str, name: EvaluationSet) -> Path:
    return run.folder / "predictions" / model / f"{name}.jsonl"


# --- score ------------------------------------------------------------------------------------------------------


def score(run: Run, data: dict[str, Any], names: Sequence[str]) -> None:
    """Scores every prediction, and how scores move from the static examples to their variants."""
    stamp = {
        "version": STAGE_VERSION["score"],
        "data": data[_evaluated(run)]["content_hash"],
        "predictions": {name: [sha256(_predictions(run, name, kind)) for kind in EVALUATION_SETS] for name in names},
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
                predictions = _read_predictions(run, name)
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


def _read_scores(run: Run, name: str) -> dict[EvaluationSet, list[Score]]:
    return {kind: read_jsonl(run.folder / "scores" / name / f"{kind}.jsonl", Score) for kind in EVALUATION_SETS}


def _read_predictions(run: Run, name: str) -> dict[EvaluationSet, list[Prediction]]:
    return {kind: read_jsonl(_predictions(run, name, kind), Prediction) for kind in EVALUATION_SETS}


# --- report -----------------------------------------------------------------------------------------------------


def report(run: Run, data: dict[str, Any], names: Sequence[str], notes: Sequence[str]) -> None:
    """Writes the page and the tables."""
    predictions = {name: [sha256(_predictions(run, name, kind)) for kind in EVALUATION_SETS] for name in names}
    scores = {name: [sha256(path) for path in sorted((run.folder / "scores" / name).iterdir())] for name in names}
    stamp = {
        "version": STAGE_VERSION["report"],
        "config": run.config.model_dump(mode="json"),
        "notes": list(notes),
        "data": data[_evaluated(run)]["content_hash"],
        "predictions": predictions,
        "scores": scores,
    }

    def work() -> dict[str, Any]:
        from mathderive.report.page import write_report

        with progress("report") as show:
            show("parts", 0, 2, "gathering")
            contents = gather_contents(run, data, names, notes)
            show("parts", 1, 2, "writing")
            write_report(run.folder / "report", contents)
            show("parts", 2, 2)
        return {}

    run_stage(run.folder, "report", stamp, ["report"], work)


def gather_contents(run: Run, data: dict[str, Any], names: Sequence[str], notes: Sequence[str]) -> "ReportContents":
    """Reads back what the stages wrote, for the report to show."""
    from mathderive.report.page import ReportContents
    from mathderive.symbolic.printer import latex
    from mathderive.symbolic.srepr import read_srepr
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
        predictions={name: _read_predictions(run, name) for name in names},
        scores={name: _read_scores(run, name) for name in names},
        sensitivity={
            name: read_jsonl(run.folder / "scores" / name / "sensitivity.jsonl", Sensitivity) for name in names
        },
        # Only these are typeset: text that our own printer writes from the steps' expressions.
        trusted_equations={
            latex(read_srepr(step.srepr)) for rows in examples.values() for example in rows for step in example.steps
        },
        training=training,
        notes=notes,
        shown_examples=config.report.examples,
        copy_model=next((model.name for model in config.predictors if isinstance(model, CopyPredictor)), None),
    )


def _flat(described: Mapping[str, Any]) -> dict[str, str]:
    """`describe()` as the report's lines."""
    libraries = described["versions"]
    return {
        **{name.replace("_", " "): str(value) for name, value in described.items() if name != "versions" and value},
        "libraries": ", ".join(f"{name} {version}" for name, version in libraries.items()),
    }
