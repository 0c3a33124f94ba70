"""`metrics.jsonl`: one object a line, from the training loop, whole again after every restart."""

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
    """Begins with the rows up to the checkpoint we go on from, and grows by whole lines."""

    def __init__(self, path: Path, first_step: int, copy: epath.Path | None) -> None:
        """Opens the log at `path`.

        Args:
            first_step: later rows are dropped, they will be logged again.
            copy: beside checkpoints that are elsewhere; read where `path` is gone, as on a machine that is new.
        """
        self._path = path
        self._copy = copy if devices.process_index() == 0 else None
        found = path if self._copy is None or path.is_file() else self._copy
        self._rows = devices.share(read_metrics(found, first_step))
        self._since = time.monotonic()
        write_text(path, "".join(json.dumps(row) + "\n" for row in self._rows))

    def write(self, step: int, row: Mapping[str, float | None]) -> None:
        self._rows.append({"step": step, **row})
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(self._rows[-1]) + "\n")
        self._since = time.monotonic()

    def save_copy(self) -> None:
        """Brings the copy up to date, if there is one; called with every checkpoint."""
        if self._copy is not None:
            self._copy.write_text(self._path.read_text(encoding="utf-8"))

    def seconds_since_last(self) -> float:
        """Since the last row, or since the log was opened."""
        return time.monotonic() - self._since

    def last_validation(self) -> tuple[float, float | None]:
        """Loss and, where it was measured, ROUGE-2 of the last look at the validation split."""
        for row in reversed(self._rows):
            if "validation_loss" in row:
                return row["validation_loss"], row.get("validation_rouge2")
        raise InputError(f"{self._path}: the rows of the finished training are gone; remove the folder to train anew")
