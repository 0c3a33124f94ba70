"""Reads and validates the authors' `*_results.json` files, and merges them into examples and recorded outputs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mathderive.core.errors import InputError
from mathderive.core.files import read_json
from mathderive.records import EvaluationSet, Example, StepRecord
from mathderive.symbolic.prompts import parse_few_shot_prompt, split_prompt

MAX_BYTES = 64 * 2**20
"""Maximum size of a result file; the largest of the authors' files has 4 MB."""

_KEY_PREFIX: Mapping[EvaluationSet, str] = {"static": "", "vr": "VR ", "ee": "EE ", "ag": "AG ", "sr": "SR "}
RELEASED_SETS: tuple[EvaluationSet, ...] = tuple(_KEY_PREFIX)
"""The evaluation sets that the authors' files hold."""

_OUTPUT_PREFIX: Mapping[EvaluationSet, str] = {
    "static": "static_",
    "vr": "VR_",
    "ee": "EE_",
    "ag": "AG_",
    "sr": "SR_",
}
_SCORE_KEY = re.compile(r"^static_(rouge|bleu|bleurt|gleu)$")
_FEW_SHOT_START = "The following examples consist of"


@dataclass
class Released:
    """The contents of several result files.

    Attributes:
        examples: the examples of each set, in row order.
        outputs: the recorded texts by model and set, in row order.
    """

    examples: dict[EvaluationSet, list[Example]] = field(default_factory=dict)
    outputs: dict[str, dict[EvaluationSet, list[str]]] = field(default_factory=dict)


def find_result_files(places: Sequence[Path]) -> list[Path]:
    """Finds the result files among files and folders; those of a folder are named `*_results.json`.

    Raises:
        InputError: a file or folder is missing, or a folder holds no result file.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = sorted(place.glob("*_results.json"))
            if not inside:
                raise InputError(f"{place}: no *_results.json in this folder; expected the authors' result files")
            found += inside
        elif place.exists():
            found.append(place)
        else:
            raise InputError(f"{place}: no such file or folder; expected result files in the authors' format")
    return found


def read_result_files(paths: Sequence[Path]) -> Released:
    """Reads result files about the same examples; each file holds the outputs of one model.

    Raises:
        InputError: a file is malformed, or two files disagree on an example; the message names file, row and key.
    """
    released = Released()
    origin: dict[EvaluationSet, Path] = {}
    for path in paths:
        rows = _read_rows(path)
        model = _model_name(path, rows)
        if model in released.outputs:
            raise InputError(f"{path}: model {model} is in another of the given files already; expected it once")
        released.outputs[model] = {}
        for name in RELEASED_SETS:
            examples = [_example(path, index, row, name) for index, row in enumerate(rows)]
            if name in released.examples:
                _merge(released.examples[name], examples, path, origin[name])
            else:
                released.examples[name], origin[name] = examples, path
            key = _OUTPUT_PREFIX[name] + model
            released.outputs[model][name] = [_text(path, index, row, key) for index, row in enumerate(rows)]
    return released


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: over {MAX_BYTES} bytes; expected a result file in the authors' format")
    rows = read_json(path, "a result file in the authors' format")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: expected a list of objects, one for each of the authors' examples")
    return rows


def _model_name(path: Path, rows: list[dict[str, Any]]) -> str:
    names = [key.removeprefix("static_") for key in rows[0] if key.startswith("static_") and not _SCORE_KEY.match(key)]
    if len(names) != 1:
        raise InputError(f"{path}: row 0: expected one key static_MODEL with the recorded output, got {len(names)}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", names[0]):
        raise InputError(f"{path}: row 0: {names[0]!r} cannot name a model; expected letters, digits, dots and dashes")
    return names[0]


def _example(path: Path, index: int, row: dict[str, Any], name: EvaluationSet) -> Example:
    prefix = _KEY_PREFIX[name]
    prompt = _text(path, index, row, f"{prefix}prompt")
    few_shot_prompt = prompt if prompt.startswith(_FEW_SHOT_START) else None
    try:
        if few_shot_prompt is not None:
            _, prompt = parse_few_shot_prompt(prompt)
        split_prompt(prompt)
    except ValueError as error:
        raise InputError(f"{path}: row {index}: {prefix}prompt: {error}") from None
    return Example(
        id=f"released-{index}-{name}",
        source_id=f"released-{index}",
        set=name,
        prompt=prompt,
        target=_text(path, index, row, f"{prefix}derivation"),
        steps=_steps(path, index, row, f"{prefix}srepr_derivation"),
        few_shot_prompt=few_shot_prompt,
    )


def _steps(path: Path, index: int, row: dict[str, Any], key: str) -> list[StepRecord]:
    value = row.get(key)
    steps = []
    for step in value if isinstance(value, list) else [None]:
        match step:
            case [str() as annotation, str() as srepr]:
                steps.append(StepRecord(annotation=annotation, srepr=srepr))
            case [[*parts], str() as srepr] if all(type(part) in (str, int) for part in parts):
                steps.append(StepRecord(annotation=parts, srepr=srepr))
            case _:
                raise InputError(f"{path}: row {index}: {key}: expected a list of [annotation, srepr]")
    return steps


def _text(path: Path, index: int, row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise InputError(
            f"{path}: row {index}: {key}: expected text, got {'nothing' if value is None else type(value).__name__}"
        )
    return value


def _merge(known: list[Example], other: list[Example], path: Path, origin: Path) -> None:
    """Checks that two files are about the same examples, and keeps the few-shot prompt that either of them has."""
    if len(known) != len(other):
        raise InputError(f"{path}: {len(other)} rows, but {origin} has {len(known)}; expected the same examples")
    for index, (first, second) in enumerate(zip(known, other, strict=True)):
        if (first.prompt, first.target, first.steps) != (second.prompt, second.target, second.steps):
            raise InputError(f"{path}: row {index}: set {first.set} differs from {origin}; expected the same examples")
        if first.few_shot_prompt is None:
            known[index] = second
