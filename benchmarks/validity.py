"""Measures the checker's speed and safety on references, models' outputs, and texts that are meant to break it.

    python benchmarks/validity.py [--released DIR] [--generated 500] [--texts 100000] [--seed 0] [--workers 2]

The benchmark checks the references of the authors' result files in DIR, if given, and derivations of our own generator
on one core; all have to be verified. Then it checks the recorded outputs on `--workers` processes. Then it checks
texts that a failing or hostile model could write: changed equations, random pieces of LaTeX, and expressions that are
deep, high or endless. The last line is a JSON object: derivations per second, pushes of a state per second, the number
of verified derivations, the number of equations that are neither premise nor valid, the seconds for the outputs, and
for the texts the number of equations that exceeded their limits, the longest time for one equation and the largest
process. The time of an equation that exceeds its limits includes the start of a new process; if a text has several,
each counts an equal share of the text's time. The exit code is 1 if a generated derivation is not verified, or a text
ends in anything but a verdict.
"""

import argparse
import itertools
import json
import random
import resource
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mathderive.checker.checker import TOO_MUCH, Checker, check
from mathderive.checker.reading.answers import split_answer
from mathderive.checker.supervision import MAX_ENDED, SupervisedChecker
from mathderive.checker.verdicts import Validity
from mathderive.core.worker_loop import collect_garbage_rarely
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import prompt, target
from tfds_builders.released.result_files import find_result_files, read_result_files

Question = tuple[str, str]

MAX_PUSHED = 500
"""Maximum number of derivations whose equations are pushed; they are others than those that are checked."""

PIECES = (
    *(r"\frac{", r"\frac{d}{d x} ", r"\frac{\partial^{2}}{\partial y\partial x} ", r"\int ", r"\int_{0}^{1} ", " d x"),
    *(r"\cos", r"\log{(", r"\sqrt[3]{", r"f{(x)}", r"\hat{", r"\mathbf{p}", r"\left(", r"\right)", r"^{x}", "^{-1}"),
    *(r"\infty", r"\pi", "i", "e^{", "x", "y_{1}", "^", "_", "{", "}", "}{", "(", ")", ")}", "[", "]", " = ", " = "),
    *("+", "-", "0", "2", "9999999999", "0.5", "/", "*", r"\cdot ", "'", "\\", " ", "$", "é", "\x00", " and ", "\n"),
)

ENDLESS = (
    r"\int \frac{x^{x} \sin{(x^{x})}}{\log{(x)} + e^{x^{2}}} d x",
    r"\int \sqrt{1 + x^{7} + \sin{(x)}} d x",
    r"\int e^{e^{e^{x}}} d x",
    r"\int_{0}^{1} \frac{1}{x - y} d x",
    r"\frac{d^{12}}{d x^{12}} x^{x^{x}}",
    r"\frac{d^{12}}{d x^{12}} e^{\sin{(\log{(x)} \cos{(x)})}}",
    r"(x + y + z + a + b + c)^{30}",
    r"(1 + x)^{999}",
    r"\int (x + y)^{40} \cos^{40}{(x)} d x",
    r"\log{(\log{(\log{(0)})})}",
    r"\frac{1}{0}",
    r"0^{0^{0}}",
)


def hostile(texts: list[str], rng: random.Random) -> str:
    """Writes an answer that no honest model writes."""
    kind = rng.random()
    if kind < 0.35:
        return "".join(rng.choices(PIECES, k=rng.randint(1, 60)))
    if kind < 0.75:
        characters = list(rng.choice(texts))
        for _ in range(rng.randint(1, 5)):
            place = rng.randrange(len(characters) + 1)
            if rng.random() < 0.4:
                del characters[place : place + 1]
            else:
                characters.insert(place, rng.choice(PIECES))
        return "".join(characters)
    depth = rng.choice((2, 3, 5, 8, 13, 21, 30, 100, 1000))
    one, other = rng.choice(ENDLESS), rng.choice(ENDLESS)
    nested = (
        "(" * depth + "x" + ")" * depth,
        "x^{" * depth + "x" + "}" * depth,
        "9^{" * depth + "9" + "}" * depth,
        r"\frac{1}{1 + " * depth + "x" + "}" * depth,
        r"\sin{(" * depth + "x" + ")}" * depth,
        r"\int " * depth + one + " d x" * depth,
        r"\frac{d}{d x} " * depth + one,
        r"\log{(" * depth + other + ")}" * depth,
        " + ".join([one] * min(depth, 30)),
        rf"({one})^{{{other}}}",
    )
    sides = [rng.choice((one, other, *nested)) for _ in range(2)]
    equation = f"{sides[0]} = {sides[1]}"
    return " and ".join([equation, *rng.choices((equation, f"{sides[1]} + 1 = {other}"), k=rng.randint(0, 3))])


def ask_all(questions: list[Question], workers: int) -> Iterator[Validity]:
    """Checks all questions in several supervised processes; the verdicts keep their order."""
    with ThreadPoolExecutor(workers) as threads:
        shares = [threads.submit(_ask, questions[first::workers]) for first in range(workers)]
        answers = [share.result() for share in shares]
    for position in range(len(questions)):
        yield answers[position % workers][position // workers]


def _ask(questions: list[Question]) -> list[Validity]:
    with SupervisedChecker() as checker:
        return [checker.check(*question) for question in questions]


def timed(questions: list[Question]) -> tuple[float, list[Validity]]:
    """Returns derivations per second of CPU time, and the verdicts."""
    start = time.process_time()
    verdicts = [check(*question) for question in questions]
    return len(questions) / (time.process_time() - start), verdicts


def pushes_per_second(questions: list[Question]) -> float:
    """Pushes every equation to a state, as a search does; returns the median of five parts, in CPU time."""
    rates = []
    for part in range(5):
        pushes, start = 0, time.process_time()
        for asked, output in questions[part::5]:
            state = Checker(asked).start()
            for equation in split_answer(output):
                state = state.push(equation)
                pushes += 1
        rates.append(pushes / (time.process_time() - start))
    return statistics.median(rates)


def doubtful(verdicts: list[Validity]) -> int:
    return sum(step.truth not in ("premise", "valid") for verdict in verdicts for step in verdict.steps)


def generated(seed: int) -> Iterator[Question]:
    for attempt in itertools.count():
        derivation = sample_derivation(SamplingSettings(), seed, attempt)
        if derivation is not None:
            yield prompt(derivation), target(derivation)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--released", type=Path)
    parser.add_argument("--generated", type=int, default=500)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    collect_garbage_rarely()  # as worker processes do
    results: dict[str, object] = {"seed": options.seed}
    ours = list(itertools.islice(generated(options.seed), options.generated))
    fresh = list(itertools.islice(generated(options.seed + 1), min(options.generated, MAX_PUSHED)))
    check(*ours[0])  # imports and tables
    if options.released is not None:
        released = read_result_files(find_result_files([options.released]))
        references = [(example.prompt, example.target) for ones in released.examples.values() for example in ones]
        rate, verdicts = timed(references)
        results |= {
            "references": len(references),
            "references_per_second": round(rate, 1),
            "references_verified": sum(verdict.verified for verdict in verdicts),
            "references_doubtful_equations": doubtful(verdicts),
        }
        print(json.dumps(results))
        outputs = [
            (example.prompt, text)
            for by_set in released.outputs.values()
            for name, texts in by_set.items()
            for example, text in zip(released.examples[name], texts, strict=True)
        ]
        start = time.perf_counter()
        verdicts = list(ask_all(outputs, options.workers))
        results |= {"outputs": len(outputs), "outputs_seconds": round(time.perf_counter() - start, 1)}
        results["outputs_truths"] = Counter(step.truth for verdict in verdicts for step in verdict.steps)
        print(json.dumps(results))
    rate, verdicts = timed(ours)
    verified = sum(verdict.verified for verdict in verdicts)
    results |= {
        "generated": len(ours),
        "generated_per_second": round(rate, 1),
        "generated_pushes_per_second": round(pushes_per_second(fresh), 1),
        "generated_verified": verified,
        "generated_doubtful_equations": doubtful(verdicts),
    }
    for (asked, output), verdict in zip(ours, verdicts, strict=True):
        if not verdict.verified:
            reasons = [step.reason for step in verdict.steps if step.truth not in ("premise", "valid")]
            print(f"not verified: {asked!r}: {output!r}: {reasons}")
    print(json.dumps(results))
    failed = hostile_part(ours, options, results)
    print(json.dumps(results))
    return int(failed or verified < len(ours))


def hostile_part(ours: list[Question], options: argparse.Namespace, results: dict[str, object]) -> bool:
    rng = random.Random(options.seed)
    texts = [text for _, output in ours for text in split_answer(output)]
    truths: Counter[str] = Counter()
    crashes = ended = 0
    slowest, slowest_text = 0.0, ""
    with SupervisedChecker() as checker:
        for count in range(1, options.texts + 1):
            asked, output = rng.choice(ours)
            text = f"{split_answer(output)[0]} and {hostile(texts, rng)}"
            start = time.perf_counter()
            try:
                verdict = checker.check(asked, text)
            except RuntimeError as error:
                crashes += 1
                print(f"crash: {error}: {text!r}")
                continue
            truths.update(step.truth for step in verdict.steps)
            ended_here = sum(step.reason == TOO_MUCH for step in verdict.steps)
            seconds = (time.perf_counter() - start) / max(1, min(ended_here, MAX_ENDED + 1))
            ended += ended_here
            if seconds > slowest:
                slowest, slowest_text = seconds, text
            if count % 10_000 == 0:
                counts = f"{dict(truths)}, {ended} ended, {crashes} crashes"
                print(f"{count} texts: {counts}, slowest {slowest:.2f} s an equation", flush=True)
    print(f"slowest: {slowest_text[:500]!r}")
    # Linux counts kilobytes.
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    results |= {
        "texts": options.texts,
        "crashes": crashes,
        "ended": ended,
        "slowest_seconds_per_equation": round(slowest, 2),
    }
    results |= {"largest_process_megabytes": round(largest), "texts_truths": truths}
    return crashes > 0


if __name__ == "__main__":
    raise SystemExit(main())
