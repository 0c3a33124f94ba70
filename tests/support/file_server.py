"""A server on loopback for the files of a folder."""

from contextlib import AbstractContextManager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.running_server import running


class FileServer(ThreadingHTTPServer):
    """Serves a folder over HTTP.

    Attributes:
        asked: the paths of all requests.
        cut: whether it closes the connection in the middle of a file.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.cut = False
        super().__init__(("127.0.0.1", 0), lambda *args: _Handler(*args, directory=str(folder)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


def serving_files(folder: Path) -> AbstractContextManager[FileServer]:
    """A running server for the duration of a block."""
    return running(FileServer(folder))


class _Handler(SimpleHTTPRequestHandler):
    server: FileServer

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
