"""Replaces the framework's kernels in a candidate's process, so that the framework cannot do the DSL's work.

`install` runs after the toolchain is prepared and before any of the candidate's code is read. It registers, in the
dispatcher itself, another kernel for every operator that computes: calls from Python, from C++ and from other threads
all end there. Contractions and calls into other libraries run while a module is imported, when it may compare itself
with them, and never again. Operators that honest host code needs for small things (the sum of partial results, a scale,
a flag) are counted by the elements that they touch in a call (`akgflow.verification.candidate.op_budget`).

Nothing that Python can reach leads to the kernels that were there before (`akgflow.verification.candidate.trampoline`).
Native code in this process can still find them.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from types import CodeType
from typing import Any

import torch

from akgflow.verification.candidate.op_budget import Checks, Fallback, Refuse, counted, gated
from akgflow.verification.candidate.trampoline import Part, hide, trampoline, trampolines
from akgflow.verification.shared import op_classes
from akgflow.verification.shared.op_policy import Current

_GENERATORS = ("compile_fx", "graph", "scheduler")
"""Modules that ``torch.compile`` makes kernels with: they would be the framework's, not the candidate's."""
_WATCHING = ("sys.setprofile", "sys.settrace", "sys.monitoring.register_callback")


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

    capturing = _capture_watch(device)
    checks = counted(current, trusted, refuse, capturing)
    backends = [key for key in ("CPU", {"cuda": "CUDA", "meta": "Meta"}.get(device)) if key]
    for backend in backends:
        work, products = names_of(backend)
        early = [name for name in products if name not in _PRODUCTS]
        _register(backend, _trampolines(backend, work, checks))
        _register(backend, _trampolines(backend, early, lambda name: gated(name, current, refuse, capturing)))
        _register(backend, {n: _slow(n, current, refuse, capturing) for n in products if n in _PRODUCTS})
    others = op_classes.OTHER_KEYS + (op_classes.OTHER_CUDA_KEYS if device == "cuda" else ())
    for key in others:
        _register(key, {name: _absent(name, refuse) for name in _registered(key)})
    for key in ("CompositeExplicitAutograd", "CompositeImplicitAutograd"):
        _register(key, {name: _absent(name, refuse) for name in _registered(key) if _computes_itself(name)})
    _forbid_generators(refuse)
    _patch_initialisers()

    def told() -> str | None:
        text = notes[-1] if notes else None
        notes.clear()
        return text

    def also(groups: Sequence[str]) -> None:
        """Count operators that move elements: for an operator that is made of nothing else."""
        for backend in backends:
            names = [n for n in _registered(backend) if op_classes.base(n) in op_classes.MOVES]
            names = [n for n in names if op_classes.group(n) in groups]
            _register(backend, _trampolines(backend, names, partial(checks, whole=True)))

    return told, trampoline(also)


def _registered(key: str) -> list[str]:
    return list(torch._C._dispatch_get_registrations_for_dispatch_key(key))


def _computes_itself(name: str) -> bool:
    """True for composite operators whose kernels call another library without the dispatcher."""
    found = op_classes.base(name)
    if "::" in found:
        return op_classes.is_multiplication(name)
    return found.startswith(("mkldnn_", "fbgemm_", "_nnpack_spatial", "_sparse_compressed", "sparse_"))


@cache
def names_of(backend: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A backend's operators that are counted, and those that a DSL's candidate never needs.

    Asked before candidates are forked: what it takes to find out is then paid once.
    """
    # The meta device has kernels for compositions too, such as ``empty_like``.
    known = {op_classes.base(name) for name in _registered("CPU")} if backend == "Meta" else None
    names = [name for name in _registered(backend) if known is None or op_classes.base(name) in known]
    products = [name for name in names if op_classes.is_multiplication(name)]
    known_products = frozenset(products)
    counted_ones = (name for name in names if name not in known_products and op_classes.is_counted(name))
    return tuple(counted_ones), tuple(products)


def _trampolines(key: str, names: Sequence[str], checks: Callable[[str], Checks]) -> dict[str, Any]:
    """What takes the places of these operators' kernels."""
    parts = []
    for name in names:
        before, after = checks(name)
        parts.append(Part(before, torch.library.get_kernel(name, key).call_boxed, after))
    return dict(zip(names, trampolines(parts), strict=True))


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
            hide(kernel)
    for library in libraries.values():
        # A library takes its registrations along when it goes: this one never does.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))


def _capture_watch(device: str) -> Callable[[], bool]:
    """Tells whether a CUDA graph is being captured: what one holds while a model is built would run in its calls."""
    ask = getattr(torch._C, "_cuda_isCurrentStreamCapturing", None) if device == "cuda" else None
    return ask if ask is not None else lambda: False


def _absent(name: str, refuse: Refuse) -> Callable[..., Any]:
    """What stands where there is no kernel any more."""

    def kernel(*_: Any, **__: Any) -> Any:
        raise refuse(f"{name} did the work: the framework may not do it for the DSL")

    return kernel


def _slow(name: str, current: Current, refuse: Refuse, capturing: Callable[[], bool]) -> Callable[..., Any]:
    """What stands for a small product: while a module is imported or a model built, it is summed up one by one."""
    product = _PRODUCTS[name]

    def kernel(_: Any, *args: Any, **kwargs: Any) -> Any:
        if current()[1].get("free") and not capturing():
            return product(*args, **kwargs)
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

    folder = Path(torch.__file__).parent / "_inductor"
    names = frozenset(f"torch._inductor.{name}" for name in _GENERATORS)
    # The module's code can also be run without importing it: its file is still named.
    files = frozenset(str(folder / f"{name}.py") for name in _GENERATORS)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if (event == "import" and args[0] in names) or (event == "exec" and args[0].co_filename in files):
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
