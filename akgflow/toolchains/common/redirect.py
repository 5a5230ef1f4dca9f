"""Host code that says ``device='cuda'`` runs on a machine without one: its tensors go to ``cpu`` or ``meta``."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

from akgflow.config.types import Target
from akgflow.toolchains.common import architecture, torch_cuda
from akgflow.toolchains.common.patching import Changes, patched

_GPU_DEVICE = re.compile(r"(cuda|hip|npu)(:\d+)?")
_GPU_KEYS = {"CUDA": "CPU", "AutogradCUDA": "AutogradCPU", "PrivateUse1": "CPU"}
"""Dispatch keys under which libraries register kernels for a GPU's tensors."""
_READ_AS_NUMBERS = ("item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__", "__array__")
_READ_FOR_SHAPES = ("nonzero", "argwhere", "unique", "unique_consecutive", "masked_select", "bincount")
_READ_FOR_BOTH = ("repeat_interleave", "equal", "allclose", "is_nonzero", "__contains__")
_READS = frozenset((*_READ_AS_NUMBERS, *_READ_FOR_SHAPES, *_READ_FOR_BOTH))
"""Functions whose result, or its shape, is a value that tensors hold."""


class Known:
    """Storages whose addresses host code has asked for; kernels may find those addresses in tables."""

    def __init__(self) -> None:
        self._storages: dict[int, Any] = {}

    def note(self, tensor: Any) -> None:
        """Remember a tensor's storage for as long as it lives."""
        from torch.multiprocessing.reductions import StorageWeakRef

        storage = tensor.untyped_storage()
        self._storages[storage.data_ptr()] = StorageWeakRef(storage), storage.nbytes()

    def addresses(self) -> Sequence[tuple[int, int]]:
        """First address and bytes of each that still lives."""
        self._storages = {at: one for at, one in self._storages.items() if not one[0].expired()}
        return [(at, size) for at, (_, size) in self._storages.items()]


def _asked_by_akgflow(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("akgflow.")


def _mode(device: str, pretend: bool, on_read: Callable[[], None], known: Known) -> Any:
    """A torch function mode that sends GPU devices to ``device``.

    With ``pretend``, tensors there also say that they are on a GPU (``is_cuda``, ``device``), as they would on the
    target: candidates may ask.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    is_cuda = torch.Tensor.is_cuda.__get__
    device_of = torch.Tensor.device.__get__
    gpu = torch.device("cuda", 0)
    real = torch.device(device)
    asks = {is_cuda: True, device_of: gpu, torch.Tensor.get_device: 0, torch.Tensor.is_cpu.__get__: False}

    def moved(value: Any) -> Any:
        if isinstance(value, torch.device):
            return real if value.type in ("cuda", "hip") else value
        if isinstance(value, str) and _GPU_DEVICE.fullmatch(value):
            return real
        return value

    class Redirect(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            # akgflow's own code in this process checks where outputs really are: only other code gets the pretence.
            if pretend and func in asks and not _asked_by_akgflow(sys._getframe(1)):
                return asks[func] if device_of(args[0]).type == real.type else func(*args)
            name = getattr(func, "__name__", "")
            if name in _READS or (name == "__getitem__" and _picks(args)):
                on_read()
            elif name == "data_ptr" and real.type == "cpu":
                known.note(args[0])
            elif name == "cuda" and args and isinstance(args[0], torch.Tensor):
                return args[0].to(real)
            elif name == "pin_memory":
                return args[0]
            kwargs = dict(kwargs or {})
            if func is torch.device:
                return func(*args, **kwargs)
            kwargs.pop("pin_memory", None)
            if "device" in kwargs:
                kwargs["device"] = moved(kwargs["device"])
            return func(*(moved(value) for value in args), **kwargs)

    return Redirect()


def _picks(args: Any) -> bool:
    """True for ``tensor[mask]``, whose shape is a value."""
    import torch

    keys = args[1] if len(args) > 1 and isinstance(args[1], tuple) else args[1:2]
    return any(isinstance(key, torch.Tensor) and key.dtype in (torch.bool, torch.uint8) for key in keys)


def _registrations(device: str) -> Changes:
    """Operators that are registered for a GPU's tensors are registered for those here."""
    import torch

    original, custom = torch.library.Library.impl, torch.library.custom_op
    kernel = torch.library.register_kernel

    def impl(self: Any, name: Any, function: Any, dispatch_key: str = "", **more: Any) -> Any:
        # PyTorch's own modules register for each device by itself.
        own = str(sys._getframe(1).f_globals.get("__name__", "")).startswith("torch.")
        key = dispatch_key if own else _GPU_KEYS.get(dispatch_key, dispatch_key)
        return original(self, name, function, key, **more)

    def here(types: Any) -> Any:
        if types is None:
            return None
        names = [types] if isinstance(types, str) else list(types)
        return [device if _GPU_DEVICE.fullmatch(name) else name for name in names]

    def custom_op(*args: Any, device_types: Any = None, **more: Any) -> Any:
        return custom(*args, device_types=here(device_types), **more)

    def register_kernel(op: Any, device_types: Any, *args: Any, **more: Any) -> Any:
        return kernel(op, here(device_types), *args, **more)

    return [
        (torch.library.Library, "impl", impl),
        (torch.library, "custom_op", custom_op),
        (torch.library, "register_kernel", register_kernel),
    ]


def _no_values() -> None:
    """Nothing has to be done before a value is read."""


@contextlib.contextmanager
def redirected(
    target: Target, device: str, on_read: Callable[[], None] = _no_values, graphs: bool | None = None
) -> Iterator[Known]:
    """GPU devices mean ``device``; torch answers as on the target, or on some GPU where that is no GPU.

    ``on_read`` is called before host code looks at a value of a tensor. ``graphs`` tells whether CUDA graphs may be
    captured and do nothing; without values they may. Only this process is changed, for the time of the block. Gives
    what host code asked the addresses of.
    """
    target = architecture.acting_as(target) if target.on_host else target
    on_gpu, known = target.platform in ("cuda", "hip"), Known()
    graphs = device == "meta" if graphs is None else graphs
    changes = [*torch_cuda.changes(target, device, graphs), *_registrations(device)] if on_gpu else []
    with patched(*changes), _mode(device, on_gpu, on_read, known):
        yield known
