"""The metadata of an export in Croissant 1.0, with its vocabulary for responsible AI (RAI 1.0).

The format: https://docs.mlcommons.org/croissant/docs/croissant-spec.html and croissant-rai-spec.html.
"""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mathderive.core.files import sha256
from tfds_builders.export import texts
from tfds_builders.export.formats import Format
from tfds_builders.export.rows import Column
from tfds_builders.export.source import Source

_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives."""


def croissant(
    source: Source, chosen: Format, folder: Path, files: Mapping[str, Sequence[Path]], name: str
) -> dict[str, Any]:
    """The metadata as JSON-LD.

    Args:
        folder: the export's folder.
        files: the data files in it, by split.
        name: the export's name.
    """
    filled = {split: paths for split, paths in files.items() if paths}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name,
        "description": texts.SUMMARY,
        "url": texts.HOMEPAGE,
        "license": texts.LICENSE_URL,
        "creator": {"@type": "sc:Organization", "name": "mathderive"},
        "datePublished": _date(),
        "version": source.version,
        "citeAs": " ".join(source.citation.split()),
        "keywords": ["mathematics", "latex", "derivations", "synthetic"],
        "identifier": f"sha256:{source.content_hash}",
        "rai:dataCollection": texts.COLLECTION,
        "rai:dataCollectionType": "Software Collection",
        "rai:dataLimitations": texts.LIMITATIONS,
        "rai:dataBiases": texts.BIASES,
        "rai:dataUseCases": texts.USE_CASES,
        "rai:dataSocialImpact": texts.SOCIAL_IMPACT,
        "rai:personalSensitiveInformation": texts.PERSONAL_INFORMATION,
        "rai:hasSyntheticData": True,
        "distribution": [entry for split, paths in filled.items() for entry in _files(split, paths, chosen, folder)],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": split,
                "name": split,
                "description": texts.SPLITS.get(split, split),
                "key": {"@id": f"{split}/id"},
                "field": [_field(split, f"{split}/{one}", one, column) for one, column in chosen.columns.items()],
            }
            for split in filled
        ],
    }


def _date() -> str:
    """Today, or the day of `SOURCE_DATE_EPOCH` (https://reproducible-builds.org/specs/source-date-epoch/)."""
    stated = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.strftime("%Y-%m-%d", time.gmtime(int(stated) if stated.isdigit() else None))


def _files(split: str, paths: Sequence[Path], chosen: Format, folder: Path) -> list[dict[str, Any]]:
    """The entries of a split's files, and of the set that they form."""
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": path.relative_to(folder).as_posix(),
            "name": path.name,
            "contentUrl": path.relative_to(folder).as_posix(),
            "contentSize": f"{path.stat().st_size} B",
            "encodingFormat": chosen.media_type,
            "sha256": sha256(path),
        }
        for path in paths
    ]
    file_set = {
        "@type": "cr:FileSet",
        "@id": f"{split}-files",
        "name": f"{split}-files",
        "encodingFormat": chosen.media_type,
        "includes": f"data/{split}-*.{chosen.suffix}",
    }
    return [*objects, file_set]


def _field(split: str, identifier: str, name: str, column: Column, inside: str = "") -> dict[str, Any]:
    """The entry of a column, or of a part of the records in the column `inside`."""
    extract: dict[str, Any] = {"extract": {"column": inside or name}}
    if inside:
        extract["transform"] = {"jsonPath": name}
    entry: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": identifier,
        "name": name,
        "description": column.description,
        "source": {"fileSet": {"@id": f"{split}-files"}, **extract},
    }
    if column.is_list:
        entry["repeated"] = True
    if column.parts is None:
        entry["dataType"] = {"text": "sc:Text", "integer": "sc:Integer"}[str(column.kind)]
    else:
        entry["subField"] = [
            _field(split, f"{identifier}/{part}", part, one, inside or name) for part, one in column.parts.items()
        ]
    return entry
