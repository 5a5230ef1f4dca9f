"""In a candidate's process the framework's kernels do not exist: what stands in their places is here.

`install` runs after the toolchain is prepared and before any of the candidate's code is read. It registers, in the
dispatcher itself, another kernel for every operator that computes: calls from Python, from C++ and from other threads
all end there. Contractions and other libraries' doors have no kernel any more. Operators that honest host code needs
for small things (the sum of partial results, a scale, a flag) are counted by the elements that they touch in a call.

Nothing that Python can reach leads to the kernels that were there before: they hang on objects that only the
dispatcher refers to and that the garbage collector does not list. Native code in this process can still find them.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any

import torch

from akgflow.verification.framework import operators
from akgflow.verification.framework.rules import Current

_GENERATORS = ("torch._inductor.compile_fx", "torch._inductor.graph")
"""What ``torch.compile`` makes kernels with: they would be the framework's, not the candidate's."""
_WATCHING = ("sys.setprofile", "sys.settrace", "sys.monitoring.register_callback")
_NUMBERS = (bool, int, float, complex)


class Fallback(RuntimeError):
    """The framework was asked to do what the DSL is for. A candidate may catch it and do the work itself."""


Refuse = Callable[[str], Fallback]


def install(
    current: Current, device: str, trusted: Sequence[CodeType] = ()
) -> tuple[Callable[[], str | None], Callable[[Sequence[str]], None]]:
    """Replace the kernels; ``device`` is the session's: ``cpu``, ``cuda`` or ``meta``.

    ``trusted`` are the code objects of a toolchain's own functions that compare or copy whole tensors. Gives a
    function that tells what was refused since it was last asked, and one that has more operators counted.
    """
    notes: list[str] = []

    def refuse(text: str) -> Fallback:
        notes.append(text)
        return Fallback(text)

    charge = _account(current, frozenset(trusted))
    backends = [key for key in ("CPU", {"cuda": "CUDA", "meta": "Meta"}.get(device)) if key]
    for backend in backends:
        _replace(backend, charge, current, refuse)
    others = operators.OTHER_KEYS + (operators.OTHER_CUDA_KEYS if device == "cuda" else ())
    for key in others:
        _register(key, {name: _absent(name, current, refuse) for name in _registered(key)})
    for key in ("CompositeExplicitAutograd", "CompositeImplicitAutograd"):
        _register(key, {name: _absent(name, current, refuse) for name in _registered(key) if _computes_itself(name)})
    _forbid_generators(refuse)
    _patch_initialisers()

    def told() -> str | None:
        text = notes[-1] if notes else None
        notes.clear()
        return text

    def also(groups: Sequence[str]) -> None:
        """Count operators that move elements: for an operator that is made of nothing else."""
        for backend in backends:
            names = [n for n in _registered(backend) if operators.base(n) in operators.MOVES]
            _register(backend, {n: _Counted(n, backend, charge, refuse) for n in names if operators.group(n) in groups})

    return told, also


def _registered(key: str) -> list[str]:
    return list(torch._C._dispatch_get_registrations_for_dispatch_key(key))


def _computes_itself(name: str) -> bool:
    """True for composite operators whose kernels call another library without the dispatcher."""
    found = operators.base(name)
    if "::" in found:
        return operators.is_multiplication(name)
    return found.startswith(("mkldnn_", "fbgemm_", "_nnpack_spatial", "_sparse_compressed", "sparse_"))


def _replace(backend: str, charge: Charge, current: Current, refuse: Refuse) -> None:
    kernels: dict[str, Any] = {}
    # The meta device has kernels for compositions too, such as ``empty_like``.
    known = {operators.base(name) for name in _registered("CPU")} if backend == "Meta" else None
    for name in _registered(backend):
        if known is not None and operators.base(name) not in known:
            continue
        if operators.is_multiplication(name):
            kernels[name] = _absent(name, current, refuse)
        elif operators.is_counted(name):
            kernels[name] = _Counted(name, backend, charge, refuse)
    _register(backend, kernels)


def _register(key: str, kernels: dict[str, Any]) -> None:
    """Put kernels (by full operator name) into the dispatcher, for the life of this process."""
    libraries: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, kernel in kernels.items():
            space, _, rest = name.partition("::")
            if space not in libraries:
                libraries[space] = torch._C._dispatch_library("IMPL", space, key)
            with contextlib.suppress(RuntimeError):
                libraries[space].impl(rest, key, kernel, True)
            _hide(kernel)
    for library in libraries.values():
        # A library takes its registrations along when it goes: this one never does.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))


def _hide(thing: Any) -> None:
    """Take an object and what hangs on it from the collector's lists: nothing enumerates it any more."""
    untrack = ctypes.pythonapi.PyObject_GC_UnTrack
    untrack.argtypes, untrack.restype = [ctypes.c_void_p], None
    untrack(id(thing))
    for cell in getattr(thing, "__closure__", None) or ():
        untrack(id(cell))


Charge = Callable[[str, int, FrameType], str | None]
"""Counts elements of an operator for the current call: the reason why it may not be done, or None."""


def _account(current: Current, trusted: frozenset[CodeType]) -> Charge:
    number, used, own = -1, 0.0, dict[str, float]()

    def charge(name: str, elements: int, caller: FrameType) -> str | None:
        nonlocal number, used, own
        now, rules = current()
        if rules.get("free") and not _capturing():
            return None
        if trusted and _trusted(caller, trusted):
            return None
        if now != number:
            number, used, own = now, 0.0, {}
        group = operators.group(name)
        mine = own.get(group, 0.0) + elements
        limit = rules.get("own", {}).get(group)
        if limit is not None and mine > (max(limit, 1024.0) if operators.is_reduction(name) else limit):
            return f"{name} did the work: the operator is made of it, and the framework may not do it for the DSL"
        if used + elements > rules.get("budget", 0.0):
            return (
                f"{name} did the work: with it the framework touches {used + elements:.0f} elements in a call, "
                f"and may touch {rules.get('budget', 0.0):.0f} beside the DSL's kernels"
            )
        used += elements
        own[group] = mine
        return None

    return charge


def _trusted(frame: FrameType | None, trusted: frozenset[CodeType]) -> bool:
    """True when a toolchain's own function called the operator, through torch's function modes or not."""
    while frame is not None and frame.f_code.co_name == "__torch_function__" and frame.f_code in trusted:
        frame = frame.f_back
    return frame is not None and frame.f_code in trusted


def _capturing() -> bool:
    """What is captured into a CUDA graph while a model is built would run in its calls."""
    return bool(torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing())


class _Counted:
    """A kernel that runs for as long as it does little."""

    __slots__ = ("charge", "kernel", "name", "refuse", "tensors")

    def __init__(self, name: str, key: str, charge: Charge, refuse: Refuse) -> None:
        self.name, self.charge, self.refuse = name, charge, refuse
        self.kernel = torch.library.get_kernel(name, key)
        self.tensors: tuple[int, ...] | None = None

    def __call__(self, keyset: Any, *args: Any, **kwargs: Any) -> Any:
        caller, work, refuse = sys._getframe(1), elements((*args, *kwargs.values())), self.refuse
        problem = self.charge(self.name, work, caller)
        if problem is None:
            if any(type(arg) in _NUMBERS for arg in args):
                args = self._with_tensors(args)
            result = self.kernel.call_boxed(keyset, *args, **kwargs)
            more = elements(result if isinstance(result, tuple) else (result,)) - work
            problem = self.charge(self.name, more, caller) if more > 0 else None
        if problem is None:
            return result
        # The traceback of what is raised shows this frame: it must not show the kernel.
        self = result = caller = None  # type: ignore[assignment]
        raise refuse(problem)

    def _with_tensors(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Python numbers that stand for tensors, as tensors that promote like them."""
        if self.tensors is None:
            schema = torch._C._get_schema(*_split(self.name))
            tensor = torch._C.TensorType.get()
            self.tensors = tuple(i for i, a in enumerate(schema.arguments) if a.type.isSubtypeOf(tensor))
        wide = [arg for arg in args if isinstance(arg, torch.Tensor) and arg.dim()]
        place = {i for i in self.tensors if i < len(args) and type(args[i]) in _NUMBERS}
        return tuple(_as_tensor(arg, wide, args) if i in place else arg for i, arg in enumerate(args))


def _split(name: str) -> tuple[str, str]:
    base, _, overload = name.partition(".")
    return base, overload


def _as_tensor(number: Any, wide: list[torch.Tensor], args: tuple[Any, ...]) -> torch.Tensor:
    if wide and (wide[0].is_floating_point() or type(number) in (bool, int)):
        kind = torch.float64 if type(number) is float else torch.complex128 if type(number) is complex else torch.int64
        return torch.scalar_tensor(number, dtype=torch.bool if type(number) is bool else kind, device="cpu")
    other = next((arg for arg in args if isinstance(arg, torch.Tensor)), None)
    kind = torch.result_type(other, number) if other is not None else torch.get_default_dtype()
    return torch.scalar_tensor(number, dtype=kind, device="cpu")


def elements(values: Sequence[Any]) -> int:
    """The largest number of elements among tensors; lists of tensors count as one."""
    most = 0
    for value in values:
        if isinstance(value, torch.Tensor):
            most = max(most, value.numel())
        elif isinstance(value, (list, tuple)):
            most = max(most, sum(one.numel() for one in value if isinstance(one, torch.Tensor)))
    return most


def _absent(name: str, current: Current, refuse: Refuse) -> Callable[..., Any]:
    """What stands where there is no kernel. While a model is built small products are summed up one by one."""
    slow = _PRODUCTS.get(name)

    def kernel(_: Any, *args: Any, **kwargs: Any) -> Any:
        if slow is not None and current()[1].get("free") and not _capturing():
            return slow(*args, **kwargs)
        raise refuse(f"{name} did the work: the framework may not do it for the DSL")

    return kernel


def _mm(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(a.shape[0], b.shape[1], dtype=a.dtype, device=a.device)
    for k in range(a.shape[1]):
        total = total + a[:, k : k + 1] * b[k : k + 1]
    return total


def _bmm(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.stack([_mm(x, y) for x, y in zip(a, b, strict=True)])


_PRODUCTS: dict[str, Callable[..., torch.Tensor]] = {
    "aten::mm": _mm,
    "aten::bmm": _bmm,
    "aten::mv": lambda a, x: (a * x).sum(1),
    "aten::dot": lambda a, b: (a * b).sum(),
    "aten::addmm": lambda c, a, b, *, beta=1, alpha=1: beta * c + alpha * _mm(a, b),
    "aten::addmv": lambda c, a, x, *, beta=1, alpha=1: beta * c + alpha * (a * x).sum(1),
    "aten::baddbmm": lambda c, a, b, *, beta=1, alpha=1: beta * c + alpha * _bmm(a, b),
}
"""For constants that a constructor computes: no kernel of a library is needed for them."""


def _forbid_generators(refuse: Refuse) -> None:
    """An audit hook cannot be taken away: it ends ``torch.compile``, and watchers of the guard's own frames."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "import" and args[0] in _GENERATORS:
            raise refuse("torch.compile did the work: what it generates is not the candidate's own kernel")
        if event in _WATCHING and (not args or args[-1] is not None):
            raise refuse(f"{event} is not allowed in a candidate")

    sys.addaudithook(hook)


def _patch_initialisers() -> None:
    """The judge draws the parameters: an initialiser that multiplies matrices need not."""

    def orthogonal_(tensor: torch.Tensor, gain: float = 1.0, generator: Any = None) -> torch.Tensor:
        with torch.no_grad():
            scale = gain / math.sqrt(max(1, tensor.shape[-1] if tensor.dim() else 1))
            return tensor.normal_(0.0, scale, generator=generator)

    torch.nn.init.orthogonal_ = orthogonal_
