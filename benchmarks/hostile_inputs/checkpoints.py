"""Hostile checkpoints of both formats for `mathderive convert`: huge sizes, links, pipes, damage, odd weights."""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from threading import Lock

from benchmarks.hostile_inputs.attack import MATHDERIVE, Attack

MINI = Path(__file__).resolve().parents[2] / "checkpoints" / "mini"
BEYOND = b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,999999999]}}'
"""The header of a safetensors file that has fewer bytes than the header says."""

CONVERT = (*MATHDERIVE, "convert", "source", "made")


CHANGES: dict[str, dict[str, object]] = {
    "a huge network": {"d_model": 2**30, "d_ff": 2**40},
    "many layers": {"num_layers": 10**9},
    "a long number": {"d_model": "LONG"},
    "no model": {"model_type": None},
    "a list as dtype": {"mathderive_dtype": []},
    "an end beyond the vocabulary": {"eos_token_id": 10**6},
    "several ends": {"eos_token_id": [1, 2]},
    "an infinite rate": {"dropout_rate": float("inf")},
    "an untied head": {"tie_word_embeddings": False},
}
"""Changes of a right `config.json`."""


def attacks() -> Iterator[Attack]:
    """Yields every hostile checkpoint."""
    for name, changes in CHANGES.items():
        yield _theirs(f"config.json with {name}", partial(_change_config, changes))
    files: dict[str, Callable[[Path], object]] = {
        "pipe": os.mkfifo,
        "link to an endless file": lambda path: path.symlink_to("/dev/zero"),
        "link out of the folder": lambda path: path.symlink_to("/etc/hostname"),
        "folder": lambda path: path.mkdir(),
        "sparse terabyte": _make_sparse,
        "nothing": lambda path: path.touch(),
    }
    for place in ("config.json", "model.safetensors", "sentencepiece.model"):
        for name, make in files.items():
            yield _theirs(f"{name} as {place}", partial(_replace_in, place, make))
    for name, content in {
        "header of gigabytes": struct.pack("<Q", 2**40),
        "header that is no JSON": struct.pack("<Q", 8) + b"{{{{{{{{",
        "deep header": struct.pack("<Q", 10**5) + b"[" * 10**5,
        "offsets beyond the file": struct.pack("<Q", len(BEYOND)) + BEYOND,
    }.items():
        yield _theirs(name, partial(_write_weights, content))
    for name, places in {
        "index that leaves the folder": {"shared.weight": "../../etc/passwd"},
        "index of a million tensors": {f"t{number}": "model.safetensors" for number in range(10**6)},
        "index of missing shards": {"shared.weight": "model-00001-of-00002.safetensors"},
        "index with half a surrogate pair": {"shared.weight": "\ud800.safetensors"},
    }.items():
        yield _theirs(name, partial(_write_index, places))
    for place in ("config.json", "model.safetensors", "sentencepiece.model", "SHA256SUMS"):
        yield _theirs(f"flipped bit in {place}", partial(_flip_in, place))
    for place in ("config.json", "tokenizer/sentencepiece.model", "params", "checksums"):
        yield _ours(f"flipped bit in {place} of ours", partial(_flip_in, place))
    yield _ours("weights cut short of ours", lambda folder: os.truncate(_largest(folder, "params"), 1_000))
    yield _ours("pipe as weights of ours", lambda folder: _replace(_largest(folder, "params"), os.mkfifo))
    yield _ours("no checkpoint of ours", lambda folder: shutil.rmtree(folder / "orbax" / "0"))


def _theirs(name: str, change: Callable[[Path], object]) -> Attack:
    """A changed copy of a Hugging Face folder."""
    return Attack(name, _prepared(lambda: MINI, change), CONVERT)


def _ours(name: str, change: Callable[[Path], object]) -> Attack:
    """A changed copy of one of our folders; damage of a part that is not read may be accepted."""
    return Attack(name, _prepared(_converted, change), CONVERT, may_succeed="checksums" in name)


def _prepared(source: Callable[[], Path], change: Callable[[Path], object]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        change(Path(shutil.copytree(source(), folder / "source")))

    return prepare


_CONVERTING = Lock()


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes with this process."""
    return tempfile.TemporaryDirectory(prefix="mathderive-attack-ours-")


def _converted() -> Path:
    """One of our folders, which is made once, whichever thread asks first."""
    with _CONVERTING:
        return _converted_once()


@cache
def _converted_once() -> Path:
    made = Path(_temporary_folder().name) / "ours"
    subprocess.run([sys.executable, *MATHDERIVE, "convert", MINI, made], check=True, stdout=subprocess.DEVNULL)
    return made


def _change_config(changes: dict[str, object], folder: Path) -> None:
    path = folder / "config.json"
    text = json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes})
    path.write_text(text.replace('"LONG"', "1" * 5_000), encoding="utf-8")
    (folder / "SHA256SUMS").unlink()


def _replace_in(place: str, make: Callable[[Path], object], folder: Path) -> None:
    _replace(folder / place, make)


def _write_weights(content: bytes, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(content)


def _flip_in(place: str, folder: Path) -> None:
    path = _largest(folder, place)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _make_sparse(path: Path) -> None:
    """Makes a file of a terabyte that takes no room."""
    path.touch()
    os.truncate(path, 2**40)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def _write_index(places: dict[str, str], folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}), encoding="utf-8")


def _largest(folder: Path, place: str) -> Path:
    """The file at a place of one of our folders, or the largest file of a checkpoint's item."""
    if (folder / place).is_file():
        return folder / place
    files = [path for path in (folder / "orbax" / "0" / place).rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size)
