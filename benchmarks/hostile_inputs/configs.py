"""Hostile configs: endless, huge, deep, recursive or impossible files and overrides."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.hostile_inputs.attack import MATHDERIVE, Attack

READ_CONFIG = (*MATHDERIVE, "ledger", "unaccounted", "--config")
"""The quickest command that reads a config; with a right one it is refused as well, because there is no ledger."""

WHOLE = {
    "run": {"seed": 1},
    "data": {"sizes": {"train": 10, "validation": 2, "static": 5}, "sampling": {"length_min": 4}},
    "model": {"d_model": 16},
    "training": {"batch_size": 4, "steps": 10, "learning_rate": 1e-3},
    "decoding": {"batch_size": 4},
    "predictors": [{"kind": "copy"}, {"kind": "openai", "name": "gpt", "model": "m", "parameters": {"x": 1}}],
    "score": {"workers": 1},
    "report": {"title": "mine", "examples": 3},
}
"""A right config that has a value of every type."""

VALUES = {
    "long number": "1" * 5_000,
    "long hexadecimal number": "0x" + "f" * 5_000,
    "number in base 60": "1" + ":59" * 20_000,
    "infinity": ".inf",
    "not a number": ".nan",
    "huge exponent": "1e99999",
    "negative": "-1",
    "text of a megabyte": "x" * 10**6,
    "half a surrogate pair": r'"\udc80"',
    "no character": r'"\Uffffffff"',
    "control characters": r'"\e]0;title\a\0"',
    "list": "[[], {}]",
    "deep list": "[" * 2_000,
    "deep mapping": "{a: " * 2_000,
    "python object": "!!python/object/apply:os.system [id]",
    "empty number": "!!int ''",
    "impossible truth": "!!bool perhaps",
    "impossible date": "!!timestamp never",
    "date": "2020-01-01",
    "set": "!!set {a, b}",
    "binary": "!!binary aGk=",
    "undefined alias": "*nothing",
    "recursive list": "&a [*a]",
    "recursive mapping": "&a {x: *a}",
}
"""Values, as YAML, that no key expects."""

PLACES = ("run.seed", "data.sizes.train", "model.d_model", "training.learning_rate", "predictors.1.parameters.x")
"""Keys that the values are put at, in a file and on the command line."""


def attacks() -> Iterator[Attack]:
    """Yields every hostile config."""
    yield from _values()
    yield from _texts()
    yield from _files()
    yield from _keys()


def _values() -> Iterator[Attack]:
    for place in PLACES:
        for name, value in VALUES.items():
            text = json.dumps(_with_marker(place)).replace('"MARKER"', value)
            yield _file_attack(f"{name} at {place}", text)
            if len(value) < 100_000 and "\0" not in value:  # the kernel's limit of one argument
                arguments = (*READ_CONFIG, "top.yaml", f"{place}={value}")
                yield Attack(f"{name} as override of {place}", _writer(json.dumps(WHOLE)), arguments)


def _with_marker(place: str) -> object:
    tree = json.loads(json.dumps(WHOLE))
    node = tree
    *sections, key = place.split(".")
    for section in sections:
        node = node[int(section)] if isinstance(node, list) else node[section]
    node[key] = "MARKER"
    return tree


def _texts() -> Iterator[Attack]:
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    maps = "".join(f"b{n}: &b{n} {{x: *b{n - 1}, y: *b{n - 1}}}\n" for n in range(1, 60))
    texts = {
        "aliases of lists": f"a0: &a0 [x]\n{laughs}",
        "aliases of mappings": f"b0: &b0 {{x: 1}}\n{maps}",
        "aliases of a long text": f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 9_000)}]",
        "aliases as keys": "a: &a x\n" + "".join(f"? *a\n: {n}\n" for n in range(9_000)),
        "merged mappings": "a: &a {x: 1}\nrun: {<<: *a}",
        "many keys": "".join(f"key{n}: 1\n" for n in range(50_000)),
        "many predictors": f"predictors: [{', '.join(['{kind: copy}'] * 40_000)}]",
        "few unknown keys": "".join(f"key{n}: 1\n" for n in range(4_000)),
        "digits before text": f"report: {{title: {'1' * 10**6}x}}",
        "deep block": "".join(" " * n + "a:\n" for n in range(1_000)),
        "deep sequence": "- " * 100_000,
        "long anchor": f"run: &{'a' * 10**6} {{}}",
        "long tag": f"run: !{'a' * 10**6} x",
        "long key": f"? {'k' * 10**6}\n: 1",
        "escaped key": r'"\e[2J\u202e": 1',
        "many documents": "---\n" * 100_000,
        "directives": "%YAML " + "9" * 5_000 + ".1\n---\na: 1",
        "many comments": "#\n" * 400_000 + "x: 1",
        "spaces": " " * 10**6,
        "tabs": "\t" * 10**6,
        "quotes": '"' * 10**6,
        "open quote": 'a: "' + "x\n" * 400_000,
        "block text": "a: |\n" + " x\n" * 300_000,
        "commas": f"[{',' * 10**6}]",
        "colons": ":" * 10**6,
        "question marks": "? " * 100_000,
        "braces": "{" * 10**6,
        "20 megabytes": "a: 1\n" * 4_000_000,
        "list at the top": "[1]",
        "nothing": "",
        "NUL characters": "a: \0\0",
    }
    for name, text in texts.items():
        yield _file_attack(name, text)


def _files() -> Iterator[Attack]:
    def fifo(folder: Path) -> None:
        os.mkfifo(folder / "top.yaml")

    def chain(folder: Path) -> None:
        for number in range(2_000):
            (folder / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml", encoding="utf-8")
        (folder / "top.yaml").write_text("extends: 0.yaml", encoding="utf-8")

    def extending(text: str, make: Callable[[Path], object] = lambda _: None) -> Callable[[Path], None]:
        def prepare(folder: Path) -> None:
            make(folder)
            (folder / "top.yaml").write_text(text, encoding="utf-8")

        return prepare

    def link(target: str) -> Callable[[Path], None]:
        return lambda folder: (folder / "top.yaml").symlink_to(target)

    prepared: dict[str, Callable[[Path], None]] = {
        "fifo": fifo,
        "link to an endless file": link("/dev/zero"),
        "link to itself": link("top.yaml"),
        "link to the kernel's log": link("/proc/kmsg"),
        "folder": lambda folder: (folder / "top.yaml").mkdir(),
        "missing": lambda _: None,
        "latin text": lambda folder: _write_bytes(folder / "top.yaml", b"report: {title: \xff}"),
        "UTF-16": lambda folder: _write_bytes(folder / "top.yaml", "run: {}".encode("utf-16")),
        "random bytes": lambda folder: _write_bytes(folder / "top.yaml", bytes(range(256)) * 4_000),
        "sparse terabyte": lambda folder: os.truncate(_touched(folder / "top.yaml"), 2**40),
        "chain of 2000": chain,
        "extends a fifo": extending("extends: pipe", lambda folder: os.mkfifo(folder / "pipe")),
        "extends an endless file": extending("extends: /dev/zero"),
        "extends random numbers": extending("extends: /dev/random"),
        "extends itself": extending("extends: ./top.yaml"),
        "extends itself by a link": extending(
            "extends: a.yaml", lambda folder: (folder / "a.yaml").symlink_to("top.yaml")
        ),
        "extends a folder": extending("extends: ."),
        "extends nothing": extending("extends: ''"),
        "extends null": extending("extends: null"),
        "extends a list": extending("extends: [a, b]"),
        "extends a long name": extending("extends: " + "n" * 5_000),
        "extends a NUL": extending(r'extends: "a\0b"'),
        "extension with a NUL": extending(r'extensions: ["a\0b.py"]'),
        "extension with a long name": extending(f"extensions: [{'n' * 5_000}.py]"),
        "extension that is a fifo": extending("extensions: [p.py]", lambda folder: os.mkfifo(folder / "p.py")),
        "extension that is endless": extending(
            "extensions: [z.py]", lambda folder: (folder / "z.py").symlink_to("/dev/zero")
        ),
        "extension that ends the process": extending(
            "extensions: [e.py]", lambda folder: (folder / "e.py").write_text("raise SystemExit(0)", encoding="utf-8")
        ),
    }
    for name, prepare in prepared.items():
        yield Attack(name, prepare, (*READ_CONFIG, "top.yaml"))
    for stem in (b"..", b"...", b"-", b" ", b"\xff", b"\n", b"a\x1b[2J", b"n" * 200, "\u202e".encode()):

        def named(folder: Path, stem: bytes = stem) -> None:
            Path(os.fsdecode(bytes(folder) + b"/" + stem + b".yaml")).write_text("{}", encoding="utf-8")

        yield Attack(f"file named {stem!r}", named, (*READ_CONFIG, b"./" + stem + b".yaml"))


def _keys() -> Iterator[Attack]:
    keys: dict[str, str | bytes] = {
        "superscript index": "predictors.²=1",
        "Arabic index": "predictors.٣=1",
        "long index": f"predictors.{'1' * 5_000}=1",
        "negative index": "predictors.-1.name=x",
        "deep key": f"{'a.' * 1_000}a=1",
        "deep key in parameters": f"predictors.1.parameters.{'a.' * 1_000}a=1",
        "empty parts": "...=1",
        "no value": "run.seed",
        "long override key": f"{'k' * 100_000}=1",
        "bidirectional key": "run.\u202eseed=1",
        "key that is not UTF-8": b"run.\xff=1",
        "value that is not UTF-8": b"report.title=\xff",
        "value below a value": "run.seed.x=1",
        "section as a value": "data=1",
        "name that leaves the folder": "run.name=../../x",
    }
    for name, override in keys.items():
        yield Attack(name, _writer(json.dumps(WHOLE)), (*READ_CONFIG, "top.yaml", override))


def _file_attack(name: str, text: str) -> Attack:
    return Attack(name, _writer(text), (*READ_CONFIG, "top.yaml"))


def _writer(text: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        (folder / "top.yaml").write_text(text, encoding="utf-8")

    return prepare


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _touched(path: Path) -> Path:
    path.touch()
    return path
