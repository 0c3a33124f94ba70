"""Downloading result files over real HTTP on loopback: only files with the right hash are kept."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mathderive.core.errors import InputError
from tfds_builders.released.download import COMMIT, FILES, fetch_result_files

CONTENT = {"one_results.json": b"[1]" * 50_000, "two_results.json": b"[2]"}
HASHES = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder and counts requests; with `cut`, closes the connection in the middle of a file."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.cut:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    cut = False

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(folder)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        paths = fetch_result_files(tmp_path / "kept", server.url, HASHES)
        assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert len(server.asked) == len(CONTENT)


def test_a_damaged_copy_is_downloaded_again(server: Server, tmp_path: Path) -> None:
    (first, _) = fetch_result_files(tmp_path / "kept", server.url, HASHES)
    first.write_bytes(b"damaged")
    fetch_result_files(tmp_path / "kept", server.url, HASHES)
    assert first.read_bytes() == CONTENT[first.name]


def test_another_hash_is_refused_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SHA-256 .* expected 000"):
        fetch_result_files(tmp_path / "kept", server.url, {"two_results.json": "0" * 64})
    assert not (tmp_path / "kept").exists()


def test_an_error_names_the_status_code(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"answered 404 .*--released DIR"):
        fetch_result_files(tmp_path / "kept", server.url, {"none_results.json": "0" * 64})


def test_a_closed_connection_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.cut = True
    with pytest.raises(InputError, match="cannot be reached|SHA-256"):
        fetch_result_files(tmp_path / "kept", server.url, HASHES)
    assert not (tmp_path / "kept").exists()


def test_an_unreachable_server_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be reached"):
        fetch_result_files(tmp_path / "kept", "http://127.0.0.1:9", HASHES)


def test_the_pinned_hashes_are_hashes() -> None:
    assert len(COMMIT) == 40
    assert len(FILES) == 3
    assert all(len(bytes.fromhex(digest)) == 32 for digest in FILES.values())
