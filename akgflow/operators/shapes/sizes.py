"""The sizes of a call as one list of whole numbers: what tells calls apart by which a kernel is chosen.

A dispatcher (`akgflow.search.dispatcher`) carries this function as text, so it needs nothing but Python.
"""

from __future__ import annotations


def sizes(value: object) -> list[int]:
    """Lengths of all dimensions of the tensors in a nest of arguments, and its whole numbers, in order."""
    if hasattr(value, "shape"):
        return [int(length) for length in value.shape]
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [length for one in value for length in sizes(one)] if isinstance(value, (list, tuple)) else []
