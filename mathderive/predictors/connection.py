"""The HTTP client of chat endpoints: proxies and certificates come from environment variables, and may be unusable."""

import os
import ssl
from collections.abc import Iterator
from typing import Any

import openai

from mathderive.core.errors import InputError
from mathderive.predictors.completions import bound_body

_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def open_http_client() -> Any:
    """An HTTP client with bounded responses.

    Raises:
        InputError: a variable for proxies or certificates cannot be used; names it, but not its value, which may hold a
            password.
    """
    try:
        return openai.DefaultAsyncHttpxClient(event_hooks={"response": [bound_body]})
    except OSError as error:
        variable = next((name for name in _CERTIFICATES if os.environ.get(name)), "certificates of this machine")
        reason = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise InputError(f"{variable}: {reason}; expected certificates in PEM form, or the variable unset") from None
    except ImportError:
        raise InputError(
            f"{_set_variables(_PROXIES)}: a SOCKS proxy, for which the package socksio is missing; expected it "
            "installed, an HTTP proxy, or the host in NO_PROXY"
        ) from None
    except Exception as error:
        # The library's own kinds of errors differ from version to version.
        if not (variables := _set_variables(_PROXIES)):
            raise error from None
        raise InputError(
            f"{variables}: not the address of a proxy; expected http://HOST:PORT, https:// or socks5://, or the "
            "variable unset"
        ) from None


def untrusted_certificate(error: BaseException) -> str | None:
    """The reason and the remedy if a connection failed because of the server's certificate; null for other reasons."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            given = _set_variables(_CERTIFICATES)
            return (
                f"the server's certificate is not trusted ({cause.verify_message}); expected SSL_CERT_FILE to name a "
                f"file with that of its authority ({given + ' is set' if given else 'it is not set'}; "
                "REQUESTS_CA_BUNDLE is not read)"
            )
    return None


def proxy_in_use() -> str:
    """The variables that name a proxy, in words that follow "no connection"; empty without one."""
    variables = _set_variables(_PROXIES)
    return f" (the proxy of {variables} may be the reason)" if variables else ""


def _set_variables(names: tuple[str, ...]) -> str:
    """Those of the variables that are set, in either case of letters."""
    return ", ".join(form for name in names for form in (name, name.lower()) if os.environ.get(form))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(20):  # a chain may be a circle
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
