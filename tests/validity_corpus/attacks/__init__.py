"""Attacks on the checker, by class; importing this package registers all of them."""

from tests.validity_corpus.attacks import absorption, branches, calculus, differential_equations, names, texts, zeros
from tests.validity_corpus.attacks.attempt import ATTACKS, Attempt, Setting
from tests.validity_corpus.attacks.labels import LabelledAttempt, label
from tests.validity_corpus.attacks.settings import settings_of

__all__ = [
    "ATTACKS",
    "Attempt",
    "LabelledAttempt",
    "Setting",
    "absorption",
    "branches",
    "calculus",
    "differential_equations",
    "label",
    "names",
    "settings_of",
    "texts",
    "zeros",
]
