"""The equations of a derivation that is being sampled, and the draws that depend on them."""

import random
from functools import lru_cache

from sympy import Derivative, Equality, Expr, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.symbolic.bounds import TooLargeError, check_expression, tower_height
from mathderive.symbolic.engine.derivation import Annotation, Derivation, Step, renumber, step_references
from mathderive.symbolic.engine.operators import OperatorError, is_premise
from mathderive.symbolic.engine.operators.substitution import substitute
from mathderive.symbolic.latex.printer import plain_text, raw_latex
from mathderive.symbolic.names import PRINTED_LIKE_NAMES
from mathderive.symbolic.parts import equation_parts
from mathderive.symbolic.srepr import is_readable

RECENT = 9
"""The number of latest equations that are drawn more often than older ones."""

TRIVIAL = {"0", "1"}
"""The LaTeX of sides that no substitution replaces or inserts."""


class History:
    """The accepted steps of a candidate; not all of them become part of the derivation."""

    def __init__(self) -> None:
        self.equations: list[Equality] = []
        self.annotations: list[Annotation] = []
        self.parts: dict[Expr, None] = {}
        self.names: set[str] = set()
        self._ancestors: list[frozenset[int]] = []
        self._known: set[tuple[Expr, Expr]] = set()
        self._texts: list[tuple[str, str]] = []
        self._substitutable: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        self._substitutions: dict[tuple[int, int, bool], Equality | None] = {}

    def append(self, equation: Equality, annotation: Annotation) -> None:
        """Adds a step that is known to be acceptable."""
        number = len(self.equations) + 1
        self.equations.append(equation)
        self.annotations.append(annotation)
        self._ancestors.append(
            frozenset({number}).union(*(self._ancestors[reference - 1] for reference in step_references(annotation)))
        )
        self._known |= {(equation.lhs, equation.rhs), (equation.rhs, equation.lhs)}
        self._texts.append((plain_text(equation.lhs), plain_text(equation.rhs)))
        self._find_occurrences(number)
        for part in equation_parts(equation):
            self.parts[part] = None
            if isinstance(part, Symbol):
                self.names.add(part.name)
            elif isinstance(part, AppliedUndef):
                self.names.add(part.func.__name__)

    def __len__(self) -> int:
        return len(self.equations)

    def is_ambiguous_with(self, equation: Equality) -> bool:
        """Whether a number and a name of the derivation would print alike if the equation joined it."""
        atoms = equation.atoms()
        return any(
            (number in atoms or number in self.parts) and (Symbol(name) in atoms or name in self.names)
            for name, number in PRINTED_LIKE_NAMES.items()
        )

    def premises(self) -> list[Equality]:
        """The premises in order."""
        return [
            equation
            for equation, annotation in zip(self.equations, self.annotations, strict=True)
            if is_premise(annotation)
        ]

    def is_new(self, equation: Equality) -> bool:
        """Whether neither the equation nor its mirror image is among the steps."""
        return (equation.lhs, equation.rhs) not in self._known

    def mentions(self, text: str) -> bool:
        """Whether a text occurs in the plain LaTeX of an equation."""
        return any(text in side for sides in self._texts for side in sides)

    def draw_step(self, rng: random.Random) -> int:
        """Draws the number of an equation to act on.

        The weight of the k-th most recent equation (k = 0, 1, …) is 1 + max(0, 9 - k)³.
        """
        count = len(self.equations)
        weights = [1 + max(0, RECENT - (count - number)) ** 3 for number in range(1, count + 1)]
        return rng.choices(range(1, count + 1), weights)[0]

    def free_names(self, names: tuple[str, ...]) -> list[str]:
        """The names that are not those of a free symbol of an equation."""
        used = frozenset().union(*map(_free_names, self.equations))
        return [name for name in names if name not in used]

    def chain_length(self) -> int:
        """The number of steps that the latest step builds on, itself included."""
        return len(self._ancestors[-1])

    def latest_chain(self) -> Derivation:
        """The latest step and all steps that it builds on, renumbered."""
        kept = sorted(self._ancestors[-1])
        numbers = {old: new for new, old in enumerate(kept, start=1)}
        return Derivation(
            tuple(Step(self.equations[old - 1], renumber(self.annotations[old - 1], numbers)) for old in kept)
        )

    def draw_substitution(
        self, left_for_right: bool, rng: random.Random, acts_on: int | None = None
    ) -> tuple[int, int, Equality] | None:
        """Draws two steps (i, j) such that a substitution by j changes i, and returns them with the result.

        All such pairs are equally likely; with `acts_on`, all in which i is that step. Returns None if there is none.
        """
        pairs = [pair for pair in self._substitutable[left_for_right] if acts_on is None or pair[0] == acts_on]
        # The first pair that works, in random order, is uniform among all that work; most need not be tried.
        while pairs:
            position = rng.randrange(len(pairs))
            pairs[position], pairs[-1] = pairs[-1], pairs[position]
            i, j = pairs.pop()
            result = self._substitution(i, j, left_for_right)
            if result is not None:
                return i, j, result
        return None

    def _find_occurrences(self, latest: int) -> None:
        """Records the pairs (i, j) with the latest step in which the text of a side of j occurs in the text of i.

        `_substitutable[True]` holds the pairs for left sides, `_substitutable[False]` those for right sides. Pairs in
        which a side of j is 0 or 1 are left out.
        """
        earlier = range(1, latest)
        for i, j in (*((latest, j) for j in earlier), *((i, latest) for i in earlier)):
            if TRIVIAL & {*self._texts[j - 1]}:
                continue
            for left_for_right, replaced in zip((True, False), self._texts[j - 1], strict=True):
                if any(replaced in side for side in self._texts[i - 1]):
                    self._substitutable[left_for_right].append((i, j))

    def _substitution(self, i: int, j: int, left_for_right: bool) -> Equality | None:
        """The result of a substitution; None where it is not an equation or changes nothing."""
        key = (i, j, left_for_right)
        if key not in self._substitutions:
            rule = self.equations[j - 1]
            old, new = (rule.lhs, rule.rhs) if left_for_right else (rule.rhs, rule.lhs)
            try:
                self._substitutions[key] = substitute(self.equations[i - 1], old, new)
            except OperatorError:
                self._substitutions[key] = None
        return self._substitutions[key]


def is_acceptable(equation: Equality, max_characters: int) -> bool:
    """Whether an equation may enter a derivation.

    All its parts can be read by `read_srepr` (so there is no `Subs` and no `Piecewise`), no undefined function has
    another one among its arguments, derivatives are by symbols or functions and their orders are numbers, its numbers
    are within bounds, and its raw LaTeX is shorter than `max_characters`.
    """
    if not all(map(_is_sound, equation.args)):
        return False
    try:
        for side in equation.args:
            if tower_height(side) > 0:
                check_expression(side, {})
    except TooLargeError:
        return False
    return len(raw_latex(equation)) < max_characters


@lru_cache(maxsize=1000)
def _free_names(equation: Equality) -> frozenset[str]:
    """The names of the free symbols, which each integration constant asks for anew."""
    return frozenset(symbol.name for symbol in equation.free_symbols)


@lru_cache(maxsize=20_000)
def _is_sound(part: Basic) -> bool:
    """Whether all parts of an expression are readable and no undefined function is nested in another."""
    if isinstance(part, AppliedUndef) and any(argument.has(AppliedUndef) for argument in part.args):
        return False
    if isinstance(part, Derivative) and not all(
        isinstance(variable, Symbol | AppliedUndef) and count.is_Integer for variable, count in part.variable_count
    ):
        return False
    return is_readable(part) and all(map(_is_sound, part.args))
