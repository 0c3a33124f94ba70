"""`config.json` of a model folder: the network's shape, and everything on which the training run depends."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from mathderive.core.checksums import CHECKSUMS, verify_checksums, write_checksums
from mathderive.core.errors import InputError
from mathderive.core.files import read_json, write_json
from mathderive.model.config import T5Config

FORMAT, FORMAT_VERSION = "mathderive-t5", 1


class Description(NamedTuple):
    """The content of `config.json`.

    Attributes:
        dtype: the type of matrix products.
        identity: everything that decides the result of the training, compared when training goes on.
    """

    config: T5Config
    dtype: str
    identity: dict[str, Any]


def write_description(folder: Path, config: T5Config, dtype: str, identity: Mapping[str, Any]) -> None:
    """Writes `config.json` and the checksums; the tokenizer is there already.

    The arguments are described at `Description`.
    """
    (folder / CHECKSUMS).unlink(missing_ok=True)  # a kill below must not leave checksums of an earlier file
    path = folder / "config.json"
    write_json(
        path,
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "model": asdict(config),
            "dtype": dtype,
            "run": dict(identity),
        },
    )
    write_checksums(folder, [path, *(file for file in (folder / "tokenizer").rglob("*") if file.is_file())])


def verify_description(folder: Path) -> None:
    """Raises an `InputError` if `config.json` or a file of the tokenizer is not as `write_description` found it."""
    verify_checksums(folder)


def read_description(folder: Path) -> Description:
    """Reads what `write_description` wrote.

    Raises:
        InputError: the file is missing or damaged, or it does not describe one of our models.
    """
    path = folder / "config.json"
    tree = read_json(path, "the description of one of our models")
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise InputError(f"{path}: format: expected {FORMAT}; this is no folder of one of our models")
    if tree.get("format_version") != FORMAT_VERSION:
        raise InputError(f"{path}: format_version: expected {FORMAT_VERSION}, found {tree.get('format_version')!r}")
    if tree.get("dtype") not in ("float32", "bfloat16") or not isinstance(tree.get("run"), dict):
        raise InputError(f"{path}: dtype and run: expected what training wrote there")
    try:
        return Description(T5Config.from_json(tree.get("model")), tree["dtype"], tree["run"])
    except ValueError as error:
        raise InputError(f"{path}: model.{error}") from None


def check_same(earlier: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Raises an `InputError` if the identity of a folder's run differs from that of the run to go on with."""
    for key in sorted({*earlier, *now}):
        if earlier.get(key) != now.get(key):
            raise InputError(
                f"{folder}: trained with {key} = {earlier.get(key)!r}, now {now.get(key)!r};"
                " remove the folder or choose another model.name to train again from the start"
            )


def is_model_folder(folder: Path) -> bool:
    """Whether the folder is one of our model folders, whole or not, and no Hugging Face folder."""
    if (folder / "orbax").is_dir():
        return True
    path = folder / "config.json"
    tree = read_json(path, "the description of a model") if path.is_file() else None
    return isinstance(tree, dict) and tree.get("format") == FORMAT
