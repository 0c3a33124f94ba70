"""The card of an exported dataset: a README with the YAML header that Hugging Face's `datasets` reads."""

from collections.abc import Mapping
from typing import Any

import yaml

from mathderive.core.environment import versions
from tfds_builders.export import texts
from tfds_builders.export.formats import Format
from tfds_builders.export.rows import Column
from tfds_builders.export.source import Source

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

_CARD = """---
{header}---

# {name}

{summary}

Made by `mathderive export`, version {version}, from its TFDS dataset `derivations` {builder} with seed {seed} and SymPy
{sympy}. The content hash over the decoded examples, which mathderive prints and stores in the TFDS metadata as well, is
`{content_hash}`. `SHA256SUMS` holds the checksums of these files (`sha256sum --check SHA256SUMS`), and `croissant.json`
describes them in [Croissant](https://docs.mlcommons.org/croissant/).

```python
from datasets import load_dataset

dataset = load_dataset("{name}")  # the path of this folder
print(dataset["train"][0])
```

## Splits

{splits}

{disjoint}

## Columns

{columns}

## Settings

```yaml
{settings}```

## Collection

{collection}

## Limitations and biases

{limitations}

{biases}

## Uses

{uses}

## Personal information

{personal}

## License and citation

Apache 2.0.

```bibtex
{citation}
```
"""


def write_card(source: Source, chosen: Format, name: str) -> str:
    """The text of the card.

    Args:
        name: the name of the export's folder.
    """
    return _CARD.format(
        header=yaml.safe_dump(_header(source, chosen, name), sort_keys=False, allow_unicode=True),
        name=name,
        summary=texts.SUMMARY,
        version=versions(["mathderive"])["mathderive"],
        builder=source.version,
        seed=source.seed,
        sympy=versions(["sympy"])["sympy"],
        content_hash=source.content_hash,
        splits=_table(("split", "examples", "contents"), _split_rows(source)),
        disjoint=_disjointness(source),
        columns=_table(("column", "type", "contents"), list(_column_rows(chosen.columns))),
        settings=yaml.safe_dump({"seed": source.seed, **source.settings}, sort_keys=False, default_flow_style=None),
        collection=texts.COLLECTION,
        limitations=texts.LIMITATIONS,
        biases=texts.BIASES,
        uses=texts.USE_CASES,
        personal=texts.PERSONAL_INFORMATION,
        citation=source.citation.strip(),
    )


def _header(source: Source, chosen: Format, name: str) -> dict[str, Any]:
    total = sum(source.sizes.values())
    return {
        "pretty_name": name,
        "license": "apache-2.0",
        "language": ["en"],
        "task_categories": ["text-generation"],
        "tags": ["mathematics", "latex", "derivations", "synthetic"],
        "size_categories": [next((words for end, words in _SIZES if total < end), "n>1M")],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"data/{split}-*.{chosen.suffix}"}
                    for split, size in source.sizes.items()
                    if size
                ],
            }
        ],
        # Without it, a list that is empty in all rows of a block would have no type.
        "dataset_info": {"features": [_feature(name, column) for name, column in chosen.columns.items()]},
        "content_hash": source.content_hash,
    }


def _feature(name: str, column: Column) -> dict[str, Any]:
    kind = {"text": "string", "integer": "int64"}.get(str(column.kind))
    if column.parts is not None:
        return {"name": name, "list": [_feature(part, one) for part, one in column.parts.items()]}
    return {"name": name, "list": kind} if column.is_list else {"name": name, "dtype": kind}


def _disjointness(source: Source) -> str:
    if source.settings.get("leak_free"):
        return "No example of one of train, validation and the others is in another one of these three, up to renaming."
    return "The splits are consecutive derivations, as in the paper; they may share derivations up to renaming."


def _split_rows(source: Source) -> list[tuple[str, ...]]:
    return [(f"`{split}`", str(size), texts.SPLITS.get(split, "")) for split, size in source.sizes.items()]


def _column_rows(columns: Mapping[str, Column], prefix: str = "") -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, column in columns.items():
        kind = f"list of {column.kind or 'record'}s" if column.is_list else str(column.kind)
        rows.append((f"`{prefix}{name}`", kind, column.description))
        rows += _column_rows(column.parts or {}, f"{prefix}{name}.")
    return rows


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
