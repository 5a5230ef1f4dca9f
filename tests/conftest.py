"""What all tests share: ``gpu`` marks, a judge, and a server that speaks the OpenAI protocol."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from judging import Bench
from openai_server import OpenAIServer

from akgflow import machine

# Threads of torch's that wait for one another by spinning take ten times as long where others want the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A shell starts what it runs in the background with SIGINT ignored, and what the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths for knowledge stores. Thousands of folders beside each other would make each `tmp_path` slow."""
    folder = tmp_path_factory.mktemp("knowledge")
    return (folder / f"{number}-knowledge.sqlite" for number in count())


@pytest.fixture(autouse=True)
def knowledge(stores: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A knowledge store of the test's own, empty: what runs keep must not reach the user's, nor come from it."""
    path = next(stores)
    monkeypatch.setenv("AKGFLOW_KNOWLEDGE", str(path))
    return path


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One executor for all tests of a process: starting a judge takes seconds, a judgement a tenth of one."""
    bench = Bench(tmp_path_factory.mktemp("judging") / "scratch")
    yield bench
    bench.close()


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
