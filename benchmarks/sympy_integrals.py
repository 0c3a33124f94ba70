"""Evaluates integrals as the authors' code does, with the SymPy of the Python that runs this file.

    python benchmarks/sympy_integrals.py SECONDS < integrals.txt > answers.jsonl

Each line of the input is the `srepr` of an integral, and each line of the output a JSON object with one of these keys:

- `value`: the `srepr` of the value that the integral is replaced by, and `null` where the integral stays;
- `error`: the name of the exception that SymPy raises;
- `unfinished`: true where SymPy needs more than the given CPU time or 4 GB of memory.

The file imports nothing but SymPy and runs with Python 3.7 and SymPy 1.5.1, too. Each integral is evaluated in a child
process, so that none depends on the caches that the ones before it have filled.
"""

from __future__ import annotations

import json
import os
import resource
import sys

import sympy
from sympy import Integral, exp, integrate, simplify, srepr

MEMORY = 4 * 2**30
"""Maximum bytes of memory of a child process."""

_WARM_UP = ("exp(-x**2)", "cos(exp(x))", "x*sin(x)/(x + 1)")
"""Integrands that make SymPy build the tables that every child shares."""


def answer(text: str) -> dict[str, object]:
    """Applies the authors' rule to one integral."""
    integral = eval(text, vars(sympy).copy())
    assert isinstance(integral, Integral)
    try:
        value = integral.doit()
        is_replaced = str(simplify(integral)) != str(simplify(value))
    except RecursionError:
        return {"error": "RecursionError"}
    except MemoryError:
        return {"unfinished": True}
    except Exception as error:
        return {"error": type(error).__name__}
    return {"value": srepr(value) if is_replaced else None}


def answer_in_child(text: str, seconds: int) -> dict[str, object]:
    """Runs `answer` in a child process under the limits."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with os.fdopen(writing, "w") as pipe:
            pipe.write(json.dumps(answer(text)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        written = pipe.read()
    os.waitpid(child, 0)
    return dict(json.loads(written)) if written else {"unfinished": True}


def main() -> None:
    seconds = int(sys.argv[1])
    for integrand in _WARM_UP:
        integrate(sympy.sympify(integrand), sympy.Symbol("x"))
    assert exp(0) == 1
    for line in sys.stdin:
        print(json.dumps(answer_in_child(line, seconds)), flush=True)


if __name__ == "__main__":
    main()
