"""Is one derivation a perturbation of another? The rules of Meadows et al. (2024), checked on finished examples."""

from collections.abc import Mapping

from sympy import Equality
from sympy.core.function import AppliedUndef

from mathderive.symbolic.engine.derivation import PREMISES, Derivation, step_references
from mathderive.symbolic.engine.perturbations import expression_exchange
from mathderive.symbolic.engine.replay import follows
from mathderive.symbolic.names import function, names_in_order, names_of, rename
from mathderive.symbolic.vocabulary import RENAMING_LETTERS

MAX_TRIES = 20_000
"""Maps of names tried before two derivations count as different; real ones take a few dozen."""


def is_expression_exchange(original: Derivation, other: Derivation) -> bool:
    """Whether all sides, and the names of the substitutions, have changed places."""
    return other == expression_exchange(original)


def is_alternative_goal(original: Derivation, other: Derivation) -> bool:
    """Whether only the last step differs, is no premise, acts on the step before it, follows, and is new."""
    if len(other.steps) < 2 or len(other.steps) != len(original.steps):
        return False
    *prefix, goal = other.steps
    before = [step.equation for step in prefix]
    return (
        prefix == list(original.steps[:-1])
        and goal != original.steps[-1]
        and goal.annotation not in PREMISES
        and step_references(goal.annotation)[0] == len(prefix)
        and all(goal.equation.args not in (equation.args, equation.args[::-1]) for equation in before)
        and follows(goal, before)
    )


def is_variable_renaming(original: Derivation, other: Derivation) -> bool:
    """Whether an injective map to the eleven letters makes the equations equal, up to the order of arguments."""
    return len(original.steps) == len(other.steps) and find_renaming(original, other) is not None


def unrenamed_names(original: Derivation, other: Derivation) -> set[str]:
    """Names of a renamed derivation that are the original's own: in Meadows et al.'s data, one bound variable."""
    kept = frozenset().union(*map(names_of, other.equations)) - set(RENAMING_LETTERS)
    return set(kept & frozenset().union(*map(names_of, original.equations)))


def find_renaming(original: Derivation, other: Derivation) -> dict[str, str] | None:
    """The map of names under which the equations of two derivations of one length agree, if there is one.

    Found name by name, in order of appearance, going back where an equation whose names are all mapped differs.
    """
    pairs = list(zip(original.equations, other.equations, strict=True))
    order = list(dict.fromkeys(name for equation in original.equations for name in names_in_order(equation)))
    if len(order) > len(RENAMING_LETTERS):
        return None
    # Each name's letter stands in every equation whose original has the name.
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
    """The equation with the arguments of its undefined functions sorted: the authors reordered some."""
    return equation.replace(
        lambda node: isinstance(node, AppliedUndef),
        lambda node: function(node.func.__name__)(*sorted(node.args, key=str)),
    )
