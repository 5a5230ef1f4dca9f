"""Finding races of an interpreted kernel: its threads run in forward and in reverse order, and must agree.

Where somebody asks for the line, the kernel is built once more with its accesses watched, and called again.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from akgflow.toolchains.cuda_c.faults import Failure, failure

Named = Sequence[tuple[str, Any]]
WATCHED = ("-g1", "-fsanitize=thread", "-DCUDA_ON_CPU_WATCHED=1", "-O1")
"""Flags that come last. No library of the sanitizer's is linked: ``impl/watched.h`` has what GCC calls."""
SECONDS = 20.0
_PLACE = re.compile(r"(?P<file>[^/\s]+):(?P<line>\d+)(?: \(discriminator.*)?$")


def agree(name: str, arguments: tuple[Named, Named], results: tuple[Any, Any], tolerant: bool) -> None:
    """Raise RuntimeError where a call in forward and in reverse order left other values in its arguments or results."""
    import torch

    # Without torch's function modes the comparison itself calls the operators, as `trusted` says.
    with torch._C.DisableTorchFunction():
        for (what, one), (_, two) in zip(*arguments, strict=True):
            compare(name, what, one, two, tolerant)
        for place, (one, two) in enumerate(zip(*map(_tensors, results), strict=True), start=1):
            compare(name, f"result {place}", one, two, tolerant)


def _tensors(result: Any) -> Iterator[Any]:
    if isinstance(result, list | tuple):
        for one in result:
            yield from _tensors(one)
    elif hasattr(result, "data_ptr"):
        yield result


def compare(name: str, what: str, one: Any, other: Any, tolerant: bool) -> None:
    """Raise where forward and reverse order gave different values; atomics on floats may differ by rounding."""
    import torch

    one, other = one.detach(), other.detach()
    if one.shape != other.shape:
        raise failure(
            Failure.KERNEL, f"{name}: threads race: {what} has shape {list(one.shape)} or {list(other.shape)}"
        )
    same = (one == other) | ((one != one) & (other != other))
    if tolerant and one.is_floating_point():
        scale = one.double().nan_to_num(0.0, 0.0, 0.0).abs().max() if one.numel() else torch.zeros(())
        same |= (one.double() - other.double()).abs() <= 1e-4 * scale
    if bool(same.all()):
        return
    wrong = (~same).nonzero()
    at = tuple(int(i) for i in wrong[0])
    raise failure(
        Failure.KERNEL,
        f"{name}: threads race. Run in forward and in reverse order they leave different values in {len(wrong)} of "
        f"{one.numel()} elements of {what}, first at {list(at)}: {one[at].item():g}, {other[at].item():g}; "
        "a __syncthreads or __syncwarp is missing, two threads write one element, or a variable of the "
        "kernel's own keeps a value from one call to the next",
    )


def lines_of(library: ctypes.CDLL, path: Path, call: Callable[[], object], files: Collection[str]) -> list[int]:
    """The candidate's lines of the first fault in ``call``; none where they are not known.

    ``path`` is the watched ``library``, ``files`` are the names of the candidate's own.
    """
    with contextlib.suppress(RuntimeError):
        call()
    found = (ctypes.c_size_t * 2)()
    library.cuda_on_cpu_watched(found)
    lines = (_line(path, offset - 1, files) for offset in found if offset)
    return list(dict.fromkeys(line for line in lines if line is not None))


def _line(path: Path, offset: int, files: Collection[str]) -> int | None:
    """The innermost line of the candidate's that the instruction at ``offset`` was made from."""
    tool = shutil.which("addr2line")
    if tool is None:
        return None
    command = [tool, "-i", "-e", str(path), hex(offset)]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        for row in done.stdout.split("\n"):
            place = _PLACE.search(row)
            if place is not None and place["file"] in files and int(place["line"]):
                return int(place["line"])
    return None
