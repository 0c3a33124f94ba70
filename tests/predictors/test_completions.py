"""The wait before the next attempt follows the endpoint's `Retry-After`, within bounds."""

import time
from email.utils import formatdate

import openai
import pytest
import tenacity

from mathderive.predictors.completions import LONGEST_WAIT, seconds_to_wait
from tests.support.chat_server import ChatServer


def seconds_after(server: ChatServer, retry_after: str | None, **headers: str) -> float:
    """The wait after a real client received a 429 with these headers."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    server.faults, server.headers = [429], given | ({} if retry_after is None else {"Retry-After": retry_after})
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    client = openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)
    with client, pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
    state.set_exception((refused.type, refused.value, refused.tb))
    return seconds_to_wait(state)


def test_the_wait_is_given_in_seconds_or_by_a_date(server: ChatServer) -> None:
    assert seconds_after(server, "7") == 7
    assert seconds_after(server, "0.25") == 0.25
    assert 20 < seconds_after(server, formatdate(time.time() + 30, usegmt=True)) <= 30


def test_the_wait_may_be_given_in_milliseconds(server: ChatServer) -> None:
    assert seconds_after(server, None, Retry_After_Ms="1250") == 1.25
    assert seconds_after(server, "2", Retry_After_Ms="1250.5") == 1.2505  # the more exact one
    assert seconds_after(server, "2", Retry_After_Ms="soon") == 2
    assert seconds_after(server, "2", Retry_After_Ms="-1") == 2
    assert seconds_after(server, None, Retry_After_Ms="1e12") == LONGEST_WAIT
    assert seconds_after(server, None, Retry_After_Ms="inf") <= 0.5  # the first random wait


@pytest.mark.parametrize("years", ["63072000", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_the_wait_has_a_maximum(server: ChatServer, years: str) -> None:
    assert seconds_after(server, years) == LONGEST_WAIT


@pytest.mark.parametrize(
    "header", ["soon", "-3", "0", "nan", "inf", "", "Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 99 Foo"]
)
def test_a_header_without_a_future_time_is_ignored(server: ChatServer, header: str) -> None:
    assert 0 <= seconds_after(server, header) <= 0.5  # the first random wait
