"""A cluster as the driver sees it: connects, and finds the nodes that have what a judgement takes."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from typing import Any

import ray

from akgflow.config.types import RayReach

BUILT_IN = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}
"""Resources for which Ray has an option each."""
PROBE_SECONDS = 10.0
"""For the head node to accept a TCP connection."""


class NoCapacity(Exception):
    """No node of the cluster can judge it; the text says why."""


@dataclass(frozen=True)
class Node:
    """A living node that has what ``capacity`` judgements take at once."""

    id: str
    name: str
    capacity: int

    def __str__(self) -> str:
        return f"{self.name} {self.id[:8]}"


def connect(address: str) -> bool:
    """Join the cluster; False where this process is in one already. Raises `NoCapacity` where there is none.

    A cluster is never started here, so that no process of one inherits this process's variables.
    """
    if ray.is_initialized():
        return False
    try:
        probe_port(address)
        ray.init(address=address, namespace="akgflow", log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise NoCapacity(f"there is no Ray cluster at {address} that can be joined: {first}") from error
    return True


def probe_port(address: str) -> None:
    """Raise `OSError` where no server listens; Ray itself would retry for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()


def offering(reach: RayReach) -> list[Node]:
    """The living nodes that have the resources; raises `NoCapacity` where none does, with what there is instead."""
    living: list[dict[str, Any]] = [node for node in ray.nodes() if node["Alive"]]
    found = []
    for node in living:
        capacity = min(int(node["Resources"].get(name, 0) // amount) for name, amount in reach.resources.items())
        if capacity:
            found.append(Node(node["NodeID"], node["NodeName"] or node["NodeManagerAddress"], capacity))
    if not found:
        names = {
            name for node in living for name in node["Resources"] if not name.startswith(("node:", "object_store"))
        }
        raise NoCapacity(
            f"no node of the Ray cluster at {reach.address} has {reach.wanted} "
            f"(its {len(living)} nodes have {', '.join(sorted(names - {'memory'})) or 'nothing'})"
        )
    return found


def options(reach: RayReach) -> dict[str, Any]:
    """Ray's options for what one judgement takes: exactly what the target says."""
    built_in = {BUILT_IN[name]: amount for name, amount in reach.resources.items() if name in BUILT_IN}
    custom = {name: amount for name, amount in reach.resources.items() if name not in BUILT_IN}
    return {"num_cpus": 0, **built_in, "resources": custom}
