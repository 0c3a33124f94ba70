"""Counts how many derivations that people wrote are verified under each set of rules, and what blocks the others.

    python benchmarks/textbook_rules.py DERIVATIONS.json

DERIVATIONS.json is a list of objects with `prompt` and `derivation`. For each set of rules, the benchmark prints the
verified derivations, the equations by verdict, and the seconds. Of each derivation that textbook rules do not verify,
it takes the first equation that is neither premise nor valid, and counts these by kind. The last line is a JSON object.
The exit code is 1 if an equation is incorrect.
"""

import argparse
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import get_args

from mathderive.checker.checker import check
from mathderive.checker.verdicts import StepVerdict, Validity
from mathderive.records import Rules

KINDS = {
    "inequalities": r"\\geq|\\leq",
    "values at a place, and differentials": r"\\eval|d\|",
    "states and means": r"\\bra|\\ket|\\expval",
    "operators and commutators": r"\\hat|\\comm|\\dagger|\^\*|\\frac\{d\}\{d[a-z]\}q|1\}\{d[a-z]",
    "vectors and fields": r"\\nabla|\\mathbf",
    "limits and bounds at infinity": r"\\infty|\\lim",
}
"""Kinds of equations, by what their text holds; the first that applies counts."""


def kind(step: StepVerdict) -> str:
    """The kind of an equation that is neither premise nor valid."""
    if step.truth == "unparsable":
        return "outside the grammar"
    if step.truth == "skipped":
        return "true, but more than one step"
    found = next((name for name, pattern in KINDS.items() if re.search(pattern, step.text)), None)
    return found or "functions and names of which too little is known"


def blocked_by(verdict: Validity) -> str:
    """What keeps a derivation from being verified."""
    first = next((step for step in verdict.steps if step.truth not in ("premise", "valid")), None)
    return "the goal is not among the equations" if first is None else kind(first)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("derivations", type=Path)
    cases = json.loads(parser.parse_args().derivations.read_text(encoding="utf-8"))
    summary: dict[str, object] = {"derivations": len(cases)}
    incorrect = 0
    for rules in get_args(Rules):
        started = time.process_time()
        verdicts = [check(case["prompt"], case["derivation"], rules=rules) for case in cases]
        truths = Counter(step.truth for verdict in verdicts for step in verdict.steps)
        incorrect += truths["incorrect"]
        summary[rules] = sum(verdict.verified for verdict in verdicts)
        print(
            f"{rules}: {summary[rules]} of {len(cases)} verified; {dict(truths)}; {time.process_time() - started:.1f} s"
        )
    kinds = Counter(blocked_by(verdict) for verdict in verdicts if not verdict.verified)
    for name, count in kinds.most_common():
        print(f"{count:4}  {name}")
    print(json.dumps({**summary, "kinds": dict(kinds)}))
    return int(incorrect > 0)


if __name__ == "__main__":
    raise SystemExit(main())
