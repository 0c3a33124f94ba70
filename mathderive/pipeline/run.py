"""A run: its config, its folder, and the examples and predictions that several stages read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mathderive.config.command_line import BeamSettings, ProcessSettings
from mathderive.config.schema import Config, EvaluationSource
from mathderive.core.extensions import extension_digests
from mathderive.pipeline.paths import RunPaths
from mathderive.pipeline.results import DataResults, DatasetResults
from mathderive.pipeline.stamps import Stamp
from mathderive.records import EVALUATION_SETS, EvaluationSet, Example, Prediction, read_jsonl
from mathderive.training.opened import OpenedCheckpoints

STAGE_VERSION: Mapping[str, int] = {
    "data": 4,
    "shards": 1,
    "train": 1,
    "self-training": 1,
    "predict": 2,
    "score": 10,
    "report": 12,
}
"""Version of each stage, raised when its output changes for the same inputs."""


@dataclass(frozen=True)
class Run:
    """A config and its run folder.

    Attributes:
        config: the resolved config.
        paths: the files of the run folder.
        data_from: another run, which provides the evaluated examples instead of this one.
        beam: settings of Apache Beam, which then generates the derivations. No part of any stamp, because the
            contents are the same.
        processes: this process's place among several that train together. No part of any stamp either.
        opened: the checkpoints that the config names, each of them opened once.
        command: the command line as it was typed, which the report shows.
    """

    config: Config
    paths: RunPaths
    data_from: "Run | None" = None
    beam: BeamSettings | None = None
    processes: ProcessSettings | None = None
    opened: OpenedCheckpoints = field(default_factory=OpenedCheckpoints, compare=False)
    command: str = field(default="", compare=False)


def make_stamp(stage: str, **decisive: Any) -> Stamp:
    """A stamp from what decides a stage's output, the stage's version, and the loaded extensions."""
    extensions = extension_digests()
    return {"version": STAGE_VERSION[stage], **decisive, **({"extensions": extensions} if extensions else {})}


def evaluated_dataset(run: Run, data: DataResults) -> DatasetResults:
    """The dataset that the evaluated examples are taken from."""
    by_source: Mapping[EvaluationSource, DatasetResults | None] = {
        "generated": data.derivations,
        "released": data.released,
        "physics": data.physics,
    }
    dataset = by_source[run.config.evaluation.source]
    assert dataset is not None
    return dataset


def evaluation_examples(run: Run, data: DataResults) -> dict[EvaluationSet, list[Example]]:
    """The evaluated examples by set, the same in every stage."""
    from tfds_builders.evaluation_sets import choose_examples
    from tfds_builders.example_features import read_examples

    folder = (run.data_from or run).paths.dataset(evaluated_dataset(run, data).path)
    splits = {name: read_examples(folder, name) for name in EVALUATION_SETS}
    return choose_examples(splits, run.config.evaluation, run.config.run.seed)


def read_predictions(run: Run, model: str) -> dict[EvaluationSet, list[Prediction]]:
    """A model's predictions by set."""
    return {name: read_jsonl(run.paths.predictions(model, name), Prediction) for name in EVALUATION_SETS}
