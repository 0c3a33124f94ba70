"""The evaluation sets: the static examples and the variants that are made from them.

Each set is one `SetDefinition` in a registry. The dataset builders, the pipeline, the metrics and the report ask the
registry for the sets, their names and their order. An extension file adds a set by `register_evaluation_set`;
docs/extending.md shows one.
"""

import difflib
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import overload

from mathderive.core.errors import InputError
from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.perturbations import alternative_goal, expression_exchange, variable_renaming
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import has_intermediate, prompt
from mathderive.symbolic.engine.variants import is_alternative_goal, is_expression_exchange, is_variable_renaming

MakeVariant = Callable[[Derivation, SamplingSettings, random.Random], Derivation | None]
"""Makes the variant of a static derivation, or returns None where the derivation has none.

The random stream belongs to one derivation and one set, so the variants of a set do not depend on other sets.
"""

FindFault = Callable[[Derivation, Derivation], str | None]
"""Says what keeps the second derivation from being the variant of the first, or None where nothing does."""

TRAINING_SPLITS = ("train", "validation")
"""The splits of a generated dataset that are not evaluated."""

STATIC = "static"
"""The key of the set that holds the unchanged derivations."""

_RESERVED = (*TRAINING_SPLITS, "all", "sensitivity")
"""Keys that would clash with a split of a dataset or with a file in the folder of scores."""


@dataclass(frozen=True, kw_only=True)
class SetDefinition:
    """Everything about one evaluation set.

    Attributes:
        key: names the set in files and examples: lower-case letters and digits, starting with a letter.
        label: a column heading of one word.
        title: the name in tables and on the page.
        description: a phrase for the captions of the page that says what differs from the static set.
        make_variant: makes the derivations of the set; None for the static set alone.
        write_prompt: writes the prompt of a derivation of the set.
        is_required: examples are drawn for the evaluation only from the static examples that have this variant.
        find_fault: the conformance rule of the set, if it has one.
    """

    key: str
    label: str
    title: str
    description: str
    make_variant: MakeVariant | None
    write_prompt: Callable[[Derivation], str] = prompt
    is_required: bool = False
    find_fault: FindFault | None = None

    @property
    def is_perturbation(self) -> bool:
        """Whether the examples are variants of static examples."""
        return self.make_variant is not None


_DEFINITIONS: dict[str, SetDefinition] = {}


def register_evaluation_set(definition: SetDefinition) -> None:
    """Adds a set after the sets that are registered already.

    Raises:
        InputError: the key is no key or is taken, or the definition lacks a text or the function that makes a variant.
    """
    place = f"evaluation set {definition.key!r}"
    if not re.fullmatch(r"[a-z][a-z0-9]{0,31}", definition.key):
        raise InputError(f"{place}: expected a key of lower-case letters and digits that starts with a letter")
    if definition.key in _DEFINITIONS or definition.key in _RESERVED:
        raise InputError(f"{place}: this key is taken; expected one beside {', '.join((*_DEFINITIONS, *_RESERVED))}")
    for field in ("label", "title", "description"):
        if not getattr(definition, field).strip():
            raise InputError(f"{place}: {field} is empty; expected a text for the tables and the page")
    if definition.make_variant is None and definition.key != STATIC:
        raise InputError(f"{place}: make_variant is None; expected a function that makes a variant of a derivation")
    _DEFINITIONS[definition.key] = definition


def evaluation_set(key: str) -> SetDefinition:
    """Returns the definition of a set.

    Raises:
        KeyError: no set has this key.
    """
    return _DEFINITIONS[key]


def known_set(key: str) -> str:
    """Returns the key of an evaluation set unchanged.

    Raises:
        ValueError: no set has this key; names the nearest key.
    """
    return _known(key, EVALUATION_SETS)


def known_split(name: str) -> str:
    """Returns the name of an evaluation set or a training split unchanged.

    Raises:
        ValueError: there is no such split; names the nearest one.
    """
    return _known(name, (*EVALUATION_SETS, *TRAINING_SPLITS))


def _known(key: str, keys: Sequence[str]) -> str:
    if key in keys:
        return key
    near = difflib.get_close_matches(key, keys, n=1)
    raise ValueError(f"unknown set {key!r}; " + (f"did you mean {near[0]}?" if near else f"known: {', '.join(keys)}"))


class RegisteredKeys(Sequence[str]):
    """The keys of the sets for which a condition holds, in the order of registration.

    The sequence is a view of the registry: a set that is registered later appears in it.
    """

    def __init__(self, condition: Callable[[SetDefinition], bool]) -> None:
        self._condition = condition

    def _keys(self) -> tuple[str, ...]:
        return tuple(key for key, definition in _DEFINITIONS.items() if self._condition(definition))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self._keys()[index]

    def __len__(self) -> int:
        return len(self._keys())


class RegisteredTexts(Mapping[str, str]):
    """One text of every set by the set's key, as a view of the registry."""

    def __init__(self, read: Callable[[SetDefinition], str]) -> None:
        self._read = read

    def __getitem__(self, key: str) -> str:
        return self._read(_DEFINITIONS[key])

    def __iter__(self) -> Iterator[str]:
        return iter(_DEFINITIONS)

    def __len__(self) -> int:
        return len(_DEFINITIONS)


EVALUATION_SETS: Sequence[str] = RegisteredKeys(lambda definition: True)
"""The keys of all sets, the static set first."""

PERTURBED_SETS: Sequence[str] = RegisteredKeys(lambda definition: definition.is_perturbation)
"""The keys of the sets of variants."""

REQUIRED_SETS: Sequence[str] = RegisteredKeys(lambda definition: definition.is_required)
"""The keys of the sets that every evaluated static example must have a variant in."""

SET_LABELS: Mapping[str, str] = RegisteredTexts(lambda definition: definition.label)
"""Column headings by key."""

SET_TITLES: Mapping[str, str] = RegisteredTexts(lambda definition: definition.title)
"""Names in tables by key."""


def _make_renaming(derivation: Derivation, _: SamplingSettings, rng: random.Random) -> Derivation | None:
    return variable_renaming(derivation, rng)


def _make_exchange(derivation: Derivation, _: SamplingSettings, __: random.Random) -> Derivation:
    return expression_exchange(derivation)


def _keep_if_clause(derivation: Derivation, _: SamplingSettings, __: random.Random) -> Derivation | None:
    """Step removal changes the prompt alone, and only where the prompt has a clause to remove."""
    return derivation if has_intermediate(derivation) else None


def _renaming_fault(static: Derivation, variant: Derivation) -> str | None:
    return None if is_variable_renaming(static, variant) else "no renaming of the static example"


def _exchange_fault(static: Derivation, variant: Derivation) -> str | None:
    return None if is_expression_exchange(static, variant) else "not the static example with its sides exchanged"


def _goal_fault(static: Derivation, variant: Derivation) -> str | None:
    return None if is_alternative_goal(static, variant) else "not the static example with another last step"


def _removal_fault(static: Derivation, variant: Derivation) -> str | None:
    if variant == static and has_intermediate(static):
        return None
    return "not the static example, or one without a clause to remove"


_PAPER_SETS = (
    SetDefinition(
        key=STATIC, label="Static", title="Static", description="the examples as generated", make_variant=None
    ),
    SetDefinition(
        key="vr",
        label="VR",
        title="Variable renaming",
        description="variables renamed",
        make_variant=_make_renaming,
        is_required=True,
        find_fault=_renaming_fault,
    ),
    SetDefinition(
        key="ee",
        label="EE",
        title="Expression exchange",
        description="the sides of every equation exchanged",
        make_variant=_make_exchange,
        is_required=True,
        find_fault=_exchange_fault,
    ),
    SetDefinition(
        key="ag",
        label="AG",
        title="Alternative goal",
        description="another goal",
        make_variant=alternative_goal,
        is_required=True,
        find_fault=_goal_fault,
    ),
    SetDefinition(
        key="sr",
        label="SR",
        title="Step removal",
        description="intermediate results left out of the prompt",
        make_variant=_keep_if_clause,
        write_prompt=partial(prompt, with_intermediate=False),
        is_required=True,
        find_fault=_removal_fault,
    ),
)
"""The sets of Meadows et al. (2024), in the order of their tables."""

PAPER_SETS = tuple(definition.key for definition in _PAPER_SETS)
"""The keys of the sets that the authors evaluated, in the order of their tables."""

for _definition in _PAPER_SETS:
    register_evaluation_set(_definition)
