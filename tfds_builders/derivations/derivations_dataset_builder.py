"""TFDS builder of generated derivations: training, validation and static splits, and static's four variants."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from mathderive.config import DataSettings
from mathderive.progress import Report
from mathderive.records import Example
from tfds_builders.derivations.generation import generate_examples
from tfds_builders.example_features import content_hash, encode_example, example_features


@dataclass(kw_only=True)
class DerivationsConfig(tfds.core.BuilderConfig):
    """What is generated.

    Attributes:
        settings: sizes, sampling, workers.
        seed: of every random draw.
        work: a folder that keeps finished work, from which a killed build goes on.
        report: is told of the progress.
    """

    settings: DataSettings
    seed: int = 0
    work: Path = field(kw_only=True)
    report: Report


class Builder(tfds.core.GeneratorBasedBuilder):
    """Derivations written by the symbolic engine."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The eighteen operators, the paper's sampling and its four perturbations."}  # noqa: RUF012

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(example_features()),
            supervised_keys=("prompt", "target"),
            homepage="https://arxiv.org/abs/2307.09998",
            disable_shuffling=True,  # by rising attempt, so that the contents do not depend on TFDS's hashing
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config = self.builder_config
        splits = generate_examples(config.settings, config.seed, config.work, config.report)
        self.info.metadata["content_hash"] = content_hash(splits)
        # TFDS refuses an empty split; few static examples may have no variant of a kind.
        return {name: self._generate_examples(examples) for name, examples in splits.items() if examples}

    def _generate_examples(self, examples: list[Example]) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, example in enumerate(examples):
            yield index, encode_example(example)
