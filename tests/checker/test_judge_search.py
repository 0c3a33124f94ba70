"""The judge's search for the operator that gives an equation is judged by references and by hand."""

import operator
from functools import reduce
from pathlib import Path

from sympy import Derivative, cos, sin

from mathderive.symbolic.engine.derivation import Derivation, step_references
from mathderive.symbolic.engine.operators import is_premise
from mathderive.symbolic.latex.printer import latex
from tests.checker.test_judge import equation, f, judge, x, y
from tests.support.released_records import UNRENAMED, derivation_of, load
from tests.validity_corpus.corpus import constants_of
from tests.validity_corpus.follows import Follows, Search


def searched(derivation: Derivation) -> Search:
    return Search(judge([], derivation.equations, constants_of(derivation)), "test")


def test_the_search_finds_every_operator_of_a_reference(shared_reference: Path) -> None:
    for example in load(shared_reference, "flan-t5-large").examples[::12]:
        derivation = derivation_of(example)
        search = searched(derivation)
        for position, step in enumerate(derivation.steps):
            if is_premise(step.annotation) or example.id == UNRENAMED:
                continue
            found = search.follows(step.equation, derivation.equations[:position])
            # A constant's name is free, so an evaluated integral is compared by value.
            allowed = (
                {Follows.EXACTLY, Follows.LOOSELY} if step.annotation[0] == "evaluate_integrals" else {Follows.EXACTLY}
            )
            assert found in allowed, (example.id, position, latex(step.equation))


def test_the_search_wants_the_step_between() -> None:
    """Differentiating and carrying it out are two operators, and so are most pairs of steps."""
    start = equation(f(x), x**2 * sin(x))
    between = equation(Derivative(f(x), x), Derivative(x**2 * sin(x), x))
    end = equation(Derivative(f(x), x), x**2 * cos(x) + 2 * x * sin(x))
    search = Search(judge([], [start, between, end]), "test")
    assert search.follows(between, [start]) is Follows.EXACTLY
    assert search.follows(end, [start, between]) is Follows.EXACTLY
    assert search.follows(end, [start]) is Follows.NOT
    halves = [
        equation(f(x) ** 2 + y, reduce(operator.mul, [x**4, sin(x) ** 2]) + y),
        equation(f(x) ** 2, x**4 * sin(x) ** 2),
    ]
    assert search.follows(halves[1], [start]) is Follows.EXACTLY
    assert search.follows(halves[0], [start]) is Follows.NOT
    assert search.follows(equation(between.rhs, between.lhs), [start]) is Follows.EXACTLY


def test_the_search_leaves_another_way_of_writing_open() -> None:
    start = equation(f(x), x * (x + 1))
    written = equation(f(x) + y, x**2 + x + y)
    assert Search(judge([], [start, written]), "test").follows(written, [start]) is Follows.LOOSELY


def test_references_lead_to_their_steps(shared_reference: Path) -> None:
    """Without any step that it refers to, hardly a step follows: what is labelled as removed is missed."""
    follow = []
    for example in load(shared_reference, "flan-t5-large").examples[::30]:
        derivation = derivation_of(example)
        search = searched(derivation)
        for position, step in enumerate(derivation.steps):
            references = {*step_references(step.annotation)}
            rest = [e for number, e in enumerate(derivation.equations[:position], 1) if number not in references]
            if references:
                follow.append(search.follows(step.equation, rest) is not Follows.NOT)
    assert len(follow) > 25
    assert sum(follow) < len(follow) / 3
