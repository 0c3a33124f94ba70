"""Compares the integrals that the generator evaluates with the answers of SymPy itself.

    python benchmarks/integrals.py [--attempts 20000] [--seed 0] [--python PYTHON] [--seconds 30] [--answers FILE]

It samples attempts with the paper's settings and collects every integral that `evaluate_integrals` meets. Integrals
that are equal up to renaming count as one, with the number of times they were met. Another process, run by PYTHON,
answers them as the authors' code does. For the SymPy of the released derivations, PYTHON is that of an environment
with `sympy==1.5.1`, which needs Python 3.8 or older. SymPy gets `--seconds` of CPU time for each integral; some of its
searches never end. The answers are kept in FILE, so that a second run asks only about new integrals.

The output counts integrals by how the two answers compare, and those that differ by the special functions in SymPy's
answer. Not counted as different are integrals that SymPy did not finish, those for which it has divided by zero, and
those by an undefined function for which its value is false. SymPy 1.5.1 evaluates `∫ log(f(x)) dx` to a complex
infinity times `f(x)`, which we leave as it is, and `∫ exp(f(x)) df(x)` to `f(x)*exp(f(x))`. Some of its answers vary
with the hash seed of the process, such as `sin(x)**2/2` and `-cos(x)**2/2`: where ours differs, SymPy is asked again
with other hash seeds, and ours may be any of the answers. The last line is a JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sympy
from sympy import (
    Derivative,
    Expr,
    Function,
    Integral,
    Piecewise,
    Symbol,
    cos,
    exp,
    log,
    nan,
    preorder_traversal,
    sin,
    zoo,
)
from sympy.core.function import AppliedUndef
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.functions.special.hyper import TupleArg

from mathderive.core.workers import collect_garbage_rarely
from mathderive.symbolic.engine.operators import calculus
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.fast.integration import IntegralError, evaluate_integral
from mathderive.symbolic.names import to_pattern
from mathderive.symbolic.srepr import is_readable, write_srepr
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

REFERENCE = Path(__file__).with_name("sympy_integrals.py")
POINTS = (0.37, 0.91)
"""Values of the variable of integration at which derivatives are compared."""

MAX_ROUNDING = 1e-9
"""Maximum difference of two derivatives that is taken for rounding error."""

OTHER_HASH_SEEDS = (1, 2, 3, 4, 5)
"""Hash seeds with which SymPy is asked again where its answer differs from ours."""

MAX_SHOWN = 20
"""Maximum number of examples printed of a class."""


def collect(attempts: int, seed: int) -> Counter[Integral]:
    """Counts the integrals that the operator meets, up to renaming."""
    met: Counter[Integral] = Counter()

    def evaluate(integral: Integral) -> Expr | None:
        met[to_pattern(integral)[0]] += 1
        return evaluate_integral(integral)

    vars(calculus)["evaluate_integral"] = evaluate
    collect_garbage_rarely()
    for attempt in range(attempts):
        sample_derivation(SamplingSettings(), seed, attempt)
    return met


def ask(integrals: Sequence[Integral], python: str, seconds: int, answers: Path | None) -> dict[str, dict[str, Any]]:
    """SymPy's answers by the `srepr` of the integral."""
    known: dict[str, dict[str, Any]] = {}
    if answers is not None and answers.exists():
        for line in answers.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            known[record["integral"]] = record
    missing = [text for text in map(write_srepr, integrals) if text not in known]
    for text, answer in zip(missing, _answers(missing, python, seconds), strict=True):
        known[text] = {"integral": text, **answer}
        if answers is not None:
            with answers.open("a", encoding="utf-8") as file:
                file.write(json.dumps(known[text]) + "\n")
    return known


def ask_again(
    integrals: Sequence[Integral], answers: dict[str, dict[str, Any]], python: str, seconds: int
) -> dict[str, dict[str, Any]]:
    """The answers, with that of the first other hash seed that gives ours where one does."""
    answers = dict(answers)
    for hash_seed in OTHER_HASH_SEEDS:
        different = [each for each in integrals if compare(each, answers[write_srepr(each)])[0] in DIFFERENT]
        texts = list(map(write_srepr, different))
        for integral, text, answer in zip(different, texts, _answers(texts, python, seconds, hash_seed), strict=True):
            if compare(integral, answer)[0] not in DIFFERENT and not answer.get("unfinished"):
                answers[text] = {**answer, "hash_seed": hash_seed}
    return answers


def _answers(texts: list[str], python: str, seconds: int, hash_seed: int = 0) -> Iterator[dict[str, Any]]:
    """Asks SymPy in another process; its answers depend on the order of sets, so the hash seed is fixed."""
    command = [python, str(REFERENCE), str(seconds)]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in texts:
            process.stdin.write(text + "\n")
            process.stdin.flush()
            yield json.loads(process.stdout.readline())
        process.stdin.close()


def compare(integral: Integral, answer: dict[str, Any]) -> tuple[str, str]:
    """How our answer compares with SymPy's, and the class of SymPy's answer."""
    if answer.get("unfinished"):
        return "SymPy did not finish", _class_of_integrand(integral)
    if "error" in answer:
        return "SymPy failed", answer["error"]
    theirs = None if answer["value"] is None else _read(answer["value"])
    if theirs is not None and theirs.has(zoo, nan):
        return "SymPy divided by zero", _class_of_value(theirs)
    if theirs is not None and _is_false_by_function(theirs, integral):
        return "SymPy's value is false", _class_of_value(theirs)
    try:
        ours = evaluate_integral(integral)
    except IntegralError:
        is_refused = theirs is not None and not _is_readable(theirs)
        return ("same: refused" if is_refused else "only we refuse"), _class_of_value(theirs)
    except SYMPY_ERRORS as error:
        return "we failed", type(error).__name__
    if theirs is None:
        return ("same: stays" if ours is None else "only we evaluate"), _class_of_value(ours)
    if ours is None:
        return "only SymPy evaluates", _class_of_value(theirs)
    if ours == theirs or write_srepr(ours) == answer["value"]:
        return "same value", ""
    return ("same value in another form" if _same(ours, theirs, integral) else "other value"), _class_of_value(theirs)


def _is_false_by_function(value: Expr, integral: Integral) -> bool:
    """Whether SymPy's value of an integral by an undefined function is false with a symbol in the function's place."""
    functions = [variable for variable in integral.variables if isinstance(variable, AppliedUndef)]
    if len(integral.limits) != 1 or not functions or value.has(Integral) or integral.function.has(Integral):
        return False
    inner = integral.function.doit()
    parts = (inner * value).atoms(Derivative, AppliedUndef)
    places = {part: Symbol(f"place{number}") for number, part in enumerate(sorted(parts, key=str))}
    derivative = value.xreplace(places).diff(places[functions[0]])
    return not _is_zero(derivative - inner.xreplace(places))


def _is_readable(value: Expr) -> bool:
    """Whether a derivation may contain the value: it distinguishes no cases, and each of its functions is known."""
    return all(map(is_readable, preorder_traversal(value)))


def _read(text: str) -> Expr:
    """Reads the `srepr` of a value, which may distinguish cases."""
    return eval(text, {**vars(sympy), **_OTHER_NAMES})


_OTHER_NAMES = {"ExprCondPair": ExprCondPair, "TupleArg": TupleArg, "NonElementaryIntegral": Integral}
"""Constructors in SymPy's `srepr` that are not in its main namespace."""


def _same(ours: Expr, theirs: Expr, integral: Integral) -> bool:
    """Whether the derivatives are equal at a few points."""
    variables = [limit[0] for limit in integral.limits]
    difference = ours - theirs
    for variable in variables:
        difference = difference.diff(variable)
    return _is_zero(difference)


def _is_zero(difference: Expr) -> bool:
    """Whether an expression is 0 at a few points."""
    names = sorted(difference.free_symbols, key=str)
    for start in POINTS:
        values = {name: start + 0.17 * place for place, name in enumerate(names)}
        try:
            if abs(complex(difference.subs(values).evalf())) > MAX_ROUNDING:
                return False
        except TypeError:  # not a number
            return False
    return True


def _class_of_value(value: Expr | None) -> str:
    """The functions in a value other than elementary ones."""
    if value is None:
        return ""
    functions = {
        type(part).__name__
        for part in value.atoms(Function, Piecewise, Integral)
        if not isinstance(part, (exp, log, sin, cos, AppliedUndef))
    }
    return ", ".join(sorted(functions)) or "elementary"


def _class_of_integrand(integral: Integral) -> str:
    heads = {type(part).__name__ for part in integral.atoms(Function) if not isinstance(part, AppliedUndef)}
    return ", ".join(sorted(heads)) or "powers"


def report(met: Counter[Integral], answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Prints the counts and examples, and returns the figures."""
    counts: Counter[str] = Counter()
    varying = 0
    classes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    examples: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for integral, times in met.most_common():
        answer = answers[write_srepr(integral)]
        outcome, kind = compare(integral, answer)
        varying += times * ("hash_seed" in answer)
        counts[outcome] += times
        classes[outcome][kind] += times
        if not outcome.startswith("same: ") and outcome != "same value":
            theirs = _read(answer["value"]) if answer.get("value") else next(reversed(answer.values()))
            examples[outcome, kind].append(f"{times} x {integral}: ours {_shown(integral)}; SymPy {theirs}")
    for outcome, times in counts.most_common():
        print(f"{times:7} {outcome}")
        for kind, share in classes[outcome].most_common():
            print(f"    {share:7} {kind}")
            for example in examples[outcome, kind][:MAX_SHOWN]:
                print(f"            {example[:400]}")
    evaluated = sum(times for outcome, times in counts.items() if outcome in EVALUATED)
    different = sum(times for outcome, times in counts.items() if outcome in DIFFERENT)
    return {
        "met": met.total(),
        "distinct": len(met),
        "evaluated": evaluated,
        "different": different,
        "same with another hash seed": varying,
        "share": different / evaluated if evaluated else 0.0,
        **counts,
    }


EVALUATED = {
    *("same value", "same value in another form", "other value"),
    *("only SymPy evaluates", "only we evaluate", "only we refuse", "same: refused"),
}
DIFFERENT = {
    *("same value in another form", "other value", "only SymPy evaluates", "only we evaluate", "only we refuse"),
}


def _shown(integral: Integral) -> str:
    try:
        return str(evaluate_integral(integral))
    except (IntegralError, *SYMPY_ERRORS) as error:
        return str(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", default=sys.executable, help="the Python with the SymPy to compare with")
    parser.add_argument("--seconds", type=int, default=30, help="CPU time that SymPy gets for an integral")
    parser.add_argument("--answers", type=Path, help="a file in which SymPy's answers are kept")
    options = parser.parse_args()
    met = collect(options.attempts, options.seed)
    answers = ask([integral for integral, _ in met.most_common()], options.python, options.seconds, options.answers)
    answers = ask_again(list(met), answers, options.python, options.seconds)
    print(json.dumps({"attempts": options.attempts, "seed": options.seed, **report(met, answers)}))


if __name__ == "__main__":
    main()
