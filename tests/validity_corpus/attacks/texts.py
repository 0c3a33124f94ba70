"""Attacks with the text as a whole: padding, circles, wrong steps in real derivations, restated equations."""

from dataclasses import replace

from mathderive.symbolic.engine.operators import is_premise
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import split_prompt
from tests.validity_corpus.attacks.attempt import Attempt, Setting, attack
from tests.validity_corpus.corruptions import CORRUPTIONS

WRONG_STEPS = (
    *("sign flipped", "factor dropped", "wrong derivative", "wrong integral", "symbol exchanged"),
    "wrong substitution",
)
"""The corruptions that make an equation false."""

MAX_JUDGED = 5
"""Maximum number of guesses at a goal that are judged."""


def _whole(setting: Setting, lines: tuple[str, ...]) -> Attempt:
    """Lines that answer the source's own prompt."""
    asked = split_prompt(setting.source.prompt)
    return Attempt(
        asked.premises, asked.goal, lines, asked.derive, honest=len(setting.premises), constants=setting.constants
    )


def _lines(setting: Setting) -> list[str]:
    return [latex(equation) for equation in setting.source.derivation.equations]


@attack("padding with false equations")
def false_lines(setting: Setting) -> Attempt:
    """A whole correct derivation with false equations between its lines."""
    lines = _lines(setting)
    left, right = setting.premise_sides()
    false = [f"{left} = 2 ({right})", "1 = 2", f"{left} = {right} + 1", f"{left} = - ({right})"]
    if setting.goal_kind == "false":
        false.append(setting.goal_text)
    for text in setting.rng.sample(false, setting.rng.randint(1, 3)):
        lines.insert(setting.rng.randint(1, len(lines)), text)
    return _whole(setting, tuple(dict.fromkeys(lines)))


@attack("padding with false equations")
def shotgun(setting: Setting) -> Attempt:
    """Many guesses at the goal, and the right one among them."""
    lines = _lines(setting)
    goal = setting.source.derivation.equations[-1]
    guesses = [f"{latex(goal.lhs)} = {factor} ({latex(goal.rhs)})" for factor in range(-12, 13) if factor != 1]
    if is_premise(setting.source.derivation.steps[-1].annotation):
        guesses = guesses[:5]
    padded = (*lines[:-1], *setting.rng.sample(guesses, min(len(guesses), 20)), lines[-1])
    # The judge takes long for each guess, and one that is false makes the whole an attack.
    judged = sorted(setting.rng.sample(range(len(lines), len(padded)), min(len(padded) - len(lines), MAX_JUDGED)))
    return replace(_whole(setting, padded), judged=tuple(judged))


@attack("wrong steps in real derivations")
def wrong_step(setting: Setting) -> Attempt | None:
    """A real derivation with a false equation in place of a step."""
    kind = setting.rng.choice(WRONG_STEPS)
    found = CORRUPTIONS[kind](setting.source.derivation, setting.rng)
    if found is None:
        return None
    return _whole(setting, tuple(latex(line.equation) for line in found))


@attack("wrong steps in real derivations")
def wrong_goal(setting: Setting) -> Attempt:
    """A real derivation whose prompt asks for another goal, stated as if it followed."""
    lines = (*_lines(setting), setting.goal_text)
    asked = split_prompt(setting.source.prompt)
    return Attempt(
        asked.premises,
        setting.goal_text,
        tuple(dict.fromkeys(lines)),
        asked.derive,
        honest=len(setting.premises) if setting.goal_kind == "false" else len(lines),
        constants=setting.constants,
    )


@attack("circular derivations")
def goal_from_itself(setting: Setting) -> Attempt:
    """The goal is stated, restated or changed, and then derived from that."""
    a, b = setting.goal
    x = setting.variable()
    between = setting.rng.choice(
        (
            (f"{b} = {a}",),
            (f"{a} + {x} = {b} + {x}",),
            (f"2 ({a}) = 2 ({b})",),
            (f"{a} - ({b}) = 0",),
            (f"{b} - ({a}) = 0", f"{b} = {a}"),
            (f"{a} + {x} = {b} + {x}", f"2 ({a}) + 2 {x} = 2 ({b}) + 2 {x}"),
        )
    )
    first = (setting.goal_text,) if setting.rng.random() < 0.4 else ()
    return setting.attempt(*first, *between)


@attack("circular derivations")
def identity_first(setting: Setting) -> Attempt:
    """An equation of an expression with itself, of which one side is replaced."""
    a, b = setting.goal
    return setting.attempt(
        *setting.rng.choice(
            (
                (f"{a} = {a}",),
                (f"{b} = {b}",),
                (f"{a} - ({a}) = {b} - ({b})",),
                (f"0 ({a}) = 0 ({b})", f"{a} = {a}"),
                (f"{a} + {b} = {b} + {a}",),
            )
        )
    )
