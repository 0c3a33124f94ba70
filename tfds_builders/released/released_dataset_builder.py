"""TFDS builder of the authors' evaluation examples and recorded outputs, from their `*_results.json` files."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from mathderive.records import EvaluationSet
from tfds_builders.example_features import content_hash, encode_example, example_features
from tfds_builders.released.download import RESULT_FILES
from tfds_builders.released.result_files import RELEASED_SETS, Released, find_result_files, read_result_files
from tfds_builders.unpublished_info import UnpublishedInfo


@dataclass(kw_only=True)
class ReleasedConfig(tfds.core.BuilderConfig):
    """The source of the result files: `files` (files or folders), or a download if it is None."""

    files: tuple[Path, ...] | None = None


DOWNLOADED = ReleasedConfig(name="downloaded", description="The authors' files at the pinned commit.")


class Builder(tfds.core.GeneratorBasedBuilder):
    """The released examples in the splits static, vr, ee, ag and sr, each with its recorded outputs."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The authors' three result files, merged by example."}  # noqa: RUF012 - TFDS's own form
    BUILDER_CONFIGS = [DOWNLOADED]  # noqa: RUF012

    def __init__(self, *, file_format: Any = "array_record", **arguments: Any) -> None:
        """Takes TFDS's arguments; the format differs from TFDS's own default, which needs TensorFlow."""
        super().__init__(file_format=file_format, **arguments)

    def _info(self) -> tfds.core.DatasetInfo:
        outputs = tfds.features.Sequence({"model": tfds.features.Text(), "text": tfds.features.Text()})
        return UnpublishedInfo(
            self,
            features=tfds.features.FeaturesDict({**example_features(), "outputs": outputs}),
            supervised_keys=("prompt", "target"),
            homepage="https://github.com/jmeadows17/deriving-equations-with-LLMs",
            disable_shuffling=True,  # row order is the authors' order
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config = self.builder_config
        if config.files is None:
            paths = RESULT_FILES.fetch(Path(dl_manager.download_dir))
        else:
            paths = find_result_files(config.files)
        released = read_result_files(paths)
        self.info.metadata["content_hash"] = content_hash(released.examples)
        self.info.metadata["models"] = sorted(released.outputs)
        recorded = json.dumps(released.outputs, sort_keys=True)
        self.info.metadata["outputs_hash"] = hashlib.sha256(recorded.encode()).hexdigest()
        return {name: self._generate_examples(released, name) for name in RELEASED_SETS}

    def _generate_examples(self, released: Released, name: EvaluationSet) -> Iterator[tuple[int, dict[str, Any]]]:
        for row, example in enumerate(released.examples[name]):
            outputs = [{"model": model, "text": texts[name][row]} for model, texts in sorted(released.outputs.items())]
            yield row, {**encode_example(example), "outputs": outputs}
