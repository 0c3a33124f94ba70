"""Downloads files that others published, at a pinned commit, and accepts only files with the pinned hashes."""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mathderive.core.errors import InputError
from mathderive.core.files import replacing, sha256

TIMEOUT = 30.0
"""Seconds to wait for a response."""


@dataclass(frozen=True)
class PinnedFiles:
    """Files of a repository at one commit.

    Attributes:
        address: the address that the file names are appended to.
        digests: the SHA-256 of each file by its name.
        max_bytes: maximum size of a file.
        content: what each file is, for errors.
        option: the option of the command line that takes a copy, for errors.
    """

    address: str
    digests: Mapping[str, str]
    max_bytes: int
    content: str
    option: str

    def fetch(self, folder: Path) -> list[Path]:
        """Downloads the files that are not in a folder yet.

        Args:
            folder: keeps the files; a file with the right hash is not downloaded again.

        Returns:
            The files' paths, in the order of `digests`.

        Raises:
            InputError: there is no response, an error status, too much data or another hash. No incomplete file is
                left.
        """
        paths = [folder / name for name in self.digests]
        for path in paths:
            if not path.exists() or sha256(path) != self.digests[path.name]:
                self._download(path)
        return paths

    def _download(self, path: Path) -> None:
        url, expected = f"{self.address}/{path.name}", self.digests[path.name]
        have_a_copy = f"with a copy at hand, pass {self.option}"
        digest, size = hashlib.sha256(), 0
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, replacing(path, "wb") as stream:
                while block := answer.read(2**16):
                    size += len(block)
                    if size > self.max_bytes:
                        raise InputError(f"{url}: over {self.max_bytes} bytes; expected {self.content}")
                    digest.update(block)
                    stream.write(block)
                if digest.hexdigest() != expected:
                    raise InputError(f"{url}: SHA-256 {digest.hexdigest()}, expected {expected}")
        except urllib.error.HTTPError as error:
            raise InputError(f"{url}: answered {error.code} {error.reason}; {have_a_copy}") from None
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise InputError(f"{url}: cannot be reached ({getattr(error, 'reason', error)}); {have_a_copy}") from None
