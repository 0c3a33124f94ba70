"""Reproducibility kit for *Generating Mathematical Derivations with Large Language Models*.

The names below are the public API, which docs/api.md describes. A name loads the libraries behind it when it is first
used, so importing this package loads none.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mathderive.api.checking import Checker, check
    from mathderive.api.examples import generate, perturb
    from mathderive.api.models import Model, load_model
    from mathderive.api.notation import read_latex, render
    from mathderive.api.scoring import score
    from mathderive.checker.verdicts import StepVerdict, Validity
    from mathderive.core.errors import InputError
    from mathderive.records import Example, Prediction, Score
    from mathderive.symbolic.engine.settings import SamplingSettings

    __version__: str

# SymPy remembers 1,000 results of each function by default, and reads this when it is first imported. With more, the
# checker and the generator are an eighth faster, and a worker process takes 40 MB more memory.
os.environ.setdefault("SYMPY_CACHE_SIZE", "20000")

__all__ = [
    "Checker",
    "Example",
    "InputError",
    "Model",
    "Prediction",
    "SamplingSettings",
    "Score",
    "StepVerdict",
    "Validity",
    "check",
    "generate",
    "load_model",
    "perturb",
    "read_latex",
    "render",
    "score",
]

_MODULES = {
    "Checker": "mathderive.api.checking",
    "Example": "mathderive.records",
    "InputError": "mathderive.core.errors",
    "Model": "mathderive.api.models",
    "Prediction": "mathderive.records",
    "SamplingSettings": "mathderive.symbolic.engine.settings",
    "Score": "mathderive.records",
    "StepVerdict": "mathderive.checker.verdicts",
    "Validity": "mathderive.checker.verdicts",
    "check": "mathderive.api.checking",
    "generate": "mathderive.api.examples",
    "load_model": "mathderive.api.models",
    "perturb": "mathderive.api.examples",
    "read_latex": "mathderive.api.notation",
    "render": "mathderive.api.notation",
    "score": "mathderive.api.scoring",
}
"""The module that defines each name."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("mathderive")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(_MODULES[name]), name)
    except ModuleNotFoundError as error:
        from mathderive.core.extras import missing_library

        raise ModuleNotFoundError(missing_library(error) or error.msg, name=error.name) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
