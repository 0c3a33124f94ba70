"""Made-up result files in the authors' format."""

import json
from pathlib import Path


def released_file(folder: Path, **changes: object) -> Path:
    """Writes a result file with one example; `changes` replace its keys, and None removes a key."""
    return _write(folder, [{**_row("x"), **changes}])


def large_released_file(folder: Path, rows: int) -> Path:
    """Writes a result file with so many rows, whose prompts are all different."""
    return _write(folder, [_row(f"x^{{{number}}}") for number in range(rows)])


def _write(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "mine_results.json"
    present = [{key: value for key, value in row.items() if value is not None} for row in rows]
    path.write_text(json.dumps(present), encoding="utf-8")
    return path


def _row(side: str) -> dict[str, object]:
    row: dict[str, object] = {}
    steps = [
        ["premise", "Equality(Function('f')(Symbol('x', commutative=True)), Symbol('x', commutative=True))"],
        [
            ["add", 1, "Integer(1)"],
            "Equality(Add(Function('f')(Symbol('x', commutative=True)), Integer(1)), "
            "Add(Symbol('x', commutative=True), Integer(1)))",
        ],
    ]
    for number, prefix in enumerate(("", "VR ", "EE ", "AG ", "SR ")):
        equations = [f"f{{(x)}} = {side}", f"f{{(x)}} + {number} = {side} + {number}"]
        row[f"{prefix}prompt"] = f"Given {equations[0]}, then obtain {equations[1]}"
        row[f"{prefix}derivation"] = " and ".join(equations)
        row[f"{prefix}srepr_derivation"] = steps
    for prefix in ("static", "VR", "EE", "AG", "SR"):
        row[f"{prefix}_mine"] = equations[1]
    return row
