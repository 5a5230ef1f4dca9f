"""200 judgements on a real Ray cluster of several nodes on this machine, one of which is killed in the middle.

    python benchmarks/ray_cluster.py [--jobs 200] [--json]

The nodes' devices are CPU stand-ins (`tests/support/stand_ins.py`): what is measured is scheduling, losing and
retrying, not an H200. Each job has a shape of its own, by which its verdict is known; three sources alternate: one
right, one wrong, one that does not compile. Checked: every job has one verdict, its own, with the status that it must
have. Printed: seconds, judgements a minute, what the lost node cost, and the most memory that all processes held at
once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from stand_ins import NODES, Memory, Nodes, job, stand_in

from akgflow.executors.ray.executor import RayExecutor
from akgflow.verdict import Verdict


def _resource(number: int) -> str:
    """Two of three jobs are for the kind that two of the three nodes have."""
    return "mi300x" if number % 3 == 2 else "h200"


async def _judge_all(nodes: Nodes, count: int) -> dict[str, Any]:
    lost: list[str] = []
    order: list[int] = []
    found: dict[int, Verdict] = {}
    executor = RayExecutor(notify=lost.append)
    started = time.monotonic()
    first = 0.0

    async def one(number: int) -> None:
        nonlocal first
        verdict = await executor.judge(job(number, stand_in(_resource(number), nodes.address))[1])
        first = first or time.monotonic() - started
        assert number not in found, f"job {number} was answered twice"
        found[number] = verdict
        order.append(number)

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    while len(found) < count // 2:
        await asyncio.sleep(0.02)
    killed_at = time.monotonic() - started
    killed = await asyncio.to_thread(nodes.kill, "h200")
    await asyncio.gather(*tasks)
    seconds = time.monotonic() - started
    await executor.close()
    return {
        "jobs": count,
        "answered": len(found),
        "wrong": [n for n, verdict in found.items() if not _is_its_own(n, verdict)],
        "statuses": dict(Counter(str(verdict.status) for verdict in found.values())),
        "by_node": dict(Counter(verdict.environment.node for verdict in found.values())),
        "in_order": order == sorted(order),
        "killed": killed[:8],
        "judged_again": len(lost),
        "first_verdict_s": round(first, 1),
        "killed_at_s": round(killed_at, 1),
        "seconds": round(seconds, 1),
        "a_minute": round(60 * count / seconds, 1),
    }


def _is_its_own(number: int, verdict: Verdict) -> bool:
    """The status that the job's source must get, for the job's own shape."""
    wanted = job(number, stand_in("h200", ""))[0]
    rows = {case.case["rows"] for case in verdict.correctness.cases} if verdict.correctness else {number + 1}
    return verdict.status == wanted and rows == {number + 1}


def main() -> None:
    """Start the cluster, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="akgflow-") as cache, Memory() as memory:
        os.environ["AKGFLOW_CACHE"] = cache
        started = time.monotonic()
        nodes = Nodes()
        up = round(time.monotonic() - started, 1)
        time.sleep(2.5)
        idle = memory.most
        try:
            found = asyncio.run(_judge_all(nodes, wanted.jobs))
        finally:
            nodes.close()
    found |= {
        "nodes": [*map(dict, NODES)],
        "cluster_up_s": up,
        "cluster_gib": round(idle / 2**30, 2),
        "most_gib": round(memory.most / 2**30, 2),
    }
    if wanted.json:
        print(json.dumps(found, indent=2))
    else:
        for name, value in found.items():
            print(f"{name:16} {value}")
    sys.exit(0 if found["answered"] == wanted.jobs and not found["wrong"] else 1)


if __name__ == "__main__":
    main()
