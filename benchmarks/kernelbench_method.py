"""KernelBench's evaluation of one candidate in one fresh process, restated: `verify_throughput.py` starts it.

    python benchmarks/kernelbench_method.py OPERATOR CANDIDATE --device cpu|cuda [--time]

The steps are those of `eval_kernel_against_ref` in ScalingIntelligence/KernelBench (src/kernelbench/eval.py at
423217d, March 2026) with the settings of its scripts/eval_from_generations.py: import torch, execute the operator's
text and the candidate's, five correctness trials on the operator's own random inputs at 1e-4, and, with ``--time``,
three calls to warm up and a hundred timed ones of the candidate and of the operator. Its published code demands a
CUDA device; here the same steps also run on a CPU, on the host's clock (its ``host_time`` method). Prints one JSON
line: the verdict, and the seconds that each step took.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

SEED, TRIALS, WARMUP, TIMED, TOLERANCE = 42, 5, 3, 100, 1e-4


def load(path: Path) -> Any:
    """The module in ``path``; kernels of Triton need one that lies in a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def synchronize(device: str) -> None:
    """Wait for the device."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def correct(model: Any, new: Any, get_inputs: Any, device: str) -> bool:
    """Five trials on fresh inputs: same shape, and allclose."""
    import torch

    torch.manual_seed(SEED)
    seeds = [int(torch.randint(0, 2**32 - 1, (1,)).item()) for _ in range(TRIALS)]
    for seed in seeds:
        torch.manual_seed(seed)
        inputs = [x.to(device) for x in get_inputs()]
        expected, got = model(*inputs), new(*inputs)
        synchronize(device)
        if expected.shape != got.shape or not torch.allclose(expected, got, atol=TOLERANCE, rtol=TOLERANCE):
            return False
    return True


def timed(model: Any, inputs: Any, device: str) -> float:
    """The mean of a hundred calls in seconds, caches emptied before each of them on a GPU."""
    import torch

    for _ in range(WARMUP):
        model(*inputs)
        synchronize(device)
    seconds = []
    for _ in range(TIMED):
        if device == "cuda":
            torch.empty((32, 1024, 1024), dtype=torch.int64, device=device).fill_(42)
        synchronize(device)
        start = time.perf_counter()
        model(*inputs)
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return statistics.mean(seconds)


def main() -> None:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operator", type=Path)
    parser.add_argument("candidate", type=Path)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--time", action="store_true")
    options = parser.parse_args()
    marks = [time.perf_counter()]

    def mark() -> None:
        marks.append(time.perf_counter())

    import torch

    mark()
    operator = load(options.operator)
    torch.manual_seed(SEED)
    model = operator.Model(*operator.get_init_inputs()).to(options.device)
    mark()
    module = load(options.candidate)
    torch.manual_seed(SEED)
    new = module.ModelNew(*operator.get_init_inputs()).to(options.device)
    mark()
    with torch.no_grad():
        right = correct(model, new, operator.get_inputs, options.device)
        mark()
        if options.time and right:
            inputs = [x.to(options.device) for x in operator.get_inputs()]
            for one in (new, model):
                timed(one, inputs, options.device)
    mark()
    names = ("import", "operator", "build", "check", "time")
    steps = {name: b - a for name, a, b in zip(names, marks, marks[1:], strict=False)}
    print(json.dumps({"right": right, "steps": steps}))


if __name__ == "__main__":
    main()
