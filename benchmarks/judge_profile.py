"""Where a judgement's seconds go: the judge of `verify_throughput.py` with a stop-watch on its steps.

    python benchmarks/judge_profile.py --device cpu|cuda [--time] [--count 20]

Judges the twenty kernels twice in one process, as a judge process does: built from scratch, then as built before.
Prints JSON: seconds a candidate in each step. A step's seconds are its own, without those of steps inside it.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from throughput_candidates import Candidate, candidates

from akgflow import machine


class StopWatch:
    """Seconds by step; a step that begins inside another stops the other's watch."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside: list[str] = []
        self._since = time.perf_counter()

    def _switch(self) -> None:
        now = time.perf_counter()
        if self._inside:
            self.seconds[self._inside[-1]] += now - self._since
        self._since = now

    def watched(self, name: str | None, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` on the watch under ``name``, or under the request that it sends to the candidate."""

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._switch()
            self._inside.append(name or f"candidate: {args[1].op}")
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()
                self._inside.pop()

        return wrapper

    def put_on(self, owner: Any, method: str, name: str | None) -> None:
        """Watch a method of a class."""
        setattr(owner, method, self.watched(name, getattr(owner, method)))


def put_on(watch: StopWatch) -> None:
    """Watch the steps of a judgement."""
    from akgflow.verification.judge import build_cache, candidate_process, evaluation, judge, judgement
    from akgflow.verification.reference import reference

    watch.put_on(judge.Judge, "judge", "the rest")
    watch.put_on(judgement.Judgement, "_time", "timing: the rest")
    watch.put_on(build_cache.BuildCache, "fetch", "builds fetched and kept")
    watch.put_on(build_cache.BuildCache, "keep", "builds fetched and kept")
    watch.put_on(candidate_process.ForkServerClient, "spawn", "fork into the sandbox")
    watch.put_on(candidate_process.CandidateProcess, "ask", None)
    watch.put_on(candidate_process.CandidateProcess, "close", "end of the process")
    watch.put_on(candidate_process.CandidateProcess, "require_alone", "looking for helpers")
    watch.put_on(candidate_process.CandidateProcess, "pause", "timing: pauses")
    watch.put_on(reference.Reference, "__init__", "operator loaded")
    watch.put_on(reference.Reference, "prepare", "draws, oracle and bounds")
    watch.put_on(reference.Reference, "_perturbed_draw", "single-element perturbations")
    watch.put_on(reference.Reference, "rounding_hint", "narrower formats tried")
    watch.put_on(evaluation.Trial, "check", "inputs written, answers compared")


def profile(todo: list[Candidate], device: str, timing: bool, watch: StopWatch) -> list[dict[str, float]]:
    """Seconds a candidate by step, for kernels built from scratch and for the same ones again."""
    import torch

    from akgflow.verification.judge.candidate_process import ForkServerClient
    from akgflow.verification.judge.judge import Judge

    here = machine.detect()
    torch.set_num_threads(here.cores)
    server, found = ForkServerClient(), []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AKGFLOW_CACHE"] = folder
        server.start()
        judge = Judge(here, server)
        for turn in ("start", "fresh", "again"):
            watch.seconds.clear()
            for number, one in enumerate(todo if turn != "start" else [Candidate.broken(todo[0])]):
                scratch = Path(folder, f"{turn}{number}")
                scratch.mkdir()
                judge.judge(one.request(device, timing), scratch, lambda: None)
                judge.forget()
            found.append({name: value / len(todo) for name, value in watch.seconds.items()})
        server.end_all()
    return found[1:]


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    # As the executor starts judges.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    watch = StopWatch()
    put_on(watch)
    fresh, again = profile(candidates(options.device)[: options.count], options.device, options.time, watch)
    print(json.dumps({"fresh": fresh, "again": again}))


if __name__ == "__main__":
    main()
