"""How many settings a minute are ranked, how many judged, and how good is the best of a fifth of a grid?

    python benchmarks/ranking.py [--seeds 5] [--judged 4] [--cache FILE]

The kernel of ``benchmarks/search.py`` with a part of its grid. First some settings are judged one after the other, as a
trial of tuning was before there were rankings. Then all are ranked, in requests of sixteen as tuning makes them. The
speeds that this found go to the cache, and stand for the truth in the last part: a tuner sees a fifth of the grid in
the same requests, and its best one is compared with the grid's. What a ranking finds twice differs by its own noise,
which is printed, too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from search import SPACE, _request, kernel, knobs_of, shown

from akgflow.engine.steps.tune import AT_ONCE
from akgflow.executors.local import LocalExecutor
from akgflow.machine import detect
from akgflow.ranking import RankRequest
from akgflow.search import Tuner, declared, with_values

KEPT = {"ORDER": [0], "TILE": SPACE["TILE"], "ROWS": SPACE["ROWS"], "THREADS": SPACE["THREADS"], "DOUBLE": [0, 1]}
"""Eighty settings, a tenth of them broken."""
FIRST = (0, 16, 1, 1, 0)
Speeds = dict[str, float]


def source(knobs: tuple[int, ...] = FIRST) -> str:
    """The kernel with these constants, which declares the part of the grid."""
    return kernel(knobs).replace(repr(SPACE), repr(KEPT))


async def ranked(executor: LocalExecutor, sources: list[str]) -> Speeds:
    """Speeds over the first setting by source; 0 for what is out."""
    found: Speeds = {}
    for at in range(0, len(sources), AT_ONCE):
        some = sources[at : at + AT_ONCE]
        ranking = await executor.rank(RankRequest(_request(source()), tuple(some)))
        if ranking.reason:
            sys.exit(f"nothing was ranked: {ranking.reason}")
        found |= {text: one.speed or 0.0 for text, one in zip(some, ranking.ranked, strict=True)}
        print(f"{min(at + AT_ONCE, len(sources))}/{len(sources)} ranked, {ranking.seconds:.0f} s", flush=True)
    return found


def grid() -> list[str]:
    """All settings but the first."""
    space = declared(source())
    assert space is not None
    tuner, found = Tuner(space, seed=0), []
    tuner.know(space.first, 1.0)
    while (values := tuner.ask()) is not None:
        found.append(with_values(source(), values))
    return found


def tuned(truth: Speeds, seed: int) -> float:
    """The speed of the best that a tuner finds with a fifth of the grid, in requests as in a run."""
    space = declared(source())
    assert space is not None
    tuner, best, left = Tuner(space, seed=seed), 1.0, len(truth) // 5
    tuner.know(space.first, 1.0)
    while left:
        asked = [values for values in (tuner.ask() for _ in range(min(AT_ONCE, left))) if values is not None]
        left -= len(asked)
        for values in asked:
            speed = truth[with_values(source(), values)]
            tuner.tell(values, speed)
            best = max(best, speed)
    return best


async def measure(judged: int, cache: Path) -> Speeds:
    """Judge some, rank all, and rank the upper half once more; print how long it took."""
    every = grid()
    with tempfile.TemporaryDirectory() as scratch:
        executor = LocalExecutor(detect(), Path(scratch))
        try:
            await executor.judge(_request(source()))  # so that a judge is there
            started = time.monotonic()
            for text in every[:judged]:
                verdict = await executor.judge(_request(text))
                print(f"{shown(knobs_of(text))}: {verdict.status}, {verdict.seconds:.0f} s", flush=True)
            one = (time.monotonic() - started) / max(1, judged)
            started = time.monotonic()
            truth = await ranked(executor, every[judged:] + every[:judged])
            each = (time.monotonic() - started) / len(every)
            upper = sorted(truth, key=lambda text: -truth[text])[: len(every) // 4]
            again = await ranked(executor, upper)
        finally:
            await executor.close()
    print(f"judged: {60 / one:.1f} settings a minute; ranked: {60 / each:.1f} a minute")
    apart = [abs(math.log(again[text] / truth[text])) for text in upper if truth[text] and again[text]]
    print(f"the upper quarter ranked twice: {statistics.median(apart):.1%} apart (median), {max(apart):.1%} at most")
    best = max(truth, key=lambda text: truth[text])
    again_best = max(again.values())
    print(f"the best of the first time reaches {again[best] / again_best:.1%} of the best of the second")
    cache.write_text(json.dumps(truth), encoding="utf-8")
    return truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--judged", type=int, default=4)
    parser.add_argument("--cache", type=Path, default=Path("ranking-speeds.json"))
    chosen = parser.parse_args()
    if chosen.cache.exists():
        truth: Speeds = json.loads(chosen.cache.read_text(encoding="utf-8"))
    else:
        truth = asyncio.run(measure(chosen.judged, chosen.cache))
    top = max(truth.values())
    shares = [tuned(truth, seed) / top for seed in range(chosen.seeds)]
    print(
        f"a fifth of {len(truth)} settings, the best as a share of the grid's: " + " ".join(f"{s:.3f}" for s in shares)
    )
    print(f"within 3 % on {sum(share >= 0.97 for share in shares)} of {chosen.seeds} seeds")


if __name__ == "__main__":
    main()
