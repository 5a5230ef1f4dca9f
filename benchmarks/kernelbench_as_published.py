"""KernelBench as it is published: is each reference, as its own candidate, judged at its own sizes?

    python benchmarks/kernelbench_as_published.py FOLDER [--device cpu|cuda] [--memory 8G] [--limit 20] [--only TEXT]
                                                  [--device-memory 24G] [--precision tf32] [--json FILE]

FOLDER holds the published files, as in ``KernelBench/level1``, or folders of them; nothing is fetched. Each file is
judged by a judge of its own, with the framework allowed: the operator is right by definition, and takes the same time
as itself. One line for each says the status, wall and CPU seconds, the most memory of host and device, and what the
timing called it. ``--memory`` is a limit for all processes of a judgement: a control group's where one can be made
below this process's own, else the judge's own (``Limits.judgement_bytes``), and then what the processes took is held
against it. ``--device-memory`` leaves so much of the GPU's memory free, and holds the rest. ``--only`` takes parts of
file names, divided by commas. ``--precision`` is what both sides may lose (`akgflow.precision`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import functools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
POLL_SECONDS = 0.2


def size(text: str) -> int:
    """``8G`` in bytes."""
    match = re.fullmatch(r"([0-9.]+)([KMG]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: 8G, 500M, or bytes")
    return int(float(match[1]) * UNITS[match[2]])


def one(file: Path, device: str, most: int | None, precision: str) -> dict[str, Any]:
    """Judge one file in this process's executor."""
    from akgflow.config.types import Target
    from akgflow.executors.once import temporary_executor
    from akgflow.machine import detect
    from akgflow.precision import Precision
    from akgflow.terms import Evidence
    from akgflow.verdict import JudgeRequest, Limits

    machine = detect()
    target = Target("cpu", "cpu", "native")
    if device == "cuda":
        found = machine.devices[0]
        target = Target("gpu", found.platform, found.arch, device=found.name)
    text = file.read_text("utf-8")
    request = JudgeRequest(
        f"{text}\n\nclass ModelNew(Model):\n    pass\n",
        str(file),
        text,
        "framework",
        target,
        (Evidence.EXECUTED,),
        framework="allow",
        precision=Precision.of(precision),
        limits=Limits(judgement_bytes=most),
    )

    async def judged() -> Any:
        async with temporary_executor(machine) as executor:
            return await executor.judge(request)

    try:
        verdict = asyncio.run(judged())
    except Exception as error:
        return {"status": type(error).__name__, "message": str(error)}
    timing = [f"{one.call} ({one.speedup:.3f}, {one.seconds * 1e3:.3g} ms)" for one in verdict.timing]
    return {
        "status": str(verdict.status),
        "message": verdict.message,
        "timing": timing[0] if timing else f"no time: {verdict.absent.get('timing', 'not asked for')}",
        "warnings": list(verdict.warnings),
    }


@contextlib.contextmanager
def group(most: int | None) -> Iterator[Path | None]:
    """A control group below this process's own with the limit; None where none can be made or none is wanted."""
    made = None
    if most is not None:
        with contextlib.suppress(OSError, StopIteration):
            made = _make_group(most)
    try:
        yield made
    finally:
        if made is not None:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    made.rmdir()
                    break
                time.sleep(0.1)


def _make_group(most: int) -> Path:
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines()]
    old = next((path for _, names, path in lines if "memory" in names.split(",")), None)
    root = Path("/sys/fs/cgroup/memory" if old is not None else "/sys/fs/cgroup")
    own = old if old is not None else next(path for number, _, path in lines if number == "0")
    made = root / own.lstrip("/") / f"akgflow-{os.getpid()}-{time.monotonic_ns()}"
    made.mkdir()
    try:
        (made / ("memory.limit_in_bytes" if old is not None else "memory.max")).write_text(str(most), "ascii")
    except OSError:
        made.rmdir()
        raise
    return made


class Watch(threading.Thread):
    """The most memory that a process and its descendants take, and the most that is used of the device."""

    def __init__(self, pid: int, group: Path | None, on_gpu: bool) -> None:
        super().__init__(daemon=True)
        self.pid, self.group, self.on_gpu = pid, group, on_gpu
        self.host = self.device = 0
        self.seconds: dict[int, float] = {}
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(POLL_SECONDS):
            self.host = max(self.host, self._host())
            self._count_seconds()
            self.device = max(self.device, _device() if self.on_gpu else 0)

    def _count_seconds(self) -> None:
        """Processor seconds of each process: those of a candidate are in nobody's account when it is ended."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            for each in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    spent = each.cpu_times()
                    self.seconds[each.pid] = spent.user + spent.system

    def _host(self) -> int:
        if self.group is not None:
            with contextlib.suppress(OSError, StopIteration):
                return next(
                    int((self.group / name).read_text("ascii"))
                    for name in ("memory.max_usage_in_bytes", "memory.peak", "memory.current")
                    if (self.group / name).exists()
                )
        total = 0
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            for each in (process, *process.children(recursive=True)):
                # Pages that several processes see count once.
                with contextlib.suppress(OSError):
                    text = Path(f"/proc/{each.pid}/smaps_rollup").read_text("ascii")
                    total += sum(int(found) << 10 for found in re.findall(r"^Pss:\s+(\d+) kB$", text, re.M))
        return total


@functools.cache
def _nvml() -> ctypes.CDLL:
    library = ctypes.CDLL("libnvidia-ml.so.1")
    library.nvmlInit_v2()
    return library


def _device() -> int:
    """Bytes of the first GPU's memory that are used; 0 where nothing says so."""
    handle, memory = ctypes.c_void_p(), (ctypes.c_ulonglong * 3)()
    with contextlib.suppress(OSError):
        _nvml().nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle))
        if _nvml().nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0:
            return memory[2]
    return 0


def ballast(most: int) -> object:
    """Device memory that leaves ``most`` bytes of the GPU free, as long as what is given is kept."""
    import torch

    torch.cuda.init()
    free, _ = torch.cuda.mem_get_info()
    return torch.empty(max(free - most, 0), dtype=torch.uint8, device="cuda")


def judged(file: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Judge one file in a process of its own, below the limit."""
    started = time.monotonic()
    with group(options.memory) as limited:
        command = [sys.executable, __file__, str(file), "--device", options.device, "--one"]
        command += ["--precision", options.precision]
        command += ["--memory", str(options.memory)] if options.memory is not None else []

        def enter() -> None:
            if limited is not None:
                (limited / "cgroup.procs").write_text(str(os.getpid()), "ascii")

        process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=enter)
        watch = Watch(process.pid, limited, options.device == "cuda")
        before = _device() if watch.on_gpu else 0
        watch.start()
        assert process.stdout is not None
        lines = process.stdout.read().decode().splitlines()
        _, status, _ = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.stopped.set()
        watch.join()
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {"status": f"ended with {process.returncode}"}
    found |= {
        "file": file.name,
        "seconds": time.monotonic() - started,
        "cpu_seconds": sum(watch.seconds.values()),
        "host_bytes": watch.host,
        "device_bytes": max(watch.device - before, 0),
        "within": options.memory is None or watch.host <= options.memory,
        "limit_by": "group" if limited is not None else "judge",
    }
    return found


def show(found: dict[str, Any]) -> None:
    """One line, and one more with the reason where it was not judged."""
    line = f"{found['file'][:44]:44} {found['status']:20} {found['seconds']:6.1f} s {found['cpu_seconds']:6.1f} s CPU "
    line += f"{found['host_bytes'] / (1 << 30):5.1f} GiB"
    line += f" {found['device_bytes'] / (1 << 30):5.1f} GiB" if found["device_bytes"] else ""
    line += "" if found["within"] else "  PAST THE LIMIT"
    print(f"{line}  {found.get('timing', '')}", flush=True)
    if found["status"] != "PASSED":
        print(f"    {found.get('message', '')}", flush=True)
    for warning in found.get("warnings", ()):
        if "the task allows the framework" not in warning:
            print(f"    warning: {warning}", flush=True)


def main() -> None:
    """Judge the files and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--memory", type=size, help="the most that a judgement may take of the host: 8G, or bytes")
    parser.add_argument("--device-memory", type=size, help="what to leave free of the GPU's memory")
    parser.add_argument("--limit", type=int, default=10_000, help="files to judge at most")
    parser.add_argument("--only", default="", help="only files whose path has one of these in it: A,B")
    parser.add_argument("--precision", default="framework", help="framework, strict, tf32 or compute=bf16")
    parser.add_argument("--json", type=Path, help="write what was found to this file")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.folder, options.device, options.memory, options.precision)))
        return
    wanted = options.only.split(",")
    files = [file for file in sorted(options.folder.rglob("*.py")) if any(part in str(file) for part in wanted)]
    results = []
    held = ballast(options.device_memory) if options.device_memory is not None else None
    for file in files[: options.limit]:
        results.append(judged(file, options))
        show(results[-1])
        if options.json:
            options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    del held
    print(dict(Counter(found["status"] for found in results)))


if __name__ == "__main__":
    main()
