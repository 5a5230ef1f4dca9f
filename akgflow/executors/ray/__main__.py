"""``python -m akgflow.executors.ray``: queries on standard input, their `ClusterReport` as the last line of output."""

from __future__ import annotations

import json
import sys
import time

from akgflow import __version__
from akgflow.base.serial import from_data, to_data
from akgflow.executors.availability import QUERY_SECONDS, ClusterQuery, ClusterReport, TargetReport

MOST_NODES = 8
"""The most nodes with the resources that are examined."""


def main() -> None:
    """Print the report and exit."""
    queries = [from_data(one, ClusterQuery) for one in json.loads(sys.stdin.read())]
    sys.stdout.write(json.dumps(to_data(ClusterReport(_reports(queries)))) + "\n")


def _reports(queries: list[ClusterQuery]) -> dict[str, TargetReport]:
    try:
        from akgflow.executors.ray.cluster import NoCapacity, connect
    except ModuleNotFoundError as error:
        missing = f"{error.name} is not installed: pip install 'akgflow[ray]'"
        return {query.target.name: TargetReport(missing) for query in queries}
    reach = queries[0].target.reach
    assert reach is not None, "only targets on a cluster are asked about"
    try:
        connect(reach.address)
    except NoCapacity as full:
        return {query.target.name: TargetReport(str(full)) for query in queries}
    return {query.target.name: _report(query) for query in queries}


def _report(query: ClusterQuery) -> TargetReport:
    """Examine the nodes that have the target's resources; the one that lacks least counts for all of them."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from akgflow.executors.ray.cluster import NoCapacity, offering
    from akgflow.executors.ray.node import look

    reach = query.target.reach
    assert reach is not None, "only targets on a cluster are asked about"
    try:
        nodes = offering(reach)
    except NoCapacity as full:
        return TargetReport(str(full))
    asked = json.dumps(to_data(query))
    remote = ray.remote(num_cpus=0, max_retries=0)(look)
    looks = {
        str(node): remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(asked)
        for node in nodes[:MOST_NODES]
    }
    found, problems = {}, []
    deadline = time.monotonic() + QUERY_SECONDS / 2
    for name, reference in looks.items():
        try:
            said = json.loads(ray.get(reference, timeout=max(0.1, deadline - time.monotonic())))
        except Exception as error:
            problems.append(f"node {name} could not be examined: {str(error).strip().splitlines()[-1]}")
            continue
        if said["version"] == __version__:
            found[name] = said
        else:
            problems.append(f"node {name} has akgflow {said['version']}, and this is {__version__}")
    if not found:
        return TargetReport("; ".join(problems))
    data = {
        "capacity": sum(node.capacity for node in nodes),
        "machines": {name: said["machine"] for name, said in found.items()},
        "missing": min((said["missing"] for said in found.values()), key=_lacking),
    }
    return from_data(data, TargetReport)


def _lacking(missing: dict[str, dict[str, str | None]]) -> int:
    return sum(reason is not None for reasons in missing.values() for reason in reasons.values())


if __name__ == "__main__":
    main()
