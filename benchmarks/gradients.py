"""Are gradients judged at the sizes of training, and how fast are forward, backward and both of simple kernels?

    python benchmarks/gradients.py [--device cpu|cuda] [--only NAME,...] [--seconds 500]

The kernels are those of ``tests/support/gradient_kernels.py``: on a GPU the Triton ones, on a CPU the C++ ones, at
sizes that fit the device. They are written to be read, not to be fast. Prints a line for each kernel: its status,
microseconds of forward, of backward and of both, and the speedups over eager and torch.compile with their intervals.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from gradient_kernels import KERNELS, Kernel, text_of
from judging import target_of

from akgflow.executors.once import temporary_executor
from akgflow.machine import detect
from akgflow.terms import Evidence
from akgflow.verdict import JudgeRequest, Limits, PartTiming, Timing, Verdict

DSL = {"cpu": "cpp", "cuda": "triton"}
SIZES = {
    "cuda": {
        "rms_norm": {"rows": 4096, "width": 4096},
        "layer_norm": {"rows": 4096, "width": 4096},
        "swiglu": {"rows": 4096, "width": 11008},
        "geglu": {"rows": 4096, "width": 11008},
        "cross_entropy": {"rows": 4096, "classes": 32000},
        "embedding": {"batch": 8, "length": 2048, "rows": 32000, "width": 1024},
        "softmax": {"rows": 4096, "width": 4096},
        "rope": {"batch": 4, "heads": 32, "length": 2048, "width": 128},
        "attention": {"heads": 16, "length": 2048, "width": 64},
        "linear_cross_entropy": {"rows": 2048, "width": 1024, "classes": 32000},
        "adamw": {"rows": 4096, "width": 4096},
    },
    "cpu": {
        "rms_norm": {"rows": 512, "width": 1024},
        "geglu": {"rows": 512, "width": 2048},
        "embedding": {"batch": 4, "length": 256, "rows": 4000, "width": 256},
        "softmax": {"rows": 512, "width": 1024},
        "attention": {"heads": 4, "length": 256, "width": 64},
        "linear_cross_entropy": {"rows": 128, "width": 256, "classes": 1000},
    },
}
PARTS = ("forward", "backward", "both")
HEAD = ("kernel", "status", *(f"{part}, µs" for part in PARTS), *(f"{one} over {b}" for b in ("eager", "torch.compile")
        for one in PARTS), "remarks")  # fmt: skip


def request(name: str, kernel: Kernel, device: str) -> JudgeRequest:
    """Judge the kernel at its size, with time."""
    return JudgeRequest(
        candidate=text_of(name),
        operator_file=f"{kernel.operator}.py",
        operator=kernel.asked(*kernel.overwrites),
        toolchain=kernel.dsl,
        target=target_of(device),
        evidence=(Evidence.EXECUTED,),
        cases=(SIZES[device][kernel.operator],),
        baselines=("eager", "torch.compile"),
        limits=Limits(build_seconds=300, run_seconds=120),
    )


def part_of(timing: Timing | None, part: str) -> Timing | PartTiming | None:
    """The timing of forward, backward or both; None where there is none."""
    return timing if timing is None or part == "both" else timing.parts.get(part)


def row(name: str, verdict: Verdict) -> Iterable[str]:
    """A line of the table under `HEAD`."""
    timings = {one.baseline: one for one in verdict.timing}
    first = next(iter(timings.values()), None)
    yield name
    yield str(verdict.status)
    for part in PARTS:
        found = part_of(first, part)
        yield f"{found.seconds * 1e6:,.0f}" if found else ""
    for baseline in ("eager", "torch.compile"):
        for part in PARTS:
            over = part_of(timings.get(baseline), part)
            yield f"{over.speedup:.2f} [{over.interval[0]:.2f}, {over.interval[1]:.2f}]" if over else ""
    why = "" if verdict.passed else verdict.message
    yield "; ".join(filter(None, (why, *verdict.absent.values(), *verdict.warnings)))


async def judged(device: str, only: list[str], until: float) -> None:
    """Judge the kernels in turn, and print each when it is done."""
    async with temporary_executor(detect()) as executor:
        for name, kernel in KERNELS.items():
            if kernel.dsl != DSL[device] or (only and name not in only) or kernel.operator not in SIZES[device]:
                continue
            if time.monotonic() > until:
                print(f"no time is left for {name}", file=sys.stderr)
                continue
            verdict = await executor.judge(request(name, kernel, device))
            print("| " + " | ".join(row(name, verdict)) + " |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=DSL, default="cpu")
    parser.add_argument("--only", default="", help="names of kernels, divided by commas")
    parser.add_argument("--seconds", type=float, default=500.0, help="after these no further kernel is begun")
    options = parser.parse_args()
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD), flush=True)
    only = [name for name in options.only.split(",") if name]
    asyncio.run(judged(options.device, only, time.monotonic() + options.seconds))


if __name__ == "__main__":
    main()
