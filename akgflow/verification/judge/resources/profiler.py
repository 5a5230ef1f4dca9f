"""A GPU's own counters for a candidate that was right and timed: why it is not faster. They decide nothing.

The judge starts NVIDIA's profiler, ``ncu``, around one more process of the candidate
(`akgflow.verification.candidate.profile_worker`) and reads the profiler's table. That process is in no namespaces,
which the profiler cannot work through, but under landlock, seccomp and limits; it holds inputs and no oracle. No gate
and no verdict depends on what comes out.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from akgflow.base.serial import to_data
from akgflow.operators.arguments import split
from akgflow.verdict import JudgeRequest, KernelProfile
from akgflow.verification.judge.resources import bounded
from akgflow.verification.reference.reference import Reference
from akgflow.verification.shared.memory import map_tensors
from akgflow.verification.shared.protocol import PROFILE_INPUTS, PROFILE_REQUEST, ProfileRequest

TABLE = "table.csv"
MOST_LAUNCHES = 24
"""Launches of one call that are looked at; each is run many times over."""
MOST_KERNELS = 4
SECONDS = 180.0
SECTIONS = ("SpeedOfLight", "Occupancy", "MemoryWorkloadAnalysis", "WarpStateStats")
_COLUMNS = {
    "compute_percent": ("sm__throughput.avg.pct_of_peak_sustained_elapsed",),
    "memory_percent": (
        "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed",
        "dram__throughput.avg.pct_of_peak_sustained_elapsed",
    ),
    "occupancy_percent": ("sm__warps_active.avg.pct_of_peak_sustained_active",),
    "l2_hit_percent": ("lts__t_sector_hit_rate.pct",),
}
_DURATION = "gpu__time_duration.sum"
_STALL = re.compile(r"smsp__average_warps_issue_stalled_(\w+?)_per_issue_active\.ratio")
_ISSUES = ("selected",)
"""Among the states of a warp, the one in which it works."""
_SECONDS = {
    "ns": 1e-9,
    "nsecond": 1e-9,
    "us": 1e-6,
    "usecond": 1e-6,
    "ms": 1e-3,
    "msecond": 1e-3,
    "s": 1.0,
    "second": 1.0,
}
_FORBIDDEN = "ERR_NVGPUCTRPERM"


class NotProfiled(Exception):
    """There are no counters; the text says why, and what would help."""


def find_profiler() -> Path:
    """Where ``ncu`` is; raises `NotProfiled`."""
    found = shutil.which("ncu")
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    beside = (Path(home) / "bin" / "ncu" for home in (*homes, "/usr/local/cuda"))
    path = Path(found) if found else next((one for one in beside if one.exists()), None)
    if path is None:
        raise NotProfiled("the profiler ncu is not here: install NVIDIA Nsight Compute, or set CUDA_HOME")
    return path


def take(request: JudgeRequest, module: str, reference: Reference, scratch: Path) -> tuple[KernelProfile, ...]:
    """What the counters say about each kernel of one call on a prepared case, the longest first.

    ``scratch`` is the candidate's folder, which holds its builds. Raises `NotProfiled`.
    """
    profiler = find_profiler()
    folder = scratch.parent / "profile"
    folder.mkdir(exist_ok=True)
    put_question(request, module, reference, folder, scratch)
    options = [
        *("--csv", "--page", "raw", "--print-units", "base", "--log-file", str(folder / TABLE), "--force-overwrite"),
        *("--profile-from-start", "off", "--target-processes", "application-only"),
        *("--clock-control", "none", "--cache-control", "none", "--launch-count", str(MOST_LAUNCHES)),
        *(word for section in SECTIONS for word in ("--section", section)),
    ]
    command = [
        str(profiler),
        *options,
        sys.executable,
        "-P",
        "-m",
        "akgflow.verification.candidate.profile_worker",
        str(folder),
    ]
    try:
        said = bounded.run(command, folder, scratch, SECONDS)
    except TimeoutError as error:
        raise NotProfiled(f"the profiler: {error}") from None
    table = (folder / TABLE).read_text(encoding="utf-8", errors="replace") if (folder / TABLE).exists() else ""
    return _longest(read_table(table, said))


def put_question(request: JudgeRequest, module: str, reference: Reference, folder: Path, scratch: Path) -> None:
    """What the process needs: the request, the candidate's text, inputs, parameters and constructor arguments."""
    case, draw = reference.case, reference.draws[0]
    inputs, keywords = split(map_tensors(draw.inputs, lambda t: t.cpu()))
    question = {
        "inputs": list(inputs),
        "keywords": dict(keywords),
        "mode": case.mode,
        "prepares": case.prepare is not None,
        "wanted": None if case.wanted is None else vars(case.wanted),
        "state": {name: tensor.cpu() for name, tensor in reference.state.items()},
        "args": list(case.init_args),
        "kwargs": dict(case.init_kwargs),
    }
    torch.save(question, folder / PROFILE_INPUTS)
    stand_in = not isinstance(request.candidate, str)
    about = ProfileRequest(request.toolchain, request.target, str(scratch), stand_in, reference.device == "cuda")
    (folder / PROFILE_REQUEST).write_text(json.dumps(to_data(about)), encoding="utf-8")
    (scratch / "profiled.py").write_text(module, encoding="utf-8")


def read_table(table: str, said: str) -> list[KernelProfile]:
    """The kernels of the profiler's table, one for each launch, without the first, which is the process's own.

    ``said`` is what was printed. Raises `NotProfiled` where the table holds no launch of the candidate.
    """
    if _FORBIDDEN in table + said:
        raise NotProfiled(
            "the driver gives performance counters to administrators only (ERR_NVGPUCTRPERM): "
            "load nvidia with NVreg_RestrictProfilingToAdminUsers=0, or give the container CAP_SYS_ADMIN"
        )
    rows = list(csv.reader(line for line in table.splitlines() if line.startswith('"')))
    head = next((number for number, row in enumerate(rows) if "Kernel Name" in row), None)
    if head is None:
        raise NotProfiled(f"the profiler gave no table: {_why(table + said)}")
    names, units = rows[head], dict(zip(rows[head], rows[head + 1] if len(rows) > head + 1 else [], strict=False))
    launches = [
        _profile(dict(zip(names, row, strict=False)), units) for row in rows[head + 2 :] if len(row) == len(names)
    ]
    if len(launches) < 2:
        raise NotProfiled(f"the profiler saw no kernel of the candidate: {_why(table + said)}")
    return launches[1:]


def _why(text: str) -> str:
    """The last line that speaks of an error, or the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith('"')]
    errors = [line for line in lines if re.search(r"error|==WARNING==|cannot|Exception", line, re.IGNORECASE)]
    return (errors or lines or ["it said nothing"])[-1][:300]


def _profile(row: Mapping[str, str], units: Mapping[str, str]) -> KernelProfile:
    figures = {field: _first(row, names) for field, names in _COLUMNS.items()}
    stalls = {m[1]: v for name in row if (m := _STALL.fullmatch(name)) and (v := _number(row[name])) is not None}
    total = sum(stalls.values())
    worst = max((name for name in stalls if name not in _ISSUES), key=lambda name: stalls[name], default="")
    duration = _number(row.get(_DURATION, ""))
    return KernelProfile(
        kernel=row["Kernel Name"][:120],
        seconds=duration * _SECONDS.get(units.get(_DURATION, ""), 1e-9) if duration is not None else None,
        stall=worst.replace("_", " "),
        stall_percent=100 * stalls[worst] / total if worst and total else None,
        **figures,
    )


def _first(row: Mapping[str, str], names: Iterable[str]) -> float | None:
    return next((value for name in names if (value := _number(row.get(name, ""))) is not None), None)


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _longest(launches: list[KernelProfile]) -> tuple[KernelProfile, ...]:
    """The longest launch of each kernel, at most `MOST_KERNELS` of them."""
    ranked = sorted(launches, key=lambda one: -(one.seconds or 0.0))
    return tuple(
        {one.kernel: one for one in reversed(ranked)}[name] for name in dict.fromkeys(o.kernel for o in ranked)
    )[:MOST_KERNELS]
