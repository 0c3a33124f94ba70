"""Which extra of the package brings a library that is not installed."""

from collections.abc import Iterable
from importlib.util import find_spec

LIBRARIES = {
    "train": (
        *("tensorflow_datasets", "importlib_resources", "array_record", "grain", "etils", "jax", "jaxlib", "ml_dtypes"),
        *("flax", "optax", "orbax", "safetensors", "sentencepiece", "huggingface_hub", "transformers"),
    ),
    "chat": ("openai", "tenacity"),
    "report": ("matplotlib", "jinja2", "markupsafe", "latex2mathml"),
    "serve": ("fastapi", "starlette", "uvicorn"),
    "export": ("pyarrow",),
    "beam": ("apache_beam",),
    "dev": ("pytest", "ruff", "mypy"),
}
"""The modules of each extra in pyproject.toml that the code imports."""


def check_extras(names: Iterable[str]) -> None:
    """Checks that everything in these extras is installed, without importing it.

    Raises:
        ModuleNotFoundError: a library is missing.
    """
    for module in (module for name in names for module in LIBRARIES[name]):
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def missing_library(error: BaseException) -> str | None:
    """The advice to install a library that could not be imported; None for any other error."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    library = error.name.partition(".")[0]
    extra = next((name for name, modules in LIBRARIES.items() if library in modules), None)
    if extra is None:
        return None
    return f"{library} is not installed, and this needs it; expected: pip install 'mathderive[{extra}]'"
