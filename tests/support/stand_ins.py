"""A real Ray cluster of several nodes on this machine, whose "devices" are CPU stand-ins: they exist for scheduling.

A node that offers ``h200: 1`` here has no H200. Its target says so by its name and its platform, which is ``cpu``: what
is judged on it is executed on this machine's processor, and its verdicts say that.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from small_task import BROKEN, OPERATOR, RIGHT, WRONG

from akgflow.config.types import RayReach, Target
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest

NODES = ({"h200": 1}, {"h200": 1}, {"mi300x": 1})
EXPECTED = {"PASSED": RIGHT, "INCORRECT_NUMERICAL": WRONG, "COMPILE_ERROR": BROKEN}
"""A few distinct sources, so that what is measured is judging and not compiling."""


class Nodes:
    """The cluster, in a process of its own: a driver only ever joins one."""

    def __init__(self, nodes: Sequence[Mapping[str, int]] = NODES) -> None:
        command = [sys.executable, str(Path(__file__).resolve())]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.address = self._ask({"add": {}})
        for resources in nodes:
            self.add(resources)

    def add(self, resources: Mapping[str, int]) -> str:
        """One more node; the cluster's address."""
        return self._ask({"add": dict(resources)})

    def kill(self, resource: str) -> str:
        """End a node that offers ``resource`` at once, with all its processes; its id."""
        return self._ask({"kill": resource})

    def _ask(self, request: Mapping[str, Any]) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("answer "):
                return line.split()[1]
        raise RuntimeError("the cluster's process has ended")

    def close(self) -> None:
        """End all nodes."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def serve() -> None:
    """Keep a ``ray.cluster_utils.Cluster`` and answer on standard output, until the input ends."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if "add" in request:
                resources = request["add"]
                cluster.add_node(num_cpus=0, resources=resources, object_store_memory=80 << 20, include_dashboard=False)
                answer = cluster.address
            else:
                node = next(
                    n for n in cluster.worker_nodes if request["kill"] in n.get_resource_and_label_spec().resources
                )
                answer = node.node_id
                cluster.remove_node(node, allow_graceful=False)
            print(f"\nanswer {answer}", flush=True)
    finally:
        cluster.shutdown()


def stand_in(resource: str, address: str) -> Target:
    """A CPU target on the nodes that offer ``resource``."""
    return Target(f"{resource}_stand_in", "cpu", "native", reach=RayReach({resource: 1}, address, wait=300.0))


def job(number: int, target: Target) -> tuple[str, JudgeRequest]:
    """The status that job ``number`` must get, and its request; its own shape tells its verdict from all others."""
    status, source = list(EXPECTED.items())[number % len(EXPECTED)]
    request = JudgeRequest(
        candidate=source,
        operator_file="scale.py",
        operator=OPERATOR,
        toolchain="cpp",
        target=target,
        evidence=(Evidence.EXECUTED,),
        cases=({"rows": number + 1, "columns": 16},),
        time=False,
    )
    return status, request


class Memory:
    """The most memory that this process's descendants have held together, in bytes of their own (PSS)."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            self.most = max(self.most, sum(map(_pss, _family())))


def _family() -> list[int]:
    """This process and its descendants."""
    with contextlib.suppress(psutil.Error):
        return [p.pid for p in (psutil.Process(), *psutil.Process().children(recursive=True))]
    return []


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0


def eventually(condition: Any, seconds: float = 30.0) -> bool:
    """Wait for a condition to hold."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(condition())


if __name__ == "__main__":
    serve()
