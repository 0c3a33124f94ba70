"""The shards stage: the training split as token ids, for a config that trains by way of them."""

from typing import Any

from mathderive.core.environment import versions
from mathderive.core.progress import progress
from mathderive.pipeline.run import STAGE_VERSION, Run
from mathderive.pipeline.stamps import run_stage


def make_shards(run: Run, data: dict[str, Any]) -> dict[str, Any] | None:
    """Writes the training split as tokenised shards, where the config asks for them.

    Returns:
        The stage's results; null where the model is trained on the texts as they are.
    """
    config, settings = run.config, run.config.shards
    if settings is None:
        return None
    model, training = config.model, config.training
    assert config.data is not None
    assert model is not None
    assert training is not None
    stamp = {
        "version": STAGE_VERSION["shards"],
        "seed": config.run.seed,
        "shards": settings.model_dump(mode="json"),
        "model": model.model_dump(mode="json"),
        "training": training.model_dump(mode="json", exclude={"checkpoint_folder"}),
        "data": data["derivations"]["content_hash"],
        "libraries": versions(["sympy", "sentencepiece"]),
    }
    workers = config.data.workers

    def work() -> dict[str, Any]:
        from mathderive.pipeline.token_shards import write_shards
        from tfds_builders.example_features import read_examples

        dataset = run.folder / data["derivations"]["path"]
        splits = read_examples(dataset, "train"), read_examples(dataset, "validation")
        with progress("shards") as show:
            return write_shards(
                *splits, settings, model, training, config.run.seed, workers, run.folder / "shards", show
            )

    return run_stage(run.folder, "shards", stamp, ["shards"], work)
