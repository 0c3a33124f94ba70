"""Describes every key of a config in Markdown, from the typed tree: docs/configuration.md, but for its introduction."""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel, TypeAdapter

from mathderive.config.loading import section_type
from mathderive.config.schema import Config, PredictorSettings, predictor_kinds

START = "<!-- The rest is written by `./run.sh docs --update`. -->\n"
"""The line of the page after which the reference begins."""

BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} character",
    "pattern": "of the form `{}`",
}
"""The words for the restrictions of a JSON schema."""

TYPES = {"integer": "integer", "number": "number", "string": "text", "object": "mapping", "null": "null"}
"""The words for the types of a JSON schema."""


def updated_page(page: str) -> str:
    """The text of docs/configuration.md with its reference written anew.

    Raises:
        ValueError: the page lacks the line after which the reference begins.
    """
    introduction, start, _ = page.partition(START)
    if not start:
        raise ValueError(f"docs/configuration.md: expected the line {START.strip()}")
    return f"{introduction}{START}\n{config_reference()}"


def config_reference() -> str:
    """Every section of the config with a table of its keys, then the keys of each built-in kind of predictor."""
    parts = ["\n".join(["## Sections", "", *_table(Config, "")])]
    for name, field in Config.model_fields.items():
        if section := section_type(field.annotation):
            parts += _sections(name, section, 2)
        elif name == "predictors":
            parts.append(f"## predictors\n\n{attribute_docs(Config)[name]} Each entry has a `kind`:")
            for kind, entry in predictor_kinds().items():
                parts += _sections(kind, entry.settings, 3)
    return "\n\n".join(parts) + "\n"


def attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """The docstring of each key, which stands below it in the source, in one line."""
    docs: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            (definition,) = ast.parse(dedent(inspect.getsource(owner))).body
            assert isinstance(definition, ast.ClassDef)
            for key, below in pairwise(definition.body):
                if isinstance(key, ast.AnnAssign) and isinstance(below, ast.Expr):
                    docs[ast.unparse(key.target)] = " ".join(str(ast.literal_eval(below.value)).split())
    return docs


def _sections(name: str, model: type[BaseModel], depth: int) -> Iterator[str]:
    """A section with its heading and its table, then the sections below it."""
    yield "\n".join([f"{'#' * depth} {name}", "", inspect.cleandoc(str(model.__doc__)), "", *_table(model, name)])
    for key, field in model.model_fields.items():
        section = section_type(field.annotation)
        if section and section is not PredictorSettings:
            yield from _sections(f"{name}.{key}", section, 3)


def _table(model: type[BaseModel], name: str) -> Iterator[str]:
    """The table of a section's keys; `name` is the section's, empty for the whole config."""
    schemas, docs = model.model_json_schema()["properties"], attribute_docs(model)
    yield "| key | values | default | meaning |"
    yield "|---|---|---|---|"
    for key, field in model.model_fields.items():
        section = section_type(field.annotation)
        default = "required" if field.is_required() else _written(field.get_default(call_default_factory=True))
        # A section without a docstring at its key is explained by its own.
        meaning = docs.get(key) or (section and inspect.cleandoc(str(section.__doc__)).partition("\n")[0])
        yield f"| `{key}` | {_values(schemas[key], f'{name}{key}'.replace('.', ''))} | {default} | {meaning or ''} |"


def _written(value: Any) -> str:
    """A default as a config may say it; the defaults of a section stand in its own table."""
    return (
        "its defaults"
        if isinstance(value, BaseModel)
        else f"`{json.dumps(TypeAdapter(Any).dump_python(value, mode='json'))}`"
    )


def _values(schema: Mapping[str, Any], anchor: str) -> str:
    """The allowed values of a key in words.

    Args:
        schema: the key's JSON schema.
        anchor: the anchor of its heading if it is a section.
    """
    if "anyOf" in schema:
        return ", or ".join(_values(one, anchor) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    if "$ref" in schema:
        is_predictor = schema["$ref"].endswith(PredictorSettings.__name__)
        return "[predictor](#predictors)" if is_predictor else f"[section](#{anchor})"
    if schema["type"] == "array":
        several = schema.get("prefixItems")
        items = _values(several[0] if several else schema["items"], anchor)
        return f"list of {len(several)}: {items}" if several else f"list of {items}"
    if schema["type"] == "boolean":
        return "`true` or `false`"
    bounds = [words.format(schema[bound]) for bound, words in BOUNDS.items() if bound in schema]
    return ", ".join([TYPES[schema["type"]], *bounds])
