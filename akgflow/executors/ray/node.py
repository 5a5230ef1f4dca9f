"""What runs on a node of the cluster: the report about the node, and the judge of one of its devices."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from dataclasses import replace

import ray

from akgflow import __version__
from akgflow.base.serial import from_data, to_data
from akgflow.config.types import Target
from akgflow.errors import AkgflowError
from akgflow.executors.availability import ClusterQuery
from akgflow.executors.local import LocalExecutor
from akgflow.executors.scratch import temporary
from akgflow.machine import Device, Machine, detect
from akgflow.ranking import RankRequest
from akgflow.terms import Evidence
from akgflow.toolchains import missing
from akgflow.verdict import JudgeRequest


def look(asked: str) -> str:
    """JSON of this node's machine and of what it lacks for each DSL and evidence of a `ClusterQuery` (as JSON)."""
    query, machine = from_data(json.loads(asked), ClusterQuery), detect()

    def lacking(dsl: str, evidence: Evidence) -> str | None:
        try:
            return missing(query.toolchains[dsl], evidence, query.target, machine)
        except AkgflowError as error:
            return str(error)

    lacks = {dsl: {one: lacking(dsl, one) for one in offered} for dsl, offered in query.evidence.items()}
    return json.dumps({"version": __version__, "machine": to_data(machine), "missing": to_data(lacks)})


class NodeJudge:
    """The class of the actors: a judge, and a device that it has alone while it lives.

    Ray counts resources and does not know which device a custom resource stands for. So the actor locks a device that
    no other actor on this machine holds, of those that Ray and the node's variables leave visible. The lock ends with
    the process.
    """

    def __init__(self, target: str, cores: int | None) -> None:
        found = detect()
        machine = replace(found, cores=min(found.cores, cores or found.cores))
        self._locks: list[int] = []
        self._machine = self._with_one_device(machine, from_data(json.loads(target), Target))
        self._scratch = temporary()
        self._executor = LocalExecutor(self._machine, self._scratch.path, judges=1)

    def _with_one_device(self, machine: Machine, target: Target) -> Machine:
        devices = [d for d in machine.devices if replace(machine, devices=(d,)).device_for(target) is not None]
        free = next((device for device in devices if self._lock(device)), None)
        if devices and free is None:
            raise RuntimeError(f"every {target.name} of this node is taken by other judges")
        return replace(machine, devices=(free,) if free else ())

    def _lock(self, device: Device) -> bool:
        name = f"akgflow-{os.getuid()}-{device.platform}-{device.index}.lock"
        handle = os.open(os.path.join(tempfile.gettempdir(), name), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._locks.append(handle)
        return True

    async def hello(self) -> str:
        """JSON of the node's id, its akgflow version and the machine that it judges with."""
        node = ray.get_runtime_context().get_node_id()
        return json.dumps({"node": node, "version": __version__, "machine": to_data(self._machine)})

    async def judge(self, request: str) -> str:
        """The verdict on a request, both as JSON."""
        verdict = await self._executor.judge(from_data(json.loads(request), JudgeRequest))
        return json.dumps(to_data(verdict))

    async def rank(self, asked: str) -> str:
        """The same for a ranking."""
        return json.dumps(to_data(await self._executor.rank(from_data(json.loads(asked), RankRequest))))

    async def close(self) -> None:
        """End the judge and all that it started."""
        await self._executor.close()
        self._scratch.close()
