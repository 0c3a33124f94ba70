"""Attacks that multiply or divide by what is zero in the model, or that reach infinity."""

from tests.validity_corpus.attacks.attempt import Attempt, Setting, applied, attack

HIDDEN_ZEROS = (
    r"\sin^{2}{(%s)} + \cos^{2}{(%s)} - 1",
    r"\frac{d}{d %s} 3",
    r"(%s + 1)^{2} - %s^{2} - 2 %s - 1",
    r"\log{(e^{2})} - 2 + \frac{d}{d %s} 7",
    r"e^{%s} e^{- %s} - 1",
    r"\cos{(2 %s)} - 2 \cos^{2}{(%s)} + 1",
    r"(%s + 2) (%s - 2) - %s^{2} + 4",
    r"\frac{d}{d %s} \sin{(%s)} - \cos{(%s)}",
)
"""Expressions that vanish identically, with a place for a name."""

INFINITE = (r"\infty", r"\frac{1}{0}", r"\log{(0)}", r"\frac{1}{%s - %s}", r"\infty + %s", r"\infty^{2}", r"0^{-1}")
"""Expressions without a finite value."""


def _filled(template: str, name: str) -> str:
    return template.replace("%s", name)


@attack("multiple of a premise's difference")
def universal(setting: Setting) -> Attempt:
    """The template that proves any goal: both sides times a difference that is zero, then divided by it."""
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    return setting.attempt(
        f"({left}) ({a} - ({b})) = ({right}) ({a} - ({b}))",
        f"({a}) ({left} - ({right})) = ({b}) ({left} - ({right}))",
    )


@attack("multiple of a premise's difference")
def universal_expanded(setting: Setting) -> Attempt:
    """The template with its products multiplied out."""
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    return setting.attempt(
        f"({left}) ({a}) - ({left}) ({b}) = ({right}) ({a}) - ({right}) ({b})",
        f"({left}) ({a}) - ({right}) ({a}) = ({left}) ({b}) - ({right}) ({b})",
    )


@attack("multiple of a premise's difference")
def universal_squared(setting: Setting) -> Attempt:
    """The template with the square of the difference."""
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    square = f"({left} - ({right}))^{{2}}"
    return setting.attempt(f"({a}) {square} = ({b}) {square}")


@attack("multiple of a premise's difference")
def universal_quotient(setting: Setting) -> Attempt:
    """A quotient of the premise's sides is one, and one to any power is one."""
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    quotient = rf"\frac{{{left}}}{{{right}}}"
    return setting.attempt(f"({quotient})^{{{a}}} = ({quotient})^{{{b}}}")


@attack("times zero")
def zero_products(setting: Setting) -> Attempt:
    """A premise's difference is zero, so all its multiples are equal."""
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    difference = f"({left} - ({right}))"
    return setting.attempt(
        f"{left} - ({right}) = 0",
        f"({a}) {difference} = 0",
        f"({b}) {difference} = 0",
        f"({a}) {difference} = ({b}) {difference}",
    )


@attack("times zero")
def hidden_zero(setting: Setting) -> Attempt:
    """Both sides times an expression that vanishes identically."""
    a, b = setting.goal
    zero = _filled(setting.rng.choice(HIDDEN_ZEROS), setting.variable())
    return setting.attempt(f"({a}) ({zero}) = ({b}) ({zero})")


@attack("times zero")
def hidden_zero_added(setting: Setting) -> Attempt:
    """A true equation with a multiple of zero on one side, from which the factor is taken off."""
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    zero = _filled(setting.rng.choice(HIDDEN_ZEROS), setting.variable())
    return setting.attempt(
        f"{left} + ({a}) ({zero}) = {right} + ({b}) ({zero})",
        f"({a}) ({zero}) = ({b}) ({zero})",
    )


@attack("times zero")
def named_zero(setting: Setting) -> Attempt:
    """The zero gets a name before both sides are multiplied by it."""
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    name = setting.fresh_names(1)[0]
    zero = applied(name, setting.variable())
    return setting.attempt(
        f"{left} - ({right}) = 0",
        f"{zero} = {left} - ({right})",
        f"({a}) {zero} = ({b}) {zero}",
    )


@attack("divide by zero")
def both_over_zero(setting: Setting) -> Attempt:
    """Both sides divided by a premise's difference."""
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    return setting.attempt(rf"\frac{{{a}}}{{{left} - ({right})}} = \frac{{{b}}}{{{left} - ({right})}}")


@attack("divide by zero")
def premise_is_zero(setting: Setting) -> Attempt:
    """A premise says that a name is zero, and the text divides by that name."""
    name = setting.fresh_names(1)[0]
    a, b = setting.goal
    given = (*setting.premise_texts, f"{name} = 0")
    lines = (*given, f"({a}) {name} = ({b}) {name}", setting.goal_text)
    return Attempt(given, setting.goal_text, lines, honest=len(given), constants=setting.constants)


@attack("divide by zero")
def zero_over_itself(setting: Setting) -> Attempt:
    """From `c = 0` to `1 = 0` by a division, and from there to the goal."""
    name = setting.fresh_names(1)[0]
    a, b = setting.goal
    given = (*setting.premise_texts, f"{name} = 0")
    last = rf"{a} - ({b}) = 0" if setting.rng.random() < 0.5 else f"{a} + 0 = {b}"
    lines = (*given, "1 = 0", last, setting.goal_text)
    return Attempt(given, setting.goal_text, lines, honest=len(given), constants=setting.constants)


@attack("divide by zero")
def equal_names(setting: Setting) -> Attempt:
    """The classic proof from `a = b`: both sides divided by `a - b`."""
    first, second = setting.fresh_names(2)
    factor = setting.rng.choice((2, 3, 5))
    given = (*setting.premise_texts, f"{first} = {second}")
    goal = f"{factor} {second} = {second}" if factor != 2 else f"2 {second} = {second}"
    lines = (
        *given,
        f"{first}^{{2}} = {first} {second}",
        f"{first}^{{2}} - {second}^{{2}} = {first} {second} - {second}^{{2}}",
        f"({first} - {second}) ({first} + {second}) = {second} ({first} - {second})",
        f"{first} + {second} = {second}",
        goal,
    )
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)


@attack("infinity")
def infinite_term(setting: Setting) -> Attempt:
    """Both sides plus an expression without a value."""
    a, b = setting.goal
    infinite = _filled(setting.rng.choice(INFINITE), setting.variable())
    return setting.attempt(f"({a}) + {infinite} = ({b}) + {infinite}")


@attack("infinity")
def infinite_factor(setting: Setting) -> Attempt:
    """Both sides times an expression without a value."""
    a, b = setting.goal
    infinite = _filled(setting.rng.choice(INFINITE), setting.variable())
    return setting.attempt(f"({a}) ({infinite}) = ({b}) ({infinite})")


@attack("infinity")
def absorbed_in_infinity(setting: Setting) -> Attempt:
    """Infinity takes in first one side, then the other."""
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    infinite = setting.rng.choice((r"\infty", r"\frac{1}{0}"))
    return setting.attempt(
        f"{left} + {infinite} = {right} + {infinite}",
        f"{infinite} = ({a}) + {infinite}",
        f"{infinite} = ({b}) + {infinite}",
        f"({a}) + {infinite} = ({b}) + {infinite}",
    )


@attack("infinity")
def over_infinity(setting: Setting) -> Attempt:
    """Both sides divided by infinity are zero."""
    a, b = setting.goal
    return setting.attempt(rf"\frac{{{a}}}{{\infty}} = \frac{{{b}}}{{\infty}}")


@attack("infinity")
def ratio_and_infinity(setting: Setting) -> Attempt:
    """A ratio that is one vanishes beside infinity, and is then said to be zero."""
    left, right = setting.premise_sides()
    name = applied(setting.fresh_names(1)[0], setting.variable())
    ratio = rf"\frac{{{left}}}{{{right}}}"
    goal = f"{left} = 0"
    lines = (
        *setting.premise_texts,
        f"{ratio} = 1",
        f"{name} = {ratio}",
        f"{name} = 1",
        rf"{name} + \infty = {ratio} + \infty",
        rf"\infty = {ratio} + \infty",
        f"0 = {ratio}",
        goal,
    )
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)


@attack("one solution of several")
def root_of_a_polynomial(setting: Setting) -> Attempt:
    """One root of a polynomial is said to be the only one."""
    (x,) = setting.fresh_names(1)
    first, other = setting.rng.sample((1, 2, 3, 5, 8, 40, 700, 6000), 2)
    premise = setting.rng.choice(
        (
            f"({x} - {first}) ({x} - {other}) = 0",
            f"{x}^{{2}} - {first + other} {x} = {-first * other}",
            f"{x}^{{3}} + {first * other} {x} = {first + other} {x}^{{2}}",
        )
    )
    given = (*setting.premise_texts, premise)
    goal = setting.rng.choice((f"{x} = {first}", f"2 {x} = {2 * first}", f"{x}^{{2}} = {first**2}"))
    return Attempt(
        given,
        goal,
        (*given, goal),
        honest=len(given),
        constants=setting.constants,
        witness=(*setting.premise_texts, f"{x} = {other}"),
    )
