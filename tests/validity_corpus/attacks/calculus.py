"""Attacks with derivatives and integrals: non-identities, constants of integration, limits, bound variables."""

from tests.validity_corpus.attacks.attempt import Attempt, Setting, applied, attack

INTEGRALS = (
    (r"\cos{(%s)}", r"\sin{(%s)}", "0"),
    (r"\sin{(%s)}", r"- \cos{(%s)}", "-1"),
    ("e^{%s}", "e^{%s}", "1"),
    ("2 %s", "%s^{2}", "0"),
    ("3 %s^{2}", "%s^{3}", "0"),
    (r"2 \cos{(2 %s)}", r"\sin{(2 %s)}", "0"),
    ("2 e^{2 %s}", "e^{2 %s}", "1"),
    (r"%s \cos{(%s)}", r"%s \sin{(%s)} + \cos{(%s)}", "1"),
    ("%s e^{%s}", "%s e^{%s} - e^{%s}", "-1"),
)
"""Integrands, antiderivatives, and the antiderivatives' values at zero."""


def _filled(template: str, name: str) -> str:
    return template.replace("%s", name)


@attack("differentiating a non-identity")
def plain_names(setting: Setting) -> Attempt:
    """One name is an expression in another; its derivative is said to be zero."""
    y, x = setting.fresh_names(2)
    body, slope = setting.rng.choice(
        (
            (f"{x}^{{2}}", f"2 {x}"),
            (f"{x}^{{3}}", f"3 {x}^{{2}}"),
            (rf"\sin{{({x})}}", rf"\cos{{({x})}}"),
            (f"e^{{{x}}}", f"e^{{{x}}}"),
            (f"5 {x}", "5"),
        )
    )
    given = (*setting.premise_texts, f"{y} = {body}")
    goal = f"0 = {slope}"
    lines = (*given, rf"\frac{{d}}{{d {x}}} {y} = \frac{{d}}{{d {x}}} {body}", goal)
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)


@attack("differentiating a non-identity")
def product_of_names(setting: Setting) -> Attempt:
    """`p = m v` differentiated by `m` as if `p` did not depend on it."""
    p, m, v = setting.fresh_names(3)
    given = (*setting.premise_texts, f"{p} = {m} {v}")
    goal = f"0 = {v}"
    lines = (
        *given,
        rf"\frac{{\partial}}{{\partial {m}}} {p} = \frac{{\partial}}{{\partial {m}}} {m} {v}",
        goal,
    )
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants)


@attack("differentiating a non-identity")
def at_one_point(setting: Setting) -> Attempt:
    """Two functions agree where a name has a given value, and their derivatives are said to agree."""
    f, x = setting.fresh_names(2)
    value = setting.rng.randint(2, 9)
    y = applied(f, x)
    given = (*setting.premise_texts, f"{x} = {value}", f"{y} = {x}^{{2}}")
    goal = f"2 {x} = 0"
    lines = (
        *given,
        f"{x}^{{2}} = {value**2}",
        f"{y} = {value**2}",
        rf"\frac{{d}}{{d {x}}} {y} = \frac{{d}}{{d {x}}} {value**2}",
        rf"\frac{{d}}{{d {x}}} {y} = \frac{{d}}{{d {x}}} {x}^{{2}}",
        rf"\frac{{d}}{{d {x}}} {y} = 2 {x}",
        rf"\frac{{d}}{{d {x}}} {y} = 0",
        goal,
    )
    last = len(lines)
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants, judged=(last,))


@attack("differentiating a non-identity")
def condition(setting: Setting) -> Attempt:
    """A quadratic equation for a plain name, differentiated by the name."""
    x = setting.fresh_names(1)[0]
    root = setting.rng.randint(2, 9)
    given = (*setting.premise_texts, f"{x}^{{2}} = {root**2}")
    goal = f"2 {x} = 0"
    lines = (*given, rf"\frac{{d}}{{d {x}}} {x}^{{2}} = \frac{{d}}{{d {x}}} {root**2}", goal)
    last = len(lines)
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants, judged=(last,))


@attack("differentiating a non-identity")
def fresh_variable(setting: Setting) -> Attempt:
    """The goal's sides differentiated by a name they do not contain, and the derivatives taken off."""
    a, b = setting.goal
    w = setting.fresh_names(1)[0]
    return setting.attempt(
        rf"\frac{{d}}{{d {w}}} ({a}) = \frac{{d}}{{d {w}}} ({b})",
        rf"\int \frac{{d}}{{d {w}}} ({a}) d {w} = \int \frac{{d}}{{d {w}}} ({b}) d {w}",
    )


@attack("differentiating a non-identity")
def by_a_function(setting: Setting) -> Attempt:
    """A premise differentiated by the function it defines."""
    f, x = setting.fresh_names(2)
    body = setting.rng.choice((r"\sin{(%s)}", r"e^{%s}", "%s^{2}", r"\log{(%s)}", r"\cos{(%s)}")).replace("%s", x)
    y = applied(f, x)
    given = (*setting.premise_texts, f"{y} = {body}")
    goal = rf"\frac{{d}}{{d {y}}} {body} = 0"
    lines = (
        *given,
        rf"\frac{{d}}{{d {y}}} {y} = \frac{{d}}{{d {y}}} {body}",
        rf"1 = \frac{{d}}{{d {y}}} {body}",
        goal,
        "1 = 0",
    )
    if setting.goal_kind == "absurd":
        goal = "1 = 0"
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants, judged=(len(lines),))


@attack("differentiating a non-identity")
def differential_equation(setting: Setting) -> Attempt:
    """From a differential equation to a solution of it that need not be meant."""
    f, x = setting.fresh_names(2)
    factor = setting.rng.choice(("", "2 ", "3 ", "5 "))
    y = applied(f, x)
    slope = rf"\frac{{d}}{{d {x}}} {y}"
    given = (*setting.premise_texts, f"{slope} = {factor}{y}")
    goal = f"{y} = 0"
    lines = (
        *given,
        f"{y} {slope} - {factor}({y})^{{2}} = 0",
        f"{y} ({slope} - {factor}{y}) = 0",
        goal,
    )
    witness = (*setting.premise_texts, f"{y} = 3 e^{{{factor}{x}}}")
    return Attempt(given, goal, lines, honest=len(given), constants=setting.constants, witness=witness)


@attack("constant of integration")
def differentiated_by_constant(setting: Setting) -> Attempt:
    """An integral depends on its constant; here it is said not to."""
    f, x, c = setting.fresh_names(3)
    integrand, value, _ = (_filled(part, x) for part in setting.rng.choice(INTEGRALS))
    y = applied(f, x)
    given = (*setting.premise_texts, rf"{y} = \int {integrand} d {x}")
    goal = f"0 = {x}"
    lines = (
        *given,
        f"{y} = {value} + {c}",
        f"{x} {y} = {x} ({value}) + {x} {c}",
        rf"\frac{{\partial}}{{\partial {c}}} {x} {y} = \frac{{\partial}}{{\partial {c}}} ({x} ({value}) + {x} {c})",
        goal,
    )
    constants = setting.constants | {c}
    return Attempt(given, goal, lines, honest=len(given), constants=constants, judged=_from(given, lines))


@attack("constant of integration")
def integrated_by_constant(setting: Setting) -> Attempt:
    """An integral is integrated by its constant as if it did not depend on it."""
    f, x, c, k = setting.fresh_names(4)
    integrand, value, _ = (_filled(part, x) for part in setting.rng.choice(INTEGRALS))
    y = applied(f, x)
    given = (*setting.premise_texts, rf"{y} = \int {integrand} d {x}")
    goal = f"{c} = 2 {c}"
    lines = (
        *given,
        f"{y} = {value} + {c}",
        rf"\int {y} d {c} = \int ({value} + {c}) d {c}",
        rf"\int {y} d {c} = {c} ({value}) + \frac{{{c}^{{2}}}}{{2}} + {k}",
        f"{c} {y} = {c} ({value}) + {c}^{{2}}",
        rf"\frac{{\partial}}{{\partial {c}}} {c} {y} = \frac{{\partial}}{{\partial {c}}} ({c} ({value}) + {c}^{{2}})",
        f"{y} = {value} + 2 {c}",
        f"{value} + {c} = {value} + 2 {c}",
        goal,
    )
    constants = setting.constants | {c, k}
    last = (len(lines) - 1, len(lines))
    return Attempt(given, goal, lines, honest=len(given), constants=constants, judged=(len(given) + 1, *last))


@attack("constant of integration")
def constant_is_a_name(setting: Setting) -> Attempt:
    """The constant is a name that the prompt defines by the variable."""
    f, x, a = setting.fresh_names(3)
    integrand, value, _ = (_filled(part, x) for part in setting.rng.choice(INTEGRALS))
    body = setting.rng.choice((x, f"{x}^{{2}}", rf"\cos{{(3 {x})}}", f"e^{{- {x}}}"))
    y = applied(f, x)
    given = (*setting.premise_texts, rf"{y} = \int {integrand} d {x}", f"{a} = {body}")
    goal = f"{y} = {value} + {body}"
    lines = (*given[:-1], f"{y} = {value} + {a}", given[-1], goal)
    return Attempt(given, goal, lines, honest=len(given) - 1, constants=setting.constants)


@attack("constant of integration")
def one_constant_for_two(setting: Setting) -> Attempt:
    """One constant serves two integrals, which ties them to each other."""
    f, g, x, c = setting.fresh_names(4)
    first, second = setting.rng.sample(INTEGRALS, 2)
    (one, one_value), (other, other_value) = (
        (_filled(integrand, x), _filled(value, x)) for integrand, value, _ in (first, second)
    )
    y, z = applied(f, x), applied(g, x)
    given = (*setting.premise_texts, rf"{y} = \int {one} d {x}", rf"{z} = \int {other} d {x}")
    goal = f"{y} - ({one_value}) = {z} - ({other_value})"
    lines = (
        *given,
        f"{y} = {one_value} + {c}",
        f"{z} = {other_value} + {c}",
        f"{y} - ({one_value}) = {c}",
        f"{z} - ({other_value}) = {c}",
        goal,
    )
    witness = (*setting.premise_texts, f"{y} = {one_value} + 2", f"{z} = {other_value} + 5")
    return Attempt(
        given, goal, lines, honest=len(given), constants=setting.constants, witness=witness, judged=(len(lines),)
    )


@attack("constant of integration")
def another_constant(setting: Setting) -> Attempt:
    """A value is read off an equation that holds for every constant, or gives one only with an earlier equation."""
    f, x = setting.fresh_names(2)
    integrand, value, _ = (_filled(part, x) for part in setting.rng.choice(INTEGRALS))
    y, integral = applied(f, x), rf"\int {integrand} d {x}"
    twice = rf"\int 2 ({integrand}) d {x}"
    given = (*setting.premise_texts, f"{y} = {integral}")
    goal = f"{integral} = {value} + 2"
    between = setting.rng.choice(
        (
            (f"({y} - {integral}) {integral} = ({y} - {integral}) ({value} + 2)",),
            (rf"\frac{{d}}{{d {x}}} {integral} = \frac{{d}}{{d {x}}} ({value} + 2)",),
            (rf"\cos{{(2 \pi {integral})}} = \cos{{(2 \pi ({value} + 2))}}",),
            (f"({integral})^{{{y} - {integral}}} = ({value} + 2)^{{{y} - {integral}}}",),
            (f"({integral} - ({value} + 1)) {integral} = ({integral} - ({value} + 1)) ({value} + 2)",),
            (f"{twice} = 2 {integral}", f"{twice} = 2 ({value}) + 2"),
            (f"{integral} + {twice} = 3 ({value}) + 3", f"{integral} - {twice} = - ({value}) - 1"),
        )
    )
    lines = (*given, f"{y} = {value} + 1", *between, goal)
    witness = (*setting.premise_texts, f"{y} = {value} + 1")
    return Attempt(
        given, goal, lines, honest=len(given), constants=setting.constants, witness=witness, judged=(len(lines),)
    )


@attack("constant of integration")
def constant_with_dependence(setting: Setting) -> Attempt:
    """What is added to the integral depends on its variable."""
    f, x, c = setting.fresh_names(3)
    integrand, value, _ = (_filled(part, x) for part in setting.rng.choice(INTEGRALS))
    y = applied(f, x)
    given = (*setting.premise_texts, rf"{y} = \int {integrand} d {x}")
    added = setting.rng.choice((f"{c} {x}", f"{c} e^{{{x}}}", f"{c} + {x}", f"{x}^{{{c}}}"))
    goal = f"{y} = {value} + {added}"
    constants = setting.constants | {c}
    return Attempt(given, goal, (*given, goal), honest=len(given), constants=constants, judged=(len(given) + 1,))


@attack("definite integrals")
def constant_of_definite(setting: Setting) -> Attempt:
    """A constant is added to a definite integral."""
    f, x, t, k = setting.fresh_names(4)
    template, value, at_zero = setting.rng.choice(INTEGRALS)
    y = applied(f, x)
    given = (*setting.premise_texts, rf"{y} = \int_{{0}}^{{{x}}} {_filled(template, t)} d {t}")
    exact = f"{_filled(value, x)} - ({at_zero})"
    wrong = setting.rng.choice(("1", "7", r"\pi", f"{x}", f"{setting.variable()}"))
    goal = f"{y} = {exact} + {wrong}"
    lines = (*given, f"{y} = {_filled(value, x)} + {k}", f"{k} = {wrong} - ({at_zero})", goal)
    witness = (*setting.premise_texts, f"{y} = {exact}")
    return Attempt(
        given,
        goal,
        lines,
        honest=len(given),
        constants=setting.constants,
        witness=witness,
        judged=(len(given) + 1, len(lines)),
    )


@attack("definite integrals")
def bounds_confused(setting: Setting) -> Attempt:
    """A definite integral takes the value at another bound, or loses one bound's value."""
    f, x, t = setting.fresh_names(3)
    template, value, at_zero = setting.rng.choice(INTEGRALS)
    y = applied(f, x)
    bound = setting.rng.choice((1, 2, 3))
    given = (*setting.premise_texts, rf"{y} = \int_{{{bound}}}^{{{x}}} {_filled(template, t)} d {t}")
    exact = f"{_filled(value, x)} - ({_filled(value, f'({bound})')})"
    goal = setting.rng.choice(
        (
            f"{y} = {_filled(value, x)}",
            f"{y} = {_filled(value, x)} - ({at_zero}) + {_filled(value, f'({bound})')}",
            f"{y} = ({_filled(value, f'({bound})')}) - ({_filled(value, x)})",
        )
    )
    witness = (*setting.premise_texts, f"{y} = {exact}")
    lines = (*given, goal)
    return Attempt(
        given, goal, lines, honest=len(given), constants=setting.constants, witness=witness, judged=(len(lines),)
    )


@attack("bound variables")
def captured(setting: Setting) -> Attempt:
    """A name that stands for the variable of integration is put into the integral."""
    g, x, y = setting.fresh_names(3)
    kernel = setting.rng.choice((r"\cos{(%s)}", "e^{%s}", r"\sin{(%s)}", "%s^{2}", r"\cos{(2 %s)}"))
    power = setting.rng.choice(("", "^{2}", "^{3}"))
    named, other = applied(g, y), f"{y}{power}"
    given = (*setting.premise_texts, rf"{named} = \int {_filled(kernel, x)} {other} d {x}", f"{y} = {x}")
    goal = rf"{named} = \int {x}{power} {_filled(kernel, x)} d {x}"
    lines = (*given, goal)
    # In the witness the integral is done with the outer name held fixed.
    integral = {
        r"\cos{(%s)}": r"\sin{(%s)}",
        "e^{%s}": "e^{%s}",
        r"\sin{(%s)}": r"- \cos{(%s)}",
        "%s^{2}": r"\frac{%s^{3}}{3}",
        r"\cos{(2 %s)}": r"\frac{\sin{(2 %s)}}{2}",
    }[kernel]
    witness = (*setting.premise_texts, f"{named} = {x}{power} ({_filled(integral, x)})")
    return Attempt(
        given, goal, lines, honest=len(given), constants=setting.constants, witness=witness, judged=(len(lines),)
    )


@attack("bound variables")
def captured_by_derivative(setting: Setting) -> Attempt:
    """A name that stands for the variable is put into a derivative that held it fixed."""
    g, x, y = setting.fresh_names(3)
    kernel, slope = setting.rng.choice(((r"\cos{(%s)}", r"- \sin{(%s)}"), ("e^{%s}", "e^{%s}"), ("%s^{2}", "2 %s")))
    named = applied(g, *sorted((x, y)))
    given = (*setting.premise_texts, f"{named} = {y} ({_filled(kernel, x)})", f"{y} = {x}^{{2}}")
    goal = rf"\frac{{d}}{{d {x}}} ({x}^{{2}} {_filled(kernel, x)}) = {x}^{{2}} ({_filled(slope, x)})"
    lines = (
        *given[:-1],
        rf"\frac{{\partial}}{{\partial {x}}} {named} = {y} ({_filled(slope, x)})",
        given[-1],
        goal,
    )
    return Attempt(given, goal, lines, honest=len(given) - 1, constants=setting.constants, judged=(len(lines),))


def _from(given: tuple[str, ...], lines: tuple[str, ...]) -> tuple[int, ...]:
    """The numbers of all lines after the premises."""
    return tuple(range(len(given) + 1, len(lines) + 1))
