"""The recorded outputs of the `released` dataset."""

from pathlib import Path

from mathderive.core.errors import InputError
from tfds_builders.example_features import data_source, text
from tfds_builders.released.result_files import RELEASED_SETS


def read_outputs(folder: Path, model: str) -> dict[str, str]:
    """Reads one model's recorded text for every released example, by example id.

    Args:
        folder: the folder of the dataset, which holds `dataset_info.json`.
        model: the model's name in the result files.

    Raises:
        InputError: the dataset cannot be read, or the model is not in it.
    """
    found = {}
    for name in RELEASED_SETS:
        for features in data_source(folder, name):
            outputs = features["outputs"]
            for recorded, output in zip(outputs["model"], outputs["text"], strict=True):
                if text(recorded) == model:
                    found[text(features["id"])] = text(output)
    if not found:
        raise InputError(f"{folder}: no outputs of {model} in this dataset")
    return found
