"""Prints verdicts to a terminal: a block for each step, and a summary below."""

from collections.abc import Callable, Collection

from mathderive.checker.verdicts import StepVerdict, Validity

COLOURS = {
    "premise": "blue",
    "valid": "green",
    "skipped": "yellow",
    "incorrect": "red",
    "unparsable": "magenta",
    "undecided": "cyan",
}

Paint = Callable[[str, str], str]
"""A function that colours a text, given the text and a colour's name."""


def display(
    validity: Validity, paint: Paint = lambda text, colour: text, missing: Collection[int] = frozenset()
) -> str:
    """The verdict on every step with its reason, and a summary.

    Args:
        paint: colours a text; by default there are no colours.
        missing: the numbers of the equations that were inserted because the derivation skips them.
    """
    blocks = [_block(number, step, paint, number in missing) for number, step in enumerate(validity.steps, start=1)]
    return "\n".join([*blocks, _summary(validity)])


def _block(number: int, step: StepVerdict, paint: Paint, is_missing: bool) -> str:
    verdict = ", ".join(["missing"] if is_missing else step.label.words)
    lines = [
        f"{number:>3}  {paint(f'{verdict:<12}', COLOURS[step.truth])}  {printable(step.text)}",
        f"     {printable(step.reason.replace('$', ''))}",
    ]
    if step.counterexample:
        values = ", ".join(f"{name} = {value}" for name, value in step.counterexample.items())
        lines.append(f"     for {values}")
    return "\n".join(lines)


def _summary(validity: Validity) -> str:
    doubtful = next((n for n, step in enumerate(validity.steps, start=1) if step.truth not in ("premise", "valid")), 0)
    why = f": equation {doubtful} is {validity.steps[doubtful - 1].truth}" if doubtful else ""
    parts = [
        f"{sum(validity.premises_used)} of {len(validity.premises_used)} premises stated",
        f"{sum(validity.intermediates_present)} of {len(validity.intermediates_present)} requested equations derived",
        "goal reached" if validity.goal_reached else "goal not reached",
        "verified" if validity.verified else ("sound, but not verified" if validity.sound else "not verified") + why,
    ]
    return "; ".join(parts)


def printable(text: str) -> str:
    """The text with a space for every control character, which a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
