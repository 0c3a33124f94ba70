"""Derivations with one mistake each, of the kinds that models make.

A corruption takes a derivation and a stream of random numbers, and returns the lines of a corrupted derivation, or None
where it does not apply. It does not decide whether a changed equation is false: `- x` in place of `x` may be true.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sympy import Add, Derivative, Equality, Expr, Integral, Mul, Pow, Symbol, cos, nan, oo, sin, zoo
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.symbolic.engine.derivation import Derivation, step_references
from mathderive.symbolic.engine.history import History, is_acceptable
from mathderive.symbolic.engine.operators import Arity, is_premise
from mathderive.symbolic.engine.operators.substitution import SUBSTITUTE_LEFT_FOR_RIGHT, SUBSTITUTE_RIGHT_FOR_LEFT
from mathderive.symbolic.engine.sampling import draw_operator, propose_step
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.names import names_of
from mathderive.symbolic.vocabulary import VOCABULARY

MAX_CHARACTERS = 350
"""The generator's bound on an equation's raw LaTeX."""

TRIES = 30
"""The number of draws after which a corruption does not apply."""


@dataclass(frozen=True)
class Line:
    """An equation of a corrupted derivation.

    Attributes:
        step: the number, from 1, of the original step; None for an added line.
        changed: whether the equation differs from the original step's.
        repeats: whether the line was added as a repetition.
        is_detour: whether the line was added as a detour.
    """

    equation: Equality
    step: int | None = None
    changed: bool = False
    repeats: bool = False
    is_detour: bool = False


Lines = list[Line]
Corruption = Callable[[Derivation, random.Random], Lines | None]


def intact(derivation: Derivation) -> Lines:
    return [Line(equation, number) for number, equation in enumerate(derivation.equations, start=1)]


def sign_flipped(derivation: Derivation, rng: random.Random) -> Lines | None:
    """A term, or a whole side, has the other sign."""
    return _edited(derivation, rng, _terms, lambda term: -term)


def factor_dropped(derivation: Derivation, rng: random.Random) -> Lines | None:
    """A product lacks a factor, or a power has a smaller exponent."""

    def drop(node: Expr) -> Expr:
        if isinstance(node, Pow):
            return node.base ** (node.exp - 1)
        kept = list(node.args)
        del kept[rng.randrange(len(kept))]
        return Mul(*kept)

    return _edited(derivation, rng, _products, drop)


def symbol_exchanged(derivation: Derivation, rng: random.Random) -> Lines | None:
    """A symbol or function is replaced in one place by another one of the derivation, or by an unused symbol."""
    symbols = sorted({name for equation in derivation.equations for name in equation.free_symbols}, key=str)
    used = frozenset().union(*map(names_of, derivation.equations))
    symbols.append(Symbol(rng.choice([name for name in VOCABULARY if name not in used])))
    functions = sorted({part for equation in derivation.equations for part in equation.atoms(AppliedUndef)}, key=str)

    def exchange(node: Expr) -> Expr | None:
        others = [other for other in (symbols if isinstance(node, Symbol) else functions) if other != node]
        return rng.choice(others) if others else None

    return _edited(derivation, rng, _named, exchange)


def wrong_derivative(derivation: Derivation, rng: random.Random) -> Lines | None:
    """A derivative is evaluated by a wrong rule."""
    return _evaluated_wrongly(derivation, rng, Derivative, _wrong_derivatives)


def wrong_integral(derivation: Derivation, rng: random.Random) -> Lines | None:
    """An integral is evaluated by a wrong rule; it keeps the step's constant."""
    return _evaluated_wrongly(derivation, rng, Integral, _wrong_integrals)


def wrong_substitution(derivation: Derivation, rng: random.Random) -> Lines | None:
    """A substitution uses another rule, or replaces another part."""
    substitutions = _steps_by(derivation, SUBSTITUTE_LEFT_FOR_RIGHT.name, SUBSTITUTE_RIGHT_FOR_LEFT.name)
    for _ in range(TRIES if substitutions else 0):
        number = rng.choice(substitutions)
        annotation = derivation.annotations[number - 1]
        acted_on, rule = (derivation.equations[reference - 1] for reference in step_references(annotation))
        old, new = rule.args if annotation[0] == SUBSTITUTE_LEFT_FOR_RIGHT.name else rule.args[::-1]
        if rng.random() < 0.5:
            wrong = rng.choice([side for equation in derivation.equations[: number - 1] for side in equation.args])
            changed = _substituted(acted_on, old, wrong)
        else:
            parts = [part for part in _parts(acted_on) if part != old and part.args and not part.has(old)]
            changed = _substituted(acted_on, rng.choice(parts), new) if parts else None
        lines = _with_step(derivation, number, changed)
        if lines is not None:
            return lines
    return None


def step_repeated(derivation: Derivation, rng: random.Random) -> Lines:
    """An equation is repeated, anywhere after its first place."""
    return _repeated(derivation, rng, lambda equation: equation)


def mirror_repeated(derivation: Derivation, rng: random.Random) -> Lines:
    """An equation is repeated with its sides exchanged."""
    return _repeated(derivation, rng, lambda equation: Equality(equation.rhs, equation.lhs, evaluate=False))


def detour(derivation: Derivation, rng: random.Random) -> Lines | None:
    """One or two steps are added that follow from earlier ones and that no step builds on."""
    place = rng.randrange(1, len(derivation.steps))
    used = frozenset().union(*map(names_of, derivation.equations))
    settings = SamplingSettings()
    fresh = settings.model_copy(update={"vocabulary": tuple(name for name in settings.names if name not in used)})
    history = History()
    for step in derivation.steps[:place]:
        history.append(step.equation, step.annotation)
    known = {sides for equation in derivation.equations for sides in (equation.args, equation.args[::-1])}
    wanted = rng.choice((1, 1, 2))
    put_in: Lines = []
    for _ in range(TRIES):
        operator = draw_operator(settings, len(history) > 1, rng)
        if operator.arity is Arity.PREMISE:
            continue
        proposal = propose_step(operator, history, fresh, rng, acts_on=len(history) if put_in else None)
        if proposal is None or proposal[0].args in known or not _may_stand(proposal[0]):
            continue
        history.append(*proposal)
        known |= {proposal[0].args, proposal[0].args[::-1]}
        put_in.append(Line(proposal[0], is_detour=True))
        if len(put_in) == wanted:
            lines = intact(derivation)
            return [*lines[:place], *put_in, *lines[place:]]
    return None


def one_removed(derivation: Derivation, rng: random.Random) -> Lines | None:
    """A step that a later one builds on is missing."""
    return _removed(derivation, rng, 1)


def two_removed(derivation: Derivation, rng: random.Random) -> Lines | None:
    """Two steps are missing; a later one builds on at least one of them."""
    return _removed(derivation, rng, 2)


def goal_missing(derivation: Derivation, rng: random.Random) -> Lines:
    """The derivation stops one or two steps before its end."""
    return intact(derivation)[: -rng.choice((1, 1, 2))]


CORRUPTIONS: Mapping[str, Corruption] = {
    "intact": lambda derivation, _: intact(derivation),
    "sign flipped": sign_flipped,
    "factor dropped": factor_dropped,
    "wrong derivative": wrong_derivative,
    "wrong integral": wrong_integral,
    "symbol exchanged": symbol_exchanged,
    "wrong substitution": wrong_substitution,
    "step repeated": step_repeated,
    "mirrored step": mirror_repeated,
    "detour": detour,
    "one step removed": one_removed,
    "two steps removed": two_removed,
    "goal missing": goal_missing,
}


def replaced(node: Basic, path: Sequence[int], new: Basic) -> Basic:
    """Replaces the part of an expression at a path of argument numbers."""
    if not path:
        return new
    parts = list(node.args)
    parts[path[0]] = replaced(parts[path[0]], path[1:], new)
    return node.func(*parts)


def _edited(
    derivation: Derivation,
    rng: random.Random,
    places: Callable[[Expr], Iterator[tuple[tuple[int, ...], Expr]]],
    edit: Callable[[Expr], Expr | None],
) -> Lines | None:
    """Changes one part of one step; premises are a quarter as likely as other steps."""
    weights = [1 if is_premise(step.annotation) else 4 for step in derivation.steps]
    for _ in range(TRIES):
        number = rng.choices(range(1, len(weights) + 1), weights)[0]
        equation = derivation.equations[number - 1]
        side = rng.randrange(2)
        found = list(places(equation.args[side]))
        if not found:
            continue
        path, part = rng.choice(found)
        new = edit(part)
        lines = None if new is None else _with_step(derivation, number, _rebuilt(equation, side, path, new))
        if lines is not None:
            return lines
    return None


def _rebuilt(equation: Equality, side: int, path: Sequence[int], new: Expr) -> Equality | None:
    sides = list(equation.args)
    try:
        sides[side] = replaced(sides[side], path, new)
    except (ValueError, TypeError, AttributeError, ArithmeticError):
        return None
    return Equality(*sides, evaluate=False)


def _with_step(derivation: Derivation, number: int, equation: Equality | None) -> Lines | None:
    """Puts another equation at a step; None where the generator could not have written it there."""
    original = derivation.equations[number - 1]
    if equation is None or equation.args in (original.args, original.args[::-1]) or equation.lhs == equation.rhs:
        return None
    if not all(isinstance(side, Expr) for side in equation.args) or not _may_stand(equation):
        return None
    lines = intact(derivation)
    lines[number - 1] = Line(equation, number, changed=True)
    return lines


def _may_stand(equation: Equality) -> bool:
    """Whether the generator could write the equation, and it divides by no zero."""
    return is_acceptable(equation, MAX_CHARACTERS) and not equation.has(zoo, nan, oo)


def _steps_by(derivation: Derivation, *operators: str) -> list[int]:
    """The numbers of the steps that one of the operators made."""
    return [number for number, annotation in enumerate(derivation.annotations, start=1) if annotation[0] in operators]


def _terms(side: Expr) -> Iterator[tuple[tuple[int, ...], Expr]]:
    if side != 0:
        yield (), side
    for path, node in _nodes(side):
        if isinstance(node, Add):
            yield from (((*path, position), term) for position, term in enumerate(node.args))


def _products(side: Expr) -> Iterator[tuple[tuple[int, ...], Expr]]:
    for path, node in _nodes(side):
        if isinstance(node, Mul) or (isinstance(node, Pow) and node.exp.is_Integer):
            yield path, node


def _named(side: Expr) -> Iterator[tuple[tuple[int, ...], Expr]]:
    for path, node in _nodes(side):
        if isinstance(node, Symbol | AppliedUndef):
            yield path, node


def _nodes(node: Expr, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Expr]]:
    """Yields the parts of an expression, without arguments of functions and variables of derivatives and integrals."""
    yield path, node
    if isinstance(node, AppliedUndef):
        return
    parts = node.args[:1] if isinstance(node, Derivative | Integral) else node.args
    for position, part in enumerate(parts):
        yield from _nodes(part, (*path, position))


def _parts(equation: Equality) -> list[Expr]:
    return list(dict.fromkeys(node for side in equation.args for _, node in _nodes(side)))


def _substituted(equation: Equality, old: Expr, new: Expr) -> Equality | None:
    try:
        return Equality(*(side.subs(old, new) for side in equation.args), evaluate=False)
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return None


def _evaluated_wrongly(
    derivation: Derivation,
    rng: random.Random,
    kind: type[Derivative | Integral],
    wrong_values: Callable[[Expr, Symbol], list[Expr]],
) -> Lines | None:
    """Evaluates one derivative or integral of a step wrongly.

    The value in the step is found by its place: it is where the derivative or integral was in the earlier equation.
    """
    numbers = _steps_by(derivation, "evaluate_derivatives" if kind is Derivative else "evaluate_integrals")
    for _ in range(TRIES if numbers else 0):
        number = rng.choice(numbers)
        result = derivation.equations[number - 1]
        before = derivation.equations[step_references(derivation.annotations[number - 1])[0] - 1]
        side = rng.randrange(2)
        # A side that did not change has nothing carried out.
        if before.args[side] == result.args[side]:
            continue
        places = [(path, node) for path, node in _nodes(before.args[side]) if isinstance(node, kind)]
        places = [
            (path, node) for path, node in places if len(node.variables) == 1 and isinstance(node.variables[0], Symbol)
        ]
        if len(places) != 1:
            continue
        (path, node), *_ = places
        constants = sorted(result.args[side].free_symbols - before.free_symbols, key=str) if kind is Integral else []
        candidates = wrong_values(node.args[0], node.variables[0])
        if not candidates:
            continue
        changed = _rebuilt(before, side, path, Add(rng.choice(candidates), *constants))
        if changed is not None:
            sides = [changed.args[side] if place == side else result.args[place] for place in range(2)]
            lines = _with_step(derivation, number, Equality(*sides, evaluate=False))
            if lines is not None:
                return lines
    return None


def _wrong_derivatives(function: Expr, variable: Symbol) -> list[Expr]:
    """Returns wrong derivatives: unevaluated, with a lost sign, a forgotten product or chain rule, a wrong exponent."""
    found = [function, -function.diff(variable)]
    if isinstance(function, Mul):
        found.append(Mul(*(factor.diff(variable) for factor in function.args)))
    if isinstance(function, Pow):
        found += [function.exp * function.base ** (function.exp - 1), function.exp * function]
    if len(function.args) == 1 and not isinstance(function, AppliedUndef):
        found += [function.fdiff(), function.func(function.args[0].diff(variable))]
    if isinstance(function, Add):
        found.append(Add(*function.args[1:]).diff(variable) + function.args[0])
    found += [function.diff(other) for other in sorted(function.free_symbols - {variable}, key=str)]
    return [value for value in found if not value.has(Integral) and value != function.diff(variable)]


def _wrong_integrals(function: Expr, variable: Symbol) -> list[Expr]:
    """Returns wrong integrals: the derivative, the integrand, as of a constant, a wrong sign, a lost coefficient."""
    found = [function.diff(variable), function, function * variable]
    found += [value for term in Add.make_args(function) for value in _wrong_terms(term, variable, function)]
    return [value for value in found if not value.has(Integral)]


def _wrong_terms(term: Expr, variable: Symbol, function: Expr) -> list[Expr]:
    rest = (function - term) * variable
    if isinstance(term, cos) and term.args[0] == variable:
        return [rest - sin(variable)]
    if isinstance(term, sin) and term.args[0] == variable:
        return [rest + cos(variable)]
    if term.has(variable) and term.is_polynomial(variable):
        return [rest + term * variable]
    return []


def _repeated(derivation: Derivation, rng: random.Random, as_written: Callable[[Equality], Equality]) -> Lines:
    lines = intact(derivation)
    first = rng.randrange(len(lines))
    place = rng.randrange(first + 1, len(lines) + 1)
    repeated = Line(as_written(lines[first].equation), repeats=True)
    return [*lines[:place], repeated, *lines[place:]]


def _removed(derivation: Derivation, rng: random.Random, count: int) -> Lines | None:
    references = {reference for step in derivation.steps for reference in step_references(step.annotation)}
    last = len(derivation.steps)
    removable = [
        number
        for number, step in enumerate(derivation.steps, start=1)
        if not is_premise(step.annotation) and number < last
    ]
    needed = [number for number in removable if number in references]
    if not needed or len(removable) < count:
        return None
    first = rng.choice(needed)
    gone = {first, *rng.sample([number for number in removable if number != first], count - 1)}
    return [line for line in intact(derivation) if line.step not in gone]
