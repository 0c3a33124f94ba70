"""Premises that are ordinary differential equations: what all their solutions fulfil is true, and nothing else is."""

import pytest

from mathderive.checker.checker import Checker, check
from mathderive.checker.verdicts import TRUE

GROWTH = r"\frac{d}{d x} y{(x)} = k y{(x)}"
OSCILLATION = r"m \frac{d^{2}}{d t^{2}} u{(t)} + c u{(t)} = 0"
FALL = r"\frac{d}{d t} v{(t)} = g - \frac{b v^{2}{(t)}}{m}"
PAIR = (r"\frac{d}{d t} p{(t)} = q{(t)}", r"\frac{d}{d t} q{(t)} = - p{(t)}")
ENERGY = r"E{(t)} = \frac{m (\frac{d}{d t} u{(t)})^{2}}{2} + \frac{c u^{2}{(t)}}{2}"


@pytest.mark.parametrize(
    ("premises", "equation"),
    [
        ((GROWTH,), r"\frac{d^{2}}{d x^{2}} y{(x)} = k \frac{d}{d x} y{(x)}"),
        ((GROWTH,), r"\frac{d^{3}}{d x^{3}} y{(x)} = k^{3} y{(x)}"),
        ((GROWTH,), r"\frac{d}{d x} (e^{- k x} y{(x)}) = 0"),
        ((GROWTH,), r"\frac{d}{d x} y^{2}{(x)} = 2 k y^{2}{(x)}"),
        ((OSCILLATION,), r"\frac{d^{2}}{d t^{2}} u{(t)} = - \frac{c u{(t)}}{m}"),
        ((OSCILLATION, ENERGY), r"\frac{d}{d t} E{(t)} = 0"),
        ((ENERGY, OSCILLATION), r"\frac{d}{d t} E{(t)} = 0"),
        ((FALL,), r"\frac{d^{2}}{d t^{2}} v{(t)} = - \frac{2 b v{(t)} \frac{d}{d t} v{(t)}}{m}"),
        (PAIR, r"\frac{d}{d t} (p^{2}{(t)} + q^{2}{(t)}) = 0"),
        (PAIR[::-1], r"\frac{d^{2}}{d t^{2}} p{(t)} = - p{(t)}"),
    ],
)
def test_all_solutions_fulfil_it(premises: tuple[str, ...], equation: str) -> None:
    prompt = f"Given {' and '.join(premises)}, then obtain {equation}"
    assert check(prompt, equation).steps[0].truth in TRUE


@pytest.mark.parametrize(
    ("premises", "equation"),
    [
        ((GROWTH,), r"\frac{d^{2}}{d x^{2}} y{(x)} = k^{2} \frac{d}{d x} y{(x)}"),
        ((GROWTH,), r"y{(x)} = e^{k x}"),
        ((GROWTH,), r"y{(x)} = 0"),
        # Solutions have either sign, and depend on the parameters in a way that is not known.
        ((GROWTH,), r"\sqrt{y^{2}{(x)}} = y{(x)}"),
        ((GROWTH,), r"\frac{\partial}{\partial k} \frac{d}{d x} y{(x)} = y{(x)}"),
        ((GROWTH,), r"\frac{d}{d k} y{(x)} = 0"),
        ((GROWTH,), r"y{(2 x)} = y^{2}{(x)}"),
        ((GROWTH, r"\frac{d}{d x} y{(x)} = 2 k y{(x)}"), "y{(x)} = 0"),
        ((OSCILLATION,), r"\frac{d}{d t} u{(t)} = 0"),
        ((OSCILLATION, ENERGY), "E{(t)} = 0"),
        (PAIR, r"p^{2}{(t)} + q^{2}{(t)} = 1"),
        ((r"(\frac{d}{d x} y{(x)})^{2} = y{(x)}",), r"\frac{d}{d x} y{(x)} = 1"),
    ],
)
def test_some_solutions_do_not_fulfil_it(premises: tuple[str, ...], equation: str) -> None:
    prompt = f"Given {' and '.join(premises)}, then obtain {equation}"
    assert check(prompt, equation).steps[0].truth not in TRUE


def two_signs(first: str, second: str) -> str:
    """An equation that is false where both expressions are negative, and true elsewhere."""
    return rf"(\sqrt{{({first})^{{2}}}} - {first}) (\sqrt{{({second})^{{2}}}} - {second}) = 0"


@pytest.mark.parametrize(
    ("premises", "equation"),
    [
        ((GROWTH,), r"\sqrt{y^{2}{(x)}} = y{(x)}"),
        ((GROWTH,), r"\log{(y^{2}{(x)})} = 2 \log{(y{(x)})}"),
        ((OSCILLATION,), two_signs("u{(t)}", r"\frac{d}{d t} u{(t)}")),
        (PAIR, two_signs("p{(t)}", "q{(t)}")),
        (PAIR, r"\log{(p{(t)})} + \log{(q{(t)})} = \log{(p{(t)} q{(t)})}"),
        (
            tuple(rf"\frac{{d}}{{d x}} {name}{{(x)}} = {name}{{(x)}}" for name in "uvwpq"),
            " ".join(rf"(\sqrt{{({name}{{(x)}})^{{2}}}} - {name}{{(x)}})" for name in "uvwpq") + " = 0",
        ),
    ],
)
def test_all_combinations_of_signs_are_tried_at_any_points(premises: tuple[str, ...], equation: str) -> None:
    prompt = f"Given {' and '.join(premises)}, then obtain {equation}"
    for seed in range(30):
        assert Checker(prompt, str(seed)).check(equation).steps[0].truth not in TRUE


def test_it_may_be_differentiated() -> None:
    twice = r"\frac{d}{d x} \frac{d}{d x} y{(x)} = \frac{d}{d x} k y{(x)}"
    goal = r"\frac{d^{2}}{d x^{2}} y{(x)} = k \frac{d}{d x} y{(x)}"
    verdict = check(f"Given {GROWTH}, then obtain {goal}", "\n".join((GROWTH, twice, goal)))
    assert verdict.verified
    assert verdict.steps[1].operator == "differentiate"
