"""Do searches find the fastest kernel sooner than independent samples do, and does tuning need the whole grid?

    python benchmarks/search.py [--seeds 10] [--cache FILE] [--only measure|search|tune]

A matrix product in C++ with five knobs: loop order, tile, rows and type of the accumulators, threads. A tenth of the
combinations is broken: some do not compile, some forget the last rows. First every combination is judged for real and
once: compiled, checked and timed against eager PyTorch (three quarters of an hour on a quiet machine; on a busy one the
judge gives no times, and then there is nothing to compare). The verdicts go to the cache, one JSON object a line, and a
second start goes on from there; what could not be timed is tried again.

Then ``best_of``, ``evolve`` and ``adaptive`` run through the engine as in any run, for each seed. The model is a server
on loopback that speaks the OpenAI protocol: asked without a parent it draws its knobs at random, asked with one it
changes one or two of the parent's at random. The judge of this part answers with the verdicts that were measured in the
first. What counts is how many candidates were judged until the fastest was (any that the noise cannot tell from it).
Last, ``tune`` may use a quarter of the grid's evaluations, and its best is compared with the grid's.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import os
import re
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from known_judge import KnownJudge, run_steps
from openai_server import Answer, OpenAIServer, Seen

from akgflow.base.serial import from_data, to_data
from akgflow.config.types import Operator, Target
from akgflow.executors.local import LocalExecutor
from akgflow.machine import detect
from akgflow.planning import Reach, judge_request
from akgflow.search import ranks, speed_of
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest, Verdict

OPERATOR = '''\
import torch
from torch import nn


class Model(nn.Module):
    """out = x @ weight, x [m, k], weight [k, n]."""

    def __init__(self, k: int, n: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(k, n))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight


def get_inputs(m: int = 192, k: int = 192) -> list[torch.Tensor]:
    return [torch.randn(m, k)]


def get_init_inputs(k: int = 192, n: int = 192) -> list[int]:
    return [k, n]
'''
CASES = ({"m": 192, "k": 192, "n": 192}, {"m": 19, "k": 33, "n": 50})
SPACE = {"ORDER": [0, 1, 2], "TILE": [16, 48, 64, 96, 192], "ROWS": [1, 4, 6, 8], "THREADS": [1, 2], "DOUBLE": [0, 1]}
"""Coarse enough that the fastest stands alone: four rows of 48 are the most that the registers hold."""

KERNEL = '''\
import torch
import tvm_ffi.cpp
from torch import nn

TUNABLES = SPACE
ORDER = 0
TILE = 16
ROWS = 1
THREADS = 1
DOUBLE = 0

CPP = f"""
#include <algorithm>
#define ORDER {ORDER}
#define TILE {TILE}
#define ROWS {ROWS}
#define THREADS {THREADS}
#define DOUBLE {DOUBLE}
""" + r"""
#if DOUBLE
using Sum = double;
#else
using Sum = float;
#endif
static_assert(ROWS * TILE <= 1200, "the accumulators are too large");

void product(tvm::ffi::TensorView x, tvm::ffi::TensorView w, tvm::ffi::TensorView out) {
  const float* a = static_cast<const float*>(x.data_ptr());
  const float* b = static_cast<const float*>(w.data_ptr());
  float* c = static_cast<float*>(out.data_ptr());
  const int64_t m = x.size(0), k = x.size(1), n = w.size(1);
#pragma omp parallel for num_threads(THREADS)
  for (int64_t i0 = 0; i0 < m; i0 += ROWS) {
    const int64_t rows = std::min<int64_t>(ROWS, m - i0);
    if (ROWS == 8 && TILE == 16 && rows < ROWS) continue;
    for (int64_t j0 = 0; j0 < n; j0 += TILE) {
      const int64_t cols = std::min<int64_t>(TILE, n - j0);
#if ORDER == 0
      if (rows == ROWS && cols == TILE) {
        // All bounds are known: the sums stay in registers where there are enough.
        Sum acc[ROWS][TILE] = {};
        for (int64_t p = 0; p < k; ++p)
          for (int r = 0; r < ROWS; ++r)
            for (int s = 0; s < TILE; ++s) acc[r][s] += Sum(a[(i0 + r) * k + p]) * b[p * n + j0 + s];
        for (int r = 0; r < ROWS; ++r) std::copy_n(acc[r], TILE, c + (i0 + r) * n + j0);
        continue;
      }
#endif
#if ORDER <= 1
      for (int64_t s = 0; s < cols; ++s)
        for (int64_t r = 0; r < rows; ++r) {
          Sum sum = 0;
          for (int64_t p = 0; p < k; ++p) sum += Sum(a[(i0 + r) * k + p]) * b[p * n + j0 + s];
          c[(i0 + r) * n + j0 + s] = sum;
        }
#else
      for (int64_t r = 0; r < rows; ++r) std::fill_n(c + (i0 + r) * n + j0, cols, 0.0f);
      for (int64_t p = 0; p < k; ++p)
        for (int64_t s = 0; s < cols; ++s)
          for (int64_t r = 0; r < rows; ++r) c[(i0 + r) * n + j0 + s] += a[(i0 + r) * k + p] * b[p * n + j0 + s];
#endif
    }
  }
}
"""
_library = tvm_ffi.cpp.load_inline(name="product", cpp_sources=CPP, functions="product", extra_cflags=["-fopenmp"])


class ModelNew(nn.Module):
    def __init__(self, k: int, n: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(k, n))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.empty(x.shape[0], self.weight.shape[1])
        _library.product(x.contiguous(), self.weight.detach().contiguous(), out)
        return out
'''.replace("SPACE", repr(SPACE), 1)

WORKFLOWS = """\
workflows:
  best_of:
    steps:
      code: {best_of: 128, agent: coder}
  evolve:
    steps:
      code: {agent: coder, samples: 4}
      search: {evolve: code, agent: optimizer, generations: 96, islands: 2, children: 1, population: 4, elites: 2,
               migrate_every: 1, tiers: [0.8, 0.15, 0.05], patience: null, headroom: null, random_seed: SEED}
  adaptive:
    steps:
      code: {agent: coder, samples: 4}
      search: {adaptive: code, agent: optimizer, trials: 192, parallel: 2, explore: 0.15, patience: null,
               headroom: null, random_seed: SEED}
  tune:
    steps:
      given: {seed: source}
      search: {tune: given, trials: TRIALS, headroom: null, random_seed: SEED}
"""
Knobs = tuple[int, ...]
GRID: list[Knobs] = list(itertools.product(*SPACE.values()))


def kernel(knobs: Knobs) -> str:
    """The kernel's module with these constants."""
    text = KERNEL
    for name, value in zip(SPACE, knobs, strict=True):
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.M)
    return text


def knobs_of(source: str) -> Knobs:
    """The constants of a module."""
    return tuple(int(re.findall(rf"^{name} = (\d+)$", source, re.M)[-1]) for name in SPACE)


def measured(cache: Path) -> dict[Knobs, Verdict]:
    """Every kernel's verdict: from the cache, or judged now, one after the other, and put there."""
    known: dict[str, Verdict] = {}
    if cache.exists():
        lines = map(json.loads, cache.read_text(encoding="utf-8").splitlines())
        known = {line["kernel"]: from_data(line["verdict"], Verdict) for line in lines}
        known = {key: verdict for key, verdict in known.items() if verdict.timing or not verdict.passed}
    keys = {knobs: hashlib.sha256((OPERATOR + kernel(knobs)).encode()).hexdigest() for knobs in GRID}
    missing = [knobs for knobs in GRID if keys[knobs] not in known]
    if missing:
        asyncio.run(_measure(missing, keys, known, cache))
    return {knobs: known[keys[knobs]] for knobs in GRID}


async def _measure(missing: list[Knobs], keys: dict[Knobs, str], known: dict[str, Verdict], cache: Path) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        executor = LocalExecutor(detect(), Path(scratch))
        try:
            for count, knobs in enumerate(missing, 1):
                verdict = await executor.judge(_request(kernel(knobs)))
                known[keys[knobs]] = verdict
                with cache.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"kernel": keys[knobs], "verdict": to_data(verdict)}) + "\n")
                took = (time.monotonic() - started) / count
                said = speed_of(verdict) or verdict.absent.get("timing", "")
                print(f"{count}/{len(missing)} {shown(knobs)}: {verdict.status} {said} ({took:.1f} s each)", flush=True)
        finally:
            await executor.close()


def _request(source: str) -> JudgeRequest:
    operator, found = Operator(Path("product.py"), OPERATOR), Reach((Evidence.EXECUTED,), {})
    return replace(judge_request(operator, source, "cpp", Target("cpu", "cpu", "native"), found), cases=CASES)


def shown(knobs: Knobs) -> str:
    """``ORDER=0 TILE=16 …``."""
    return " ".join(f"{name}={value}" for name, value in zip(SPACE, knobs, strict=True))


class Model:
    """What the server answers: knobs at random, or a parent's with one or two changed at random."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def __call__(self, seen: Seen) -> Answer:
        parents = [str(message["content"]) for message in seen.body["messages"] if message["role"] == "assistant"]
        knobs = list(knobs_of(parents[0])) if parents else [self._random.choice(values) for values in SPACE.values()]
        if parents:
            for place in self._random.sample(range(len(knobs)), self._random.choice((1, 1, 2))):
                values = list(SPACE.values())[place]
                knobs[place] = self._random.choice([value for value in values if value != knobs[place]])
        return Answer(f"```python\n{kernel(tuple(knobs))}```\n")


def workspace(folder: Path, url: str, seed: int) -> Path:
    """A workspace with the operator, the model and the workflows; the task's file."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "tasks" / "product.py").write_text(OPERATOR)
    (folder / "tasks" / "worst.py").write_text(kernel(GRID[0]))
    workflows = WORKFLOWS.replace("SEED", str(seed)).replace("TRIALS", str(len(GRID) // 4))
    (folder / "agents.yaml").write_text(
        "version: 1\nmodels:\n"
        f"  default: {{model: openai/scripted, api_base: '{url}', api_key_env: SCRIPTED}}\n{workflows}"
    )
    task = folder / "tasks" / "product.yaml"
    task.write_text(
        "version: 1\nname: product\nkind: optimize\noperator: {file: product.py}\nsource: {dsl: cpp, file: worst.py}\n"
        "matrix: {dsl: [cpp], target: [cpu]}\n"
    )
    return task


def course(workflow: str, seed: int, verdicts: dict[Knobs, Verdict]) -> list[Knobs]:
    """The knobs of the judged candidates in their order."""
    server = OpenAIServer()
    server.default = Model(seed)
    judge = KnownJudge(lambda source: verdicts[knobs_of(source)])
    try:
        with tempfile.TemporaryDirectory() as folder:
            ran = run_steps(workspace(Path(folder), server.url, seed), judge, f"workflow={workflow}")
            if ran.failed:
                raise ran.failed
            places = [(a.step, a.attempt, a.sample) for a in ran.state.attempts if a.status != "TWIN" and a.candidate]
            jobs = Path(folder) / "run" / "jobs" / ran.plan.jobs[0].id
            texts = [(jobs / f"{s}-{a}-{n}" / "candidate.py").read_text() for s, a, n in places]
    finally:
        server.close()
    judged = list(dict.fromkeys(map(knobs_of, texts)))
    print(f"{workflow}, seed {seed}: {len(judged)} judged", file=sys.stderr, flush=True)
    return judged


def compare(verdicts: dict[Knobs, Verdict], seeds: int) -> None:
    """Print how soon each way of searching came to the fastest kernel, and the curves."""
    placed = dict(zip(verdicts, ranks(list(verdicts.values())), strict=True))
    top = [knobs for knobs, rank in placed.items() if rank == 0]
    print(f"\nthe fastest of {len(GRID)}, told apart by the noise or not:")
    for knobs in top:
        print(f"  {shown(knobs)}: {speed_of(verdicts[knobs])}")
    names = ("best_of", "evolve", "adaptive")
    courses = {name: [course(name, seed, verdicts) for seed in range(seeds)] for name in names}
    found = {
        name: [next((i for i, knobs in enumerate(one, 1) if knobs in top), None) for one in courses[name]]
        for name in names
    }
    print("\ncandidates judged until the fastest was found (-: not within the cap)")
    print("seed      " + " ".join(f"{seed:>4}" for seed in range(seeds)) + "  median")
    for name in names:
        cells = " ".join(f"{count or '-':>4}" for count in found[name])
        print(f"{name:<10}{cells}  {statistics.median(count or len(GRID) for count in found[name]):g}")
    for name in names[1:]:
        sooner = sum(
            (mine or 10**9) < (other or 10**9) for mine, other in zip(found[name], found["best_of"], strict=True)
        )
        print(f"{name}: sooner than best_of on {sooner} of {seeds} seeds")
    print("\nmedian speedup over eager of the best so far")
    print("judged    " + " ".join(f"{count:>6}" for count in STOPS))
    for name in names:
        print(
            f"{name:<10}"
            + " ".join(f"{statistics.median(_best(one[:n], verdicts) for one in courses[name]):>6.2f}" for n in STOPS)
        )


STOPS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64)


def _best(some: list[Knobs], verdicts: dict[Knobs, Verdict]) -> float:
    speeds = [speed_of(verdicts[knobs]) for knobs in some]
    return max((speed.ratio for speed in speeds if speed), default=0.0)


def tune(verdicts: dict[Knobs, Verdict], seeds: int) -> None:
    """Print what tuning finds with a quarter of the grid's evaluations."""
    grid = _best(GRID, verdicts)
    trials = len(GRID) // 4
    shares = [_best(course("tune", seed, verdicts), verdicts) / grid for seed in range(seeds)]
    print(
        f"\ntune: {trials} evaluations of {len(GRID)}; its best as a share of the grid's best ({grid:.2f}x), by seed:"
    )
    print("  " + " ".join(f"{share:.3f}" for share in shares))
    print(f"within 5 % on {sum(share >= 0.95 for share in shares)} of {seeds} seeds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cache", type=Path, default=Path("search-verdicts.jsonl"))
    parser.add_argument("--only", choices=("measure", "search", "tune"))
    chosen = parser.parse_args()
    os.environ["SCRIPTED"] = "no-key"
    verdicts = measured(chosen.cache)
    machine = detect()
    broken = sum(not verdict.passed for verdict in verdicts.values())
    untimed = sum(verdict.passed and not verdict.timing for verdict in verdicts.values())
    print(f"{len(GRID)} kernels on {machine.cpu}, {machine.cores} cores: {broken} broken")
    if untimed:
        sys.exit(
            f"{untimed} right kernels could not be timed on this busy machine: start it again, it goes on from here"
        )
    if chosen.only in (None, "search"):
        compare(verdicts, chosen.seeds)
    if chosen.only in (None, "tune"):
        tune(verdicts, chosen.seeds)


if __name__ == "__main__":
    main()
