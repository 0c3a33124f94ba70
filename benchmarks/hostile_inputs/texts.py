"""Hostile prompts and derivations for `mathderive check`: a megabyte of anything, deep, heavy or of many equations."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.hostile_inputs.attack import MATHDERIVE, Attack

PROMPT = r"Given f{(x)} = \cos{(x)}, then obtain \frac{d}{d x} f{(x)} = - \sin{(x)}"
PREMISE = r"f{(x)} = \cos{(x)}"
SIZE = 10**6

RUNS = {
    "spaces": " ",
    "tabs": "\t",
    "lines": "x\n",
    "ands": "x and ",
    "backslashes": "\\",
    "braces": "{",
    "brackets": "(",
    "primes": "'",
    "remarks": "(by abc ",
    "equals signs": "= ",
    "digits": "9",
    "letters": "x ",
    "fractions": r"\frac{",
    "derivatives": r"\frac{d}{d x} ",
    "integrals": r"\int ",
    "NULs": "\0",
    "emojis": "\U0001f600",
    "periods": ". ",
    "separators": "\u2028",
    "calls": "f(",
    "subscripts": "x_",
    "powers": "x^",
    "texts": r"\text{",
}

HEAVY = {
    "60 integrals": (r"\int \sin{(x^{%d})} \cos{(x^{3})} e^{x} d x = x", 61),
    "60 sums": ("+".join(rf"\frac{{x^{{%d}} + y}}{{z + {number}}}" for number in range(60)) + " = x", 61),
    "60 towers": (r"x^{x^{x^{x^{%d}}}} = \frac{d^{5}}{d x^{5}} x^{x^{x^{x}}}", 61),
    "60 derivatives": (r"\frac{d^{12}}{d x^{12}} \sin{(\cos{(x^{%d} + e^{x})})} = x", 61),
    "10^5 equations": ("x = x", 10**5),
    "300 contradictions": (r"x = %d", 300),
    "huge numbers": (r"9^{9^{9^{9^{%d}}}} = x", 61),
    "long products": (r"(x + y + z)^{999999} = %d", 61),
}
"""Equations, with a place for a number, and how many of them."""


def attacks() -> Iterator[Attack]:
    """Yields every hostile prompt and derivation."""
    for name, run in RUNS.items():
        text = run * (SIZE // len(run.encode()))
        yield _attack(f"{name} in the derivation", PROMPT, f"{PREMISE}\n{text}"[:SIZE])
        yield _attack(f"{name} in the prompt", f"Given {text[: SIZE - 100]}, then obtain x = 1", PREMISE)
    for name, (equation, count) in HEAVY.items():
        equations = [equation.replace("%d", str(number + 2)) for number in range(count)]
        yield _attack(name, PROMPT, " and ".join(equations))
    premises = " and ".join(["a=b"] * 300)
    yield _attack("300 premises, 4990 equations", f"Given {premises}, then obtain a=b", "\n".join(["x=y"] * 4_990))
    yield _attack(
        "10^4 functions",
        "Given " + " and ".join(f"f_{{{n}}}(x) = x" for n in range(10_000)) + ", then obtain x = 1",
        PREMISE,
    )


def _attack(name: str, prompt: str, derivation: str) -> Attack:
    def prepare(folder: Path) -> None:
        (folder / "prompt").write_text(prompt, encoding="utf-8")
        (folder / "derivation").write_text(derivation, encoding="utf-8")

    typed: Callable[[Path], None] = prepare
    # 1 is the exit code of a derivation that is not verified.
    return Attack(name, typed, (*MATHDERIVE, "check", "prompt", "derivation"), may_succeed=True, right_codes=(0, 1))
