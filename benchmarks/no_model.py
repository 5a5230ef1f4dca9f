"""The workflow ``no_model`` on the operators beside this script: what torch.compile generates, judged and tuned.

    python benchmarks/no_model.py [OPERATOR…] [--trials 8] [--workspace DIR] [--json]

Each operator is one `akgflow run` in a workspace of its own making (DIR, or a temporary folder), on this machine's CPU,
with two shapes: the one that is timed, and one that divides by nothing. No model is asked. The table gives the verdict
of the best candidate, its speedup over eager PyTorch with the interval, and the median time of one call. A machine
whose cores others hold gives no figure; then the table says why. The same DIR goes on where a run was interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

OPERATORS = Path(__file__).resolve().parent / "operators"
CASES: dict[str, list[dict[str, int]]] = {
    "attention": [
        {"batch": 2, "heads": 4, "length": 128, "width": 32},
        {"batch": 1, "heads": 3, "length": 37, "width": 19},
    ],
    "conv_relu": [
        {"batch": 4, "inner": 16, "side": 32, "outer": 32},
        {"batch": 1, "inner": 3, "side": 13, "outer": 5},
    ],
    "cross_entropy": [{"rows": 256, "classes": 1000}, {"rows": 7, "classes": 33}],
    "cumsum": [{"rows": 256, "columns": 1000}, {"rows": 3, "columns": 77}],
    "gated_chain": [{"rows": 512, "columns": 1024}, {"rows": 5, "columns": 123}],
    "huber_loss": [{"rows": 256, "columns": 1000}, {"rows": 1, "columns": 97}],
    "layernorm": [{"rows": 512, "columns": 768}, {"rows": 3, "columns": 101}],
    "matmul": [{"m": 384, "n": 384, "k": 384}, {"m": 33, "n": 65, "k": 127}],
    "matmul_gelu": [{"m": 256, "n": 256, "k": 256}, {"m": 1, "n": 77, "k": 130}],
    "max_pool": [{"batch": 8, "channels": 32, "side": 56}, {"batch": 1, "channels": 3, "side": 17}],
    "mean_middle": [{"batch": 32, "steps": 200, "channels": 130}, {"batch": 1, "steps": 7, "channels": 3}],
    "rmsnorm": [{"rows": 512, "columns": 768}, {"rows": 3, "columns": 101}],
    "softmax": [{"rows": 512, "columns": 1024}, {"rows": 3, "columns": 77}],
}


def write_workspace(folder: Path) -> None:
    """One task for each operator."""
    (folder / "tasks").mkdir(parents=True, exist_ok=True)
    for name, cases in CASES.items():
        task = {
            "version": 1,
            "name": name,
            "kind": "generate",
            "operator": {"file": str(OPERATORS / f"{name}.py")},
            "cases": cases,
            "matrix": {"dsl": ["cpp"], "target": ["cpu"]},
            "workflow": "no_model",
            "gates": {"evidence": "executed"},
        }
        (folder / "tasks" / f"{name}.yaml").write_text(json.dumps(task, indent=2), encoding="utf-8")


def run(name: str, folder: Path, trials: int) -> dict[str, Any]:
    """The one job of an operator's run."""
    command = [sys.executable, "-m", "akgflow", "run", name, "--json"]
    trial = ["--set", f"workflows.no_model.steps.tune.trials={trials}"]
    done = subprocess.run([*command, *trial], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{name}: akgflow ended with code {done.returncode}\n{done.stderr}")
    (job,) = json.loads(done.stdout)["jobs"]
    return dict(job)


def row(name: str, job: dict[str, Any]) -> dict[str, Any]:
    """What the table shows of a job."""
    verdict = job["verdict"] or {}
    timing = (verdict.get("timing") or [None])[0]
    found = {"operator": name, "outcome": job["outcome"], "status": verdict.get("status", "none"), "why": job["reason"]}
    found["judged"] = len(job["attempts"])
    if timing is None:
        return {**found, "why": found["why"] or (verdict.get("absent") or {}).get("timing", "")}
    keys = ("speedup", "interval", "seconds", "baseline_seconds", "call", "device")
    return {**found, **{key: timing[key] for key in keys}}


def shown(found: dict[str, Any]) -> str:
    """One line of the table."""
    head = f"{found['operator']:<14} {found['status']:<20} {found['judged']:>6}  "
    if "speedup" not in found:
        return head + found["why"]
    low, high = found["interval"]
    took = f"{found['seconds'] * 1e6:9.1f} us against {found['baseline_seconds'] * 1e6:9.1f} us"
    return head + f"{found['speedup']:6.2f}x [{low:.2f}, {high:.2f}] {found['call']:<7} {took}"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="the workflow no_model on several operators")
    parser.add_argument("operators", nargs="*", choices=[*CASES, []], metavar="OPERATOR")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="akgflow-no-model-") as temporary:
        folder = (options.workspace or Path(temporary)).absolute()
        write_workspace(folder)
        rows = []
        if not options.json:
            print(f"{platform.node()}: {os.cpu_count()} cores, {len(os.sched_getaffinity(0))} of them usable")
            print(f"{'operator':<14} {'status':<20} {'judged':>6}  speedup over eager PyTorch, with its interval")
        for name in options.operators or CASES:
            rows.append(row(name, run(name, folder, options.trials)))
            if not options.json:
                print(shown(rows[-1]), flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
