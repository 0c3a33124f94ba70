"""What a folder with runs holds: the names of its files, and the contents that an interruption must not change."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_RANDOM_NAME = re.compile(r"(/orbax/.*/d)/[0-9a-f]{32}$")
"""Orbax names the files with arrays at random, and their number varies with its threads."""

_EQUAL = re.compile(
    r"(predictions|scores)/.*\.jsonl|shards/.*|checkpoints/[^/]+/(config\.json|SHA256SUMS|tokenizer/.*)"
    r"|config\.yaml"
)
"""Files of a run folder that have equal bytes. Datasets are compared by their content hash, in the manifest."""


def names(place: Path) -> set[str]:
    """Every file and folder below the runs and the folder of temporary files."""
    found = (path for part in ("runs", "tmp") for path in (place / part).rglob("*"))
    return {_RANDOM_NAME.sub(r"\1/*", str(path.relative_to(place))) for path in found}


def contents(place: Path) -> dict[str, bytes]:
    """The contents that are the same in every run: files, results in manifests, and the log of the training."""
    return dict(_contents(place))


def _contents(place: Path) -> Iterator[tuple[str, bytes]]:
    for run in sorted((place / "runs").iterdir()):
        for path in sorted(path for path in run.rglob("*") if path.is_file()):
            name, within = str(path.relative_to(place)), str(path.relative_to(run))
            if _EQUAL.fullmatch(within):
                yield name, path.read_bytes().replace(bytes(place), b"")  # a config's paths are absolute
            elif path.parent == run and path.suffix == ".json":
                manifest = json.loads(path.read_bytes())
                yield f"{name}: results", _as_bytes([manifest["done"], manifest["results"]])
            elif within == "report/tables.json":
                yield f"{name}: without times", _as_bytes(_without_times(json.loads(path.read_bytes())))
            elif path.name == "metrics.jsonl":
                yield f"{name}: without times", _as_bytes(list(map(_without_times, _rows(path))))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _without_times(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_without_times, value))
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if "second" not in key}
    return value


def _as_bytes(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
