"""The names and the fields of physics of the `physics` dataset."""

from pathlib import Path
from typing import NamedTuple

from tfds_builders.example_features import data_source, text


class Topic(NamedTuple):
    """A derivation's name and its field of physics."""

    name: str
    field: str


def read_topics(folder: Path) -> dict[str, Topic]:
    """Reads the topic of every example, by example id, in the dataset's order.

    Args:
        folder: the folder of the dataset, which holds `dataset_info.json`.

    Raises:
        InputError: the dataset cannot be read.
    """
    rows = data_source(folder, "static")
    return {text(row["id"]): Topic(text(row["name"]), text(row["field"])) for row in rows}
