"""What judging a case takes of memory and time, held against what is there, before anything of its size is allocated.

A case is judged *whole* where several sets of its inputs with their float64 answers fit, and float64 is quick. It is
judged *in slices* where they do not: one set of inputs at a time, with the framework's own answer at full size; float64
decides on slices. What does not fit even so is refused with the numbers. A share of the machine stays free, so that no
other process is pushed out; and the judge cannot allocate past its plan, so that the system never ends it.
"""

from __future__ import annotations

import contextlib
import gc
import math
import re
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import torch

from akgflow.base.pages import libc
from akgflow.base.text import named_values
from akgflow.config.types import Scalar
from akgflow.errors import causes, no_memory
from akgflow.operators.text import parts_of
from akgflow.terms import Evidence, Status
from akgflow.verdict import JudgeRequest
from akgflow.verification.judge.failures import CandidateFailed
from akgflow.verification.judge.resources.machine_pressure import memory_left, memory_total
from akgflow.verification.reference.distributions import most_others
from akgflow.verification.reference.operator import OperatorError, load, make_case
from akgflow.verification.reference.reference import Reference
from akgflow.verification.reference.sliced import LEAST_BYTES, Slicing
from akgflow.verification.reference.tracing.from_shapes.footprint import Footprint, footprint_of

FREE_SHARE = 0.1
"""Of a machine's memory, of a limit, or of what is free of a device: what a judgement leaves to others."""
PROCESS_BYTES, CONTEXT_BYTES = 192 << 20, 700 << 20
"""What a candidate's process takes before it holds a tensor: of the host, and of a GPU for its context."""
SETS = 4
"""Sets of inputs and answers that a judgement keeps, beside those of other distributions."""
MOST_SECONDS = 0.2
"""A float64 forward that takes longer is made on slices."""
MOST_WHOLE = {"cpu": 1 << 22, "cuda": 1 << 28}
"""Elements of inputs and outputs, for one core or for a GPU, above which float64 is made on slices: each set of inputs
takes a hundred passes over them."""
FLOPS = {"cpu": 5e9, "cuda": 5e12}
TOUCHED = {"cpu": 5e7, "cuda": 2e10}
"""Float64 operations, and elements of an element-wise operation, in a second: of one core, and of a GPU. Low on
purpose."""
OTHERS_SECONDS = 30.0
"""To wait for a device's memory: another judgement, or its timing, gives back what it has when it ends."""
MOST_TRIED = 40
"""Smaller cases that are looked at to find one that fits."""
_GIB = float(1 << 30)


class DoesNotFit(OperatorError):
    """A case takes more than there is; the text has the numbers."""


@dataclass(frozen=True)
class Room:
    """Bytes that a judgement may take: of the host, and of the device where that has memory of its own."""

    host: int
    device: int | None = None
    emptied: int | None = None
    """What there would be of the device if nobody else had any."""


@dataclass(frozen=True)
class Need:
    """Bytes that a judgement takes at its worst moment, of the host and of the device."""

    host: int
    device: int = 0

    def fits(self, room: Room) -> bool:
        """True where there is as much of both."""
        return self.host <= room.host and (room.device is None or self.device <= room.device)


@dataclass(frozen=True)
class Plan:
    """How a case is judged."""

    slicing: Slicing | None
    """One set of inputs at a time, and float64 on slices; None: whole."""
    candidate_bytes: int
    """What the candidate's process must be allowed."""
    elsewhere: int = 0
    """What of this machine's memory is in shared regions and in the candidate's process, and never for the judge."""
    called: int = 0
    """What the candidate's process takes beside that while it is called, when the judge computes nothing."""
    seconds: float = math.inf
    """That judging the case may take."""
    thrifty: bool = False
    """Whole, with as few forwards as there can be."""


def room(device: str, limit: int | None = None) -> Room:
    """What may be taken now; ``limit`` are bytes of the host that all of a judgement may have."""
    total, left = memory_total(), memory_left()
    if limit is not None:
        total, left = min(total, limit), min(left, limit - psutil.Process().memory_info().rss)
    host = max(0, left - int(FREE_SHARE * total))
    if device != "cuda":
        return Room(host)
    # What float64 blocks have left in the allocator is free for a candidate only once it is given back.
    torch.cuda.empty_cache()
    free, all_ = torch.cuda.mem_get_info()
    return Room(host, *(size - int(FREE_SHARE * size) for size in (free, all_)))


def plan(found: Footprint, device: str, cores: int, there: Room, runs: bool = True, gradients: bool = False) -> Plan:
    """The plan for a case whose tensors are on ``device``; raises `DoesNotFit`.

    What is only compiled (it never ``runs``) takes little: what nobody touches takes no memory. ``gradients`` are sums
    over all of a case, and are judged whole.
    """
    on_gpu = device == "cuda"
    everything, least = _whole(found, on_gpu, SETS + most_others(found.elements)), _sliced(found, on_gpu)
    seconds = _seconds(found, device, cores)
    few = found.elements <= MOST_WHOLE[device] * (cores if device == "cpu" else 1)
    if few and seconds <= MOST_SECONDS and everything.fits(there):
        return Plan(None, 0)
    least = _whole(found, on_gpu, 2) if gradients else least
    if runs and not least.fits(there):
        raise DoesNotFit(_refusal(least, there))
    most = there.device if on_gpu and there.device is not None else there.host
    spare = max(0, most - (least.device if on_gpu else least.host))
    kept = 1 + spare // 2 // max(1, found.inputs + found.outputs)
    whole = _whole(found, on_gpu, 2)
    no_whole = None if whole.fits(there) else partial(_refusal, whole, there)
    sizes = (LEAST_BYTES + spare // 2, kept, _candidate(found), _one_answer(found, on_gpu))
    slicing = Slicing(*sizes, no_whole, seconds, found.work)
    # Its address space also holds, for a moment, the memory of the inputs twice.
    taken = 2 * found.inputs + found.outputs + _candidate(found)
    limit = taken + taken // 4 + PROCESS_BYTES
    if gradients:
        return Plan(None, limit, thrifty=True)
    if on_gpu:
        return Plan(slicing, limit)
    return Plan(slicing, limit, found.inputs + found.outputs + found.state + PROCESS_BYTES, _candidate(found))


def _whole(found: Footprint, on_gpu: bool, sets: int) -> Need:
    """With everything in float64 at full size: each set's inputs, and its answers with their bounds."""
    kept = sets * (found.inputs + 5 * found.outputs)
    wide = 2 * _wide(found, on_gpu) + 12 * found.outputs
    tensors = kept + wide + 6 * found.state + 2 * found.inputs + 2 * found.outputs + _candidate(found)
    # The judge's context, and those of two processes of the candidate.
    return Need(3 * PROCESS_BYTES, tensors + 3 * CONTEXT_BYTES) if on_gpu else Need(tensors + 2 * PROCESS_BYTES)


def _wide(found: Footprint, on_gpu: bool) -> int:
    """One forward in float64: its inputs and all that it makes of them."""
    return 2 * found.inputs + 2 * found.between + (0 if on_gpu else found.columns)


def _one_answer(found: Footprint, on_gpu: bool) -> int:
    """A set of inputs, and what it takes to answer it in float64 at full size."""
    return found.inputs + _wide(found, on_gpu) + 12 * found.outputs


def _sliced(found: Footprint, on_gpu: bool) -> Need:
    """With one set of inputs, kept and shared, the framework's answer, and the candidate's, shared and its own."""
    answers = 3 * found.outputs if on_gpu else 2 * found.outputs
    tensors = 2 * found.inputs + answers + 5 * found.state + _candidate(found) + LEAST_BYTES
    return Need(2 * PROCESS_BYTES, tensors + 2 * CONTEXT_BYTES) if on_gpu else Need(tensors + 2 * PROCESS_BYTES)


def _candidate(found: Footprint) -> int:
    """What a candidate's process must hold by itself: results as the framework's, and its own parameters at first.

    Convolutions reorder what they are given, and their results.
    """
    reordered = found.inputs + found.outputs if found.columns else 0
    return found.between + found.state + reordered


def _seconds(found: Footprint, device: str, cores: int) -> float:
    """About how long one forward in float64 takes."""
    if found.work is None:
        return 0.0
    touched = sum(found.work.own.values())
    scale = cores if device == "cpu" else 1
    return ((found.work.total - touched) / FLOPS[device] + touched / TOUCHED[device]) / scale


def _refusal(need: Need, there: Room) -> str:
    parts = []
    if need.host > there.host:
        parts.append(f"{in_words(need.host)} of this machine's memory, and {in_words(there.host)} may be taken")
    if there.device is not None and need.device > there.device:
        parts.append(f"{in_words(need.device)} of the device's memory, and {in_words(there.device)} may be taken")
    return f"judging it takes at least {'; and '.join(parts)} ({FREE_SHARE:.0%} stay free)"


def in_words(size: int) -> str:
    """Bytes as a person reads them."""
    return f"{size / _GIB:.1f} GiB" if size >= 1 << 30 else f"{max(0, size) >> 20} MiB"


def planned(
    request: JudgeRequest, cases: Sequence[Mapping[str, Scalar]], evidence: Evidence, cores: int
) -> tuple[JudgeRequest, Sequence[Plan]]:
    """The plans for a request's cases, and the request with what its candidate must be allowed.

    Waits for memory of a device that others have. Raises `CandidateFailed` (not run) where a case does not fit.
    """
    on_gpu = evidence is Evidence.EXECUTED and not request.target.on_host
    runs = evidence in (Evidence.EXECUTED, Evidence.INTERPRETED)
    each = request.limits.judge_seconds / max(1, len(cases))

    def plans(there: Room) -> list[Plan]:
        return [replace(plan_case(request, keys, there, cores, runs), seconds=each) for keys in cases]

    until = time.monotonic() + OTHERS_SECONDS
    while True:
        there = room("cuda" if on_gpu else "cpu", request.limits.judgement_bytes)
        try:
            found = plans(there)
            break
        except CandidateFailed:
            if there.emptied is None or time.monotonic() > until:
                raise
            plans(Room(there.host, there.emptied))
            time.sleep(1.0)
    most = max(request.limits.memory_bytes, *(one.candidate_bytes for one in found))
    if runs:
        _leave(max(one.elsewhere for one in found))
    return replace(request, limits=replace(request.limits, memory_bytes=most)), found


@lru_cache(maxsize=64)
def _footprint(operator: str, file: str, dtype: str | None, keys: tuple[tuple[str, type, Scalar], ...]) -> Footprint:
    """The footprint of a case, which is the same for each candidate and each kind of evidence.

    The types are part of the key, since ``True`` equals 1.
    """
    return footprint_of(make_case(operator, file, {name: value for name, _, value in keys}, dtype, 0))


def plan_case(request: JudgeRequest, keys: Mapping[str, Scalar], there: Room, cores: int, runs: bool) -> Plan:
    """The plan for a case of a request, in ``there``; raises `CandidateFailed` (not run) where nothing fits.

    The reason names what it takes, what is there, and a smaller case that would fit.
    """
    device = "cpu" if there.device is None else "cuda"

    def planned(wanted: Mapping[str, Scalar]) -> Plan:
        keys = tuple((name, type(value), value) for name, value in sorted(wanted.items()))
        found = _footprint(request.operator, request.operator_file, request.dtype, keys)
        return plan(found, device, cores, there, runs, parts_of(request.operator).backward is not None)

    def hint(fits: Callable[[Plan], bool]) -> str:
        module = load(request.operator, request.operator_file)
        fitting = smaller(vars(module), keys, lambda wanted: fits(planned(wanted)))
        return f"; --case {fitting} would fit" if fitting else ""

    def with_hint(words: Callable[[], str]) -> str:
        return words() + hint(lambda one: one.slicing is None or one.slicing.no_whole is None)

    try:
        found = planned(keys)
        if found.slicing is None or found.slicing.no_whole is None:
            return found
        words = partial(with_hint, found.slicing.no_whole)
        return replace(found, slicing=found.slicing._replace(no_whole=words))
    except DoesNotFit as error:
        shown = named_values(keys) or "as published"
        raise CandidateFailed(Status.NOT_RUN, f"case {shown}: {error}{hint(lambda _: True)}") from None
    except OperatorError:
        # What is wrong with it is found out, and said, by those who judge with it.
        return Plan(None, 0)


def smaller(names: Mapping[str, Any], keys: Mapping[str, Scalar], fits: Callable[[Mapping[str, Scalar]], bool]) -> str:
    """A ``--case`` that fits, in which one number of the operator's module is smaller; empty where none is found.

    The batch comes first: it leaves an operator most like itself.
    """
    known = {**names, **keys}
    numbers = {name: one for name, one in known.items() if type(one) is int and one > 1 and not name.startswith("_")}
    order = sorted(numbers, key=lambda name: (not name.lower().startswith("batch"), -numbers[name]))
    tries = ((name, numbers[name] >> shift) for name in order for shift in range(1, numbers[name].bit_length()))
    for name, value in islice(tries, MOST_TRIED):
        with contextlib.suppress(OperatorError):
            if fits({**keys, name: value}):
                return ",".join(f"{key}={one}" for key, one in {**keys, name: value}.items())
    return ""


@contextlib.contextmanager
def bounded(on_host: bool, limit: int | None) -> Iterator[None]:
    """Let this process allocate no more than there is room for: what is past that fails here, before the system kills.

    Counted are private writable mappings (``RLIMIT_DATA``, Linux 4.7 and later); shared memory says by itself where
    there is none. A driver's mappings say nothing about memory, so where a device is used (not ``on_host``) this does
    nothing.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    now = _allocated()
    if now is None or not on_host or soft != resource.RLIM_INFINITY:
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (now + room("cpu", limit).host, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _allocated() -> int | None:
    """Bytes of this process's private writable mappings; None where the system does not say."""
    found = re.search(r"^VmData:\s+(\d+) kB$", Path("/proc/self/status").read_text("ascii"), re.M)
    return int(found[1]) << 10 if found is not None else None


def require_left(size: int) -> None:
    """Raise `CandidateFailed` (not run) where what this process keeps leaves less than ``size`` bytes to calls."""
    most, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if not size or most == resource.RLIM_INFINITY or (_allocated() or 0) + size <= most:
        return
    give_back()
    left = most - (_allocated() or 0)
    if left < size:
        why = f"a call takes {in_words(size)} of memory, and the judge's own work leaves {in_words(left)}"
        raise CandidateFailed(Status.NOT_RUN, f"{why}: give smaller cases")


def _leave(size: int) -> None:
    """Lower what `bounded` lets this process allocate by what others will take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if size and soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_DATA, (max(0, soft - size), hard))


def for_timing(reference: Reference, limit: int | None) -> int:
    """Bytes that a timing may take, of the device where its tensors are there, beside what checking answers takes."""
    reference.let_go()
    if reference.large:
        give_back()
    there = room(reference.device, limit)
    return (there.host if there.device is None else there.device) - reference.answer_bytes


def give_back() -> None:
    """Give memory that nothing uses back to the system: C's allocator keeps what is freed, and the collector waits."""
    # A failure keeps the frames that it came through, and they keep it.
    gc.collect()
    libc().malloc_trim(0)


def no_room(error: BaseException) -> str:
    """What to say where an allocation of this process failed, of the host or of a device; empty for other errors."""
    if not any(map(no_memory, causes(error))):
        return ""
    return f"the judge's own work does not fit into the memory that may be taken: give smaller cases ({error})"[:600]
