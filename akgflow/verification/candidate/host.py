"""Runs in the candidate's process: loads the candidate, and calls it when the judge asks.

Nothing that happens here decides anything. The candidate shares this process and may change all of it; the judge
looks only at the bytes in memory that both see, and at its own clock. So what is said here about shapes, exceptions or
parameter names helps to repair the candidate, and never counts in its favour.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from akgflow.operators.arguments import in_mode, invoke
from akgflow.operators.importer import Importer
from akgflow.operators.text import parts_of
from akgflow.terms import Evidence
from akgflow.toolchains.base import Unsupported
from akgflow.toolchains.common import faults
from akgflow.verification import sandbox
from akgflow.verification.candidate import dispatch_guard, preparing, stream_order
from akgflow.verification.candidate.failed_calls import Invalid, failure_of
from akgflow.verification.candidate.fault_recorder import FaultRecorder
from akgflow.verification.candidate.timed_calls import Answerer
from akgflow.verification.shared import dtypes, library_traps, memory, protocol, trusted_io
from akgflow.verification.shared.channel import Channel, ChannelClosed
from akgflow.verification.shared.gradients import Differentiated, Wanted
from akgflow.verification.shared.op_policy import reader
from akgflow.verification.shared.protocol import Answered, Called, Done, Failure, Opened, Reply

MAX_HELD_BYTES = 64 << 20
"""An answer larger than this is not kept to see whether the next one overwrites it."""
BASELINE = "Model"
"""The class that is loaded of an operator, in the place of a candidate's."""


class Host:
    """The state of one candidate process: a module, a model, and the memory shared with the judge."""

    def __init__(self, scratch: Path, io: trusted_io.TrustedIO) -> None:
        self.scratch, self.io = scratch, io
        self.stack = contextlib.ExitStack()
        self.device = "cpu"
        self.tf32: tuple[bool, ...] = (False, False)
        self.order = stream_order.bind(None)
        self.module: ModuleType | None = None
        self.entry = "ModelNew"
        self.model: Any = None
        self.called: Any = None
        """What is called with inputs: the model, or it and its gradients."""
        self.regions: dict[str, memory.Region] = {}
        self.session: Any = None
        self.stands_in = False
        """Whether something stands in for a device, which host code believes to run on."""
        self.fds: list[int] = []
        self.answerer: Answerer | None = None
        self.hooks: library_traps.FunctionHooks | None = None
        self.state: dict[str, torch.Tensor] = {}
        self.shared: set[int] = set()
        self.last: list[torch.Tensor] = []
        self.faults = FaultRecorder()
        self.refused: Callable[[], str | None] = lambda: None
        self.count_too: Callable[[Sequence[str]], None] = lambda groups: None  # noqa: ARG005

    # Each method below answers one request; its name is the request's ``op``.

    def open(self, request: protocol.Open) -> Opened:
        """Prepare the process: the toolchain's session, and what binds the framework."""
        from akgflow import toolchains

        os.environ[toolchains.PREPARED] = os.pathsep.join(request.prepared)
        session = toolchains.get(request.toolchain).session(request.evidence, request.target, self.scratch)
        self.session = self.stack.enter_context(session)
        if request.records:
            self.session.record(Path(request.records))
        self._on(self.session.device)
        # What is only compiled may be as large as on the target: memory that nobody touches takes none.
        sandbox.poison_allocations(request.evidence in (Evidence.EXECUTED, Evidence.INTERPRETED))
        self.stands_in = request.evidence is not Evidence.EXECUTED
        self.tf32 = tuple(request.tf32)
        if request.guarded:
            trusted = getattr(self.session, "trusted", ())
            self.refused, self.count_too = dispatch_guard.install(reader(self.fds.pop(0)), self.device, trusted)
            self.hooks = library_traps.FunctionHooks(self.fds.pop(0)) if self.fds else None
        return Opened(self.device)

    def open_baseline(self, request: protocol.OpenBaseline) -> Opened:
        """A bare device, for a trusted baseline."""
        self.tf32 = tuple(request.tf32)
        self._on(request.device)
        return Opened(self.device)

    def _on(self, device: str) -> None:
        """Work on a device from now on; nothing of the candidate's has been loaded yet."""
        self.device = device
        self.order = stream_order.bind(stream_order.cuda_queue() if device == "cuda" else None)

    def load(self, request: protocol.Load) -> Done:
        """Import the module; it must define the entry class."""
        path = Path(request.path)
        as_file = Path(request.as_file or path)
        sys.path.insert(0, str(as_file.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        self.module = importlib.util.module_from_spec(spec)
        self.module.__file__ = str(as_file)
        sys.modules[path.stem] = self.module
        if beside := parts_of(path.read_text(encoding="utf-8")).beside:
            Importer(path.stem, str(as_file.parent), beside).install(self.module)
        spec.loader.exec_module(self.module)
        self.entry = request.entry
        if not isinstance(getattr(self.module, self.entry, None), type):
            defined = [n for n, v in vars(self.module).items() if isinstance(v, type) and v.__module__ == path.stem]
            raise Invalid(f"the module defines no class {self.entry} (it defines {', '.join(defined) or 'no class'})")
        return Done()

    def build(self, request: protocol.Build) -> Done:
        """Construct the model and put the judge's parameters into it by name."""
        if self.hooks is not None:
            self.hooks.remove()
        init = self._attach("init", request.init_region)
        arguments = memory.rebuild(request.init, init)
        self.count_too(request.moves)
        # Behind the import: an operator's own settings would change what it is compared with.
        dtypes.use_tf32(*self.tf32)
        make = getattr(self.module, self.entry)
        # What a constructor draws and keeps in no buffer, such as a first state, is then what the reference has.
        random.seed(request.seed)
        torch.manual_seed(request.seed)
        try:
            model = make(*arguments["args"], **arguments["kwargs"])
        except TypeError as error:
            if _raised_by_the_call(error):
                raise Invalid(f"{self.entry} does not take the constructor arguments of Model: {error}") from None
            raise
        if not isinstance(model, torch.nn.Module):
            raise Invalid(f"{self.entry} is not a torch.nn.Module")
        self.model = in_mode(model, request.mode)
        state = memory.rebuild(request.state, self._attach("state", request.state_region))
        self.state, self.shared = state, memory.storages(state)
        load_state(model, state, self.device, request.stand_in)
        strict = self.entry != BASELINE
        self.called = model if request.wanted is None else Differentiated(model, Wanted(**request.wanted), strict)
        return Done()

    def prepare(self, request: protocol.Prepare) -> Done:  # noqa: ARG002
        """Have the model prepare for the weights that are in place."""
        if self.hooks is not None:
            self.hooks.install()
        self._tell(())
        preparing.prepare(self.model, self.state)
        self.order.wait_for_device()
        self._require_supported()
        return Done()

    def call(self, request: protocol.Call) -> Called:
        """Call the model once; outputs whose type and shape fit are copied to the judge's memory."""
        region = self._attach("inputs", request.region)
        out = self._attach("outputs", request.out_region)
        inputs = memory.rebuild(request.inputs, region, request.base)
        describe_result, copy_out, order = self.io.describe_result, self.io.copy_out, self.order
        self._put_between(request)
        resume, handed = order.resume, list(memory.tensors(inputs))
        changed = [*(handed[i] for i in request.changes), *(self.state[name] for name in request.moves)]
        given = memory.storages(handed) | self.shared
        places = [_out_view(out, spec) for spec in request.outs] if out is not None else []
        self._poison(request.outs)
        if self.hooks is not None:
            self.hooks.install()
        order.begin(region.bytes if region is not None else None)
        with torch.no_grad():
            result = self._invoke(inputs)
            resume()
            described, found = describe_result(result, given)
            for place, tensor in zip(places, found, strict=False):
                copy_out(place, tensor)
                self.io.copy_margins(place, tensor)
        _hand_back(self.model, self.state)
        order.keep(changed)
        order.finish()
        late = self.device == "cuda" and stream_order.came_late(places, found)
        return Called(described, self._kernels(), self._reuses(found, given), late)

    def _invoke(self, inputs: Any) -> Any:
        """Call the model, through the session where that defines how."""
        self._tell(inputs)
        call = getattr(self.session, "call", None)
        result = call(self.called, inputs) if call is not None else invoke(self.called, inputs)
        self._require_supported()
        return result

    def _tell(self, inputs: Any) -> None:
        """Let the session know which memory is the judge's, where it wants to."""
        tell = getattr(self.session, "given", None)
        if tell is not None:
            found = [*memory.tensors(inputs), *self.state.values()]
            tell([(t.data_ptr(), memory.span(t) * t.element_size()) for t in found if t.device.type == "cpu"])

    def _require_supported(self) -> None:
        """Raise `Unsupported` where what stands in for a device could not go on."""
        absent = getattr(self.session, "absent", None)
        if absent is not None:
            raise Unsupported(absent)

    def _put_between(self, request: protocol.Call) -> None:
        """Have the model called with other inputs between forward and backward, where that is asked for."""
        if isinstance(self.called, Differentiated):
            region = self._attach("between", request.between_region)
            self.called.between = None if request.between is None else memory.rebuild(request.between, region)[:-1]

    def _reuses(self, found: list[torch.Tensor], given: set[int]) -> bool:
        """True when an answer, other than a ``given`` tensor, shares memory with the one before, still held."""
        found = [t for t in found if t.device.type != "meta" and t.numel()]
        again = bool((memory.storages(found) & memory.storages(self.last)) - given)
        self.last = found if sum(t.untyped_storage().nbytes() for t in found) <= MAX_HELD_BYTES else []
        return again

    def attributed(self, error: BaseException) -> BaseException:
        """The error, or in its place the reason why what stands in for a device could not go on."""
        absent = getattr(self.session, "absent", None)
        reason = absent or (faults.of_the_stand_in(error) if self.stands_in else None)
        return Unsupported(reason) if reason is not None else error

    def silence(self, request: protocol.Silence) -> Done:  # noqa: ARG002
        """Let no kernel of the DSL do anything from now on. Raises `RuntimeError` where that cannot be done."""
        if not self.session.silence():
            raise RuntimeError("no kernel of the DSL was found that could be silenced")
        return Done()

    def ping(self, request: protocol.Ping) -> Done:  # noqa: ARG002
        """Answer, and nothing else."""
        return Done()

    def optimize(self, request: protocol.Optimize) -> Done:
        """Put `torch.compile`'s form of the model in its place, and build it for these inputs."""
        inputs = memory.rebuild(request.inputs, self._attach("inputs", request.region))
        compiled = torch.compile(self.model, dynamic=False)
        if isinstance(self.called, Differentiated):
            self.called.forward = compiled
        else:
            self.called = compiled
        with torch.no_grad():
            invoke(self.called, inputs)
        self.order.wait_for_device()
        return Done()

    def prepare_windows(self, request: protocol.PrepareWindows) -> Done:
        """Make the views of all slots once, before any window is timed."""
        sandbox.poison_allocations(False)
        self.last = []
        if self.hooks is not None:
            self.hooks.install()
        region = self._attach("inputs", request.region)
        assert region is not None
        out = self._attach("outputs", request.out_region)
        self.answerer = Answerer(request, region, out, self.device, self.order)
        return Done()

    def release(self, request: protocol.Release) -> Done:  # noqa: ARG002
        """Let go of the last window's answers."""
        assert self.answerer is not None, "the judge prepares windows before it asks for one"
        self.answerer.release()
        return Done()

    def warm_up(self, request: protocol.WarmUp) -> Done:
        """Work as in a window, unmeasured: a process that was stopped finds its core and its caches cold."""
        assert self.answerer is not None, "the judge prepares windows before it asks for one"
        return self.answerer.warm_up(self.called, request)

    def window(self, request: protocol.Window) -> Answered:
        """Answer the slots of a window, or say once more where the last answers are."""
        assert self.answerer is not None, "the judge prepares windows before it asks for one"
        return self.answerer.again() if request.again else self.answerer.window(self.called, request)

    def idle(self, request: protocol.Idle) -> Done:  # noqa: ARG002
        """Wait for the device; a window waits for one stream of it."""
        self.order.wait_for_device()
        return Done()

    def _attach(self, name: str, handle: protocol.Handle) -> memory.Region | None:
        """The region of that name; a new handle replaces it, ``"same"`` keeps it, None means no memory (meta)."""
        if handle is None:
            return None
        if not isinstance(handle, str):
            region = memory.attach(handle, self.fds.pop(0) if handle["kind"] == "host" else None)
            self.regions[name] = region
            if handle.get("holes"):
                self.faults.record_in(region.bytes)
        return self.regions[name]

    def _poison(self, outs: Sequence[Mapping[str, Any]]) -> None:
        """Leave recognisable bytes in memory that the model's own allocations are likely to get."""
        if self.device != "cuda":
            return
        for spec in outs:
            dtype = memory.dtype_of(spec["dtype"])
            size = dtype.itemsize
            for n in spec["shape"]:
                size *= n
            torch.full((size,), sandbox.POISON, dtype=torch.uint8, device="cuda")

    def _kernels(self) -> list[str]:
        return [str(name)[:200] for name in self.session.kernels()][:50] if self.session is not None else []


def _raised_by_the_call(error: TypeError) -> bool:
    """True when the constructor was never entered: its signature did not fit."""
    trace = error.__traceback__
    return trace is not None and trace.tb_next is None


_PLAIN = (torch.nn.Parameter, torch.Tensor)
_set_data, _require_grad = torch._C.TensorBase.data.__set__, torch._C.TensorBase.requires_grad_


def load_state(model: Any, state: dict[str, torch.Tensor], device: str, stand_in: bool) -> None:
    """Give the model the judge's parameters, as views of the shared memory, so that changes to them are seen."""
    if stand_in and hasattr(model, "set_state"):
        # What stands for a source kernel declares no parameters: it takes all of them, under whatever names.
        model.set_state(state)
        return
    own = model.state_dict(keep_vars=True)
    want, have = {n: list(t.shape) for n, t in state.items()}, {n: list(t.shape) for n, t in own.items()}
    if want != have:
        raise Invalid(
            "parameter names or shapes differ from Model's: "
            f"expected {_listing(want)}; got {_listing(have)}. ModelNew must create parameters of the same names and "
            "shapes as Model; other tensors belong in non-persistent buffers"
        )
    strange = sorted(name for name, tensor in own.items() if type(tensor) not in _PLAIN)
    if strange:
        raise Invalid(f"parameters must be exactly nn.Parameter, and these are of a subclass: {', '.join(strange)}")
    model.to(device=device)
    kinds = {tensor.dtype for tensor in state.values() if tensor.dtype in dtypes.COMPUTED}
    if len(kinds) == 1:
        # Buffers that are no part of the state follow the parameters, as they do in the operator.
        (common,) = kinds
        model._apply(lambda tensor: tensor.to(common) if tensor.dtype in dtypes.COMPUTED else tensor)
    own = model.state_dict(keep_vars=True)
    for name, tensor in state.items():
        # By C functions: a setter of the candidate's own could compute with the weights while nothing is counted.
        with torch._C.DisableTorchFunctionSubclass():
            _set_data(own[name], tensor)
            _require_grad(own[name], False)


def _hand_back(model: Any, state: dict[str, torch.Tensor]) -> None:
    """Copy buffers that the call replaced by new tensors back into the judge's memory."""
    for name, buffer in model.named_buffers():
        place = state.get(name)
        if place is not None and buffer is not place and buffer.data_ptr() != place.data_ptr():
            place.copy_(buffer)
            buffer.data = place


def _listing(shapes: dict[str, list[int]]) -> str:
    return "{" + ", ".join(f"{name}: {shape}" for name, shape in sorted(shapes.items())) + "}"


def _out_view(region: memory.Region, spec: Mapping[str, Any], base: int = 0) -> torch.Tensor:
    shape = tuple(spec["shape"])
    stride = tuple(torch.empty(shape, device="meta").stride())
    return memory.view(region, shape, stride, memory.dtype_of(spec["dtype"]), spec["offset"] + base)


def serve(channel: Channel, scratch: Path, threads: int) -> None:
    """Answer the judge's requests until it closes the channel."""
    torch.set_num_threads(threads)
    sandbox.poison_allocations(True)
    io = trusted_io.bind(channel.end)
    host, send = Host(scratch, io), io.send
    operations = {op: getattr(host, op) for op in protocol.REQUESTS}
    while True:
        try:
            message, host.fds = channel.receive_with_fds(4)
        except ChannelClosed:
            return
        number, request = protocol.request_in(message)
        reply: Reply | Failure
        try:
            host.refused()
            reply = operations[request.op](request)
        except BaseException as error:
            reply = failure_of(host.attributed(error), scratch, host.refused())
        try:
            send(number, vars(reply))
        except (ValueError, RecursionError) as error:
            send(number, vars(failure_of(error, scratch, None)))
