"""The rows of an export: everything about an example in columns that no other library is needed to read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mathderive.records import Example, to_line
from mathderive.symbolic.engine.derivation import (
    annotation_from_json,
    read_operand,
    read_srepr,
    step_references,
    write_srepr,
)
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import SEPARATOR, split_prompt

Row = dict[str, Any]

INSTRUCTION = "Write one LaTeX equation per line, from the premises to the goal, and nothing else."
"""The last paragraph of a message to a chat model."""


@dataclass(frozen=True)
class Column:
    """A column of an export.

    Attributes:
        kind: `text` or `integer`; None for a record with `parts`.
        description: a phrase for the card.
        is_list: whether a row holds a list of values.
        parts: the columns of a record.
    """

    kind: str | None
    description: str
    is_list: bool = False
    parts: "Mapping[str, Column] | None" = None


_IDENTITY = {
    "id": Column("text", "`SOURCE-SPLIT`"),
    "source_id": Column("text", "number of the generator's attempt; a static example and its variants share it"),
}
_STEP = {
    "operator": Column("text", "operator, or kind of premise"),
    "equations": Column("integer", "numbers, from 1, of the steps that the operator is applied to", is_list=True),
    "operands": Column("text", "further operands, as SymPy's `srepr`", is_list=True),
    "operands_latex": Column("text", "the same as LaTeX", is_list=True),
    "srepr": Column("text", "equation, as SymPy's `srepr`"),
    "latex": Column("text", "equation, as LaTeX"),
}
_PARTS = {
    "premises": Column("text", "premises of the prompt", is_list=True),
    "requested": Column("text", "equations that the prompt asks for before the goal", is_list=True),
    "goal": Column("text", "goal of the prompt"),
}
_ORIGIN = {
    "seed": Column("integer", "seed of the generator"),
    "content_hash": Column("text", "SHA-256 of the example as the kit's line of JSON"),
}
_MESSAGE = {"role": Column("text", "`user` or `assistant`"), "content": Column("text", "text of the message")}

COLUMNS: Mapping[str, Column] = {
    **_IDENTITY,
    "prompt": Column("text", "question: `Given PREMISES, then derive X, then obtain GOAL`"),
    **_PARTS,
    "target": Column("text", "reference derivation: the equations of the steps, joined by ` and `"),
    "steps": Column(None, "steps of the reference derivation", is_list=True, parts=_STEP),
    **_ORIGIN,
}
"""The columns of the formats `jsonl` and `parquet`."""

MESSAGE_COLUMNS: Mapping[str, Column] = {
    **_IDENTITY,
    "messages": Column(None, "question and reference derivation as a chat", is_list=True, parts=_MESSAGE),
    **_ORIGIN,
}
"""The columns of the format `messages`, for supervised fine-tuning of chat models."""

RL_COLUMNS: Mapping[str, Column] = {
    **_IDENTITY,
    "prompt": Column(None, "message to the model", is_list=True, parts=_MESSAGE),
    "question": Column("text", "bare prompt, which the checker takes"),
    **_PARTS,
    "answer": Column("text", "reference derivation, one of many right answers"),
    **_ORIGIN,
}
"""The columns of the format `rl`, for reinforcement learning against the checker."""


def full_row(example: Example, seed: int) -> Row:
    """The row of an example in the formats `jsonl` and `parquet`.

    Raises:
        ValueError: the example has no prompt of our form, or its steps cannot be read.
    """
    return {
        **_identity(example),
        "prompt": example.prompt,
        **_parts(example),
        "target": example.target,
        "steps": _steps(example),
        **_origin(example, seed),
    }


def message_row(example: Example, seed: int) -> Row:
    """The row of an example in the format `messages`."""
    answer = {"role": "assistant", "content": "\n".join(example.target.split(SEPARATOR))}
    return {**_identity(example), "messages": [_question(example), answer], **_origin(example, seed)}


def rl_row(example: Example, seed: int) -> Row:
    """The row of an example in the format `rl`; raises as `full_row`."""
    return {
        **_identity(example),
        "prompt": [_question(example)],
        "question": example.prompt,
        **_parts(example),
        "answer": example.target,
        **_origin(example, seed),
    }


def _identity(example: Example) -> Row:
    return {"id": example.id, "source_id": example.source_id}


def _parts(example: Example) -> Row:
    prompt = split_prompt(example.prompt)
    return {"premises": list(prompt.premises), "requested": list(prompt.derive), "goal": prompt.goal}


def _origin(example: Example, seed: int) -> Row:
    return {"seed": seed, "content_hash": hashlib.sha256(to_line(example).encode()).hexdigest()}


def _question(example: Example) -> Row:
    return {"role": "user", "content": f"{example.prompt}\n\n{INSTRUCTION}"}


def _steps(example: Example) -> list[Row]:
    printed = example.target.split(SEPARATOR)  # the target is the steps' LaTeX; to print it anew takes a minute
    if len(printed) != len(example.steps):
        printed = [latex(read_srepr(step.srepr)) for step in example.steps]
    return [
        {**_annotation(step.annotation), "srepr": step.srepr, "latex": text}
        for step, text in zip(example.steps, printed, strict=True)
    ]


def _annotation(value: object) -> Row:
    annotation = annotation_from_json(value)
    if isinstance(annotation, str):
        return {"operator": annotation, "equations": [], "operands": [], "operands_latex": []}
    references = step_references(annotation)
    operands = [read_operand(operand) for operand in annotation[1 + len(references) :]]
    return {
        "operator": str(annotation[0]),
        "equations": list(references),
        "operands": [write_srepr(operand) for operand in operands],
        "operands_latex": [latex(operand) for operand in operands],
    }
