"""Wall and processor times of what people wait for, beside a bare interpreter and the import of click.

    python benchmarks/startup.py [--rounds 15] [--task tasks/gemm_migrate.yaml] [--cells 1098] [--json]

Every round runs each command once, in turn, so that a slow moment of the machine falls on all of them; the first
round warms the file cache and is thrown away. The table gives the median wall time of each command in milliseconds, its
interquartile range, its ratio to `python -c "import click"` (the median of the per-round ratios), and the least
processor time, user and system, its own and that of what it starts: of the figures here it is the one that others on
the machine disturb least. With ``--cells`` a workspace is made whose task has about so many cells, eighteen languages
on as many targets as that takes, and that task is measured too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BASE = 'python -c "import click"'


DSLS = 18
PACK = "version: 1\ndsl: d{0}\ntitle: D{0}\ntoolchain: triton\nplatforms: {{cuda: [executed, interpreted, compiled]}}\n"
TARGET = "  t{0}: {{platform: cuda, arch: sm_{1}, device: G{0}, facts: {{sms: {0}, smem_kib: 99}}}}\n"


def large(folder: Path, cells: int) -> str:
    """A workspace with a task of that many cells or a few more; the path of the task."""
    targets = -(-cells // DSLS)
    (folder / "dsls").mkdir()
    (folder / "tasks").mkdir()
    for number in range(DSLS):
        (folder / "dsls" / f"d{number}.yaml").write_text(PACK.format(number))
    rows = (TARGET.format(number, (80, 86, 89, 90)[number % 4]) for number in range(targets))
    (folder / "hardware.yaml").write_text("version: 1\ntargets:\n" + "".join(rows))
    names = [", ".join(f"{axis}{i}" for i in range(count)) for axis, count in (("d", DSLS), ("t", targets))]
    operator = ROOT / "tasks" / "operators" / "gemm.py"
    task = folder / "tasks" / "large.yaml"
    task.write_text(
        f"version: 1\nname: large\nkind: generate\noperator: {{file: {operator}, kind: gemm}}\n"
        f"matrix: {{dsl: [{names[0]}], target: [{names[1]}]}}\n"
    )
    return str(task)


def commands(*tasks: str) -> dict[str, list[str]]:
    """What is measured, by the name that the table shows."""
    akgflow = [sys.executable, "-m", "akgflow"]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        BASE: [sys.executable, "-c", "import click"],
        'python -c "import akgflow"': [sys.executable, "-c", "import akgflow"],
        "akgflow --help": [*akgflow, "--help"],
        **{
            f"akgflow {command} {Path(task).name}": [*akgflow, command, task]
            for task in tasks
            for command in ("validate", "plan")
        },
    }


class Took(NamedTuple):
    """Seconds of one process: from start to exit, and of processor time."""

    wall: float
    cpu: float


def took(command: list[str]) -> Took:
    """What one process takes; ends the benchmark where the command fails."""
    start, used = time.perf_counter(), _used()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = Took(time.perf_counter() - start, _used() - used)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return found


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def measure(todo: dict[str, list[str]], rounds: int) -> dict[str, list[Took]]:
    """``rounds`` times for each command, interleaved, after one round to warm up."""
    times: dict[str, list[Took]] = {name: [] for name in todo}
    for turn in range(rounds + 1):
        for name, command in todo.items():
            seconds = took(command)
            if turn:
                times[name].append(seconds)
    return times


def summarise(times: dict[str, list[Took]]) -> list[dict[str, float | str]]:
    """Median and quartiles in milliseconds, the median ratio to the import of click, and the least processor time."""
    rows: list[dict[str, float | str]] = []
    for name, seconds in times.items():
        low, middle, high = (1e3 * value for value in statistics.quantiles([one.wall for one in seconds], n=4))
        ratio = statistics.median(ours.wall / base.wall for ours, base in zip(seconds, times[BASE], strict=True))
        cpu = 1e3 * min(one.cpu for one in seconds)
        rows.append(
            {"command": name, "ms": middle, "q1_ms": low, "q3_ms": high, "ratio_to_click": ratio, "cpu_ms": cpu}
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds, at least 2 (default 15)")
    parser.add_argument("--task", default="tasks/gemm_migrate.yaml", help="task file, relative to the repository")
    parser.add_argument("--cells", type=int, default=0, help="measure a task of so many cells too (default: none)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds must be at least 2: a spread needs two values")
    with tempfile.TemporaryDirectory() as folder:
        more = [large(Path(folder), options.cells)] if options.cells else []
        rows = summarise(measure(commands(options.task, *more), options.rounds))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    cores = len(os.sched_getaffinity(0))
    print(f"Python {platform.python_version()}, {cores} cores, {options.rounds} rounds, interleaved\n")
    width = max(len(str(row["command"])) for row in rows)
    print(f"{'command':{width}}  {'median':>9}  {'quartiles':>17}  {'/ click':>7}  {'cpu':>9}")
    for row in rows:
        spread = f"{row['q1_ms']:.0f} to {row['q3_ms']:.0f} ms"
        times = f"{row['ms']:6.0f} ms  {spread:>17}  {row['ratio_to_click']:6.2f}x  {row['cpu_ms']:6.0f} ms"
        print(f"{row['command']:{width}}  {times}")


if __name__ == "__main__":
    main()
