"""Hostile result files in the authors' format."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.hostile_inputs.attack import MATHDERIVE, Attack

CONFORM = (*MATHDERIVE, "conformance", "mine_results.json")
KEYS = ("prompt", "derivation", "srepr_derivation")


def attacks() -> Iterator[Attack]:
    """Yields every hostile result file."""
    texts = {
        "nothing": "",
        "no JSON": "[{",
        "a mapping": "{}",
        "no rows": "[]",
        "rows of another form": "[1, null]",
        "deep": "[" * 100_000,
        "deep rows": '[{"prompt": ' + "[" * 50_000,
        "long number": '[{"prompt": ' + "1" * 5_000 + "}]",
        "not a number": '[{"prompt": NaN}]',
        "half a surrogate pair": r'[{"prompt": "\ud800"}]',
        "keys without end": json.dumps([{f"key{number}": 1 for number in range(100_000)}]),
        "latin text": "[{\xff",
    }
    for name, text in texts.items():
        yield Attack(name, _writer(text.encode("latin-1")), CONFORM)
    values = {"a number": 1, "a list": [[]], "null": None, "a megabyte": "x" * 10**6, "spaces": " " * 10**6}
    for key in KEYS:
        for name, value in values.items():
            prepare = _writer(json.dumps([{**_row(), key: value}]).encode())
            # 1 is the exit code of a file that is read and does not conform.
            is_text = isinstance(value, str)
            yield Attack(f"{key} is {name}", prepare, CONFORM, may_succeed=is_text, right_codes=(0, 1))
    for name, srepr in {
        "code": "__import__('os').system('id')",
        "calls without end": "Add(" * 50_000,
        "huge power": "Pow(Integer(9), Pow(Integer(9), Integer(99999)))",
        "huge number": f"Integer({'9' * 10**6})",
        "unknown function": "open('/etc/passwd')",
    }.items():
        steps = [["premise", srepr]]
        yield Attack(f"srepr: {name}", _writer(json.dumps([{**_row(), "srepr_derivation": steps}]).encode()), CONFORM)
    files: dict[str, Callable[[Path], object]] = {
        "pipe": os.mkfifo,
        "link to an endless file": lambda path: path.symlink_to("/dev/zero"),
        "link to itself": lambda path: path.symlink_to(path.name),
        "sparse terabyte": _make_sparse,
        "folder": lambda path: path.mkdir(),
    }
    for name, make in files.items():

        def prepare(folder: Path, make: Callable[[Path], object] = make) -> None:
            make(folder / "mine_results.json")

        yield Attack(name, prepare, CONFORM)


def _make_sparse(path: Path) -> None:
    """Makes a file of a terabyte that takes no room."""
    path.touch()
    os.truncate(path, 2**40)


def _row() -> dict[str, object]:
    row: dict[str, object] = {}
    equality = "Equality(Function('f')(Symbol('x', commutative=True)), Symbol('x', commutative=True))"
    for prefix in ("", "VR ", "EE ", "AG ", "SR "):
        row[f"{prefix}prompt"] = "Given f{(x)} = x, then obtain f{(x)} = x"
        row[f"{prefix}derivation"] = "f{(x)} = x"
        row[f"{prefix}srepr_derivation"] = [["premise", equality]]
    return {**row, **{f"{prefix}_mine": "f{(x)} = x" for prefix in ("static", "VR", "EE", "AG", "SR")}}


def _writer(content: bytes) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        (folder / "mine_results.json").write_bytes(content)

    return prepare
