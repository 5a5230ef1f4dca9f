"""How results leave a candidate's process: functions that describe one, copy it out, and send the reply.

The candidate shares the process and may redefine any name in it: ``torch.Tensor.copy_``, `json.dumps`, this module's
own functions. So `bind` makes these functions before the candidate is loaded, from C functions that are looked up only
then; C types cannot be changed. What a module returns is described and copied at once, and no code of the candidate
runs in between.
"""

from __future__ import annotations

import ctypes
import json.encoder
import socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from akgflow.verification.shared import allocation_guards
from akgflow.verification.shared.channel import MAX_BYTES

Tree = dict[str, Any]
DescribeResult = Callable[[Any, set[int]], tuple[Tree, list[torch.Tensor]]]
"""Describes a result as JSON and lists its tensors; the set says where storages begin that are not its own."""
CopyOut = Callable[[torch.Tensor, torch.Tensor], None]
"""Copies a tensor (the second) to a place of the same shape, dtype and device; does nothing where they differ."""


class TrustedIO(NamedTuple):
    """The functions of one process. None of them looks up a name that the candidate could give another meaning."""

    describe_result: DescribeResult
    copy_out: CopyOut
    send: Callable[[str, Mapping[str, Any]], None]
    """Sends the fields of a reply, except those that are None, with the number of its request."""
    copy_margins: CopyOut
    """Copies the bytes before and behind a tensor's memory to those beside a place."""


def bind(end: socket.socket) -> TrustedIO:
    """The functions for the process that talks through ``end``."""
    return TrustedIO(describer(), _copier(), _sender(end), _margins())


def describer() -> DescribeResult:
    """Makes the function that describes a result; what is no tensor, container or scalar is named by its type."""
    spec, is_a, text, items_of, keys_of = _spec(), isinstance, str, dict.items, dict
    kind, tensor_type, strided, layout = type, torch.Tensor, torch.strided, torch._C.TensorBase.layout.__get__
    # The iterators of the C types themselves: a subclass may compute in its own.
    sequences = ((list, list.__iter__), (tuple, tuple.__iter__))
    plain, unhooked = (bool, int, float, str, type(None)), torch._C.DisableTorchFunction

    def tree(value: Any, given: set[int], found: list[torch.Tensor]) -> Tree:
        if kind(value) is tensor_type and layout(value) == strided:
            found.append(value)
            return {"tensor": spec(value, given)}
        for sequence, items in sequences:
            if is_a(value, sequence):
                return {"list": [tree(item, given, found) for item in items(value)]}
        if is_a(value, keys_of):
            return {"dict": {text(key): tree(item, given, found) for key, item in items_of(value)}}
        if is_a(value, plain):
            return {"value": value}
        name = f"{kind(value).__module__}.{kind(value).__qualname__}"
        return {"other": f"{name} ({layout(value)})" if kind(value) is tensor_type else name}

    def describe_result(value: Any, given: set[int]) -> tuple[Tree, list[torch.Tensor]]:
        found: list[torch.Tensor] = []
        with unhooked():
            return tree(value, given, found), found

    return describe_result


def _spec() -> Callable[[torch.Tensor, set[int]], Tree]:
    """Makes the function that describes a dense tensor; ``aliases`` is whether its memory is among those ``given``."""
    base, text, listed = torch._C.TensorBase, str, list
    shape, dtype, device, stride = base.shape.__get__, base.dtype.__get__, base.device.__get__, base.stride
    numel, storage, begins = base.numel, base.untyped_storage, torch._C.StorageBase.data_ptr

    def spec(tensor: torch.Tensor, given: set[int]) -> Tree:
        place = device(tensor).type
        aliases = place != "meta" and numel(tensor) > 0 and begins(storage(tensor)) in given
        form = {"shape": listed(shape(tensor)), "stride": listed(stride(tensor))}
        return form | {"dtype": text(dtype(tensor)).removeprefix("torch."), "device": place, "aliases": aliases}

    return spec


def _copier() -> CopyOut:
    base, kind, tensor_type, move = torch._C.TensorBase, type, torch.Tensor, ctypes.memmove
    shape, dtype, device = base.shape.__get__, base.dtype.__get__, base.device.__get__
    packed, conjugated, negated = base.is_contiguous, base.is_conj, base.is_neg
    begins, size, numel, copy = base.data_ptr, base.element_size, base.numel, base.copy_
    unhooked, undispatched = torch._C.DisableTorchFunction, torch._C._DisableTorchDispatch

    def copy_out(place: torch.Tensor, tensor: torch.Tensor) -> None:
        if kind(tensor) is not tensor_type:
            return
        with unhooked(), undispatched():
            where = device(tensor).type
            if (shape(tensor), dtype(tensor), where) != (shape(place), dtype(place), device(place).type):
                return
            raw = where == "cpu" and packed(tensor) and not conjugated(tensor) and not negated(tensor)
            if raw:
                # What is to be copied is there by now, or it is not: no operator runs that could still be changed.
                move(begins(place), begins(tensor), numel(tensor) * size(tensor))
            else:
                copy(place, tensor)

    return copy_out


def _margins() -> CopyOut:
    base, kind, tensor_type, move = torch._C.TensorBase, type, torch.Tensor, ctypes.memmove
    shape, dtype, device = base.shape.__get__, base.dtype.__get__, base.device.__get__
    begins, size, numel, storage = base.data_ptr, base.element_size, base.numel, base.untyped_storage
    of_storage = torch._C.StorageBase
    address, length, resizable, shared = (
        of_storage.data_ptr,
        of_storage.nbytes,
        of_storage.resizable,
        of_storage.is_shared,
    )
    unhooked, guarded = torch._C.DisableTorchFunction, allocation_guards.install()
    pad, word = allocation_guards.PAD, allocation_guards.WORD

    def copy_margins(place: torch.Tensor, tensor: torch.Tensor) -> None:
        if not guarded or kind(tensor) is not tensor_type:
            return
        with unhooked():
            held, on_host = storage(tensor), device(tensor).type == device(place).type == "cpu"
            if not on_host or (shape(tensor), dtype(tensor)) != (shape(place), dtype(place)) or not numel(tensor):
                return
            # Memory that torch's allocator did not give has nothing behind it.
            if resizable(held) and not shared(held):
                move(begins(place) + numel(place) * size(place), address(held) + length(held), pad)
                move(begins(place) - word, address(held) - word, word)

    return copy_margins


def _sender(end: socket.socket) -> Callable[[str, Mapping[str, Any]], None]:
    coder = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
        None, None, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
    )
    put, count, most, wrong = end.send, len, MAX_BYTES, ValueError

    def send(number: str, reply: Mapping[str, Any]) -> None:
        message = {"number": number} | {name: value for name, value in reply.items() if value is not None}
        data = "".join(coder(message, 0)).encode()
        if count(data) > most:
            raise wrong(f"a message of {count(data)} bytes is more than a packet holds ({most})")
        put(data)

    return send
