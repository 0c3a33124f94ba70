"""The train stage: the config's model, trained on the generated derivations."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mathderive.core.environment import versions
from mathderive.core.progress import progress
from mathderive.pipeline.processes import run_stage_together
from mathderive.pipeline.results import DataResults, ShardsResults, TrainResults
from mathderive.pipeline.run import Run, make_stamp
from mathderive.pipeline.stamps import Stage, run_stage

if TYPE_CHECKING:
    from mathderive.training.loop import TrainingResult


def train_stage(run: Run, data: DataResults, shards: ShardsResults | None) -> Stage[TrainResults]:
    """The stage with its stamp; the config must train a model."""
    config = run.config
    assert config.model is not None
    assert config.training is not None
    assert data.derivations is not None
    stamp = make_stamp(
        "train",
        seed=config.run.seed,
        model=config.model.model_dump(mode="json"),
        training=config.training.model_dump(mode="json", exclude={"checkpoint_folder"}),
        data=shards.digest if shards else data.derivations.content_hash,
        libraries=versions(["jax", "jaxlib", "flax", "optax", "numpy", "sentencepiece"]),
    )
    return Stage("train", stamp, [run.paths.checkpoints], TrainResults)


def train_model(
    run: Run, data: DataResults, shards: ShardsResults | None, process: int | None = None
) -> TrainResults | None:
    """Trains the config's model on the generated training split.

    Args:
        shards: the results of `make_shards`.
        process: this process's number among those that train together; None if it is alone.

    Returns:
        The stage's results; None in every process but the first.
    """
    model = run.config.model
    assert model is not None
    folder = run.paths.checkpoint(model.name)

    def work() -> TrainResults:
        from mathderive.training.conversion import load_model
        from mathderive.training.digests import digest

        result = _train_in(folder, run, data, shards)
        trained = load_model(folder)
        return TrainResults(
            steps=result.steps,
            validation_loss=result.validation_loss,
            validation_rouge2=result.validation_rouge2,
            best_step=trained.step,
            digest=digest(trained.params),
        )

    def take_part() -> None:
        with TemporaryDirectory() as place:
            _train_in(Path(place) / model.name, run, data, shards)

    stage = train_stage(run, data, shards)
    if process is None:
        return run_stage(run.paths, stage, work)
    return run_stage_together(run.paths, stage, work, take_part)


def _train_in(folder: Path, run: Run, data: DataResults, shards: ShardsResults | None) -> "TrainingResult":
    if shards:
        from mathderive.training.shards import train_on_shards

        with progress("train") as on_progress:
            return train_on_shards(run.paths.shards, folder, on_progress)
    from mathderive.training.texts import train_on_texts
    from tfds_builders.example_features import read_pairs

    model, training = run.config.model, run.config.training
    assert model is not None
    assert training is not None
    assert data.derivations is not None
    dataset = run.paths.dataset(data.derivations.path)
    source = None if model.init_from is None else run.opened.take_model(model.init_from)
    train_pairs, validation_pairs = read_pairs(dataset, "train"), read_pairs(dataset, "validation")
    with progress("train") as on_progress:
        return train_on_texts(
            model, training, run.config.run.seed, train_pairs, validation_pairs, folder, on_progress, source=source
        )
