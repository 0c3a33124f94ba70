"""Fixtures for the tests of predictors."""

from collections.abc import Iterator

import pytest

from tests.support.chat_server import ChatServer, serving


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving() as server:
        yield server
