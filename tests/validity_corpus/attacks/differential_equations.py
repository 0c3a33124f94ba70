"""Attacks with differential equations as premises: what only one solution fulfils, and wrong derivatives."""

from dataclasses import dataclass
from string import Template

from tests.validity_corpus.attacks.attempt import Attempt, Setting, applied, attack


@dataclass(frozen=True)
class _Family:
    """Differential equations, a solution, and equations that are false for the solution.

    `$Y` and `$Z` stand for functions of `$x`, `$Y1` and `$Y2` for derivatives, and `$k` for a name.
    """

    premises: tuple[str, ...]
    solution: tuple[str, ...]
    false: tuple[str, ...]


FAMILIES = (
    _Family(
        ("$Y1 = $k $Y",),
        ("$Y = - 3 e^{$k $x}",),
        (
            *("$Y2 = $k^{2} $Y1", "$Y2 = 2 $k $Y1", "$Y2 = 0", "$Y = 0", "$Y1 = $k", "$Y = e^{$k $x}", "$Y1 = $Y2 $Y"),
            *(r"\sqrt{($Y)^{2}} = $Y", r"\frac{\partial}{\partial $k} $Y1 = $Y"),
            *(r"\frac{d}{d $x} ($Y)^{2} = 2 $k $Y", r"\log{(($Y)^{2})} = 2 \log{($Y)}"),
        ),
    ),
    _Family(
        ("$Y1 = $k $Y", "$Z1 = - $Z"),
        ("$Y = - 3 e^{$k $x}", "$Z = - 2 e^{- $x}"),
        (
            r"\log{($Y)} + \log{($Z)} = \log{($Y $Z)}",
            r"(\sqrt{($Y)^{2}} - $Y) (\sqrt{($Z)^{2}} - $Z) = 0",
            r"\sqrt{($Y)^{2}} + \sqrt{($Z)^{2}} = \sqrt{($Y + $Z)^{2}} + $Y - $Z",
        ),
    ),
    _Family(
        ("$Y2 = - $k^{2} $Y",),
        (r"$Y = 2 \sin{($k $x)} - 5 \cos{($k $x)}",),
        (
            *("($Y1)^{2} + $k^{2} ($Y)^{2} = 0", "$Y1 = $k $Y", r"$Y = \sin{($k $x)}", "($Y1)^{2} = - $k^{2} ($Y)^{2}"),
            *(r"\frac{d}{d $x} $Y2 = $k^{2} $Y1", r"\frac{d}{d $x} ($Y1)^{2} = $k^{2} \frac{d}{d $x} ($Y)^{2}"),
        ),
    ),
    _Family(("$x $Y1 = $Y",), ("$Y = 4 $x",), ("$Y1 = 0", "$Y = $x", "$Y2 = $Y1", "$Y2 = 1", "$Y1 = 1")),
    _Family(
        ("$Y1 = ($Y)^{2}",),
        (r"$Y = - \frac{1}{$x + 2}",),
        ("$Y2 = 2 $Y", "$Y2 = ($Y)^{3}", r"$Y = \frac{1}{$x}", "$Y2 = 2 $Y1"),
    ),
    _Family(
        ("$Y1 = $Z", "$Z1 = - $Y"),
        (r"$Y = 3 \sin{($x)}", r"$Z = 3 \cos{($x)}"),
        ("$Y2 = $Y", "($Y)^{2} + ($Z)^{2} = 1", "$Y $Z1 = $Z $Y1", "$Z2 = $Z", "$Y = $Z", r"\frac{d}{d $x} $Y $Z = 0"),
    ),
)


@attack("differential equations")
def follows_from_a_solution(setting: Setting) -> Attempt:
    """A premise differentiated, then an equation that is false for a solution."""
    family = setting.rng.choice(FAMILIES)
    y, z, x, k = setting.fresh_names(4)
    names = {"Y": applied(y, x), "Z": applied(z, x), "x": x, "k": k}
    for letter in "YZ":
        names |= {
            f"{letter}1": rf"\frac{{d}}{{d {x}}} {names[letter]}",
            f"{letter}2": rf"\frac{{d^{{2}}}}{{d {x}^{{2}}}} {names[letter]}",
        }

    def written(*templates: str) -> tuple[str, ...]:
        return tuple(Template(template).substitute(names) for template in templates)

    given = (*setting.premise_texts, *written(*family.premises))
    left, right = given[-1].split(" = ")
    derived = rf"\frac{{d}}{{d {x}}} ({left}) = \frac{{d}}{{d {x}}} ({right})"
    (false,) = written(setting.rng.choice(family.false))
    goal = setting.goal_text if setting.goal_kind == "absurd" else false
    return Attempt(
        given,
        goal,
        tuple(dict.fromkeys((*given, derived, false, goal))),
        honest=len(given) + 1,
        constants=setting.constants,
        witness=(*setting.premise_texts, *written(*family.solution)),
    )
