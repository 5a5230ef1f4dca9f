"""The C++ kernels in `cpp/` beside PyTorch by their quickest windows, for a machine that is too busy for the judge.

    python benchmarks/cpp_quickest.py [KIND/NAME ...] [--windows 300] [--compile]

Candidate, eager and torch.compile run in a process each and take turns in windows of about a millisecond; the ratio is
of each arm's quickest window, which is the one that others disturbed least. These are no verdicts: nothing is checked
here but that outputs are close, and there is no interval. `cpp_kernels.py` gives verdicts.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KERNELS, OPERATORS = HERE / "cpp", HERE / "operators"
WINDOW_SECONDS = 1e-3


def _module(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arm(name: str, kernel: str, pipe: Connection) -> None:
    """A process: makes the model, sends a digest of its output, then the seconds of as many calls as are asked for."""
    import torch

    from akgflow.config import load_workspace
    from akgflow.terms import Evidence
    from akgflow.toolchains import cpp

    operator = _module(OPERATORS / f"{kernel}.py")
    torch.manual_seed(0)
    model, inputs = operator.Model(*operator.get_init_inputs()), operator.get_inputs()
    scratch, target = tempfile.TemporaryDirectory(), load_workspace(None).targets["cpu"]
    with scratch as folder, cpp.session(Evidence.EXECUTED, target, Path(folder)), torch.no_grad():
        if name == "candidate":
            reference, model = model, _module(KERNELS / f"{kernel}.py").ModelNew(*operator.get_init_inputs())
            model.load_state_dict(reference.state_dict())
        elif name == "torch.compile":
            model = torch.compile(model)
        made = model(*inputs)
        first = made[0] if isinstance(made, tuple) else made
        pipe.send(float(first.double().abs().sum()))
        while count := pipe.recv():
            started = time.perf_counter()
            for _ in range(count):
                model(*inputs)
            pipe.send(time.perf_counter() - started)


def compare(kernel: str, names: tuple[str, ...], windows: int) -> dict[str, float]:
    """Seconds of one call in each arm's quickest window."""
    context = multiprocessing.get_context("spawn")
    pipes, workers = {}, []
    for name in names:
        pipes[name], other = context.Pipe()
        workers.append(context.Process(target=arm, args=(name, kernel, other), daemon=True))
        workers[-1].start()
    sums = {name: pipe.recv() for name, pipe in pipes.items()}
    assert all(abs(one - sums["eager"]) <= 1e-3 * abs(sums["eager"]) + 1e-6 for one in sums.values()), (kernel, sums)
    counts, best = dict.fromkeys(names, 1), dict.fromkeys(names, float("inf"))
    for number in range(windows + 3):
        for name, pipe in pipes.items():
            pipe.send(counts[name])
            best[name] = min(best[name], pipe.recv() / counts[name])
            if number == 3:
                counts[name] = max(1, int(WINDOW_SECONDS / best[name]))
    for pipe, worker in zip(pipes.values(), workers, strict=True):
        pipe.send(0)
        worker.join()
    return best


def main() -> None:
    """Print a line of a table for each kernel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*")
    parser.add_argument("--windows", type=int, default=300)
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    names = ("eager", "candidate", *(("torch.compile",) if given.compile else ()))
    every = [str(file.relative_to(KERNELS).with_suffix("")) for file in sorted(KERNELS.glob("*/*.py"))]
    for kernel in given.kernels or every:
        best = compare(kernel, names, given.windows)
        own = best["candidate"]
        cells = [f"{best[name] / own:.2f}" for name in names if name != "candidate"]
        print(f"| {kernel} | {own * 1e6:.0f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
