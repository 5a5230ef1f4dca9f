"""What all tests share: ``gpu`` marks, and a server that speaks the OpenAI protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai_server import OpenAIServer

from akgflow import machine


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    """A fresh server on loopback; its ``url`` goes into ``api_base``."""
    server = OpenAIServer()
    yield server
    server.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if needing and not machine.detect().devices:
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="no GPU on this machine"))
