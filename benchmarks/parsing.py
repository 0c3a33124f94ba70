"""Measures the parser's accuracy and speed on printed equations and on damaged texts.

    python benchmarks/parsing.py [--equations 20000] [--texts 100000] [--seed 0]

First, generated equations are printed, parsed and printed again. Then texts are parsed that a failing or hostile model
could write: printed equations with a few changes, and random pieces of LaTeX, in equal parts. The last line is a JSON
object with the number of equations that print as the same text again (`printed_alike`), that are parsed to the same
expression in some reading (`some_reading`) and in the preferred one (`preferred`), the number of texts that end in
anything but an expression or a `LatexError` (`crashes`), the slowest answers in CPU-seconds, and memory. The exit code
is 1 if there is a crash, or an equation without the same text or without a reading that is the same expression.
"""

import argparse
import itertools
import json
import random
import resource
import time
from collections.abc import Iterator

from sympy import Equality

from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.latex.parser import LatexError, parse, parse_equation, readings
from mathderive.symbolic.latex.printer import latex

PIECES = (
    *(r"\frac{", r"\frac{d}{d x} ", r"\frac{\partial^{2}}{\partial y\partial x} ", r"\int ", r"\int_{0}^{1} ", " dx"),
    *(r"\cos", r"\log{(", r"\sqrt[3]{", r"\operatorname{f}{(x)}", r"\hat{", r"\mathbf{p}", r"\left(", r"\right)"),
    *("f{(", r"\infty", r"\pi", "i", "e^{", "x", "y_{1}", "^", "_", "{", "}", "}{", "(", ")", ")}", "[", "]", "="),
    *("+", "-", "0", "2", "9999999999", "0.5", "/", "*", r"\cdot ", "'", "\\", " ", "$", "é", "\x00", "eval("),
)


def equations(seed: int) -> Iterator[Equality]:
    """Yields the equations of one derivation after another."""
    for attempt in itertools.count():
        derivation = sample_derivation(SamplingSettings(), seed, attempt)
        if derivation is not None:
            yield from derivation.equations


def damaged(texts: list[str], rng: random.Random) -> str:
    """Returns a text with up to four places changed, or a random sequence of pieces."""
    if rng.random() < 0.5:
        return "".join(rng.choices(PIECES, k=rng.randint(1, 60)))
    characters = list(rng.choice(texts))
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(characters) + 1)
        if rng.random() < 0.4:
            del characters[place : place + 1]
        else:
            characters.insert(place, rng.choice(PIECES))
    return "".join(characters)


class Clock:
    """The slowest of many answers, in seconds, and its text."""

    slowest = 0.0
    text = ""

    def read(self, text: str, answer: float) -> None:
        if answer > self.slowest:
            self.slowest, self.text = answer, text


def peak_megabytes() -> float:
    # Linux counts kilobytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--equations", type=int, default=20_000)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clock, fuzzed = Clock(), Clock()
    printed_alike = some_reading = preferred = 0
    texts = []
    for equation in itertools.islice(equations(options.seed), options.equations):
        text = latex(equation)
        texts.append(text)
        start = time.process_time()
        parsed = parse_equation(text)
        clock.read(text, time.process_time() - start)
        printed_alike += latex(parsed) == text
        preferred += parsed == equation
        some_reading += any(sides == equation.args for sides in readings(text))
        if len(texts) % 1000 == 0:
            print(f"{len(texts)} equations: {printed_alike} printed alike, {some_reading} read, {preferred} preferred")
    memory_before = peak_megabytes()
    rng, read, crashes = random.Random(options.seed), 0, 0
    for count in range(1, options.texts + 1):
        text = damaged(texts or ["x"], rng)
        start = time.process_time()
        try:
            parse(text)
            read += 1
        except LatexError:
            pass
        except Exception as error:
            crashes += 1
            print(f"crash: {type(error).__name__}: {error}: {text!r}")
        fuzzed.read(text, time.process_time() - start)
        if count % 10_000 == 0:
            print(f"{count} texts: {read} read, {crashes} crashes, {peak_megabytes():.0f} MB")
    print(f"slowest equation: {clock.text}\nslowest text: {fuzzed.text!r}")
    print(
        json.dumps(
            {
                "seed": options.seed,
                "equations": options.equations,
                "printed_alike": printed_alike,
                "some_reading": some_reading,
                "preferred": preferred,
                "slowest_equation_seconds": round(clock.slowest, 3),
                "texts": options.texts,
                "texts_read": read,
                "crashes": crashes,
                "slowest_text_seconds": round(fuzzed.slowest, 3),
                "megabytes_before_texts": round(memory_before),
                "megabytes_after_texts": round(peak_megabytes()),
            }
        )
    )
    return int(crashes > 0 or printed_alike < options.equations or some_reading < options.equations)


if __name__ == "__main__":
    raise SystemExit(main())
