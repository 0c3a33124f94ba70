"""Recognising perturbations: the rules of Meadows et al. (2024), checked on pairs of finished derivations."""

from collections.abc import Mapping

from sympy import Equality
from sympy.core.function import AppliedUndef

from mathderive.symbolic.engine.derivation import Derivation, step_references
from mathderive.symbolic.engine.operators import is_premise
from mathderive.symbolic.engine.perturbations import expression_exchange
from mathderive.symbolic.engine.replay import follows
from mathderive.symbolic.names import function, names_in_order, names_of, rename
from mathderive.symbolic.vocabulary import RENAMING_LETTERS

MAX_TRIES = 20_000
"""Maximum number of partial maps of names that are tried; a variant takes a few dozen."""


def is_expression_exchange(original: Derivation, other: Derivation) -> bool:
    """Whether the sides of all equations, and the two substitutions, have changed places."""
    return other == expression_exchange(original)


def is_alternative_goal(original: Derivation, other: Derivation) -> bool:
    """Whether only the last step differs, and follows from the step before it by an operator as a new equation."""
    if len(other.steps) < 2 or len(other.steps) != len(original.steps):
        return False
    *prefix, goal = other.steps
    before = [step.equation for step in prefix]
    return (
        prefix == list(original.steps[:-1])
        and goal != original.steps[-1]
        and not is_premise(goal.annotation)
        and step_references(goal.annotation)[0] == len(prefix)
        and all(goal.equation.args not in (equation.args, equation.args[::-1]) for equation in before)
        and follows(goal, before)
    )


def is_variable_renaming(original: Derivation, other: Derivation) -> bool:
    """Whether an injective map of names to the eleven letters makes the equations equal, up to argument order."""
    return len(original.steps) == len(other.steps) and find_renaming(original, other) is not None


def unrenamed_names(original: Derivation, other: Derivation) -> set[str]:
    """Names that a renamed derivation shares with the original; one bound variable in the released data."""
    kept = frozenset().union(*map(names_of, other.equations)) - set(RENAMING_LETTERS)
    return set(kept & frozenset().union(*map(names_of, original.equations)))


def find_renaming(original: Derivation, other: Derivation) -> dict[str, str] | None:
    """Finds a map of names under which the equations of two derivations of the same length agree.

    The search maps name by name, in order of appearance, and backtracks as soon as an equation differs whose names are
    all mapped.
    """
    pairs = list(zip(original.equations, other.equations, strict=True))
    order = list(dict.fromkeys(name for equation in original.equations for name in names_in_order(equation)))
    if len(order) > len(RENAMING_LETTERS):
        return None
    # A letter can stand for a name only if both occur in the same equations.
    candidates = {
        name: [
            letter
            for letter in RENAMING_LETTERS
            if all((name in names_of(first)) == (letter in names_of(second)) for first, second in pairs)
        ]
        for name in order
    }
    tries = iter(range(MAX_TRIES))

    def extend(found: Mapping[str, str]) -> dict[str, str] | None:
        if next(tries, None) is None:
            return None
        if len(found) == len(order):
            return dict(found) if all(_agree(first, second, found) for first, second in pairs) else None
        name = order[len(found)]
        for letter in candidates[name]:
            if letter not in found.values():
                longer = {**found, name: letter}
                complete = [pair for pair in pairs if name in (used := names_of(pair[0])) and used <= longer.keys()]
                if all(_agree(first, second, longer) for first, second in complete):
                    result = extend(longer)
                    if result is not None:
                        return result
        return None

    return extend({})


def _agree(first: Equality, second: Equality, names: Mapping[str, str]) -> bool:
    return bool(_without_argument_order(rename(first, names)) == _without_argument_order(second))


def _without_argument_order(equation: Equality) -> Equality:
    """The equation with sorted arguments of undefined functions, because the authors reordered some."""
    return equation.replace(
        lambda node: isinstance(node, AppliedUndef),
        lambda node: function(node.func.__name__)(*sorted(node.args, key=str)),
    )
