"""The steps that a goal depends on, where a step has several justifications."""

from collections.abc import Collection, Mapping, Sequence

MAX_TRIED = 20_000
"""Maximum number of sets that are tried; beyond it, every step that any justification uses counts as needed."""


def smallest_supports(
    end: int, options: Mapping[int, Sequence[frozenset[int]]], free: Collection[int] = ()
) -> set[int]:
    """The steps in at least one smallest set that contains the end and supports itself.

    Args:
        end: a step's number.
        options: for each step, sets of earlier steps; one of them has to be in the set with it.
        free: steps that do not count towards the size, such as premises.
    """
    best: int | None = None
    needed: set[int] = set()
    waiting = [(frozenset({end}), frozenset({end}))]
    tried = 0
    seen = set(waiting)
    while waiting:
        tried += 1
        if tried > MAX_TRIED:
            return _any_support(end, options)
        chosen, unsupported = waiting.pop()
        size = len(chosen.difference(free))
        if best is not None and size > best:
            continue
        if not unsupported:
            needed = {*needed, *chosen} if size == best else {*chosen}
            best = size
            continue
        step = max(unsupported)
        for option in options[step]:
            state = (chosen | option, (unsupported | (option - chosen)) - {step})
            if state not in seen:
                seen.add(state)
                waiting.append(state)
    return needed


def _any_support(end: int, options: Mapping[int, Sequence[frozenset[int]]]) -> set[int]:
    needed: set[int] = set()
    waiting = [end]
    while waiting:
        step = waiting.pop()
        if step not in needed:
            needed.add(step)
            waiting += frozenset().union(*options[step])
    return needed
