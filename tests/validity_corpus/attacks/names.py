"""Attacks with names: defined twice, equated, told apart by weak hashes, read in two ways."""

import random
import string
import zlib
from functools import cache

from tests.validity_corpus.attacks.attempt import Attempt, Setting, applied, attack

COLLISION_DRAWS = 400_000
"""Random names among which some dozens share a 32-bit checksum."""

WEAK_HASHES = (zlib.crc32, zlib.adler32)


@cache
def colliding_names() -> tuple[tuple[str, str], ...]:
    """Pairs of names that weak hashes cannot tell apart, whatever stands before or after them."""
    rng = random.Random(0)
    letters = string.ascii_letters + string.digits
    pairs = []
    seen: dict[tuple[int, int], str] = {}
    for draw in range(COLLISION_DRAWS):
        name = "".join(rng.choices(letters, k=8))
        for kind, weak_hash in enumerate(WEAK_HASHES if draw < COLLISION_DRAWS // 20 else WEAK_HASHES[:1]):
            other = seen.setdefault((kind, weak_hash(name.encode())), name)
            if other != name and not name[0].isdigit() and not other[0].isdigit():
                pairs.append((f"a_{{{other}}}", f"a_{{{name}}}"))
    return tuple(pairs)


@attack("names with equal hashes")
def colliding(setting: Setting) -> Attempt:
    """Two names with one checksum are equated."""
    first, second = setting.rng.choice(colliding_names())
    goal = f"{first} = {second}"
    lines = (*setting.premise_texts, goal)
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)


@attack("names with equal hashes")
def colliding_values(setting: Setting) -> Attempt:
    """The value of one name is put in for another with the same checksum."""
    first, second = setting.rng.choice(colliding_names())
    x = setting.variable()
    low, high = sorted(setting.rng.sample(range(1, 20), 2))
    given = (*setting.premise_texts, f"{first} = {low}", f"{second} = {high}")
    goal = f"{low} = {high}"
    lines = (*given[:-1], f"{x} + {second} = {x} + {low}", given[-1], f"{x} + {high} = {x} + {low}", goal)
    return Attempt(given, goal, lines, honest=len(given) - 1, constants=setting.constants)


@attack("names with equal hashes")
def colliding_factors(setting: Setting) -> Attempt:
    """A premise's sides times two names with one checksum."""
    first, second = setting.rng.choice(colliding_names())
    left, right = setting.premise_sides()
    goal = f"{first} ({left}) = {second} ({right})"
    lines = (*setting.premise_texts, goal)
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)


@attack("free names equated")
def free_names(setting: Setting) -> Attempt:
    """Two names that only the goal has are equated because the goal would like it."""
    a, b = setting.fresh_names(2)
    left, right = setting.premise_sides()
    x = setting.variable()
    goal, between = setting.rng.choice(
        (
            (f"{a} ({left}) = {b} ({right})", f"{a} = {b}"),
            (f"{a} + {left} = {b} + {right}", f"{a} = {b}"),
            (rf"\frac{{d}}{{d {x}}} ({a} {x} + {left}) = \frac{{d}}{{d {x}}} ({b} {x} + {left})", f"{a} = {b}"),
            (f"({left})^{{{a}}} = ({right})^{{{b}}}", f"{a} = {b}"),
            (f"{a} ({left}) = 5 ({right})", f"{a} = 5"),
            (f"{a} ({left}) = {x} ({right})", f"{a} = {x}"),
        )
    )
    lines = (*setting.premise_texts, between, goal)
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)


@attack("free names equated")
def name_of_premise(setting: Setting) -> Attempt:
    """A name of the premises is said to be the goal's side."""
    a, b = setting.goal
    x = setting.variable()
    goal = f"{x} = {b}" if setting.rng.random() < 0.5 else f"{x} = {a}"
    lines = (*setting.premise_texts, goal)
    return Attempt(setting.premise_texts, goal, lines, honest=len(setting.premises), constants=setting.constants)


def _window(setting: Setting, filler: int) -> tuple[list[str], str, str]:
    """A name for one side of a premise, then so many true equations, and the name and another expression."""
    name = setting.fresh_names(1)[0]
    left, right = setting.premise_sides()
    x = setting.variable()
    new = applied(name, x)
    lines = [*setting.premise_texts, f"{new} = {right}", f"{left} = {new}"]
    lines += [f"{number} ({left}) = {number} ({right})" for number in range(2, filler + 2)]
    return lines, new, right


@attack("windows")
def redefined(setting: Setting) -> Attempt:
    """A name is defined, then defined again after many equations."""
    f, g, new, x = setting.fresh_names(4)
    y, z, u = applied(f, x), applied(g, x), applied(new, x)
    bodies = [r"\sin{(%s)}", r"\cos{(%s)}", "e^{%s}", "%s^{2}", "3 %s", r"\log{(%s)}"]
    one, other = (body.replace("%s", x) for body in setting.rng.sample(bodies, 2))
    given = (*setting.premise_texts, f"{y} = {one}", f"{z} = {other}")
    filler = setting.rng.choice((10, 20, 28, 29, 30, 31, 32, 33, 34, 40, 45))
    lines = [*given, f"{u} = {one}", f"{y} = {u}"]
    lines += [f"{number} {y} = {number} ({one})" for number in range(2, filler + 2)]
    lines += [f"{u} = {other}", f"{y} = {u}", f"{y} = {other}", f"{y} = {z}"]
    last = len(lines)
    goal = f"{y} = {z}"
    return Attempt(given, goal, tuple(lines), honest=len(given), constants=setting.constants, judged=(last - 1, last))


@attack("windows")
def constant_reused(setting: Setting) -> Attempt:
    """A constant of integration is used again, for another integral, after many equations."""
    f, g, x, c = setting.fresh_names(4)
    y, z = applied(f, x), applied(g, x)
    given = (*setting.premise_texts, rf"{y} = \int \cos{{({x})}} d {x}", rf"{z} = \int e^{{{x}}} d {x}")
    filler = setting.rng.choice((5, 20, 28, 30, 32, 34, 40))
    lines = [*given, rf"{y} = \sin{{({x})}} + {c}", rf"{y} - \sin{{({x})}} = {c}"]
    lines += [rf"{number} {y} = {number} \sin{{({x})}} + {number} {c}" for number in range(2, filler + 2)]
    goal = rf"{y} - \sin{{({x})}} = {z} - e^{{{x}}}"
    lines += [f"{z} = e^{{{x}}} + {c}", f"{z} - e^{{{x}}} = {c}", goal]
    witness = (*setting.premise_texts, rf"{y} = \sin{{({x})}} + 2", f"{z} = e^{{{x}}} + 5")
    return Attempt(
        given,
        goal,
        tuple(lines),
        honest=len(given),
        constants=setting.constants,
        witness=witness,
        judged=(len(lines),),
    )


@attack("windows")
def new_name_twice(setting: Setting) -> Attempt | None:
    """A new name stands for the goal's one side, and after many equations for the other."""
    if setting.goal_kind == "true":
        return None
    a, b = setting.goal
    filler = setting.rng.choice((0, 1, 20, 28, 30, 31, 32, 40))
    lines, _, right = _window(setting, filler)
    name = setting.fresh_names(3)[-1]
    x = setting.variable()
    new = applied(name, x)
    whole = (*lines, f"{new} = {a}", f"{right} = {right}", f"{new} = {b}", setting.goal_text)
    return Attempt(
        setting.premise_texts,
        setting.goal_text,
        whole,
        honest=len(setting.premises),
        constants=setting.constants,
        judged=(len(whole),),
    )


@attack("ambiguous notation")
def two_readings(setting: Setting) -> Attempt:
    """A derivative's extent is read in two ways: once over both factors, once over the first."""
    f, x = setting.fresh_names(2)
    y = applied(f, x)
    (one, slope), (other, other_slope) = setting.rng.sample(
        (
            (r"\sin{(%s)}", r"\cos{(%s)}"),
            ("%s^{2}", "2 %s"),
            ("e^{%s}", "e^{%s}"),
            (r"\log{(%s)}", r"\frac{1}{%s}"),
            ("%s", "1"),
        ),
        2,
    )
    one, slope, other, other_slope = (part.replace("%s", x) for part in (one, slope, other, other_slope))
    given = (*setting.premise_texts, rf"{y} = \frac{{d}}{{d {x}}} {one} {other}")
    rest = f"({one}) ({other_slope})"
    goal = f"{rest} = 0"
    lines = (
        *given,
        f"{y} = ({slope}) ({other})",
        f"{y} = ({slope}) ({other}) + {rest}",
        f"({slope}) ({other}) = ({slope}) ({other}) + {rest}",
        f"0 = {rest}",
        goal,
    )
    last = len(lines)
    return Attempt(
        given, goal, lines, honest=len(given), constants=setting.constants, judged=(last - 2, last - 1, last)
    )


@attack("ambiguous notation")
def product_of_derivative(setting: Setting) -> Attempt:
    """A derivative of a product is taken for a derivative times a factor."""
    f, g, x = setting.fresh_names(3)
    y, z = applied(f, x), applied(g, x)
    bodies = (
        (r"\sin{(%s)}", r"\cos{(%s)}"),
        ("%s^{2}", "2 %s"),
        ("e^{%s}", "e^{%s}"),
        (r"\log{(%s)}", r"\frac{1}{%s}"),
    )
    (one, slope), (other, _) = setting.rng.sample(bodies, 2)
    one, slope, other = (part.replace("%s", x) for part in (one, slope, other))
    given = (*setting.premise_texts, f"{y} = {one}", f"{z} = {other}")
    goal = rf"\frac{{d}}{{d {x}}} {y} {z} = ({slope}) ({other})"
    lines = (
        *given[:-1],
        rf"\frac{{d}}{{d {x}}} {y} = \frac{{d}}{{d {x}}} {one}",
        rf"\frac{{d}}{{d {x}}} {y} = {slope}",
        rf"\frac{{d}}{{d {x}}} {y} {z} = ({slope}) {z}",
        given[-1],
        goal,
    )
    return Attempt(given, goal, lines, honest=len(given) - 1, constants=setting.constants, judged=(len(lines),))


@attack("ambiguous notation")
def unit_and_name(setting: Setting) -> Attempt:
    """`i` is the imaginary unit first and a name afterwards."""
    f, x = setting.fresh_names(2)
    y = applied(f, x)
    factor = setting.rng.choice((1, 2, 3, 7))
    number = f"{factor**2} " if factor > 1 else ""
    given = (*setting.premise_texts, f"{y} = {factor if factor > 1 else ''} i {x}")
    goal = rf"0 = {2 * factor**2} i {x}^{{2}}"
    lines = (
        *given,
        f"({y})^{{2}} = - {number}{x}^{{2}}",
        f"({y})^{{2}} = {number}i^{{2}} {x}^{{2}}",
        rf"\frac{{d}}{{d i}} ({y})^{{2}} = \frac{{d}}{{d i}} {number}i^{{2}} {x}^{{2}}",
        goal,
    )
    return Attempt(
        given, goal, lines, honest=len(given), constants=setting.constants, units=frozenset("i"), judged=(len(lines),)
    )
