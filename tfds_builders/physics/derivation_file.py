"""Reads and validates a file of derivations that people wrote, in the form of `physics_derivations.json`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mathderive.core.errors import InputError
from mathderive.core.files import read_json
from mathderive.core.regular_files import check_regular_file
from mathderive.records import Example
from mathderive.symbolic.prompts import GIVEN, OBTAIN, SEPARATOR, split_prompt

MAX_BYTES = 2**22
"""Maximum size of a file; that of the authors has 0.3 MB."""

_MARK = "%PREM"
"""A comment in the LaTeX source of the authors, which some goals in their file still have. It is left out."""

_FORM = "a list of objects with the texts name, field, derivation and prompt and the list of texts premises"

_Text = Annotated[str, Field(min_length=1)]


class _Row(BaseModel):
    """A derivation as the file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(min_length=1, max_length=1000)
    field: str = Field(min_length=1, max_length=100)
    premises: list[_Text] = Field(min_length=1)
    derivation: _Text
    prompt: _Text


_ROWS = TypeAdapter(Annotated[list[_Row], Field(min_length=1)])


@dataclass(frozen=True)
class PhysicsDerivation:
    """A derivation that people wrote.

    Attributes:
        name: its title, such as `Escape velocity`.
        field: the field of physics.
        example: the question and the derivation, without annotated steps.
    """

    name: str
    field: str
    example: Example


def check_derivation_file(path: Path) -> None:
    """Checks that there is a file that may be read.

    Raises:
        InputError: there is none, it is no regular file, or it is too large.
    """
    check_regular_file(path, MAX_BYTES, _FORM)


def read_derivation_file(path: Path) -> list[PhysicsDerivation]:
    """Reads the derivations of a file, in its order.

    Raises:
        InputError: the file is missing or malformed, or the parts of a derivation do not belong together; the message
            names file, row and key.
    """
    tree = read_json(path, _FORM, MAX_BYTES)
    try:
        rows = _ROWS.validate_python(tree)
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        index, *key = first["loc"] or [None]
        place = "" if index is None else f" row {index}:" + (f" {'.'.join(map(str, key))}:" if key else "")
        raise InputError(f"{path}:{place} {first['msg']}; expected {_FORM}") from None
    return [
        PhysicsDerivation(row.name, row.field, _example(index, row, f"{path}: row {index}"))
        for index, row in enumerate(rows)
    ]


def _example(index: int, row: _Row, place: str) -> Example:
    given = GIVEN + SEPARATOR.join(row.premises) + OBTAIN
    if not row.prompt.startswith(given):
        raise InputError(
            f"{place}: prompt: expected {GIVEN!r}, the premises with {SEPARATOR!r} between, {OBTAIN!r}, a goal"
        )
    goal = _without_mark(row.prompt.removeprefix(given))
    if not goal.strip() or not f"{SEPARATOR}{row.derivation}".endswith(f"{SEPARATOR}{goal}"):
        raise InputError(f"{place}: derivation: its end is not the goal of the prompt; expected equations up to that")
    prompt = given + goal
    try:
        derive = split_prompt(prompt).derive
    except ValueError as error:
        raise InputError(f"{place}: prompt: {error}") from None
    if derive:
        raise InputError(f"{place}: prompt: it asks for intermediate results; expected premises and a goal alone")
    source = f"physics-{index}"
    return Example(
        id=f"{source}-static", source_id=source, set="static", prompt=prompt, target=row.derivation, steps=[]
    )


def _without_mark(goal: str) -> str:
    """Leaves the mark out as the authors did in their derivations: with the spaces that are left over."""
    return goal if _MARK not in goal else " ".join(filter(None, goal.replace(_MARK, "").split(" ")))
