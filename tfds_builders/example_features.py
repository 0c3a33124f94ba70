"""Converts an `Example` to TFDS features and back, and hashes the examples of a dataset."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from mathderive.core.checksums import verify_checksums
from mathderive.core.errors import InputError
from mathderive.records import Example, StepRecord, to_line


def example_features() -> dict[str, Any]:
    """Returns the features that all builders share.

    An annotation is stored as JSON text, because it is a string or a list. A missing few-shot prompt is stored as the
    empty text.
    """
    return {
        "id": tfds.features.Text(),
        "source_id": tfds.features.Text(),
        "set": tfds.features.Text(),
        "prompt": tfds.features.Text(),
        "target": tfds.features.Text(),
        "steps": tfds.features.Sequence({"annotation": tfds.features.Text(), "srepr": tfds.features.Text()}),
        "few_shot_prompt": tfds.features.Text(),
    }


def encode_example(example: Example) -> dict[str, Any]:
    """Converts an example to the features that a builder yields."""
    steps = [{"annotation": json.dumps(step.annotation), "srepr": step.srepr} for step in example.steps]
    return {**example.model_dump(exclude={"steps", "few_shot_prompt"}), "steps": steps,
            "few_shot_prompt": example.few_shot_prompt or ""}  # fmt: skip


def decode_example(features: Mapping[str, Any]) -> Example:
    """Converts the features that a TFDS data source returns to an example."""
    steps = features["steps"]
    fields: dict[str, Any] = {key: text(features[key]) for key in ("id", "source_id", "set", "prompt", "target")}
    return Example(
        **fields,
        steps=[
            StepRecord(annotation=json.loads(text(annotation)), srepr=text(srepr))
            for annotation, srepr in zip(steps["annotation"], steps["srepr"], strict=True)
        ],
        few_shot_prompt=text(features["few_shot_prompt"]) or None,
    )


def content_hash(splits: Mapping[Any, Iterable[Example]]) -> str:
    """Returns the SHA-256 of the decoded examples, split by split in the order of their names.

    The bytes of array_record files differ between processes, so the files themselves cannot be compared.
    """
    digest = hashlib.sha256()
    for name in sorted(splits):
        digest.update(f"split {name}\n".encode())
        for example in splits[name]:
            digest.update(to_line(example).encode())
    return digest.hexdigest()


def open_builder(folder: Path) -> tfds.core.DatasetBuilder:
    """Opens the folder of a finished dataset, which holds `dataset_info.json`.

    Raises:
        InputError: the folder holds no dataset, or the dataset cannot be read.
    """
    try:
        return tfds.builder_from_directory(str(folder))
    except Exception as error:  # TFDS raises many types of exceptions for a damaged folder
        raise InputError(f"{folder}: no readable TFDS dataset there ({error})") from None


def read_examples(folder: Path, split: str) -> list[Example]:
    """Reads every example of one split, in the builder's order.

    Raises:
        InputError: the dataset cannot be read, or a record is damaged.
    """
    return list(iterate_examples(folder, split))


def iterate_examples(folder: Path, split: str) -> Iterator[Example]:
    """Yields the examples of one split, in the builder's order; raises as `read_examples`."""
    source = data_source(folder, split)
    for index in range(len(source)):
        try:
            example = decode_example(source[index])
        except Exception as error:
            raise InputError(f"{folder}: split {split} is damaged ({error})") from None
        yield example


def read_pairs(folder: Path, split: str) -> list[tuple[str, str]]:
    """Reads the pairs (prompt, target) of one split, which is all that training needs.

    Raises:
        InputError: the dataset cannot be read, or a record is damaged.
    """
    return [(example.prompt, example.target) for example in read_examples(folder, split)]


def data_source(folder: Path, split: str) -> Sequence[Mapping[str, Any]]:
    """Returns random access to one split's raw features, for Grain.

    Raises:
        InputError: the dataset cannot be read, or a file is not as it was written.
    """
    verify_checksums(folder, lambda name: name.endswith(".json") or f"-{split}." in name)
    builder = open_builder(folder)
    if split not in builder.info.splits:  # builders leave out empty splits
        return []
    return builder.as_data_source(split=split)


def text(value: Any) -> str:
    """Decodes a text feature, which TFDS returns as bytes."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
