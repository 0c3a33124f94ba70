"""The train stage: the config's model, trained on the generated derivations."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mathderive.core.environment import versions
from mathderive.core.progress import progress
from mathderive.pipeline.processes import run_stage_together
from mathderive.pipeline.run import STAGE_VERSION, Run
from mathderive.pipeline.stamps import run_stage


def train_model(
    run: Run, data: dict[str, Any], shards: dict[str, Any] | None, process: int | None = None
) -> dict[str, Any]:
    """Trains the config's model on the generated training split.

    Args:
        shards: what `make_shards` returned.
        process: this process's number among those that train together; null if it is alone.

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
        "training": training.model_dump(mode="json", exclude={"checkpoint_folder"}),
        "data": shards["digest"] if shards else data["derivations"]["content_hash"],
        "libraries": versions(["jax", "jaxlib", "flax", "optax", "numpy", "sentencepiece"]),
    }

    def train_in(folder: Path) -> dict[str, Any]:
        if shards:
            from mathderive.training.shards import train_on_shards

            with progress("train") as show:
                return train_on_shards(run.folder / "shards", folder, show)._asdict()
        from mathderive.training.texts import train_on_texts
        from tfds_builders.example_features import read_pairs

        dataset = run.folder / data["derivations"]["path"]
        train_pairs, validation_pairs = read_pairs(dataset, "train"), read_pairs(dataset, "validation")
        with progress("train") as show:
            result = train_on_texts(model, training, config.run.seed, train_pairs, validation_pairs, folder, show)
        return result._asdict()

    def work() -> dict[str, Any]:
        from mathderive.training.checkpoints import digest
        from mathderive.training.conversion import load_model

        result = train_in(folder)
        trained = load_model(folder)
        return {**result, "best_step": trained.step, "digest": digest(trained.params)}

    def take_part() -> None:
        with TemporaryDirectory() as place:
            train_in(Path(place) / model.name)

    stage = (run.folder, "train", stamp, ["checkpoints"])
    return run_stage(*stage, work) if process is None else run_stage_together(*stage, work, take_part)
