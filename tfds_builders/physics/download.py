"""The place of the file of physics derivations, and its hash."""

from tfds_builders.downloading import PinnedFiles
from tfds_builders.physics.derivation_file import MAX_BYTES

_COMMIT = "ea8d86b641eb0b76afdb5b26ae3bde4d84cc65c5"

PHYSICS_FILE = PinnedFiles(
    address=f"https://raw.githubusercontent.com/jmeadows17/transformers-for-physics/{_COMMIT}",
    digests={"physics_derivations.json": "00262b883bc75c8f72863e42271543248dd6302c098ac9b22b5b818c35fbace8"},
    max_bytes=MAX_BYTES,
    content="the file of physics derivations",
    option="--physics FILE",
)
"""The file of physics derivations, alone. It states no licence, so it is downloaded and never redistributed."""
