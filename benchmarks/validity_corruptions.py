"""Compares the checker's verdicts on corrupted derivations with those of a slow independent judge.

    python benchmarks/validity_corruptions.py [--released ../shared/reference] [--generated 250] [--labels FILE]
        [--disagreements FILE]

The derivations are the authors' references, if the folder of their result files exists, and a number of our
generator's. Each is corrupted once in every way that applies: a sign flipped, a factor dropped, a wrong derivative,
integral or substitution, a symbol exchanged, a step repeated as it was or mirrored, a detour inserted, one or two
steps removed, the goal missing. `tests/validity_corpus` makes and labels them. Labelling takes one or two seconds per
derivation, so `--labels` keeps the labels in a file, which is read if it exists. `--disagreements` writes every
verdict that differs from its label. The confusion matrices are printed before the last line, which is a JSON object of
the shares that count. The exit code is 1 if a share misses its aim.
"""

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the folder of the judge

from mathderive.checker.checker import check  # noqa: E402
from mathderive.core.progress import progress, say  # noqa: E402
from mathderive.records import read_jsonl, write_jsonl  # noqa: E402
from tests.validity_corpus.agreement import Agreement, Disagreement  # noqa: E402
from tests.validity_corpus.corpus import (  # noqa: E402
    Corpus,
    LabelledDerivation,
    add_corruptions,
    generated_sources,
    released_sources,
)


def make_corpus(released: Path, generated: int) -> Corpus:
    corpus = Corpus()
    if not released.is_dir():
        say(f"{released}: no released result files; only generated derivations are corrupted")
    sources = [*(released_sources(released) if released.is_dir() else ()), *generated_sources(generated)]
    with progress("labels") as report:
        for number, source in enumerate(sources, start=1):
            add_corruptions(corpus, source)
            report("derivations", number, len(sources), f"{len(corpus.derivations)} corrupted ones")
    return corpus


def labelled(options: argparse.Namespace) -> list[LabelledDerivation]:
    if options.labels is not None and options.labels.exists():
        return read_jsonl(options.labels, LabelledDerivation)
    corpus = make_corpus(options.released, options.generated)
    for reason, count in sorted(corpus.left_out.items()):
        print(f"left out, {reason}: {count}")
    if options.labels is not None:
        write_jsonl(options.labels, corpus.derivations)
    return corpus.derivations


def described(disagreement: Disagreement) -> str:
    derivation, number = disagreement.derivation, disagreement.step
    step = f"step {number}: {derivation.steps[number - 1].text}" if number else "the derivation"
    return (
        f"{derivation.id}, {step}\n  expected {disagreement.expected}, got {disagreement.got}: {disagreement.why}\n"
        f"  prompt: {derivation.prompt}\n  output: {derivation.output}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--released", type=Path, default=ROOT.parent / "shared" / "reference")
    parser.add_argument("--generated", type=int, default=250)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--disagreements", type=Path)
    options = parser.parse_args()
    derivations = labelled(options)
    agreement = Agreement()
    spent = 0.0
    with progress("check") as report:
        for number, derivation in enumerate(derivations, start=1):
            start = time.process_time()
            validity = check(derivation.prompt, derivation.output)
            spent += time.process_time() - start
            agreement.add(derivation, validity)
            report("derivations", number, len(derivations), f"{len(agreement.disagreements)} disagreements")
    if options.disagreements is not None:
        options.disagreements.write_text("\n".join(map(described, agreement.disagreements)), encoding="utf-8")
    for reason, count in agreement.unlabelled.most_common():
        print(f"not counted, {reason}: {count}")
    print(agreement.tables())
    figures = {name: round(share, 5) for name, share in agreement.figures().items()}
    totals = {
        "derivations": agreement.derivations,
        "equations": sum(len(derivation.steps) for derivation in derivations),
        "not_counted": sum(agreement.unlabelled.values()),
        "disagreements": len(agreement.disagreements),
        "derivations_per_cpu_second": round(agreement.derivations / spent, 1),
    }
    print(json.dumps({**totals, **figures}))
    return int(not agreement.meets_its_aims())


if __name__ == "__main__":
    raise SystemExit(main())
