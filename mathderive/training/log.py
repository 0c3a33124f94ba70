"""`metrics.jsonl`, the log of the training loop: one object a line, complete again after every restart."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from etils import epath

from mathderive.core import devices
from mathderive.core.errors import InputError
from mathderive.core.files import write_text
from mathderive.training.checkpoints import read_metrics


class MetricsLog:
    """The log of a training run: the rows up to the restored checkpoint, and then new rows."""

    def __init__(self, path: Path, first_step: int, copy: epath.Path | None) -> None:
        """Opens the log at `path`.

        Args:
            first_step: the step of the restored checkpoint; rows of later steps are dropped and logged again.
            copy: a second place for the log, beside checkpoints in an object store. It is read if there is no `path`,
                as on a new machine.
        """
        self._path = path
        self._copy = copy if devices.process_index() == 0 else None
        source = path if self._copy is None or path.is_file() else self._copy
        self._rows = devices.share(read_metrics(source, first_step))
        self._since = time.monotonic()
        write_text(path, "".join(json.dumps(row) + "\n" for row in self._rows))

    def write(self, step: int, row: Mapping[str, float | None]) -> None:
        """Appends a row."""
        self._rows.append({"step": step, **row})
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(self._rows[-1]) + "\n")
        self._since = time.monotonic()

    def save_copy(self) -> None:
        """Updates the copy, if there is one; called with every checkpoint."""
        if self._copy is not None:
            self._copy.write_text(self._path.read_text(encoding="utf-8"))

    def seconds_since_last(self) -> float:
        """Seconds since the last row, or since the log was opened."""
        return time.monotonic() - self._since

    def last_validation(self) -> tuple[float, float | None]:
        """Loss and, if it was measured, ROUGE-2 of the last validation.

        Raises:
            InputError: the log has no validation.
        """
        for row in reversed(self._rows):
            if "validation_loss" in row:
                return row["validation_loss"], row.get("validation_rouge2")
        raise InputError(
            f"{self._path}: the rows of the finished training are gone; remove the folder to train again from the start"
        )
