"""A cluster as the driver sees it: connecting, and which nodes have what."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from typing import Any

import ray

from akgflow.config.types import RayReach

BUILT_IN = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}
"""Resources that Ray knows by options of their own."""
KNOCK_SECONDS = 10.0


class NoPlace(Exception):
    """Nowhere in the cluster can it be judged; the text says why."""


@dataclass(frozen=True)
class Node:
    """A living node that has what a judgement takes, ``places`` times over."""

    id: str
    name: str
    places: int

    def __str__(self) -> str:
        return f"{self.name} {self.id[:8]}"


def connect(address: str) -> bool:
    """Join the cluster; False where this process is in one already. Raises `NoPlace` where there is none.

    A cluster is never started here, so that no process of one inherits this process's variables.
    """
    if ray.is_initialized():
        return False
    try:
        _knock(address)
        ray.init(address=address, namespace="akgflow", log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise NoPlace(f"there is no Ray cluster at {address} that can be joined: {first}") from error
    return True


def _knock(address: str) -> None:
    """Raise `OSError` at once where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS).close()


def offering(reach: RayReach) -> list[Node]:
    """The living nodes that have the resources; raises `NoPlace` where none does, with what there is instead."""
    living: list[dict[str, Any]] = [node for node in ray.nodes() if node["Alive"]]
    found = []
    for node in living:
        places = min(int(node["Resources"].get(name, 0) // amount) for name, amount in reach.resources.items())
        if places:
            found.append(Node(node["NodeID"], node["NodeName"] or node["NodeManagerAddress"], places))
    if not found:
        names = {
            name for node in living for name in node["Resources"] if not name.startswith(("node:", "object_store"))
        }
        raise NoPlace(
            f"no node of the Ray cluster at {reach.address} has {reach.wanted} "
            f"(its {len(living)} nodes have {', '.join(sorted(names - {'memory'})) or 'nothing'})"
        )
    return found


def options(reach: RayReach) -> dict[str, Any]:
    """What Ray is told that one judgement takes: nothing but what the target says."""
    built_in = {BUILT_IN[name]: amount for name, amount in reach.resources.items() if name in BUILT_IN}
    custom = {name: amount for name, amount in reach.resources.items() if name not in BUILT_IN}
    return {"num_cpus": 0, **built_in, "resources": custom}
