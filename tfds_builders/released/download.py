"""The place of the authors' result files, and their hashes."""

from tfds_builders.downloading import PinnedFiles
from tfds_builders.released.result_files import MAX_BYTES

_COMMIT = "1ad0e2653f0d4bde0ae8699d1498954d4fb332dc"
"""The commit with the recorded scores that tests compare with."""

RESULT_FILES = PinnedFiles(
    address=f"https://raw.githubusercontent.com/jmeadows17/deriving-equations-with-LLMs/{_COMMIT}",
    digests={
        "flan-t5-large_results.json": "fe44144f8f706fe13d5d0c6c976547fbeac5ae3c6e1cf94ad604cd61749231c9",
        "gpt-4_results.json": "1c388cd711cd0f24464a21c94ba60d58e738590ff35225a78b3658a32eb8c5ad",
        "chatgpt_results.json": "edf7dc93334f3c968bf400bbfd5939b34264abbd9344104981ab39ff35871f17",
    },
    max_bytes=MAX_BYTES,
    content="one of the authors' result files",
    option="--released DIR",
)
"""The authors' result files."""
