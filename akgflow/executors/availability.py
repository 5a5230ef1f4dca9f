"""Which evidence can be obtained on which target: on this machine, or on the Ray cluster that a target names.

Ray is not imported here: a short process queries the cluster, and only for targets that name one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from akgflow.base.serial import from_data, to_data
from akgflow.config.types import DslPack, Target, ToolchainFile, Workspace
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains import missing_on

QUERY_SECONDS = 90.0
"""For Ray to load, connect, and start a worker on each node that has the resources."""


@dataclass(frozen=True)
class ClusterQuery:
    """What a cluster is asked about one target."""

    target: Target
    evidence: Mapping[str, tuple[Evidence, ...]]
    """The evidence to obtain, by DSL."""
    toolchains: Mapping[str, str | ToolchainFile]
    """By DSL."""


@dataclass(frozen=True)
class TargetReport:
    """What a cluster reports about one target."""

    problem: str = ""
    """Why the target cannot be judged there at all; empty where it can."""
    capacity: int = 0
    """Judgements that fit at once."""
    machines: Mapping[str, Machine] = field(default_factory=dict)
    """The nodes that have the resources, by name, as they see themselves."""
    missing: Mapping[str, Mapping[Evidence, str | None]] = field(default_factory=dict)
    """For each DSL and evidence, why it cannot be obtained on them, or None."""


@dataclass(frozen=True)
class ClusterReport:
    """The reports of one cluster by target."""

    targets: Mapping[str, TargetReport]


class Availability:
    """Why an evidence cannot be obtained, and where a target would be judged.

    A cluster is queried once, about all its targets, when the first of them is asked for.
    """

    def __init__(self, machine: Machine, workspace: Workspace) -> None:
        self.machine, self.workspace = machine, workspace
        self._here = missing_on(machine)

    def missing(self, pack: DslPack, evidence: Evidence, target: Target) -> str | None:
        """Why ``evidence`` cannot be obtained, or None.

        Where the cluster cannot judge a target, this machine still interprets and compiles for it, and never executes.
        """
        report = self.report(target)
        if report is None:
            return self._here(pack, evidence, target)
        if not report.problem:
            reason = report.missing[pack.name][evidence]
            return reason and f"{reason} (so says the cluster's node)"
        return report.problem if evidence is Evidence.EXECUTED else self._here(pack, evidence, target)

    def at(self, target: Target) -> str:
        """The cluster and the resources of a judgement; empty for this machine."""
        report = self.report(target)
        return "" if report is None or report.problem or target.reach is None else str(target.reach)

    def report(self, target: Target) -> TargetReport | None:
        """The report of the target's cluster; None where the target names no cluster."""
        return self._reports[target.name] if target.reach is not None else None

    @cached_property
    def _reports(self) -> Mapping[str, TargetReport]:
        far: dict[str, list[Target]] = {}
        for target in self.workspace.targets.values():
            if target.reach is not None:
                far.setdefault(target.reach.address, []).append(target)
        return {name: report for targets in far.values() for name, report in self._ask(targets).items()}

    def _ask(self, targets: list[Target]) -> Mapping[str, TargetReport]:
        packs = self.workspace.dsls.values()
        queries = []
        for target in targets:
            offered = {
                pack.name: pack.platforms[target.platform] for pack in packs if target.platform in pack.platforms
            }
            chains = {name: self.workspace.dsls[name].toolchain for name in offered}
            queries.append(ClusterQuery(target, offered, chains))
        return query_cluster(queries)


def query_cluster(queries: list[ClusterQuery]) -> Mapping[str, TargetReport]:
    """Query the one cluster of all ``queries``, in a process of its own, for at most `QUERY_SECONDS`."""
    reach = queries[0].target.reach
    assert reach is not None, "only targets on a cluster are asked about"
    command = [sys.executable, "-P", "-m", "akgflow.executors.ray"]
    try:
        done = subprocess.run(
            command, input=json.dumps(to_data(queries)), capture_output=True, text=True, timeout=QUERY_SECONDS
        )
        return from_data(json.loads(done.stdout.splitlines()[-1]), ClusterReport).targets
    except subprocess.TimeoutExpired:
        problem = f"the Ray cluster at {reach.address} did not answer within {QUERY_SECONDS:.0f} s"
    except (IndexError, ValueError):
        problem = f"the Ray cluster at {reach.address} could not be asked: {done.stderr.strip()[-300:]}"
    return {query.target.name: TargetReport(problem) for query in queries}
