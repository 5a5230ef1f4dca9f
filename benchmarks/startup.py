"""Wall times of the commands that people wait for, beside a bare interpreter and the import of click.

    python benchmarks/startup.py [--rounds 15] [--task tasks/gemm_migrate.yaml] [--json]

Every round runs each command once, in turn, so that a slow moment of the machine falls on all of them; the first
round warms the file cache and is thrown away. The table gives the median of each command in milliseconds, its
interquartile range, and its ratio to `python -c "import click"` (the median of the per-round ratios).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASE = 'python -c "import click"'


def commands(task: str) -> dict[str, list[str]]:
    """What is measured, by the name that the table shows."""
    akgflow = [sys.executable, "-m", "akgflow"]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        BASE: [sys.executable, "-c", "import click"],
        "akgflow --help": [*akgflow, "--help"],
        f"akgflow validate {task}": [*akgflow, "validate", task],
        f"akgflow plan {task}": [*akgflow, "plan", task],
    }


def wall(command: list[str]) -> float:
    """Seconds from start to exit of one process; ends the benchmark where the command fails."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def measure(todo: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
    """``rounds`` wall times in seconds for each command, interleaved, after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in todo}
    for turn in range(rounds + 1):
        for name, command in todo.items():
            seconds = wall(command)
            if turn:
                times[name].append(seconds)
    return times


def summarise(times: dict[str, list[float]]) -> list[dict[str, float | str]]:
    """Median and quartiles in milliseconds, and the median ratio to the import of click, for each command."""
    rows: list[dict[str, float | str]] = []
    for name, seconds in times.items():
        low, middle, high = statistics.quantiles(seconds, n=4)
        ratio = statistics.median(ours / base for ours, base in zip(seconds, times[BASE], strict=True))
        rows.append(
            {"command": name, "ms": middle * 1e3, "q1_ms": low * 1e3, "q3_ms": high * 1e3, "ratio_to_click": ratio}
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds, at least 2 (default 15)")
    parser.add_argument("--task", default="tasks/gemm_migrate.yaml", help="task file, relative to the repository")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds must be at least 2: a spread needs two values")
    rows = summarise(measure(commands(options.task), options.rounds))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    cores = len(os.sched_getaffinity(0))
    print(f"Python {platform.python_version()}, {cores} cores, {options.rounds} rounds, interleaved\n")
    width = max(len(str(row["command"])) for row in rows)
    print(f"{'command':{width}}  {'median':>9}  {'quartiles':>17}  {'/ click':>7}")
    for row in rows:
        spread = f"{row['q1_ms']:.0f} to {row['q3_ms']:.0f} ms"
        print(f"{row['command']:{width}}  {row['ms']:6.0f} ms  {spread:>17}  {row['ratio_to_click']:6.2f}x")


if __name__ == "__main__":
    main()
