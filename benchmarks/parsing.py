"""Measures the parser's accuracy and speed on printed equations and on damaged texts.

    python benchmarks/parsing.py [--equations 20000] [--texts 100000] [--answers 100000] [--seed 0]

First, generated equations are printed, parsed and printed again. Then texts are parsed that a failing or hostile model
could write: printed equations with a few changes, and random pieces of LaTeX, in equal parts. At last, answers in
people's notation and layout, damaged in the same ways, are taken apart and read. The last line is a JSON object with
the number of equations that print as the same text again (`printed_alike`), that are parsed to the same expression in
some reading (`some_reading`) and in the preferred one (`preferred`), the numbers of texts and answers that end in
anything but an expression or a refusal (`crashes`, `answers_crashed`), the slowest ones in CPU-seconds, and memory. The
exit code is 1 if there is a crash, or an equation without the same text or without a reading that is the same
expression.
"""

import argparse
import itertools
import json
import random
import resource
import time
from collections.abc import Iterator, Sequence

from sympy import Equality

from mathderive.checker.reading.equations import read
from mathderive.checker.reading.layout import equations_of
from mathderive.checker.reading.notation import notation_of
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

PROMPTS = (
    ((r"f(x) = \sin x", "g(x,y) = x^2 y", "u = x^3"), (r"f'(x) = \cos x",)),
    ((r"\frac{dy}{dx} = k y", r"V = I R"), (r"\frac{d^2 y}{dx^2} = k^2 y",)),
    ((r"\hat{H} \psi = E \psi", r"\mathbf{E} = -\nabla \phi"), (r"\hat{H}^2 \psi = E^2 \psi",)),
)
"""Premises and other equations of prompts; they decide how names are read."""

LINES = (
    *(
        r"f'(x) = \frac{df}{dx} = \cos x",
        r"\frac12 x + {x \over 2} = x",
        r"\sqrt[3]8 = 2",
        r"\left. x^2 \right|_0^1 = 1",
    ),
    *(r"\int \frac{dx}{x} = \ln|x| + C", r"\int_0^\infty e^{-x}\,\mathrm{d}x = 1", r"\log_2 8 = 3", r"\sin 2\pi x = 0"),
    *(r"g_x(x,y) = \partial_x g = 2xy", r"\dot x(t) = v", r"\frac{d^2y}{dx^2} = k \frac{dy}{dx}", "x = 2 or x = -2"),
    *(
        r"\sum_{k=1}^n k = \frac{n(n+1)}2",
        r"\lim_{h \to 0} \frac{\sin h}{h} = 1",
        r"\binom{n}{2} = \frac{n!}{2!(n-2)!}",
    ),
    *(
        r"x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}",
        r"[\hat{x}, \hat{p}] = i \hbar",
        r"\langle \psi | \hat{H} | \psi \rangle = E",
    ),
    *(
        r"\nabla \times \mathbf{E} = -\frac{\partial \mathbf{B}}{\partial t}",
        r"\oint_S \mathbf{E} \cdot d\mathbf{A} = 4 \pi Q",
    ),
    *(
        r"\begin{align} a &= b \\ &= c \end{align}",
        r"\[ x_{n+1} = x_\text{max} \]",
        r"Therefore, $x = 1{,}000$.",
        "² + ½ = √x·∂",
    ),
    *(
        r"1. We get \boxed{V = I R} \tag{3}",
        r"\implies a/bc = d, \quad e^{i\pi} = -1",
        "<think> x = 1 </think> so V = I R",
    ),
    *(
        r"where $C$ is a constant",
        r"3 \text{ m/s} \cdot 2\,\mathrm{s} = 6 \text{ m}",
        r"- Step 2: let u = x^3, then du = 3x^2 dx",
    ),
)
"""Lines of answers in people's notation and layout."""

LINE_PIECES = (
    *PIECES,
    *(
        r"\frac12",
        r"\over ",
        r"\sqrt2",
        r"\mathrm{d}",
        r"\operatorname{sin}",
        "f'",
        r"\dot x",
        r"\partial_x ",
        r"\Big|_a^b",
    ),
    *(
        r"\ln ",
        r"\log_2 ",
        "|",
        "!",
        r"\binom{",
        r"\sum_{k=1}^{n} ",
        r"\prod ",
        r"\lim_{x \to 0} ",
        r"\pm ",
        r"\approx ",
    ),
    *(
        r"\nabla ",
        r"\times ",
        r"\bra{a}",
        r"\ket{",
        r"\langle ",
        r"\oint ",
        r"\text{m/s}",
        "1,000",
        "x_{n+1}",
        "²",
        "½",
        "∫",
    ),
    *(
        r"\begin{align}",
        r"\end{align}",
        "&=",
        r"\\ ",
        r"\[",
        r"\]",
        r"\(",
        "$$",
        r"\tag{",
        r"\boxed{",
        r"\implies ",
        "\n= ",
    ),
    *(
        " so ",
        " or ",
        "let ",
        "where ",
        "<think>",
        "</think>",
        "- ",
        "1. ",
        r"\text{",
        "\ufeff",
        "\u200b",
        "\n",
        ", ",
        r"\quad ",
    ),
)
"""Pieces that are put into answers."""


def equations(seed: int) -> Iterator[Equality]:
    """Yields the equations of one derivation after another."""
    for attempt in itertools.count():
        derivation = sample_derivation(SamplingSettings(), seed, attempt)
        if derivation is not None:
            yield from derivation.equations


def damaged(texts: Sequence[str], pieces: Sequence[str], rng: random.Random) -> str:
    """Returns a text with up to four places changed, or a random sequence of pieces."""
    if rng.random() < 0.5:
        return "".join(rng.choices(pieces, k=rng.randint(1, 60)))
    characters = list(rng.choice(texts))
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(characters) + 1)
        if rng.random() < 0.4:
            del characters[place : place + 1]
        else:
            characters.insert(place, rng.choice(pieces))
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


def read_answers(count: int, seed: int) -> dict[str, object]:
    """Reads damaged answers in people's notation, and returns what became of them."""
    notations = [notation_of(*prompt) for prompt in PROMPTS]
    rng, clock = random.Random(seed), Clock()
    equations = read_equations = crashes = 0
    for number in range(1, count + 1):
        whole = "\n".join(rng.choices(LINES, k=rng.randint(1, 3)))
        text = damaged((whole,), LINE_PIECES, rng)
        start = time.process_time()
        try:
            for part in equations_of(text):
                equations += 1
                read_equations += bool(read(part, rng.choice(notations)).chains)
        except Exception as error:
            crashes += 1
            print(f"crash: {type(error).__name__}: {error}: {text!r}")
        clock.read(text, time.process_time() - start)
        if number % 10_000 == 0:
            print(f"{number} answers: {read_equations} equations read, {crashes} crashes, {peak_megabytes():.0f} MB")
    print(f"slowest answer: {clock.text!r}")
    return {
        "answers": count,
        "answers_equations": equations,
        "answers_equations_read": read_equations,
        "answers_crashed": crashes,
        "slowest_answer_seconds": round(clock.slowest, 3),
        "megabytes_after_answers": round(peak_megabytes()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--equations", type=int, default=20_000)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--answers", type=int, default=100_000)
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
    rng, read_texts, crashes = random.Random(options.seed), 0, 0
    for count in range(1, options.texts + 1):
        text = damaged(texts or ["x"], PIECES, rng)
        start = time.process_time()
        try:
            parse(text)
            read_texts += 1
        except LatexError:
            pass
        except Exception as error:
            crashes += 1
            print(f"crash: {type(error).__name__}: {error}: {text!r}")
        fuzzed.read(text, time.process_time() - start)
        if count % 10_000 == 0:
            print(f"{count} texts: {read_texts} read, {crashes} crashes, {peak_megabytes():.0f} MB")
    print(f"slowest equation: {clock.text}\nslowest text: {fuzzed.text!r}")
    results = {
        "seed": options.seed,
        "equations": options.equations,
        "printed_alike": printed_alike,
        "some_reading": some_reading,
        "preferred": preferred,
        "slowest_equation_seconds": round(clock.slowest, 3),
        "texts": options.texts,
        "texts_read": read_texts,
        "crashes": crashes,
        "slowest_text_seconds": round(fuzzed.slowest, 3),
        "megabytes_before_texts": round(memory_before),
        "megabytes_after_texts": round(peak_megabytes()),
    }
    results |= read_answers(options.answers, options.seed)
    print(json.dumps(results))
    crashed = crashes > 0 or bool(results["answers_crashed"])
    return int(crashed or printed_alike < options.equations or some_reading < options.equations)


if __name__ == "__main__":
    raise SystemExit(main())
