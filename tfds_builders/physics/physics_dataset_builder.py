"""TFDS builder of derivations that people wrote, from `physics_derivations.json` or a file in its form."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from tfds_builders.downloading import PinnedFiles
from tfds_builders.example_features import content_hash, encode_example, example_features
from tfds_builders.physics.derivation_file import PhysicsDerivation, read_derivation_file
from tfds_builders.physics.download import PHYSICS_FILE
from tfds_builders.unpublished_info import UnpublishedInfo


@dataclass(kw_only=True)
class PhysicsConfig(tfds.core.BuilderConfig):
    """The file to read, or what to download if it is None."""

    file: Path | None = None
    download: PinnedFiles = PHYSICS_FILE


DOWNLOADED = PhysicsConfig(name="downloaded", description="The authors' file at the pinned commit.")


class Builder(tfds.core.GeneratorBasedBuilder):
    """The derivations in the split static, each with its name and its field of physics."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The authors' derivations in physics."}  # noqa: RUF012 - TFDS's own form
    BUILDER_CONFIGS = [DOWNLOADED]  # noqa: RUF012

    def __init__(self, *, file_format: Any = "array_record", **arguments: Any) -> None:
        """Takes TFDS's own arguments; the default file format is the one that needs no TensorFlow."""
        super().__init__(file_format=file_format, **arguments)

    def _info(self) -> tfds.core.DatasetInfo:
        topic = {"name": tfds.features.Text(), "field": tfds.features.Text()}
        return UnpublishedInfo(
            self,
            features=tfds.features.FeaturesDict({**example_features(), **topic}),
            supervised_keys=("prompt", "target"),
            homepage="https://github.com/jmeadows17/transformers-for-physics",
            disable_shuffling=True,  # row order is the authors' order
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config = self.builder_config
        path = config.file
        if path is None:
            (path,) = config.download.fetch(Path(dl_manager.download_dir))
        derivations = read_derivation_file(path)
        self.info.metadata["content_hash"] = content_hash({"static": [one.example for one in derivations]})
        topics = json.dumps([[one.name, one.field] for one in derivations])
        self.info.metadata["topics_hash"] = hashlib.sha256(topics.encode()).hexdigest()
        return {"static": self._generate_examples(derivations)}

    def _generate_examples(self, derivations: Sequence[PhysicsDerivation]) -> Iterator[tuple[int, dict[str, Any]]]:
        for row, derivation in enumerate(derivations):
            topic = {"name": derivation.name, "field": derivation.field}
            yield row, {**encode_example(derivation.example), **topic}
