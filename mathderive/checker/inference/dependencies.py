"""What a goal depends on, where steps can be reached in several ways."""

from collections.abc import Collection, Mapping, Sequence

MAX_TRIED = 20_000
"""Sets that are looked at; beyond that, what any way uses counts as needed."""


def smallest_supports(
    end: int, options: Mapping[int, Sequence[frozenset[int]]], free: Collection[int] = ()
) -> set[int]:
    """The steps that belong to some smallest set with the end in it that supports itself.

    Args:
        end: a step's number.
        options: for each step, the sets of earlier steps of which one has to be in the set with it.
        free: steps that do not count, as premises do.
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
