"""Result files in the authors' format, made up."""

import json
from pathlib import Path


def released_file(folder: Path, **changes: object) -> Path:
    """A result file in the authors' format with one made-up example; `changes` replace its keys, null removes one."""
    row: dict[str, object] = {}
    equations = ["f{(x)} = x", "f{(x)} + 1 = x + 1"]
    steps = [
        ["premise", "Equality(Function('f')(Symbol('x', commutative=True)), Symbol('x', commutative=True))"],
        [
            ["add", 1, "Integer(1)"],
            "Equality(Add(Function('f')(Symbol('x', commutative=True)), Integer(1)), "
            "Add(Symbol('x', commutative=True), Integer(1)))",
        ],
    ]
    for prefix in ("", "VR ", "EE ", "AG ", "SR "):
        row[f"{prefix}prompt"] = f"Given {equations[0]}, then obtain {equations[1]}"
        row[f"{prefix}derivation"] = " and ".join(equations)
        row[f"{prefix}srepr_derivation"] = steps
    for prefix in ("static", "VR", "EE", "AG", "SR"):
        row[f"{prefix}_mine"] = equations[1]
    row.update(changes)
    path = folder / "mine_results.json"
    path.write_text(json.dumps([{key: value for key, value in row.items() if value is not None}]), encoding="utf-8")
    return path
