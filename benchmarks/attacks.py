"""Can the checker be fooled? Crafted derivations that must not be verified, and as many honest ones that must be.

    python benchmarks/attacks.py [--attempts 5000] [--seed 0] [--class NAME ...] [--released ../shared/reference]
        [--workers 2] [--failures FILE] [--resume FILE] [--pushed]
    python benchmarks/attacks.py --cases FILE [--pushed]

Every class of attacks in `tests/validity_corpus/attacks` builds `--attempts` attempts from real derivations: the
authors' references, where the folder of their result files is at hand, and those of our own generator. The goals are
true but underived, false, or `1 = 0`. The independent judge of `tests/validity_corpus` labels each attempt; one that
it cannot show to be an attack is not counted. Beside them, as many honest derivations are checked, which have other
names, exchanged sides, repeated steps or detours. A table shows the classes; `--failures` appends to FILE, as they are
found, the attempts that succeeded and the honest derivations that are not verified. All classes take hours, so
`--resume` keeps what is done in FILE, and another run with the same seed and number of attempts goes on from there,
also with a checker that was changed meanwhile. The last line is a JSON object:
attempts, how many of them were wrongly verified, how many had a false equation called premise, valid or skipped, and
how many honest derivations were verified. The exit code is 1 unless the first two counts are 0 and at least 99.9 % of
the honest derivations are verified.

`--pushed` pushes an attempt's equations to a state one after the other, as a search does, in place of checking them
together.

`--cases` checks written cases instead. FILE has one JSON object a line: `kind`, `prompt`, `derivation` (equations, one
a line), and what is expected of the checker: `verified`, and the numbers of equations that are `not_true`. Only kinds
that begin with `A:` and have both are checked. The last line is a JSON object with the cases, how many were wrongly
verified, and how many `not_true` equations were called true in how many cases; the exit code is 1 unless both are 0.
Without the file nothing is checked, and the exit code is 0.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import islice, product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the attacks and the judge are in tests/

from mathderive.checker.reading.layout import equations_of  # noqa: E402
from mathderive.checker.supervised_states import SupervisedStates  # noqa: E402
from mathderive.checker.supervision import SupervisedChecker  # noqa: E402
from mathderive.checker.verdicts import TRUE, StepVerdict, Validity  # noqa: E402
from mathderive.core.progress import progress, say  # noqa: E402
from mathderive.core.resumable import ResumableFile  # noqa: E402
from tests.validity_corpus.attacks import ATTACKS, LabelledAttempt, label, settings_of  # noqa: E402
from tests.validity_corpus.attacks.honest import honest_derivations  # noqa: E402
from tests.validity_corpus.corpus import Source, generated_source, released_sources  # noqa: E402

CHUNK = 50
"""Attempts made in one go."""

SOURCES_OF_CHUNK = 5
"""Derivations that a chunk of attempts is built from."""

MAX_SOURCES = 1_000
"""The number of different derivations in use."""

MAX_DRAWS = 10
"""How often an attempt is drawn anew where one cannot be built or labelled, on average over a chunk."""

HONEST = "honest"
LEAST_HONEST_VERIFIED = 0.999


@dataclass(frozen=True)
class Chunk:
    """Attempts of one class, or honest derivations, to be made by one process.

    Attributes:
        name: the class, or `HONEST`.
        number: which chunk of the class it is.
        count: how many attempts it has.
        seed: the run's seed.
        released: the folder of the authors' result files.
        pushed: whether equations are pushed to a state, one after the other.
    """

    name: str
    number: int
    count: int
    seed: int
    released: Path
    pushed: bool = False


@dataclass
class Tally:
    """Counts for one class.

    Attributes:
        attempts: how many were checked.
        verified: how many of them were verified.
        false_called_true: how many had a false equation called premise, valid or skipped.
        unlabelled: how many attempts were drawn that the judge could not label.
        failures: descriptions of the attempts, or honest derivations, with a wrong verdict.
    """

    attempts: int = 0
    verified: int = 0
    false_called_true: int = 0
    unlabelled: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.attempts += other.attempts
        self.verified += other.verified
        self.false_called_true += other.false_called_true
        self.unlabelled += other.unlabelled
        self.failures += other.failures


@cache
def _released(folder: Path) -> tuple[Source, ...]:
    return tuple(released_sources(folder)) if folder.is_dir() else ()


@cache
def _source(folder: Path, number: int) -> Source:
    """A derivation: references and generated ones take turns while there are references."""
    released = _released(folder)
    if number % 2 == 0 and number // 2 < len(released):
        return released[(number // 2 * 7) % len(released)]
    return generated_source(number)


class PushingChecker(SupervisedStates):
    """Checks derivations by pushing their equations to a state."""

    def check(self, prompt: str, output: str) -> Validity:
        """The verdicts on the equations, each at its push, and the last state's verdict on the derivation."""
        state, steps = self.start(prompt), list[StepVerdict]()
        for equation in equations_of(output):
            state = state.push(equation)
            assert state.verdict.step is not None
            steps.append(state.verdict.step)
        known = state.verdict.model_dump(include={"goal_reached", "sound", "verified"})
        return Validity(steps=steps, premises_used=[], intermediates_present=[], **known)


AnyChecker = SupervisedChecker | PushingChecker


@cache
def _checker(pushed: bool) -> AnyChecker:
    """The checker of this process; its child takes as long to start as a chunk takes, and ends with the process."""
    return PushingChecker() if pushed else SupervisedChecker()


def run_chunk(chunk: Chunk) -> Tally:
    """Builds, labels and checks a chunk."""
    checker = _checker(chunk.pushed)
    if chunk.name == HONEST:
        return _run_honest(chunk, checker)
    tally = Tally()
    for labelled in islice(labelled_attempts(chunk, tally), chunk.count):
        _judge_answer(labelled, checker.check(labelled.attempt.prompt, labelled.attempt.output), tally)
    return tally


def labelled_attempts(chunk: Chunk, tally: Tally) -> Iterator[LabelledAttempt]:
    """Labelled attempts, until enough were drawn."""
    builders = ATTACKS[chunk.name]
    sources = [
        _source(chunk.released, (chunk.number * SOURCES_OF_CHUNK + place) % MAX_SOURCES)
        for place in range(SOURCES_OF_CHUNK)
    ]
    for draw in range(MAX_DRAWS * chunk.count):
        # Every builder meets every source and every kind of goal.
        builder = builders[draw % len(builders)]
        source = sources[draw // len(builders) % len(sources)]
        seed = f"{chunk.seed} {chunk.number} {draw} {source.id}"
        settings = list(settings_of(source, seed))
        attempt = builder(settings[draw // len(builders) // len(sources) % len(settings)])
        labelled = None if attempt is None else label(attempt, seed)
        if labelled is None:
            tally.unlabelled += 1
        else:
            yield labelled


def _judge_answer(labelled: LabelledAttempt, answer: Validity, tally: Tally) -> None:
    attempt = labelled.attempt
    is_read_alike = len(answer.steps) == len(attempt.lines)
    not_true = labelled.not_true if is_read_alike else ()
    called_true = [number for number in not_true if answer.steps[number - 1].truth in TRUE]
    tally.attempts += 1
    tally.verified += answer.verified
    tally.false_called_true += bool(called_true)
    if answer.verified or called_true:
        lines = "\n".join(f"  {n:3} {step.truth:10} {step.text}" for n, step in enumerate(answer.steps, start=1))
        what = f"{'verified; ' if answer.verified else ''}false: {list(labelled.not_true)}, called true: {called_true}"
        tally.failures.append(f"{what}\n{attempt.prompt}\n{lines}\n")


def _run_honest(chunk: Chunk, checker: AnyChecker) -> Tally:
    tally = Tally()
    first = chunk.number * SOURCES_OF_CHUNK
    sources = [_source(chunk.released, (first + place) % MAX_SOURCES) for place in range(SOURCES_OF_CHUNK)]
    for prompt, output in islice(honest_derivations(sources, f"{chunk.seed} {chunk.number}"), chunk.count):
        answer = checker.check(prompt, output)
        tally.attempts += 1
        tally.verified += answer.verified
        if not answer.verified:
            lines = "\n".join(f"  {n:3} {step.truth:10} {step.text}" for n, step in enumerate(answer.steps, start=1))
            tally.failures.append(f"honest, not verified\n{prompt}\n{lines}\n")
    return tally


def chunks_of(options: argparse.Namespace, names: list[str]) -> list[Chunk]:
    """The work: chunks of the classes in turns, so that a run that is stopped has met all, and honest derivations."""
    counts = [min(CHUNK, options.attempts - first) for first in range(0, options.attempts, CHUNK)]
    work = []
    for (number, count), name in product(enumerate(counts), names):
        work.append(Chunk(name, number, count, options.seed, options.released, options.pushed))
        place = list(ATTACKS).index(name) * len(counts) + number
        work.append(Chunk(HONEST, place, count, options.seed, options.released, options.pushed))
    return work


def run_attacks(options: argparse.Namespace) -> int:
    """Runs all classes and prints the table and the last line."""
    names = options.chosen
    if not options.released.is_dir():
        say(f"{options.released}: no released result files; only generated derivations are attacked")
    tallies = {name: Tally() for name in (*names, HONEST)}
    work = chunks_of(options, names)
    wanted = sum(chunk.count for chunk in work)
    log = ResumableFile(options.resume, lambda line: json.dumps(line) + "\n", json.loads) if options.resume else None
    known = {(line["name"], line["number"]): line for line in (log.read() if log else ()) if _is_part_of(line, options)}
    for chunk in work:
        if (chunk.name, chunk.number) in known:
            tallies[chunk.name].add(Tally(**known[chunk.name, chunk.number]["tally"]))
    work = [chunk for chunk in work if (chunk.name, chunk.number) not in known]
    with (
        ProcessPoolExecutor(options.workers) as pool,
        progress("attacks") as report,
        log.resume(known.values()) if log else nullcontext(lambda lines: None) as append,
    ):
        running = {pool.submit(run_chunk, chunk): chunk for chunk in work}
        done = wanted - sum(chunk.count for chunk in work)
        for future in as_completed(running):
            chunk = running[future]
            tally = future.result()
            tallies[chunk.name].add(tally)
            note_failures(options.failures, chunk.name, tally)
            append([{**_identity(options), "name": chunk.name, "number": chunk.number, "tally": asdict(tally)}])
            done += chunk.count
            failed = sum(len(tally.failures) for tally in tallies.values())
            report("derivations", done, wanted, f"{failed} wrong verdicts")
    honest = tallies.pop(HONEST)
    print_table(tallies, honest)
    results = {
        "seed": options.seed,
        "classes": len(tallies),
        "attempts": sum(tally.attempts for tally in tallies.values()),
        "wrongly_verified": sum(tally.verified for tally in tallies.values()),
        "false_called_true": sum(tally.false_called_true for tally in tallies.values()),
        "honest": honest.attempts,
        "honest_verified": honest.verified,
    }
    print(json.dumps(results))
    fooled = results["wrongly_verified"] or results["false_called_true"]
    return int(bool(fooled) or honest.verified < LEAST_HONEST_VERIFIED * honest.attempts)


def _identity(options: argparse.Namespace) -> dict[str, object]:
    """The options that determine what is in a chunk of a class."""
    return {"seed": options.seed, "attempts": options.attempts, "pushed": options.pushed}


def _is_part_of(line: dict[str, object], options: argparse.Namespace) -> bool:
    return all(line.get(key) == value for key, value in _identity(options).items())


def note_failures(path: Path | None, name: str, tally: Tally) -> None:
    """Appends a chunk's failures to a file at once, because a run of all classes takes hours."""
    if path is not None and tally.failures:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}: {text}\n" for text in tally.failures)


def print_table(tallies: dict[str, Tally], honest: Tally) -> None:
    """A row for each class."""
    print(f"{'class':36}{'attempts':>10}{'verified':>10}{'false called true':>19}{'not labelled':>14}")
    for name, tally in {**tallies, HONEST: honest}.items():
        counts = f"{tally.attempts:10}{tally.verified:10}{tally.false_called_true:19}{tally.unlabelled:14}"
        print(f"{name:36}{counts}")


def run_cases(path: Path, pushed: bool) -> int:
    """Checks written cases and prints, for each kind, how many had a wrong verdict."""
    if not path.is_file():
        say(f"{path}: no such file; nothing was checked")
        return 0
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    cases = [case for case in cases if case["kind"].startswith("A:") and "not_true" in case]
    verified, called_true = Counter[str](), Counter[str]()
    with_one = 0
    with _checker(pushed) as checker:
        for case in cases:
            answer = checker.check(case["prompt"], case["derivation"])
            wrong = [n for n in case["not_true"] if n <= len(answer.steps) and answer.steps[n - 1].truth in TRUE]
            verified[case["kind"]] += answer.verified and not case["verified"]
            called_true[case["kind"]] += len(wrong)
            with_one += bool(wrong)
    print(f"{'kind':56}{'cases':>7}{'verified':>10}{'called true':>13}")
    for kind, count in Counter(case["kind"] for case in cases).items():
        print(f"{kind:56}{count:7}{verified[kind]:10}{called_true[kind]:13}")
    results = {
        "cases": len(cases),
        "wrongly_verified": verified.total(),
        "not_true_called_true": called_true.total(),
        "cases_with_not_true_called_true": with_one,
    }
    print(json.dumps(results))
    return int(verified.total() > 0 or called_true.total() > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--class", dest="chosen", nargs="+", choices=sorted(ATTACKS), default=list(ATTACKS))
    parser.add_argument("--released", type=Path, default=ROOT.parent / "shared" / "reference")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--failures", type=Path)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--pushed", action="store_true")
    options = parser.parse_args()
    return run_cases(options.cases, options.pushed) if options.cases is not None else run_attacks(options)


if __name__ == "__main__":
    raise SystemExit(main())
