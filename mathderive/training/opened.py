"""The checkpoints that a command names, opened once and shared by every part of the pipeline."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from mathderive.config.schema import BleurtSettings
from mathderive.core.files import sha256

if TYPE_CHECKING:
    from mathderive.metrics.bleurt import Bleurt
    from mathderive.model.config import T5Config
    from mathderive.training.conversion import OpenedCheckpoint


class OpenedCheckpoints:
    """Checkpoints by their place: a folder or a Hugging Face id.

    Every method raises `InputError` if the checkpoint is missing, damaged or of another architecture.
    """

    def __init__(self) -> None:
        self._models: dict[str, OpenedCheckpoint] = {}
        self._networks: dict[str, T5Config] = {}
        self._bleurts: dict[BleurtSettings, Bleurt] = {}
        self._digests: dict[str, str] = {}

    def network(self, place: str) -> "T5Config":
        """The network's shape; its parameters stay open until `take_model` or `close_models` is called."""
        if place not in self._networks:
            self._models[place] = self._open(place)
        return self._networks[place]

    def take_model(self, place: str) -> "OpenedCheckpoint":
        """The model itself, which is not kept here any longer: its parameters may take gigabytes."""
        return self._models.pop(place, None) or self._open(place)

    def close_models(self) -> None:
        """Forgets the parameters of models that nobody has taken."""
        self._models.clear()

    def bleurt(self, settings: BleurtSettings) -> "Bleurt":
        """The BLEURT model of these settings."""
        from mathderive.metrics.bleurt import Bleurt

        if settings not in self._bleurts:
            self._bleurts[settings] = Bleurt(settings)
        return self._bleurts[settings]

    def digest(self, place: str) -> str:
        """The SHA-256 of a folder's contents; a hub's id is returned as it is."""
        if place not in self._digests:
            self._digests[place] = _digest(place)
        return self._digests[place]

    def _open(self, place: str) -> "OpenedCheckpoint":
        from mathderive.training.conversion import open_checkpoint

        opened = open_checkpoint(place)
        self._networks[place] = opened.config
        return opened


def _digest(place: str) -> str:
    folder = Path(place)
    if not folder.is_dir():
        return place
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)} {sha256(path)}\n".encode())
    return digest.hexdigest()
