"""The shards stage: the training split as token ids, for a config that trains on them."""

from mathderive.core.environment import versions
from mathderive.core.progress import progress
from mathderive.pipeline.results import DataResults, ShardsResults
from mathderive.pipeline.run import Run, make_stamp
from mathderive.pipeline.stamps import Stage, run_stage


def shards_stage(run: Run, data: DataResults) -> Stage[ShardsResults]:
    """The stage with its stamp; the config must ask for shards."""
    config = run.config
    assert config.shards is not None
    assert config.model is not None
    assert config.training is not None
    assert data.derivations is not None
    stamp = make_stamp(
        "shards",
        seed=config.run.seed,
        shards=config.shards.model_dump(mode="json"),
        model=config.model.model_dump(mode="json"),
        training=config.training.model_dump(mode="json", exclude={"checkpoint_folder"}),
        data=data.derivations.content_hash,
        libraries=versions(["sympy", "sentencepiece"]),
    )
    return Stage("shards", stamp, [run.paths.shards], ShardsResults)


def make_shards(run: Run, data: DataResults) -> ShardsResults | None:
    """Writes the training split as tokenised shards, where the config asks for them.

    Returns:
        The stage's results; None where the model is trained on the texts themselves.
    """
    config, settings = run.config, run.config.shards
    if settings is None:
        return None
    model, training, derivations = config.model, config.training, data.derivations
    assert config.data is not None
    assert model is not None
    assert training is not None
    assert derivations is not None
    workers = config.data.workers

    def work() -> ShardsResults:
        from mathderive.pipeline.token_shards import write_shards
        from tfds_builders.example_features import read_examples

        dataset = run.paths.dataset(derivations.path)
        splits = read_examples(dataset, "train"), read_examples(dataset, "validation")
        with progress("shards") as on_progress:
            return write_shards(
                *splits, settings, model, training, config.run.seed, workers, run.paths.shards, on_progress
            )

    return run_stage(run.paths, shards_stage(run, data), work)
