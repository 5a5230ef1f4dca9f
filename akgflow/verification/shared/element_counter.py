"""Counts the elements of tensors with C functions only, so that no subclass can change the count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch


def counter() -> Callable[[Sequence[Any]], int]:
    """Makes the function that gives the largest number of elements among tensors; lists of tensors count as one.

    A subclass may redefine each method and attribute: only C functions are called.
    """
    tensor, numel, unhooked = torch._C.TensorBase, torch._C.TensorBase.numel, torch._C.DisableTorchFunction
    is_a, kind, lists, size = isinstance, type, (list, tuple), len

    def count(values: Sequence[Any]) -> int:
        most = 0
        with unhooked():
            for value in values:
                if is_a(value, tensor):
                    found = numel(value)
                elif kind(value) in lists and size(value):
                    found = 0
                    for one in value:
                        found += numel(one) if is_a(one, tensor) else 0
                else:
                    continue
                most = found if found > most else most
        return most

    return count
