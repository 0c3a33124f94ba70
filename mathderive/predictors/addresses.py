"""The address of a chat endpoint as people write it in a config, read into the one that requests are sent to."""

import re
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

OPENAI = "https://api.openai.com/v1"

_ROUTE = "/chat/completions"

_OTHER_ROUTES = ("/completions", "/responses", "/messages", "/embeddings", "/api/chat", "/api/generate")
"""Ends of addresses that lead to something else than chat completions."""

_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com")


class Address(NamedTuple):
    """Where requests go.

    Attributes:
        endpoint: the base URL; the ledger stores requests under it.
        query: parameters of every address that is asked, such as Azure's `api-version`.
        has_azure_key: whether the key is sent in Azure's header `api-key`.
    """

    endpoint: str
    query: Mapping[str, str]
    has_azure_key: bool


def parse_address(base_url: str | None) -> Address:
    """Reads a base URL; null is OpenAI's.

    Raises:
        ValueError: requests cannot be sent there. The message does not repeat the address, which may hold a secret.
    """
    given = OPENAI if base_url is None else base_url
    if not re.match(r"https?://", given) or any(c.isspace() or not c.isprintable() for c in given):
        raise ValueError("base_url: expected an address that begins with http:// or https://, without spaces")
    parts = _split(given)
    query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
    endpoint = given.partition("#")[0].partition("?")[0].rstrip("/").removesuffix(_ROUTE).rstrip("/")
    path = _split(endpoint).path
    if wrong := next((route for route in _OTHER_ROUTES if path.endswith(route)), None):
        raise ValueError(
            f"base_url: {wrong} is another interface; expected the address that {_ROUTE} follows, such as {OPENAI}"
        )
    is_classic = "/openai/deployments/" in path
    host = parts.hostname or ""
    if host.endswith(_AZURE_HOSTS) and not is_classic and not path.startswith("/openai/v1"):
        raise ValueError(
            f"base_url: expected https://{host}/openai/v1, with the deployment's name as the model, or the classic "
            f"https://{host}/openai/deployments/NAME?api-version=DATE"
        )
    if is_classic and not query.get("api-version"):
        raise ValueError("base_url: a deployment's address; expected ?api-version=DATE after it, such as 2024-10-21")
    if (parts.query and not query) or query.keys() - {"api-version"}:
        raise ValueError(
            "base_url: has a query; expected none but api-version: the key belongs into the variable that "
            "api_key_variable names, and parameters into `parameters`"
        )
    return Address(endpoint, query, is_classic)


def _split(address: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(address)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_host = False
    if not has_host:
        raise ValueError("base_url: expected an address with a host, such as http://localhost:8000/v1") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "base_url: holds a user name or a password, which would be recorded; expected an address without, and the "
            "key in the variable that api_key_variable names"
        )
    return parts
