"""Proxies, certificates and keys that cannot be used are named in one line, without secrets."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mathderive.core.errors import InputError
from mathderive.predictors.base import UnansweredError
from tests.predictors.test_chat import ask, baseline, baseline_at, example
from tests.support.chat_server import KEY, ChatServer
from tests.support.running_server import running


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"ALL_PROXY": f"socks5://user:{KEY}@127.0.0.1:1"}, "ALL_PROXY: a SOCKS proxy, for which the package socksio"),
        ({"all_proxy": "socks5h://127.0.0.1:1"}, "all_proxy: a SOCKS proxy"),
        ({"HTTPS_PROXY": f"socks4://user:{KEY}@127.0.0.1:1"}, "HTTPS_PROXY: not the address of a proxy"),
        ({"HTTP_PROXY": f"http://user:{KEY}@[::"}, "HTTP_PROXY: not the address of a proxy"),
        ({"SSL_CERT_FILE": "/nowhere/certificates.pem"}, "SSL_CERT_FILE: No such file or directory"),
        ({"SSL_CERT_FILE": __file__}, "SSL_CERT_FILE: no certificates in it"),
    ],
)
def test_unusable_proxies_and_certificates_are_one_line(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(InputError) as caught:
        ask(baseline(server, tmp_path), [example("1")], tmp_path / "static.jsonl")
    assert named in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_proxy_that_is_down_is_named(server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://user:{KEY}@127.0.0.1:{port}")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(UnansweredError, match=r"no connection \(the proxy of HTTP_PROXY may be the reason\)") as caught:
        ask(baseline(server, tmp_path, max_attempts=1), [example("1")], tmp_path / "static.jsonl")
    assert KEY not in str(caught.value)


@contextmanager
def serving_with_own_certificate(folder: Path) -> Iterator[str]:
    """An address at which TLS is spoken with a certificate that nobody knows."""
    files = [folder / "key.pem", folder / "certificate.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", files[0], "-out", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    server = ChatServer()
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with running(server):
        yield f"https://localhost:{server.server_port}/v1"


def test_an_unknown_certificate_ends_the_stage_at_once_and_can_be_made_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChatServer, "handle_error", lambda *_: None)  # the handshake that the client ends
    with serving_with_own_certificate(tmp_path) as url:
        with pytest.raises(InputError, match="certificate is not trusted.*expected SSL_CERT_FILE"):
            ask(baseline_at(url, tmp_path), [example("1")], tmp_path / "static.jsonl")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        (prediction,) = ask(baseline_at(url, tmp_path), [example("1")], tmp_path / "static.jsonl")
    assert prediction.error is None


@pytest.mark.parametrize("key", ["two words", "line\n", "ключ", "\x00"])
def test_a_key_that_no_header_can_have_is_refused_without_being_shown(
    server: ChatServer, tmp_path: Path, key: str
) -> None:
    with pytest.raises(InputError, match="OPENAI_API_KEY holds spaces or characters") as caught:
        ask(baseline(server, tmp_path, key=key), [example("1")], tmp_path / "static.jsonl")
    assert key not in str(caught.value)
    assert not server.requests
