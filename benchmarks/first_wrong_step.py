"""Writes corruptions and attacks as a benchmark for verifiers of single steps, and adds the checker's own row.

    python benchmarks/first_wrong_step.py FOLDER --labels FILE [--attempts 100] [--seed 0]
        [--released ../shared/reference] [--predictions FILE]

A row has the form of ProcessBench (Zheng et al., 2024, arXiv:2412.06559): `id`, `generator` (where the derivation is
from), `problem` (the prompt), `steps` (the equations), `final_answer_correct` (whether the goal is reached and all
equations are true) and `label`, the position of the first false equation, from 0, or -1 if all are true. `kind` tells
how the derivation was made. The corruptions are those that `validity_corruptions.py --labels FILE` has labelled;
`--attempts` attacks of each class are made and labelled here. A derivation is left out where the judge does not know
whether an equation before the first false one is true.

FOLDER receives `derivations.jsonl` and `results.json`, with the checker's rows and one for each `--predictions FILE`,
whose lines have `id` and `prediction`, the position of the first false equation or -1. As in ProcessBench, a row has
the share of derivations with a false equation whose position is right, of those without one that are said to have
none, and the harmonic mean of both; beside them stand the shares by kind. The checker has two rows: it points at the
first equation that it shows to be false, or at the first one that it does not show to be true.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the attacks and the judge are in tests/

from benchmarks.attacks import Chunk, Tally, labelled_attempts  # noqa: E402
from mathderive.checker.supervision import SupervisedChecker  # noqa: E402
from mathderive.checker.verdicts import TRUE  # noqa: E402
from mathderive.core.files import write_text  # noqa: E402
from mathderive.core.progress import progress  # noqa: E402
from mathderive.records import read_jsonl  # noqa: E402
from tests.validity_corpus.attacks import ATTACKS, LabelledAttempt  # noqa: E402
from tests.validity_corpus.corpus import LabelledDerivation  # noqa: E402

NONE = -1
"""The label of a derivation without a false equation."""


@dataclass(frozen=True)
class Row:
    """A derivation with the position of its first false equation."""

    id: str
    generator: str
    kind: str
    problem: str
    steps: Sequence[str]
    final_answer_correct: bool
    label: int


def row_of_corruption(derivation: LabelledDerivation) -> Row | None:
    """The row of a corruption; None where a label is open."""
    truths = [step.truth for step in derivation.steps]
    label = next((place for place, truth in enumerate(truths) if truth != "true"), NONE)
    if derivation.goal_reached is None or (label != NONE and truths[label] != "false"):
        return None
    return Row(
        id=derivation.id,
        generator=derivation.id.partition("-")[0],
        kind=derivation.kind,
        problem=derivation.prompt,
        steps=[step.text for step in derivation.steps],
        final_answer_correct=derivation.goal_reached and label == NONE,
        label=label,
    )


def row_of_attack(labelled: LabelledAttempt, kind: str, number: int) -> Row:
    """The row of an attack, whose goal its lines do not show even where all of them are true."""
    return Row(
        id=f"attack-{kind.replace(' ', '-')}-{number}",
        generator="attack",
        kind=kind,
        problem=labelled.attempt.prompt,
        steps=list(labelled.attempt.lines),
        final_answer_correct=False,
        label=min(labelled.not_true, default=NONE + 1) - 1,
    )


def rows_of_attacks(attempts: int, seed: int, released: Path) -> Iterator[Row]:
    """Attacks of every class that hold a false equation; without one they are not wrong at any step."""
    with progress("attacks") as report:
        for place, kind in enumerate(ATTACKS):
            report("classes", place, len(ATTACKS), kind)
            chunk = Chunk(kind, 0, attempts, seed, released)
            false = (one for one in labelled_attempts(chunk, Tally()) if one.not_true)
            for number, labelled in enumerate(islice(false, attempts)):
                yield row_of_attack(labelled, kind, number)


def checked(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """The checker's two predictions for each row."""
    found: dict[str, dict[str, int]] = {"mathderive, false": {}, "mathderive, not shown": {}}
    with SupervisedChecker() as checker, progress("check") as report:
        for number, row in enumerate(rows):
            truths = [step.truth for step in checker.check(row.problem, "\n".join(row.steps)).steps]
            pointed_at = ([truth == "incorrect" for truth in truths], [truth not in TRUE for truth in truths])
            for predictions, wrong in zip(found.values(), pointed_at, strict=True):
                predictions[row.id] = wrong.index(True) if any(wrong) else NONE
            report("derivations", number + 1, len(rows))
    return found


def shares(rows: Sequence[Row], predictions: Mapping[str, int]) -> dict[str, object]:
    """ProcessBench's three numbers and the shares by kind; a row without a prediction counts as wrong."""
    right: dict[bool, list[bool]] = {False: [], True: []}
    by_kind: dict[str, list[bool]] = {}
    for row in rows:
        is_right = predictions.get(row.id) == row.label
        right[row.label == NONE].append(is_right)
        by_kind.setdefault(row.kind, []).append(is_right)
    false, true = (_share(right[has_none]) for has_none in (False, True))
    mean = 2 * false * true / (false + true) if false + true else 0.0
    return {
        "with_a_false_step": false,
        "without": true,
        "harmonic_mean": round(mean, 4),
        "by_kind": {kind: _share(answers) for kind, answers in sorted(by_kind.items())},
    }


def _share(answers: Sequence[bool]) -> float:
    return round(sum(answers) / len(answers), 4) if answers else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--attempts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--released", type=Path, default=ROOT.parent / "shared" / "reference")
    parser.add_argument("--predictions", type=Path, action="append", default=[])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = [row for one in read_jsonl(options.labels, LabelledDerivation) if (row := row_of_corruption(one))]
    rows += rows_of_attacks(options.attempts, options.seed, options.released)
    answers = checked(rows)
    for file in options.predictions:
        lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
        answers[file.stem] = {line["id"]: line["prediction"] for line in lines}
    results = {
        "derivations": len(rows),
        "with_a_false_step": sum(row.label != NONE for row in rows),
        "verifiers": {verifier: shares(rows, found) for verifier, found in answers.items()},
    }
    write_text(
        options.folder / "derivations.jsonl",
        "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows),
    )
    write_text(options.folder / "results.json", json.dumps(results, indent=2) + "\n")
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
