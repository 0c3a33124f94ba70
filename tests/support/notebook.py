"""Runs the notebook. `python -m tests.support.notebook` saves it with what it prints now."""

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

TOUR = Path(__file__).parents[2] / "examples" / "tour.ipynb"
VARIES = "differs-between-machines"
"""The tag of cells whose output differs slightly between processors."""


def read(path: Path) -> Any:
    """The notebook of a file, as nbformat has it."""
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def execute(notebook: Any) -> None:
    """Runs every cell in a fresh kernel and puts its outputs into the notebook.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises.
    """
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=300,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(TOUR.parent)}},
    )
    client.execute()
    notebook.metadata.language_info = {"name": "python"}  # without the version of this Python


if __name__ == "__main__":
    tour = read(TOUR)
    execute(tour)
    nbformat.write(tour, TOUR)
