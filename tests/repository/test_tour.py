"""The notebook runs, and prints what is saved in it."""

import re
from typing import Any

import pytest

from tests.support.notebook import TOUR, VARIES, execute, read


def shown(cell: Any) -> list[object]:
    """The texts that a cell prints, and the kinds of everything else that it shows."""
    return [
        output.text if output.output_type == "stream" else sorted(output.data) for output in cell.get("outputs", [])
    ]


@pytest.mark.slow
def test_the_notebook_prints_what_is_saved_in_it() -> None:
    saved, tour = read(TOUR), read(TOUR)
    for cell in tour.cells:
        cell.outputs = []
    execute(tour)
    for before, now in zip(saved.cells, tour.cells, strict=True):
        if VARIES in before.metadata.get("tags", []):
            assert len(shown(now)) == len(shown(before)) == 1
        else:
            assert shown(now) == shown(before)
        assert (now.cell_type == "markdown") == (not shown(now)), now.source


def test_the_notebook_keeps_nothing_of_the_machine_that_ran_it() -> None:
    tour = read(TOUR)
    assert tour.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert all(not cell.metadata.keys() - {"tags"} for cell in tour.cells)
    numbers = [cell.execution_count for cell in tour.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_links_of_the_notebook_lead_to_files() -> None:
    links = [link for cell in read(TOUR).cells for link in re.findall(r"\]\(([^)#]+)", cell.source)]
    assert len(links) >= 3
    for link in links:
        assert (TOUR.parent / link).is_file(), link
