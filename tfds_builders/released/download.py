"""Downloads the authors' result files at a pinned commit, and accepts only files with the pinned hashes."""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from mathderive.core.errors import InputError
from mathderive.core.files import replacing, sha256
from tfds_builders.released.result_files import MAX_BYTES

COMMIT = "1ad0e2653f0d4bde0ae8699d1498954d4fb332dc"
"""The commit of the authors' repository with the recorded scores that tests compare with."""

BASE_URL = f"https://raw.githubusercontent.com/jmeadows17/deriving-equations-with-LLMs/{COMMIT}"
FILES: Mapping[str, str] = {
    "flan-t5-large_results.json": "fe44144f8f706fe13d5d0c6c976547fbeac5ae3c6e1cf94ad604cd61749231c9",
    "gpt-4_results.json": "1c388cd711cd0f24464a21c94ba60d58e738590ff35225a78b3658a32eb8c5ad",
    "chatgpt_results.json": "edf7dc93334f3c968bf400bbfd5939b34264abbd9344104981ab39ff35871f17",
}
"""The SHA-256 of each file by its name."""


def fetch_result_files(
    folder: Path, base_url: str = BASE_URL, files: Mapping[str, str] = FILES, timeout: float = 30.0
) -> list[Path]:
    """Downloads the files that are not in `folder` yet.

    Args:
        folder: keeps the files; a file with the right hash is not downloaded again.
        base_url: the address that the file names are appended to.
        files: the SHA-256 of each file by its name.
        timeout: seconds to wait for a response.

    Returns:
        The files' paths, in the order of `files`.

    Raises:
        InputError: there is no response, an error status, too much data or another hash. No incomplete file is left.
    """
    paths = []
    for name, expected in files.items():
        path = folder / name
        if not path.exists() or sha256(path) != expected:
            _fetch(f"{base_url}/{name}", path, expected, timeout)
        paths.append(path)
    return paths


def _fetch(url: str, path: Path, expected: str, timeout: float) -> None:
    digest, size = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer, replacing(path, "wb") as stream:
            while block := answer.read(2**16):
                size += len(block)
                if size > MAX_BYTES:
                    raise InputError(f"{url}: over {MAX_BYTES} bytes; expected one of the authors' result files")
                digest.update(block)
                stream.write(block)
            if digest.hexdigest() != expected:
                raise InputError(f"{url}: SHA-256 {digest.hexdigest()}, expected {expected}")
    except urllib.error.HTTPError as error:
        raise InputError(f"{url}: answered {error.code} {error.reason}; {_HAVE_A_COPY}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise InputError(f"{url}: cannot be reached ({getattr(error, 'reason', error)}); {_HAVE_A_COPY}") from None


_HAVE_A_COPY = "with a copy of the files at hand, pass --released DIR"
