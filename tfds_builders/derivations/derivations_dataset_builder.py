"""TFDS builder of generated derivations: training, validation and static splits, and static's four variants."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from mathderive.config.schema import DataSettings
from mathderive.core.progress import ProgressCallback
from tfds_builders.derivations.chunks import Computer, is_remote
from tfds_builders.derivations.splits import Slice, generate, read_slices
from tfds_builders.example_features import content_hash, encode_example, example_features


def numbered_examples(slices: Sequence[Slice]) -> Iterator[tuple[int, dict[str, Any]]]:
    """A split's examples as TFDS takes them."""
    for index, example in enumerate(read_slices(slices)):
        yield index, encode_example(example)


@dataclass(kw_only=True)
class DerivationsConfig(tfds.core.BuilderConfig):
    """What is generated.

    Attributes:
        settings: sizes, sampling, workers.
        seed: of every random draw.
        work: a folder that keeps finished work, from which a killed build goes on.
        report: is told of the progress.
        computer: what generates the examples.
        read: from a split's slices to what TFDS writes it from: numbered examples, or a Beam transform that gives
            those.
    """

    settings: DataSettings
    seed: int = 0
    work: str
    report: ProgressCallback
    computer: Computer
    read: Callable[[Sequence[Slice]], Any] = numbered_examples


class LocalFirstWriter(tfds.core.writer.ExampleWriter):
    """Writes a shard on the local disk and copies it from there, for array_record knows local disks only."""

    def write(self, path: Any, examples: Any) -> Any:
        place = epath.Path(path)
        if not is_remote(str(place)):
            return super().write(path, examples)
        with tempfile.TemporaryDirectory() as folder:
            local = epath.Path(folder) / place.name
            positions = super().write(local, examples)
            local.copy(place, overwrite=True)
        return positions


class Builder(tfds.core.GeneratorBasedBuilder):
    """Derivations written by the symbolic engine."""

    VERSION = tfds.core.Version("4.0.0")
    RELEASE_NOTES = {  # noqa: RUF012 - TFDS's own form
        "4.0.0": "Nothing is divided by what is 0 where the premises hold.",
        "3.0.0": "A substitution leaves alone what it does not reach, and no power counts as one of an integral of 0.",
        "2.0.0": "Variants that are in train or validation up to renaming are left out of leak-free splits; a faster "
        "generator draws other derivations.",
        "1.0.0": "The eighteen operators, the paper's sampling and its four perturbations.",
    }

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
        generated = generate(config.settings, config.seed, config.work, config.computer, config.report)
        self.info.metadata["content_hash"] = content_hash(generated.examples())
        self.info.metadata["overlap_with_train"] = generated.overlap
        self.info.metadata["lost"] = generated.lost
        # TFDS refuses an empty split; few static examples may have no variant of a kind.
        return {name: self._generate_examples(slices) for name, slices in generated.slices.items() if slices}

    def _generate_examples(self, slices: Sequence[Slice]) -> Any:
        return self.builder_config.read(slices)

    def _example_writer(self) -> tfds.core.writer.ExampleWriter:
        return LocalFirstWriter(self.info.file_format)
