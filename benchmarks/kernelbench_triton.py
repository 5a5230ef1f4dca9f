"""Twelve operators of KernelBench's levels 1 and 2 through the default workflow in Triton, on this machine's GPU.

    python benchmarks/kernelbench_triton.py [--only NAME] [--record FOLDER] [--json FILE]

The operators in `benchmarks/kernelbench` are written for akgflow after KernelBench's problems of the same names, at
shapes that a timing has room for. Each task is run by ``akgflow run`` as a user would run it: a sketch, code, repairs;
the replies are those of the recording beside it, or of the model that AKGFLOW_MODEL names. What is printed is what the
judge measured: every kernel, the losers too. A speedup is a baseline's time over the kernel's, and its 99 % interval.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent / "kernelbench"


def run(task: Path, record: Path | None) -> dict[str, Any] | None:
    """The result of one run; None where it gave none."""
    command = [sys.executable, "-m", "akgflow", "run", str(task), "--fresh", "--json"]
    if record is not None:
        command += ["--record", str(record / f"{task.stem}.akgflow.yaml")]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        print(f"{task.stem}: exit code {done.returncode}\n{done.stderr[-3000:]}", file=sys.stderr, flush=True)
        return None
    return found


def row(name: str, job: dict[str, Any]) -> list[str]:
    """One line of the table: a job that ran."""
    verdict = job.get("verdict") or {}
    cells = [name, job["target"], verdict.get("status", job["outcome"]), str(len(job["attempts"]))]
    timings = {one["baseline"]: one for one in verdict.get("timing", ())}
    first = next(iter(timings.values()), None)
    cells.append(f"{first['seconds'] * 1e6:.1f}" if first else "-")
    for baseline in ("eager", "torch.compile"):
        one = timings.get(baseline)
        cells.append("{:.2f} [{:.2f}, {:.2f}] {}".format(one["speedup"], *one["interval"], one["call"]) if one else "-")
    roof = first and first.get("roofline")
    cells.append(f"{roof['share']:.0%} of {roof['limit']}" if roof else "-")
    cells.append("; ".join(f"{k}: {v}" for k, v in verdict.get("absent", {}).items()) or job.get("reason", ""))
    return cells


def main() -> None:
    """Run the tasks and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only the tasks whose name contains this")
    parser.add_argument("--record", type=Path, help="write the replies to recordings in this folder")
    parser.add_argument("--json", type=Path, help="write all results to this file")
    options = parser.parse_args()
    head = ("operator", "target", "status", "tries", "µs", "over eager", "over torch.compile", "roofline", "remarks")
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    results: dict[str, Any] = {}
    for task in sorted((HERE / "tasks").glob("*.yaml")):
        if options.only not in task.stem:
            continue
        started = time.monotonic()
        found = results[task.stem] = run(task, options.record)
        for job in found["jobs"] if found else ():
            if job["outcome"] != "impossible":
                print("| " + " | ".join(row(task.stem, job)) + " |", flush=True)
        print(f"{task.stem}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
