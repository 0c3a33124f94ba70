"""The released derivations of the authors' result files, as ours."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mathderive.symbolic.derivation import Derivation, derivation_from_json

FILES = ("flan-t5-large", "gpt-4", "chatgpt")
SETS = ("static", "VR", "EE", "AG", "SR")

UNRENAMED_ROW = 25
"""The row whose VR variant has a bound variable that the authors left unrenamed: steps 4 and 5 do not replay."""


@dataclass(frozen=True)
class Released:
    row: int
    set: str
    prompt: str
    target: str
    sreprs: tuple[str, ...]
    derivation: Derivation


@cache
def load(folder: Path, file: str = "flan-t5-large") -> tuple[Released, ...]:
    rows = json.loads((folder / f"{file}_results.json").read_text(encoding="utf-8"))
    return tuple(
        Released(
            row=number,
            set=name,
            prompt=row[f"{prefix}prompt"],
            target=row[f"{prefix}derivation"],
            sreprs=tuple(text for _, text in row[f"{prefix}srepr_derivation"]),
            derivation=derivation_from_json(row[f"{prefix}srepr_derivation"]),
        )
        for number, row in enumerate(rows)
        for name in SETS
        for prefix in ["" if name == "static" else f"{name} "]
    )
