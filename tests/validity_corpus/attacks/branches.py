"""Attacks with branches, signs, and equations that hold only at some points."""

import zlib

import numpy as np

from mathderive.symbolic.latex.printer import latex
from tests.validity_corpus.attacks.attempt import Attempt, Setting, applied, attack

REGIONAL = (
    r"\operatorname{sign}{(%x - %n)} = -1",
    r"\operatorname{sign}{(%x - %n)} = 1",
    r"\operatorname{sign}{(%x - %y)} = 1",
    r"\operatorname{Abs}{(%x - %n)} = %n - %x",
    r"\operatorname{Abs}{(%x - %n)} = %x - %n",
    r"\sqrt{(%x - %y)^{2}} = %x - %y",
    r"\sqrt{(%x - %n)^{2}} = %n - %x",
    r"\operatorname{Abs}{(%x - %y)} = %x - %y",
    r"\operatorname{asin}{(\sin{(%x)})} = \pi - %x",
    r"\operatorname{asin}{(\sin{(%x)})} = %x",
    r"\operatorname{acos}{(\cos{(%x)})} = %x",
    r"\operatorname{atan}{(\tan{(%x)})} = %x - \pi",
    r"\operatorname{Abs}{(\cos{(%x)})} = \cos{(%x)}",
    r"\sqrt{\sin^{2}{(%x)}} = \sin{(%x)}",
    r"((\cos{(%x)})^{2})^{\frac{1}{2}} = \cos{(%x)}",
    r"\log{((%x - %n)^{2})} = 2 \log{(%x - %n)}",
)
"""Equations that hold in a region of positive values of their names and fail in another."""

SATURATED = (
    r"\tanh{(%n %x)} = 1",
    r"e^{- %n00 %x} = 0",
    r"\cos{(0.0000%n %x)} = 1",
    r"e^{0.0000000%n %x} = 1",
    r"1 + 10^{- %n 0} = 1",
    r"\operatorname{atan}{(10^{9} %x)} = \frac{\pi}{2}",
    r"e^{- e^{e^{%x}}} = 0",
    r"%x^{%n00} = %x^{%n01}",
    r"%x^{%n00} = 2 %x^{%n00}",
    r"\frac{1}{1 + e^{- %n0 %x}} = 1",
)
"""Equations whose sides nearly agree for many values of their names."""


def _filled(template: str, setting: Setting) -> str:
    x, y = setting.fresh_names(2)
    return template.replace("%x", x).replace("%y", y).replace("%n", str(setting.rng.randint(2, 9)))


def _stated(setting: Setting, statement: str) -> Attempt:
    """A statement on its own, as a goal, or on the way to the setting's goal."""
    if setting.goal_kind == "true":
        lines: tuple[str, ...] = (*setting.premise_texts, statement)
        return Attempt(
            setting.premise_texts, statement, lines, honest=len(setting.premises), units=frozenset((r"\pi",))
        )
    left, right = statement.split(" = ")
    a, b = setting.goal
    lines = (
        *setting.premise_texts,
        statement,
        f"({left}) ({a} - ({b})) = ({right}) ({a} - ({b}))",
        setting.goal_text,
    )
    return Attempt(
        setting.premise_texts,
        setting.goal_text,
        lines,
        honest=len(setting.premises),
        constants=setting.constants,
        units=frozenset((r"\pi",)),
        judged=(len(setting.premises) + 1,),
    )


@attack("points of the sampler")
def regional(setting: Setting) -> Attempt:
    """An equation that holds in one region only."""
    return _stated(setting, _filled(setting.rng.choice(REGIONAL), setting))


@attack("saturated functions")
def saturated(setting: Setting) -> Attempt:
    """An equation whose sides differ by less than most evaluations can tell."""
    return _stated(setting, _filled(setting.rng.choice(SATURATED), setting))


def _seeded_values(name: str, draw: int, low: float, high: float, count: int) -> list[float]:
    """The points at which a sampler that is seeded by the checksum of a name evaluates the name."""
    stream = np.random.Generator(np.random.Philox(key=zlib.crc32(f"{name} {draw}".encode())))
    return [float(value) for value in stream.uniform(low, high, count)]


@attack("points of the sampler")
def vanishes_at_points(setting: Setting) -> Attempt:
    """A polynomial that vanishes at fixed points of a name is added to one side of a premise."""
    left, right = setting.premise_sides()
    symbol = setting.symbol()
    x = latex(symbol)
    kind = setting.rng.randrange(3)
    if kind == 0:
        points = [f"{value:.13f}" for value in _seeded_values(symbol.name, 0, 0.4, 1.7, 5)]
    elif kind == 1:
        points = [f"{value:.12f}" for value in _seeded_values(symbol.name, 0, 0.55, 0.95, 8)]
    else:
        points = [str(value) for value in setting.rng.sample(range(1, 30), 5)]
    polynomial = "".join(f"({x} - {point})" for point in points)
    goal = f"0 = {polynomial}"
    lines = (
        *setting.premise_texts,
        f"{left} + {x} = {right} + {x} + {polynomial}",
        f"{left} = {right} + {polynomial}",
        goal,
    )
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)


@attack("powers and roots")
def root_of_square(setting: Setting) -> Attempt:
    """A negative number squared, and the wrong root taken."""
    x = setting.fresh_names(1)[0]
    value = setting.rng.randint(2, 12)
    power = setting.rng.choice((2, 4))
    given = (*setting.premise_texts, f"{x} = - {value}")
    goal = f"{x} = {value}"
    between: tuple[str, ...] = (f"{x}^{{{power}}} = {value**power}",)
    if setting.rng.random() < 0.5:
        between += (rf"\sqrt{{{x}^{{{power}}}}} = {value ** (power // 2)}",)
    lines = (*given, *between, goal)
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)


@attack("powers and roots")
def root_of_function(setting: Setting) -> Attempt:
    """A function that is negative throughout squared, and the wrong root taken."""
    f, x = setting.fresh_names(2)
    y = applied(f, x)
    body = setting.rng.choice((x, f"{x}^{{2}}", f"e^{{{x}}}", f"3 {x}", f"({x} + 1)"))
    given = (*setting.premise_texts, f"{y} = - {body}")
    goal = f"{body} = 0"
    lines = (
        *given,
        f"({y})^{{2}} = ({body})^{{2}}",
        *setting.rng.choice(
            (
                (f"{y} = {body}",),
                (rf"{y} = \sqrt{{({body})^{{2}}}}", f"{y} = {body}"),
                (rf"{y} \sqrt{{({y})^{{2}}}} = {body} {y}", f"({y})^{{2}} = {body} {y}", f"{y} = {body}"),
            )
        ),
        f"- {body} = {body}",
        goal,
    )
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)


@attack("powers and roots")
def squared_goal(setting: Setting) -> Attempt:
    """The goal with one sign changed is squared, and the square undone."""
    left, right = setting.premise_sides()
    goal = f"{left} = - ({right})"
    power = setting.rng.choice((2, 4, 6))
    lines = (
        *setting.premise_texts,
        f"({left})^{{{power}}} = ({right})^{{{power}}}",
        f"({left})^{{{power}}} = (- ({right}))^{{{power}}}",
        goal,
    )
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)


@attack("powers and roots")
def power_zero(setting: Setting) -> Attempt:
    """Both sides to a power that is zero, or one to the power of both sides."""
    a, b = setting.goal
    x = setting.variable()
    return setting.attempt(
        setting.rng.choice(
            (
                f"({a})^{{0}} = ({b})^{{0}}",
                f"({a})^{{{x} - {x}}} = ({b})^{{{x} - {x}}}",
                f"1^{{{a}}} = 1^{{{b}}}",
                rf"(\cos{{(0)}})^{{{a}}} = (\cos{{(0)}})^{{{b}}}",
            )
        )
    )


@attack("signs taken for positive")
def absolute_value(setting: Setting) -> Attempt:
    """A function that is negative throughout is said to be its absolute value."""
    f, g, x = setting.fresh_names(3)
    y, z = applied(f, x), applied(g, x)
    body = setting.rng.choice((f"e^{{{x}}}", f"{x}^{{2}}", f"2 {x}", rf"(2 + \cos{{({x})}})"))
    kind = setting.rng.choice((r"\operatorname{Abs}{(%s)}", r"\sqrt{%s^{2}}", r"\sqrt{(%s)^{2}}"))
    size = kind.replace("%s", z)
    given = (*setting.premise_texts, rf"{y} = \sin{{({x})}}", f"{z} = - {body}")
    goal = f"{z} = {size}"
    lines = (
        *given,
        rf"{y} + {z} = \sin{{({x})}} + {size}",
        rf"{y} = \sin{{({x})}} + {size} - {z}",
        f"0 = {size} - {z}",
        goal,
    )
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)


@attack("signs taken for positive")
def negative_name(setting: Setting) -> Attempt:
    """A name with a negative value is said to be the root of its square."""
    a = setting.fresh_names(1)[0]
    value = setting.rng.randint(1, 12)
    (left, right) = setting.premise_sides()
    given = (*setting.premise_texts, f"{a} = - {value}")
    size = setting.rng.choice((rf"\sqrt{{{a}^{{2}}}}", rf"\operatorname{{Abs}}{{({a})}}"))
    goal = f"{a} = {value}"
    lines = (
        *setting.premise_texts,
        f"{left} + {a} = {right} + {size}",
        given[-1],
        f"{left} - {value} = {right} + {value}",
        f"{right} - {value} = {right} + {value}",
        goal,
    )
    return Attempt(given, goal, lines, honest=len(setting.premises), constants=setting.constants)


@attack("branches")
def logarithm_of_rotation(setting: Setting) -> Attempt:
    """The logarithm undoes an exponential that went around more than once."""
    x = setting.fresh_names(1)[0]
    value = setting.rng.randint(4, 30)
    given = (*setting.premise_texts, f"{x} = {value}")
    goal = rf"\log{{(e^{{i {x}}})}} = {value} i"
    lines = (*given, f"i {x} = {value} i", f"e^{{i {x}}} = e^{{{value} i}}", goal)
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants, units=frozenset("i"))


@attack("branches")
def logarithm_of_negative(setting: Setting) -> Attempt:
    """The logarithm of an even power of a negative number is taken apart."""
    x = setting.fresh_names(1)[0]
    value, power = setting.rng.randint(2, 12), setting.rng.choice((2, 4))
    given = (*setting.premise_texts, f"{x} = - {value}")
    goal = rf"\log{{({x}^{{{power}}})}} = {power} \log{{({x})}}"
    lines = (
        *given,
        f"{x}^{{{power}}} = {value**power}",
        rf"\log{{({x}^{{{power}}})}} = \log{{({value**power})}}",
        rf"{power} \log{{({x})}} = \log{{({value**power})}}",
        goal,
    )
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)


@attack("branches")
def function_of_negative(setting: Setting) -> Attempt:
    """A function that is defined for positive names is applied to an expression that is negative for some of them."""
    f, x = setting.fresh_names(2)
    number = setting.rng.randint(2, 60)
    body, value = setting.rng.choice(
        (
            (rf"\sqrt{{{x}^{{2}}}}", "%s"),
            (rf"\operatorname{{Abs}}{{({x})}}", "%s"),
            (rf"({x}^{{4}})^{{\frac{{1}}{{4}}}}", "%s"),
            (rf"\sqrt{{{x}^{{6}}}}", "(%s)^{3}"),
            (rf"\operatorname{{sign}}{{({x})}}", "1"),
        )
    )
    argument = setting.rng.choice((f"{number} - {x}", f"{x} - {number}"))
    given = (*setting.premise_texts, f"{applied(f, x)} = {body}")
    goal = f"{applied(f, argument)} = {value.replace('%s', argument)}"
    return Attempt(given, goal, (*given, goal), honest=len(given), constants=setting.constants)


@attack("branches")
def sine_of_obtuse(setting: Setting) -> Attempt:
    """An inverse function undoes its function outside its range."""
    x = setting.fresh_names(1)[0]
    value = setting.rng.randint(4, 20)
    inner, outer = setting.rng.choice(((r"\sin", "asin"), (r"\cos", "acos"), (r"\tan", "atan")))
    given = (*setting.premise_texts, f"{x} = {value}")
    goal = rf"\operatorname{{{outer}}}{{({inner}{{({x})}})}} = {value}"
    lines = (*given, rf"{inner}{{({x})}} = {inner}{{({value})}}", goal)
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)


@attack("branches")
def product_under_root(setting: Setting) -> Attempt:
    """The root of a product of negative numbers is taken apart."""
    a, b = setting.fresh_names(2)
    first, second = setting.rng.randint(2, 9), setting.rng.randint(2, 9)
    given = (*setting.premise_texts, f"{a} = - {first}", f"{b} = - {second}")
    goal = rf"\sqrt{{{a} {b}}} = \sqrt{{{a}}} \sqrt{{{b}}}"
    lines = (
        *given,
        f"{a} {b} = {first * second}",
        rf"\sqrt{{{a} {b}}} = \sqrt{{{first * second}}}",
        rf"\sqrt{{{a}}} \sqrt{{{b}}} = \sqrt{{{first * second}}}",
        goal,
    )
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)
