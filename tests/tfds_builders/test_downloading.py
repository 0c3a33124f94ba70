"""Downloading pinned files over real HTTP on loopback: only files with the right hash are kept."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mathderive.core.errors import InputError
from tests.support.file_server import FileServer, serving_files
from tfds_builders.downloading import PinnedFiles
from tfds_builders.physics.download import PHYSICS_FILE
from tfds_builders.released.download import RESULT_FILES

CONTENT = {"one_results.json": b"[1]" * 50_000, "two_results.json": b"[2]"}
HASHES = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    folder = tmp_path / "served"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    with serving_files(folder) as server:
        yield server


def pinned(address: str, digests: dict[str, str] = HASHES, max_bytes: int = 10**6) -> PinnedFiles:
    return PinnedFiles(address, digests, max_bytes, content="one of the files", option="--released DIR")


def test_a_file_is_downloaded_once(server: FileServer, tmp_path: Path) -> None:
    for _ in range(2):
        paths = pinned(server.url).fetch(tmp_path / "kept")
        assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert len(server.asked) == len(CONTENT)


def test_a_damaged_copy_is_downloaded_again(server: FileServer, tmp_path: Path) -> None:
    (first, _) = pinned(server.url).fetch(tmp_path / "kept")
    first.write_bytes(b"damaged")
    pinned(server.url).fetch(tmp_path / "kept")
    assert first.read_bytes() == CONTENT[first.name]


def test_another_hash_is_refused_and_leaves_nothing(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SHA-256 .* expected 000"):
        pinned(server.url, {"two_results.json": "0" * 64}).fetch(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="over 1000 bytes; expected one of the files"):
        pinned(server.url, max_bytes=1000).fetch(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_an_error_names_the_status_code(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"answered 404 .*--released DIR"):
        pinned(server.url, {"none_results.json": "0" * 64}).fetch(tmp_path / "kept")


def test_a_closed_connection_leaves_nothing(server: FileServer, tmp_path: Path) -> None:
    server.cut = True
    with pytest.raises(InputError, match="cannot be reached|SHA-256"):
        pinned(server.url).fetch(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_an_unreachable_server_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be reached"):
        pinned("http://127.0.0.1:9").fetch(tmp_path / "kept")


@pytest.mark.parametrize(("files", "count"), [(RESULT_FILES, 3), (PHYSICS_FILE, 1)])
def test_a_commit_and_hashes_are_pinned(files: PinnedFiles, count: int) -> None:
    assert len(bytes.fromhex(files.address.rpartition("/")[2])) == 20
    assert [len(bytes.fromhex(digest)) for digest in files.digests.values()] == [32] * count
