"""Candidates judged per minute: akgflow beside KernelBench's evaluation, on the same twenty kernels, in one run.

    python benchmarks/verify_throughput.py [--device cpu|cuda] [--count 20] [--minutes 20] [--json]

KernelBench's package cannot be had from PyPI, so its method is restated in `kernelbench_method.py`: one fresh process
for each candidate. Both judge one candidate after the other, and every kernel is built anew. Four rounds:

- correctness: fresh build, then the verdict, without timing;
- with timing: the same, and the time beside the operator run eagerly;
- again: akgflow alone, correctness of kernels that it has built before, as a repair loop or a resumed run meets them;
- same text (CPU): KernelBench's method on akgflow's own texts, whose builds take no torch headers.

The kernels' bodies are the same text for both; their bindings are what each asks for: torch's ``load_inline`` for
KernelBench, tvm-ffi or the CUDA loader for akgflow, Triton for both. ``--minutes`` bounds each of KernelBench's rounds;
where it ends early, its rate is that of the candidates that it judged, and the table says how many.
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

from throughput_candidates import Candidate, candidates

from akgflow import machine
from akgflow.config.types import Target
from akgflow.executors.local import LocalExecutor
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest, Verdict

HERE = Path(__file__).resolve().parent


@dataclass
class Round:
    """One harness in one round: seconds for each candidate, where they went, and how many verdicts were right."""

    name: str
    seconds: list[float] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    right: int = 0

    def add(self, seconds: float, agrees: bool, steps: dict[str, float]) -> None:
        """Keep one candidate's figures."""
        self.seconds.append(seconds)
        self.right += agrees
        for name, value in steps.items():
            self.steps[name] = self.steps.get(name, 0.0) + value

    @property
    def per_minute(self) -> float:
        """Candidates judged in a minute."""
        return 60 * len(self.seconds) / sum(self.seconds)


def kernelbench(name: str, todo: list[Candidate], device: str, timing: bool, ours: bool, minutes: float) -> Round:
    """KernelBench's method: a fresh process and fresh build folders for each candidate."""
    found, deadline = Round(name), time.monotonic() + 60 * minutes
    for one in todo:
        if time.monotonic() > deadline:
            break
        with tempfile.TemporaryDirectory() as folder:
            operator, module = Path(folder, "operator_file.py"), Path(folder, "candidate_file.py")
            operator.write_text(one.operator)
            module.write_text(one.ours if ours else one.theirs)
            caches = {key: folder for key in ("TORCH_EXTENSIONS_DIR", "TVM_FFI_CACHE_DIR", "TRITON_CACHE_DIR")}
            command = [sys.executable, str(HERE / "kernelbench_method.py"), str(operator), str(module)]
            command += ["--device", device, *(["--time"] if timing else [])]
            start = time.perf_counter()
            done = subprocess.run(command, env=os.environ | caches, capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - start
        if done.returncode != 0:
            sys.exit(f"{one.name} failed under KernelBench's method:\n{done.stderr[-3000:]}")
        reply = json.loads(done.stdout.splitlines()[-1])
        steps = dict(reply["steps"])
        steps["start and end of the process"] = seconds - sum(steps.values())
        found.add(seconds, reply["right"] == one.right, steps)
    return found


def akgflow(name: str, executor: LocalExecutor, todo: list[Candidate], target: Target, timing: bool) -> Round:
    """Our judge, one candidate after the other."""

    async def judged() -> list[tuple[float, Verdict]]:
        results = []
        for one in todo:
            request = JudgeRequest(
                one.ours, "operator.py", one.operator, one.toolchain, target, (Evidence.EXECUTED,), time=timing
            )
            start = time.perf_counter()
            verdict = await executor.judge(request)
            results.append((time.perf_counter() - start, verdict))
        return results

    found = Round(name)
    for one, (seconds, verdict) in zip(todo, RUNNER.run(judged()), strict=True):
        if verdict.passed != one.right:
            print(f"{one.name}: {verdict.status}: {verdict.message}", file=sys.stderr)
        found.add(seconds, verdict.passed == one.right, {})
    return found


RUNNER = asyncio.Runner()


def measure(device: str, count: int, minutes: float) -> tuple[list[Round], float]:
    """All rounds, KernelBench's and ours in turn, and the seconds that our judge took to start."""
    todo = candidates(device)[:count]
    here = machine.detect()
    target = Target("cpu", "cpu", "native")
    if device == "cuda":
        gpu = here.devices[0]
        target = Target("gpu", gpu.platform, gpu.arch, device=gpu.name)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as folder:
        for timing in (False, True):
            label = "with timing" if timing else "correctness"
            os.environ["AKGFLOW_CACHE"] = str(Path(folder, label))
            executor = LocalExecutor(here, Path(folder, f"scratch {label}"))
            start = time.perf_counter()
            # A judgement of what is no kernel starts the judge.
            akgflow("start", executor, [Candidate("", "cpp", todo[0].operator, "", "", False)], target, False)
            started = time.perf_counter() - start
            rounds.append(akgflow(f"akgflow, {label}", executor, todo, target, timing))
            if not timing:
                rounds.append(akgflow("akgflow, again", executor, todo, target, False))
            RUNNER.run(executor.close())
            rounds.append(kernelbench(f"KernelBench's method, {label}", todo, device, timing, False, minutes))
    if device == "cpu":
        rounds.append(kernelbench("KernelBench's method, same text", todo, device, False, True, minutes))
    return rounds, started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--count", type=int, default=20, help="how many of the twenty (default all)")
    parser.add_argument("--minutes", type=float, default=20.0, help="for each of KernelBench's rounds (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rounds, started = measure(options.device, options.count, options.minutes)
    by_name = {one.name: one for one in rounds}
    ours = {label: by_name[f"akgflow, {label}"] for label in ("correctness", "with timing", "again")}
    theirs = {label: by_name[f"KernelBench's method, {label}"] for label in ("correctness", "with timing")}
    ratios = {label: ours[label].per_minute / theirs[label].per_minute for label in theirs}
    same = by_name.get("KernelBench's method, same text")
    if same is not None:
        ratios["correctness, same text for both"] = ours["correctness"].per_minute / same.per_minute
    if options.json:
        print(json.dumps({"rounds": [vars(one) for one in rounds], "ratios": ratios, "judge_start": started}, indent=2))
        return
    show(rounds, ratios, started)
    again, cold, timed = (sum(ours[k].seconds) / len(ours[k].seconds) for k in ("again", "correctness", "with timing"))
    print(f"akgflow, seconds a candidate: build {cold - again:.2f}, judge {again:.2f}, timing {timed - cold:.2f}")


def show(rounds: list[Round], ratios: dict[str, float], started: float) -> None:
    """The table, and where KernelBench's seconds went."""
    here = machine.detect()
    print(f"{here.cpu}, {here.cores} cores{''.join(', ' + d.name for d in here.devices)}\n")
    width = max(len(one.name) for one in rounds)
    print(f"{'':{width}}  {'judged':>6}  {'right':>5}  {'seconds each':>12}  {'a minute':>8}")
    for one in rounds:
        each = sum(one.seconds) / len(one.seconds)
        print(f"{one.name:{width}}  {len(one.seconds):6}  {one.right:5}  {each:12.2f}  {one.per_minute:8.1f}")
    print()
    for label, ratio in ratios.items():
        print(f"{label}: {ratio:.1f} times as many a minute")
    print(f"\nakgflow's judge starts once, in {started:.1f} s, which is not in the table")
    for one in rounds:
        if one.steps:
            parts = ", ".join(f"{name} {value / len(one.seconds):.2f}" for name, value in one.steps.items())
            print(f"{one.name}, seconds a candidate: {parts}")


if __name__ == "__main__":
    main()
