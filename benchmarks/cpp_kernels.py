"""The C++ kernels in `cpp/`, one for each operator in `operators/` that has one, judged and timed beside PyTorch.

    python benchmarks/cpp_kernels.py [KIND/NAME ...] [--store FILE] [--export FILE] [--no-time] [--tries 1]

Each is judged as `akgflow knowledge add` does it, and timed over eager and what torch.compile makes of the operator.
Verdicts go into a knowledge store, which keeps the better one of two; one without a time is asked again up to
``--tries`` times, since a busy machine gives none. ``--export`` writes the store's entries as the seeds that ship with
akgflow.
"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path

from akgflow import api
from akgflow.knowledge import Entry, Store

HERE = Path(__file__).resolve().parent
KERNELS, OPERATORS = HERE / "cpp", HERE / "operators"


def judge(files: list[Path], store: Path, timed: bool) -> None:
    """One judge for these kernels; says what it refused."""
    pairs: dict[str | Path, str | Path] = {one: OPERATORS / one.relative_to(KERNELS) for one in files}
    found = api.add_candidates(
        pairs,
        dsl="cpp",
        target="cpu",
        baselines=("eager", "torch.compile"),
        time=timed,
        overrides=[f"knowledge.store={store}"],
    )
    for file, reason in found.refused.items():
        print(f"refused {file}: {reason}", flush=True)
    for entry in (*found.added, *found.known):
        print(f"{entry.task}: {entry.claim}", flush=True)


def row(entry: Entry) -> str:
    """One line of the table: the speedups with their intervals, and the call's time."""
    figures = {one.baseline: one for one in entry.verdict.timing}
    cells = [
        f"{one.speedup:.2f} [{one.interval[0]:.2f}, {one.interval[1]:.2f}]" if (one := figures.get(name)) else "-"
        for name in ("eager", "torch.compile")
    ]
    return f"| {entry.task} | {' | '.join(cells)} |"


def main() -> None:
    """Judge, then print the table of everything in the store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", help="such as gemm/matmul; all of them where none is named")
    parser.add_argument("--store", type=Path, default=Path("cpp_kernels.sqlite"))
    parser.add_argument("--export", type=Path)
    parser.add_argument("--no-time", action="store_true")
    parser.add_argument("--tries", type=int, default=1)
    parser.add_argument("--table-only", action="store_true")
    given = parser.parse_args()
    store = Store(given.store.resolve())
    wanted = [KERNELS / f"{name}.py" for name in given.kernels] or sorted(KERNELS.glob("*/*.py"))
    for _ in range(0 if given.table_only else given.tries):
        known = {one.source: one for one in store.entries()}
        todo = [one for one in wanted if (e := known.get(one.read_text())) is None or not (e.speed or given.no_time)]
        for _, kind in groupby(todo, key=lambda one: one.parent):
            judge(list(kind), store.path, not given.no_time)
    entries = sorted(store.entries(), key=lambda one: one.task)
    print("\n".join(["| operator | over eager | over torch.compile |", "|---|---|---|", *map(row, entries)]))
    if given.export:
        api.export_entries(given.export, overrides=[f"knowledge.store={store.path}"])


if __name__ == "__main__":
    main()
