"""The configs and the checkpoint that come with the package, in a checkout and in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]

CHECKOUT = _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").is_file() else None
"""The folder of the repository; None for an installed wheel, which has neither tests nor sources of the tools."""

BUNDLED = CHECKOUT or _PACKAGE / "bundled"
"""The folder that holds `configs/` and `checkpoints/mini`."""

_FOLDERS = ("configs", "checkpoints")


def existing_or_bundled(path: Path) -> Path:
    """The path itself, or the file of this name that comes with the package where there is none.

    So `configs/paper/base.yaml` means the same in every folder, unless the folder has a file of this name.
    """
    if path.is_absolute() or path.parts[:1] not in [(folder,) for folder in _FOLDERS] or path.exists():
        return path
    bundled = BUNDLED / path
    return bundled if bundled.exists() else path


def checkpoint_place(place: str | Path) -> str:
    """The place of a checkpoint as given, or the one of this name that comes with the package where there is none."""
    given = Path(place)
    found = existing_or_bundled(given)
    return str(place) if found == given else str(found)
