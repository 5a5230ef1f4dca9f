"""What all tests share: ``gpu`` marks, a judge, and a server that speaks the OpenAI protocol."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from judging import Bench
from openai_server import OpenAIServer

from akgflow import machine

# Threads of torch's that wait for one another by spinning take ten times as long where others want the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Tables are folded to it where there is no terminal: tests that are about widths set it themselves.
os.environ.pop("COLUMNS", None)
# A shell starts what it runs in the background with SIGINT ignored, and what the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
JUDGED = 2
"""Values for which every run of the tests judges, of those of one test."""
SAMPLED = (
    "tests/corpus/test_corpus.py::test_a_member_gets_its_status",
    "tests/wild/test_wild.py::test_a_kernel_gets_its_status",
)
"""Tests that choose by themselves which of their values every run tries."""


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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none, and leave most of what is judged many times to the thorough run."""
    leave_to_the_thorough_run(items)
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if needing and not machine.detect().devices:
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="no GPU on this machine"))


def leave_to_the_thorough_run(items: list[pytest.Item]) -> None:
    """Of each test that judges for many values, leave all but `JUDGED` of them to the thorough run."""
    judging = defaultdict(list)
    for item in items:
        elsewhere = any(item.get_closest_marker(name) for name in ("thorough", "exhaustive", "gpu"))
        if "bench" in getattr(item, "fixturenames", ()) and not elsewhere:
            judging[item.nodeid.partition("[")[0]].append(item)
    for name, many in judging.items():
        for item in many[JUDGED:] if name not in SAMPLED else ():
            item.add_marker(pytest.mark.thorough)
