"""Candidates judged per minute: akgflow beside KernelBench's evaluation, on the same twenty kernels, in one run.

    python benchmarks/verify_throughput.py [--device cpu|cuda] [--count 20] [--seconds 600] [--only ROUNDS] [--json]

KernelBench's package cannot be had from PyPI, so its method is restated in `kernelbench_method.py`: one fresh process
for each candidate, one candidate after the other, as its script does on one device. Both build every kernel, with empty
caches. The rounds, each with correctness alone and with timing:

- akgflow, one judge: one candidate after the other;
- akgflow, N judges: as `akgflow run` judges, with half as many judges as cores and one timing at a time;
- KernelBench's method.

And with correctness alone: akgflow on kernels that it has built before, as a repair loop or a resumed run meets them;
and, on a CPU, KernelBench's method on akgflow's own texts, whose builds take no torch headers.

The kernels' bodies are the same text for both; their bindings are what each asks for: torch's ``load_inline`` for
KernelBench, tvm-ffi or the CUDA loader for akgflow, Triton for both. ``--seconds`` bounds each of KernelBench's rounds,
which then judge every k-th candidate first; the table says how many they judged, and rates are of those.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from throughput_candidates import Candidate, candidates

from akgflow import machine
from akgflow.executors.local import LocalExecutor
from akgflow.verdict import Verdict

HERE = Path(__file__).resolve().parent
LABELS = {False: "correctness", True: "with timing"}


@dataclass
class Round:
    """One harness in one round: how many it judged in how many seconds, how many verdicts were right, and its steps.

    ``steps`` are seconds a candidate. ``timed`` counts the candidates that were given a time.
    """

    name: str
    judged: int = 0
    seconds: float = 0.0
    right: int = 0
    timed: int = 0
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def per_minute(self) -> float:
        """Candidates judged in a minute."""
        return 60 * self.judged / self.seconds


def spread(todo: list[Candidate]) -> list[Candidate]:
    """All of them, in an order in which any first few hold all toolchains and operators."""
    return [todo[i] for i in sorted(range(len(todo)), key=lambda i: (i * 7) % len(todo))]


def kernelbench(name: str, todo: list[Candidate], device: str, timing: bool, ours: bool, seconds: float) -> Round:
    """KernelBench's method: a fresh process and fresh build folders for each candidate."""
    found = Round(name)
    for one in spread(todo):
        if found.seconds > seconds:
            break
        with tempfile.TemporaryDirectory() as folder:
            operator, module = Path(folder, "operator_file.py"), Path(folder, "candidate_file.py")
            operator.write_text(one.operator)
            module.write_text(one.ours if ours else one.theirs)
            caches = dict.fromkeys(("TORCH_EXTENSIONS_DIR", "TVM_FFI_CACHE_DIR", "TRITON_CACHE_DIR"), folder)
            command = [sys.executable, str(HERE / "kernelbench_method.py"), str(operator), str(module)]
            command += ["--device", device, *(["--time"] if timing else [])]
            start = time.perf_counter()
            done = subprocess.run(command, env=os.environ | caches, capture_output=True, text=True, check=False)
            taken = time.perf_counter() - start
        if done.returncode != 0:
            sys.exit(f"{one.name} failed under KernelBench's method:\n{done.stderr[-3000:]}")
        reply = json.loads(done.stdout.splitlines()[-1])
        steps = reply["steps"] | {"start and end of the process": taken - sum(reply["steps"].values())}
        found.judged, found.seconds = found.judged + 1, found.seconds + taken
        found.right += reply["right"] == one.right
        found.timed += timing and reply["right"]
        found.steps = {step: found.steps.get(step, 0.0) + value for step, value in steps.items()}
    found.steps = {step: value / found.judged for step, value in found.steps.items()}
    return found


class Ours:
    """akgflow's judges with caches of their own; ``started`` is how many seconds their start took."""

    def __init__(self, folder: Path, device: str, judges: int) -> None:
        os.environ["AKGFLOW_CACHE"] = str(folder / "cache")
        self.device, self.judges = device, judges
        self.runner = asyncio.Runner()
        self.executor = LocalExecutor(machine.detect(), folder / "scratch")
        start = time.perf_counter()
        # What is no kernel starts a judge.
        nothing = Candidate.broken(candidates(device)[0])
        self.runner.run(self._all([nothing] * judges, False))
        self.started = time.perf_counter() - start

    async def _all(self, todo: list[Candidate], timing: bool) -> list[Verdict]:
        waiting = list(reversed(todo))
        verdicts: dict[str, Verdict] = {}

        async def judge() -> None:
            while waiting:
                one = waiting.pop()
                verdicts[one.name] = await self.executor.judge(one.request(self.device, timing))

        await asyncio.gather(*(judge() for _ in range(self.judges)))
        return [verdicts[one.name] for one in todo]

    def judge(self, name: str, todo: list[Candidate], timing: bool) -> Round:
        """One round."""
        start = time.perf_counter()
        verdicts = self.runner.run(self._all(todo, timing))
        seconds = time.perf_counter() - start
        for one, verdict in zip(todo, verdicts, strict=True):
            if verdict.passed != one.right:
                print(f"{name}, {one.name}: {verdict.status}: {verdict.message}", file=sys.stderr)
            elif timing and verdict.passed and not verdict.timing:
                print(f"{name}, {one.name}: no time: {verdict.absent.get('timing')}", file=sys.stderr)
        right = sum(v.passed == one.right for one, v in zip(todo, verdicts, strict=True))
        return Round(name, len(todo), seconds, right, sum(bool(v.timing) for v in verdicts))

    def close(self) -> None:
        """End the judges."""
        self.runner.run(self.executor.close())
        self.runner.close()


def profiled(device: str, count: int, timing: bool) -> dict[str, dict[str, float]]:
    """Where our judge's seconds go, from `judge_profile.py`: by step, for kernels built from scratch and again."""
    command = [sys.executable, str(HERE / "judge_profile.py"), "--device", device, "--count", str(count)]
    done = subprocess.run([*command, *(["--time"] if timing else [])], capture_output=True, text=True, check=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(device: str, count: int, seconds: float, only: str | None) -> dict[str, Any]:
    """The rounds, ours and KernelBench's in turn; the seconds that our judges took to start; our steps."""
    todo = candidates(device)[:count]
    many = max(1, machine.detect().cores // 2)
    rounds: list[Round] = []
    started: dict[int, float] = {}

    def done(one: Round) -> None:
        # A run that is cut short has said what it measured.
        print(f"{one.name}: {one.judged} in {one.seconds:.1f} s", file=sys.stderr, flush=True)
        rounds.append(one)

    def ours(judges: int, timing: bool) -> None:
        name = f"akgflow, {judges} judge{'s' if judges > 1 else ''}"
        with tempfile.TemporaryDirectory() as folder:
            judging = Ours(Path(folder), device, judges)
            started[judges] = judging.started
            done(judging.judge(f"{name}, {LABELS[timing]}", todo, timing))
            if not timing:
                done(judging.judge(f"{name}, built before", todo, False))
            judging.close()

    chosen = {timing: label for timing, label in LABELS.items() if only in (None, label)}
    for timing, label in chosen.items():
        for judges in sorted({1, many}):
            ours(judges, timing)
        done(kernelbench(f"KernelBench's method, {label}", todo, device, timing, False, seconds))
    if device == "cpu" and False in chosen:
        done(kernelbench("KernelBench's method, same text", todo, device, False, True, seconds))
    steps = {label: profiled(device, count, timing) for timing, label in chosen.items()}
    return {"rounds": rounds, "started": started, "steps": steps}


def ratios(rounds: list[Round]) -> dict[str, float]:
    """How many times as many candidates a minute each of our rounds judged."""
    theirs = {one.name.partition(", ")[2]: one.per_minute for one in rounds if one.name.startswith("Kernel")}
    found = {}
    for one in rounds:
        label = one.name.rpartition(", ")[2]
        if one.name.startswith("akgflow"):
            found[one.name] = one.per_minute / theirs["with timing" if label == "with timing" else "correctness"]
            if label == "correctness" and "same text" in theirs:
                found[f"{one.name}, same text for both"] = one.per_minute / theirs["same text"]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--count", type=int, default=20, help="how many of the twenty (default all)")
    parser.add_argument("--seconds", type=float, default=600.0, help="for each of KernelBench's rounds (default 600)")
    parser.add_argument("--only", choices=[*LABELS.values()], help="only these rounds (default both kinds)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    found = measure(options.device, options.count, options.seconds, options.only)
    if options.json:
        plain = found | {"rounds": [vars(one) for one in found["rounds"]], "ratios": ratios(found["rounds"])}
        print(json.dumps(plain, indent=2))
    else:
        show(found)


def show(found: dict[str, Any]) -> None:
    """The table, the ratios, and where the seconds went."""
    here, rounds = machine.detect(), found["rounds"]
    print(f"{here.cpu}, {here.cores} cores{''.join(', ' + d.name for d in here.devices)}\n")
    width = max(len(one.name) for one in rounds)
    print(f"{'':{width}}  {'judged':>6}  {'right':>5}  {'timed':>5}  {'seconds each':>12}  {'a minute':>8}")
    for one in rounds:
        each = one.seconds / one.judged
        print(f"{one.name:{width}}  {one.judged:6}  {one.right:5}  {one.timed:5}  {each:12.2f}  {one.per_minute:8.1f}")
    print()
    for name, ratio in ratios(rounds).items():
        print(f"{name}: {ratio:.1f} times as many a minute")
    for judges, seconds in found["started"].items():
        print(f"akgflow's {judges} judge(s) start once, in {seconds:.1f} s, which is not in the table")
    print("\nseconds a candidate:")
    for one in rounds:
        if one.steps:
            print(f"  {one.name}: {listing(one.steps)}")
    for label, turns in found["steps"].items():
        for turn, steps in turns.items():
            print(f"  akgflow, one judge, {label}, built {turn}: {sum(steps.values()):.2f} = {listing(steps)}")


def listing(steps: dict[str, float]) -> str:
    """The steps that took longest first."""
    return ", ".join(f"{name} {value:.3f}" for name, value in sorted(steps.items(), key=lambda item: -item[1]))


if __name__ == "__main__":
    main()
