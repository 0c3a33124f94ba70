"""Reads config files and the command line's overrides into the typed tree, and refuses unknown keys by name."""

import difflib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from mathderive.config.schema import Config, Name, predictor_kinds
from mathderive.config.yaml_reading import MAX_DEPTH, parse_yaml
from mathderive.core.errors import InputError
from mathderive.core.extensions import load_extensions
from mathderive.core.regular_files import read_regular_file

MAX_BYTES = 2**20
"""Maximum size of a config file, in bytes; those in configs/ have at most 4 KB."""

PATHS = frozenset({"checkpoint_folder", "extensions", "physics", "released"})
CHECKPOINTS = frozenset({"checkpoint", "init_from"})
"""Keys whose values are paths, and keys whose values are folders or Hugging Face ids."""

MAX_CHAIN = 16
"""Maximum number of files that extend each other, the first and the last one included."""


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a config file and applies `key.sub=value` overrides, whose values are YAML.

    Paths in a file are relative to the file, those in overrides to the current folder. A file with
    `extends: OTHER.yaml` holds only the differences: sections are merged key by key, everything else is replaced. A
    `data.expected_content_hash` is dropped where an extending file or an override asks for other examples.

    Raises:
        InputError: a file or an override is wrong; names it, the key and the expected value.
    """
    tree = _read_tree(path)
    overridden = [_apply_override(tree, override) for override in overrides]
    if any(_asks_for_other_examples(key) for key in overridden) and ("data", "expected_content_hash") not in overridden:
        _forget_expected_hash(tree)
    _load_extensions(tree)
    config = validate(tree, str(path), overridden)
    if config.run.name is None:
        named = config.run.model_copy(update={"name": _name_of_file(path)})
        config = config.model_copy(update={"run": named})
    return config


def _name_of_file(path: Path) -> str:
    """The name that a file gives to its run."""
    try:
        return TypeAdapter(Name).validate_python(path.stem)
    except ValidationError:
        raise InputError(
            f"{path}: {path.stem} cannot name a run folder; expected a file name of at most 64 letters, digits, dots, "
            "underscores and hyphens that begins with a letter or digit, or run.name"
        ) from None


def _read_tree(path: Path) -> dict[str, Any]:
    """Reads a file's sections, merged into those of the files that it extends."""
    chain: list[tuple[Path, dict[str, Any]]] = []
    file, place, extends = path, str(path), ""
    while True:
        tree = _read_file(file, place)
        if file.resolve() in [earlier.resolve() for earlier, _ in chain]:
            raise InputError(f"{extends} extends this file again; expected a chain that ends")
        chain.append((file, tree))
        if "extends" not in tree:
            break
        other = tree.pop("extends")
        if not isinstance(other, str):
            raise InputError(f"{file}: extends: expected the path of another config, relative to this one")
        extends = f"{file}: extends: {other}"
        if len(chain) == MAX_CHAIN:
            raise InputError(f"{extends}: expected a chain of at most {MAX_CHAIN} files")
        place = f"{file}: extends: {file.parent / other}"
        file = file.parent / other
    below: dict[str, Any] = {}
    for _, tree in reversed(chain):
        if any(_asks_for_other_examples((section, key)) for section in tree for key in _keys_of(tree[section])):
            _forget_expected_hash(below)
        below = _merged(below, tree)
    return below


def _read_file(path: Path, place: str) -> dict[str, Any]:
    """Reads the sections of one file.

    Args:
        place: the file and where it is named, for the error if it cannot be read.
    """
    content = read_regular_file(path, MAX_BYTES, "one like configs/quick.yaml", "config file", place)
    try:
        tree = parse_yaml(content.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error})") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path}: expected a mapping of sections ({', '.join(Config.model_fields)})")
    return {key: _with_paths_from(path.parent, key, value) for key, value in tree.items()}


def _with_paths_from(folder: Path, key: str, value: Any) -> Any:
    """A value of a file in this folder with paths that the whole program understands: absolute ones.

    The path of a checkpoint below the current folder stays relative, because a stage compares it with that of its last
    run, which may have been in a container.
    """
    if isinstance(value, dict):
        return {name: _with_paths_from(folder, name, part) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_paths_from(folder, key, part) for part in value]
    if not isinstance(value, str) or not value or key not in PATHS | CHECKPOINTS or "://" in value:
        return value
    path = os.path.normpath(Path.cwd() / folder / value)
    if key in PATHS:
        return path
    if not value.startswith((".", os.sep)) and not os.path.lexists(path):
        return value  # a Hugging Face id such as `google/flan-t5-base`
    return path.removeprefix(f"{Path.cwd()}{os.sep}")


def _load_extensions(tree: dict[str, Any]) -> None:
    """Loads the listed files, because validation looks up what they register; it also refuses anything but a list.

    Without any, worker processes load none either, even if the environment of this process names some.
    """
    files = tree.get("extensions")
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        files = []
    load_extensions(map(Path, files))


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = _merged(below[key], above[key])
    return merged


def _keys_of(section: Any) -> Iterable[str]:
    return section if isinstance(section, dict) else ("",)


def _asks_for_other_examples(key: tuple[str, ...]) -> bool:
    return (key[0] == "data" and key[1:] != ("workers",)) or key[:2] == ("run", "seed") or key[0] == "extensions"


def _forget_expected_hash(tree: dict[str, Any]) -> None:
    if isinstance(tree.get("data"), dict):
        tree["data"].pop("expected_content_hash", None)


def validate(tree: dict[str, Any], place: str, overridden: Sequence[tuple[str, ...]] = ()) -> Config:
    """Makes the typed tree.

    Args:
        place: the file, named in errors.
        overridden: keys that overrides set; errors about them name the command line instead.
    """
    try:
        # Through JSON, because pydantic's strict mode then accepts a list for a tuple but still not "5" for 5.
        return Config.model_validate_json(json.dumps(tree))
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # A misspelt key often gives two errors, unknown and missing; the first says more.
        first: Any = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
        raise InputError(_explain(first, tree, place, overridden)) from None


def dump_config(config: Config) -> str:
    """The resolved config as YAML that `load_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _apply_override(tree: dict[str, Any], override: str) -> tuple[str, ...]:
    key, equals, text = override.partition("=")
    path = tuple(key.split("."))
    if not equals or not all(path) or not key.isprintable():
        raise InputError(f"command line: {override}: expected key.sub=value, such as training.learning_rate=1e-3")
    if len(path) > MAX_DEPTH:
        raise InputError(f"command line: {override}: expected a key of at most {MAX_DEPTH} parts")
    name = next((part for part in reversed(path) if not part.isdigit()), "")
    value = _with_paths_from(Path(), name, parse_yaml(text, f"command line: {key}"))
    node: Any = tree
    for depth, part in enumerate(path[:-1]):
        node = _child(node, part, path[: depth + 1], override, make=True)
    if isinstance(node, list):
        _child(node, path[-1], path, override)
        node[int(path[-1])] = value
    elif isinstance(node, dict):
        node[path[-1]] = value
    else:
        raise InputError(f"command line: {override}: {'.'.join(path[:-1])} is a value, not a section")
    return path


def _child(node: Any, part: str, path: tuple[str, ...], override: str, make: bool = False) -> Any:
    if isinstance(node, list):
        if not re.fullmatch(r"[0-9]{1,9}", part) or int(part) >= len(node):
            raise InputError(f"command line: {override}: {'.'.join(path)}: expected an index below {len(node)}")
        return node[int(part)]
    if not isinstance(node, dict):
        raise InputError(f"command line: {override}: {'.'.join(path[:-1])} is a value, not a section")
    if node.get(part) is None and make:
        node[part] = {}
    return node[part]


def _explain(problem: Any, tree: dict[str, Any], place: str, overridden: Sequence[tuple[str, ...]]) -> str:
    location = tuple(map(str, problem["loc"]))
    if any(path == location[: len(path)] or (location == path[: len(location)] and location) for path in overridden):
        place = "command line"
    key = ".".join(location) or "config"
    if problem["type"] == "extra_forbidden":
        known = sorted(set(_known_keys(problem["loc"], tree)))
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
        return f"{place}: {key}: unknown key; {hint}"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if problem["type"] == "missing":
        return f"{place}: {key}: missing; expected a value"
    given = problem["input"]
    shown = "" if isinstance(given, dict | list) else f", got {json.dumps(given)[:80]}"
    return f"{place}: {key}: {message}{shown}"


def section_type(annotation: Any) -> type[BaseModel] | None:
    """The model of a key that holds a section, which may be optional; None for other keys."""
    options = [annotation, *get_args(annotation)]
    return next((one for one in options if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _known_keys(location: Sequence[Any], tree: dict[str, Any]) -> Iterator[str]:
    """The keys that are allowed in the place of the last part of `location`."""
    kind: Any = Config
    if location[0] == "predictors":
        kind, location = predictor_kinds()[tree["predictors"][location[1]]["kind"]].settings, location[2:]
    for part in location[:-1]:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = section_type(kind.model_fields[str(part)].annotation)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from kind.model_fields
