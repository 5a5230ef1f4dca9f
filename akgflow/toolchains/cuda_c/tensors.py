"""Tensors and other values as they cross between Python and a stand-in for PyTorch's C++ interface."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Protocol

from akgflow.toolchains.cuda_c.faults import Failure, failure

_CPU = "cpu"
_MAKE = ("empty", "zeros", "ones", "full", "arange", "tensor", "linspace", "eye", "scalar_tensor")
"""Functions that give a new tensor on the CPU unless they are told a device."""


class Info(ctypes.Structure):
    """``akgflow::Info`` of the header: a tensor's memory and shape; strides count elements."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("handle", ctypes.c_int64),
        ("dims", ctypes.c_int64),
        ("sizes", ctypes.c_int64 * 12),
        ("strides", ctypes.c_int64 * 12),
        ("type", ctypes.c_int32),
        ("cpu", ctypes.c_int32),
    )


class Value(ctypes.Structure):
    """``akgflow::Value`` of the header."""

    _fields_ = (
        ("kind", ctypes.c_int32),
        ("integer", ctypes.c_int64),
        ("real", ctypes.c_double),
        ("text", ctypes.c_char_p),
        ("tensor", Info),
    )


MOST_ANSWERS = 64
ASKED = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(Value), ctypes.c_int, ctypes.POINTER(Value))


_NOWHERE, _ALIGN = 1 << 40, 512
"""Addresses of tensors that have no memory: unlike each other, aligned, and not null, as host code may check."""


class Place(Protocol):
    """Puts a tensor where kernels may have it; ``empty`` ones hold nothing yet."""

    def __call__(self, tensor: Any, *, empty: bool) -> Any: ...


class Keyword(str):
    """The name of the value that follows."""


class Tensors:
    """The tensors that C++ knows by handle, and what Python does for it.

    ``place`` puts what was made where kernels may have it; ``values`` is false where tensors hold nothing.
    """

    def __init__(self, device: str, place: Place, values: bool) -> None:
        import torch

        self._device, self._place, self._values = device, place, values
        self._types = {
            0: torch.uint8, 1: torch.int8, 2: torch.int16, 3: torch.int32, 4: torch.int64, 5: torch.float16,
            6: torch.float32, 7: torch.float64, 11: torch.bool, 15: torch.bfloat16, 23: torch.float8_e5m2,
            24: torch.float8_e4m3fn,
        }  # fmt: skip
        self._formats = (
            torch.contiguous_format,
            torch.preserve_format,
            torch.channels_last,
            torch.channels_last_3d,
        )
        self._numbers = {dtype: number for number, dtype in self._types.items()}
        self._known: dict[int, Any] = {}
        self._on_cpu: set[int] = set()
        self._handles = count(1)
        self._texts: list[bytes] = []
        self.failed: BaseException | None = None

    def forget(self, meant: Callable[[int], int]) -> None:
        """Let go of tensors that no C++ object means any more; ``meant`` counts those."""
        for handle in [handle for handle in self._known if not meant(handle)]:
            del self._known[handle]
            self._on_cpu.discard(handle)
        self._texts.clear()

    def write(self, given: Any) -> Iterator[Value]:
        """The values that ``given`` becomes: one, or one for each thing in a list after it."""
        value = Value()
        if isinstance(given, list | tuple):
            value.kind, value.integer = ord("l" if isinstance(given, list) else "u"), len(given)
            yield value
            for one in given:
                yield from self.write(one)
            return
        self._fill(value, given)
        yield value

    def _fill(self, value: Value, given: Any) -> None:
        kind = "n"
        if isinstance(given, bool | int):
            kind, value.integer = "b" if isinstance(given, bool) else "i", int(given)
        elif isinstance(given, float):
            kind, value.real = "d", given
        elif isinstance(given, str):
            self._texts.append(given.encode())
            kind, value.text = "k" if isinstance(given, Keyword) else "s", self._texts[-1]
        elif hasattr(given, "data_ptr"):
            kind = "t"
            self._describe(given, value.tensor)
        elif given in self._numbers:
            kind, value.integer = "y", self._numbers[given]
        elif type(given).__name__ == "device":
            kind, value.integer = "D", int(given.type == _CPU)
        elif given is not None:
            raise TypeError(f"host code takes tensors, numbers, texts and lists, and got {type(given).__name__}")
        value.kind = ord(kind)

    def _describe(self, tensor: Any, info: Info, on_cpu: bool = False) -> None:
        number = self._numbers.get(tensor.dtype)
        if number is None or tensor.dim() > len(info.sizes):
            what = f"tensors of {tensor.dtype} with {tensor.dim()} dimensions"
            raise failure(Failure.HOST_ABSENT, f"{what} are not known without PyTorch's headers")
        handle = next(self._handles)
        self._known[handle] = tensor
        if on_cpu:
            self._on_cpu.add(handle)
        info.data, info.handle, info.dims = tensor.data_ptr(), handle, tensor.dim()
        if not (self._values or on_cpu):
            info.data = _NOWHERE + handle * _ALIGN
        info.type, info.cpu = number, int(on_cpu)
        for i, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
            info.sizes[i], info.strides[i] = size, stride

    def read(self, values: Iterator[Value]) -> Any:
        """The next thing that values stand for."""
        value = next(values)
        kind = chr(value.kind)
        if kind in "lu":
            inner = [self.read(values) for _ in range(value.integer)]
            return inner if kind == "l" else tuple(inner)
        if kind == "t":
            return self._known[value.tensor.handle]
        if kind == "k":
            return Keyword(value.text.decode())
        return self._plain(kind, value)

    def _plain(self, kind: str, value: Value) -> Any:
        if kind == "s":
            return value.text.decode()
        if kind == "y":
            return self._types[value.integer]
        if kind == "D":
            return _CPU if value.integer else "cuda"
        if kind == "m":
            return self._formats[value.integer]
        return {"i": value.integer, "b": bool(value.integer), "d": value.real}.get(kind)

    def ask(self, name: bytes, given: Any, number: int, answers: Any) -> int:
        """Do for C++ what it asks; -1 where it cannot be done, and then ``failed`` says why. It never raises."""
        try:
            return self._answer(name.decode(), given, number, answers)
        except (TypeError, AttributeError, NotImplementedError, KeyError) as error:
            # The arguments came in C++'s order, which is not always Python's.
            words = f"{name.decode()} is not done without PyTorch's headers: {error}"
            self.failed = failure(Failure.HOST_ABSENT, words)
        except BaseException as error:
            self.failed = error
        return -1

    def _answer(self, name: str, given: Any, number: int, answers: Any) -> int:
        values, args, options = iter(given[:number]), list[Any](), dict[str, Any]()
        on_cpu = any(v.kind == ord("t") and v.tensor.handle in self._on_cpu for v in given[:number])
        left = Counted(values, number)
        while left.more:
            one = self.read(left)
            if isinstance(one, Keyword):
                options[one] = self.read(left)
            else:
                args.append(one)
        device = options.get("device") or (_CPU if name in _MAKE else None)
        on_cpu = device == _CPU if device else on_cpu
        if "device" in options or name in _MAKE:
            # Host code may read and write what is on the host, also where nothing on the device holds values.
            options["device"] = _CPU if on_cpu else self._device
        result, on_cpu = self._do(name, args, options, on_cpu)
        found = result if isinstance(result, list | tuple) else [result]
        held = {_memory(tensor) for tensor in args if hasattr(tensor, "data_ptr")}
        for place, one in enumerate(found):
            if hasattr(one, "data_ptr"):
                if self._values and _memory(one) not in held:
                    one = self._place(one, empty=name.startswith(("empty", "new_empty")))
                answers[place].kind = ord("t")
                self._describe(one, answers[place].tensor, on_cpu)
            else:
                self._fill(answers[place], one)
        return len(found)

    def _do(self, name: str, args: Sequence[Any], options: Mapping[str, Any], on_cpu: bool) -> tuple[Any, bool]:
        import torch

        special = getattr(self, f"_{name}", None)
        if special is not None:
            answer: tuple[Any, bool] = special(on_cpu, *args)
            return answer
        owner = torch.Tensor if args and hasattr(args[0], "data_ptr") and hasattr(torch.Tensor, name) else torch
        return getattr(owner, name)(*args, **options), on_cpu

    # What has another name in Python, or other arguments.

    def _to_options(self, on_cpu: bool, tensor: Any, device: str, dtype: Any) -> tuple[Any, bool]:
        there = device == _CPU
        if there and not on_cpu:
            self._need_values("a copy from the device")
        if there != on_cpu:
            tensor = tensor.clone() if there else tensor.to(self._device, copy=True)
        return tensor.to(dtype), there

    def _cpu(self, on_cpu: bool, tensor: Any) -> tuple[Any, bool]:
        return self._to_options(on_cpu, tensor, _CPU, tensor.dtype)

    def _cuda(self, on_cpu: bool, tensor: Any) -> tuple[Any, bool]:
        return self._to_options(on_cpu, tensor, "cuda", tensor.dtype)

    def _sort(self, on_cpu: bool, tensor: Any, *given: Any) -> tuple[Any, bool]:
        return tensor.sort(**_sorting(given)), on_cpu

    def _argsort(self, on_cpu: bool, tensor: Any, *given: Any) -> tuple[Any, bool]:
        return tensor.argsort(**_sorting(given)), on_cpu

    def _toType(self, on_cpu: bool, tensor: Any, dtype: Any) -> tuple[Any, bool]:
        return tensor.to(dtype), on_cpu

    def _slice(self, on_cpu: bool, tensor: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
        where = [slice(None)] * tensor.dim()
        where[dim] = slice(start, end, step)
        return tensor[tuple(where)], on_cpu

    def _split(self, on_cpu: bool, tensor: Any, size: Any, dim: int = 0) -> tuple[Any, bool]:
        return tensor.split(size, dim), on_cpu

    def _constant_pad_nd(self, on_cpu: bool, tensor: Any, pad: Any, value: float = 0.0) -> tuple[Any, bool]:
        import torch

        return torch.nn.functional.pad(tensor, pad, value=value), on_cpu

    def _item(self, on_cpu: bool, tensor: Any) -> tuple[Any, bool]:
        if not on_cpu:
            self._need_values("item()")
        return tensor.item(), on_cpu

    def _need_values(self, what: str) -> None:
        if not self._values:
            raise failure(Failure.HOST_WITHOUT_VALUES, f"{what} gives nothing")


def _memory(tensor: Any) -> int:
    address: int = tensor.untyped_storage().data_ptr()
    return address


class Counted(Iterator[Value]):
    """An iterator over ``number`` values that knows whether there are more."""

    def __init__(self, values: Iterator[Value], number: int) -> None:
        self._values, self._left = values, number

    @property
    def more(self) -> bool:
        return self._left > 0

    def __next__(self) -> Value:
        self._left -= 1
        return next(self._values)


def _sorting(given: Sequence[Any]) -> Mapping[str, Any]:
    """How to sort: in C++ whether it is stable may stand before the rest."""
    names = ("stable", "dim", "descending") if len(given) == 3 else ("dim", "descending")
    options = dict(zip(names, given, strict=False))
    return options | ({"stable": bool(options["stable"])} if "stable" in options else {})
