"""Attacks on finite precision: terms that vanish beside others, and numbers that nearly agree."""

from decimal import Decimal, getcontext

from tests.validity_corpus.attacks.attempt import Attempt, Setting, applied, attack

HUGE = (
    *("10^{9}", "10^{12}", "10^{15}", "10^{20}", "10^{30}", "10^{100}", "7^{40}", "12345678901234567890"),
    *("e^{50}", "e^{100}", "10^{20} %s^{2}", "10^{15} e^{%s}", "10^{14} (2 + \\cos{(%s)})", "e^{40 + %s}"),
)
"""Large terms and factors, with a place for a name."""

TINY = (
    *("10^{-9}", "10^{-12}", "10^{-20}", "10^{-40}", "0.000000001", r"\frac{1}{10^{15}}", "e^{-50}"),
    *("e^{- 100 %s}", "e^{- 200 %s}", r"\frac{%s}{10^{9}}", r"10^{-13} \cos{(%s)}", "%s^{60}"),
)
"""Small terms, with a place for a name."""

IRRATIONAL = {
    r"\sqrt{2}": "1.41421356237309504880168872420969807856967187537694",
    r"\sqrt{3}": "1.73205080756887729352744634150587236694280525381038",
    r"\log{(2)}": "0.69314718055994530941723212145817656807550013436026",
    r"\cos{(1)}": "0.54030230586813971740093660744297660373231042061792",
    r"\sin{(1)}": "0.84147098480789650665250232163029899962256306079837",
    "e^{2}": "7.38905609893065022723042746057500781318031557055185",
}
"""Numbers and their first digits."""


def _filled(template: str, setting: Setting) -> str:
    return template.replace("%s", setting.variable()) if "%s" in template else template


@attack("absorption by huge terms")
def huge_term(setting: Setting) -> Attempt | None:
    """Both sides plus a number beside which they vanish."""
    if setting.goal_kind == "true":
        return None  # the text would not show what the terms take in
    a, b = setting.goal
    huge = _filled(setting.rng.choice(HUGE), setting)
    return setting.attempt(f"({a}) + {huge} = ({b}) + {huge}")


@attack("absorption by huge terms")
def huge_term_in_product(setting: Setting) -> Attempt | None:
    """A huge term within a factor."""
    if setting.goal_kind == "true":
        return None  # the text would not show what the terms take in
    a, b = setting.goal
    huge, factor = _filled(setting.rng.choice(HUGE), setting), setting.variable()
    return setting.attempt(
        f"{factor} ({a} + {huge}) = {factor} ({b} + {huge})",
        f"({a}) + {huge} = ({b}) + {huge}",
    )


@attack("absorption by huge terms")
def huge_term_in_power(setting: Setting) -> Attempt | None:
    """A huge term within a power."""
    if setting.goal_kind == "true":
        return None  # the text would not show what the terms take in
    a, b = setting.goal
    huge = _filled(setting.rng.choice(HUGE), setting)
    power = setting.rng.choice((2, 3, 5, -1))
    return setting.attempt(f"({a} + {huge})^{{{power}}} = ({b} + {huge})^{{{power}}}")


@attack("absorption by huge terms")
def huge_term_in_function(setting: Setting) -> Attempt | None:
    """A huge term within a logarithm."""
    if setting.goal_kind == "true":
        return None  # the text would not show what the terms take in
    a, b = setting.goal
    huge = _filled(setting.rng.choice(HUGE), setting)
    return setting.attempt(
        rf"\log{{({a} + {huge})}} = \log{{({b} + {huge})}}",
        f"{a} + {huge} = {b} + {huge}",
    )


@attack("absorption by huge terms")
def huge_premise(setting: Setting) -> Attempt | None:
    """The premise's sides times a factor in which the goal's sides vanish."""
    if setting.goal_kind == "true":
        return None  # the text would not show what the terms take in
    (left, right), (a, b) = setting.premise_sides(), setting.goal
    huge = _filled(setting.rng.choice(HUGE), setting)
    return setting.attempt(
        f"({left}) ({huge} + {a}) = ({right}) ({huge} + {b})",
        f"({right}) ({huge} + {a}) = ({right}) ({huge} + {b})",
        f"{huge} + {a} = {huge} + {b}",
    )


@attack("tiny terms")
def scaled_down(setting: Setting) -> Attempt | None:
    """Both sides so small that they vanish beside a name, then large again."""
    if setting.goal_kind == "true":
        return None  # the text would not show what the terms take in
    a, b = setting.goal
    tiny, beside = _filled(setting.rng.choice(TINY), setting), setting.variable()
    return setting.attempt(
        f"{tiny} ({a}) + {beside} = {tiny} ({b}) + {beside}",
        f"{tiny} ({a}) = {tiny} ({b})",
    )


@attack("tiny terms")
def tiny_added(setting: Setting) -> Attempt:
    """A tiny term added to one side of a premise, then all else taken off."""
    left, right = setting.premise_sides()
    tiny, beside = _filled(setting.rng.choice(TINY), setting), setting.variable()
    goal = f"0 = {tiny}"
    lines = (
        *setting.premise_texts,
        f"{left} + {beside} = {right} + {beside} + {tiny}",
        f"{left} = {right} + {tiny}",
        f"{right} = {right} + {tiny}",
        goal,
    )
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)


@attack("tiny terms")
def tiny_in_function(setting: Setting) -> Attempt | None:
    """The cosine and the exponential of what is tiny are nearly one."""
    if setting.goal_kind == "true":
        return None  # the text would not show what the terms take in
    a, b = setting.goal
    tiny = setting.rng.choice(("10^{-7}", "10^{-9}", "10^{-12}", "10^{-30}"))
    kind = setting.rng.choice((r"\cos{(%s)}", "e^{%s}", r"\sin{(%s)}", r"\log{(1 + %s)}"))
    return setting.attempt(f"{kind.replace('%s', f'{tiny} ({a})')} = {kind.replace('%s', f'{tiny} ({b})')}")


@attack("tiny terms")
def tiny_integrand(setting: Setting) -> Attempt:
    """An integral of what is tiny is said to be constant."""
    x = setting.variable()
    name, constant = setting.fresh_names(2)
    tiny = setting.rng.choice(("10^{-12} \\cos{(%s)}", "e^{- 100 %s}", "10^{-10} %s", "10^{-15} e^{%s}", "e^{- 90 %s}"))
    integrand = tiny.replace("%s", x)
    function_text = applied(name, x)
    premise = rf"{function_text} = \int {integrand} d {x}"
    given = (*setting.premise_texts, premise)
    goal = f"{function_text} = {constant}"
    return Attempt(
        given,
        goal,
        (*given, goal),
        honest=len(given),
        constants=setting.constants | {constant},
        judged=(len(given) + 1,),
    )


@attack("nearly equal numbers")
def rounded_number(setting: Setting) -> Attempt:
    """A rounded number takes the place of an irrational one."""
    number, digits = setting.rng.choice(sorted(IRRATIONAL.items()))
    name = setting.fresh_names(1)[0]
    getcontext().prec = 60
    rounded = f"{Decimal(digits):.{setting.rng.randint(6, 30)}f}"
    given = (*setting.premise_texts, f"{name} = {number}")
    factor = setting.rng.randint(2, 9)
    goal = f"{name} = {rounded}"
    lines = (*given, f"{factor} {name} = {factor} \\cdot {rounded}", goal)
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)


@attack("nearly equal numbers")
def nearly_one(setting: Setting) -> Attempt:
    """A factor that differs from one in a late digit."""
    left, right = setting.premise_sides()
    x = setting.variable()
    digits = setting.rng.randint(7, 30)
    nearly = "1." + "0" * digits + str(setting.rng.randint(1, 9))
    difference = "0." + "0" * digits + nearly[-1]
    goal = f"0 = {x}"
    lines = (
        *setting.premise_texts,
        f"{left} + {x} = {right} + {nearly} {x}",
        f"{left} = {right} + {difference} {x}",
        f"0 = {difference} {x}",
        goal,
    )
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)


@attack("nearly equal numbers")
def nearly_premise(setting: Setting) -> Attempt:
    """One side of a premise times a factor that differs from one in a late digit."""
    left, right = setting.premise_sides()
    nearly = "1." + "0" * setting.rng.randint(6, 25) + str(setting.rng.randint(1, 9))
    goal = f"{left} = {nearly} ({right})"
    lines = (*setting.premise_texts, goal)
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)
