"""Frozen dataclasses to JSON-ready data and back: one converter for plans, journals and verdicts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from akgflow.base.text import escaped_in_json, received_data

if TYPE_CHECKING:
    import cattrs

T = TypeVar("T")

NOT_FINITE = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}
"""What numbers that JSON does not have are written as."""

DOCUMENT_VERSION = 1
"""Of all documents: it grows when a field goes or changes its meaning."""
_OF_DOCUMENTS = ("document", "version")


def _float_out(value: float) -> float | str:
    """JSON has no infinities and no NaN: they travel as the strings that flashinfer-bench uses."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _float_in(value: Any, _: type) -> float:
    return NOT_FINITE[value] if value in NOT_FINITE else float(value)


@cache
def _converter() -> cattrs.Converter:
    # Reading back is rarer than writing, and cattrs takes a while to load.
    from cattrs.preconf.json import make_converter

    converter = make_converter(forbid_extra_keys=True)
    converter.register_structure_hook(float, _float_in)
    converter.register_structure_hook(Path, lambda v, _: Path(v))
    return converter


def to_data(value: Any) -> Any:
    """The JSON-ready form of a dataclass, enum, path or container of them."""
    if isinstance(value, Enum):
        return to_data(value.value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return _float_out(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_data(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {to_data(key): to_data(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_data(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted(to_data(one) for one in value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form as data")


def from_data(data: Any, kind: type[T]) -> T:
    """The inverse of `to_data`; raises ``cattrs.BaseValidationError`` where the data does not fit."""
    return _converter().structure(data, kind)


def fit(data: Any, kind: type[T]) -> T:
    """`from_data` for data that may be damaged; raises `ValueError` with what does not fit, and nothing else."""
    import cattrs

    if kind is str and not isinstance(data, str):
        raise ValueError("it is no text")
    try:
        return from_data(data, kind)
    except cattrs.BaseValidationError as wrong:
        raise ValueError("; ".join(cattrs.transform_error(wrong, path="it")[:3])) from None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError) as wrong:
        raise ValueError(f"{type(wrong).__name__}: {wrong}") from None


def to_json(value: Any, indent: int | None = None, *, ascii_only: bool = False) -> str:
    """Canonical JSON text: sorted keys, no NaN literals; equal values give equal text.

    Characters that some readers take for the end of a line, and those that cannot be encoded, are escaped: the text is
    one line without ``indent``, and can be written to any file. With ``ascii_only`` also to any terminal and pipe.
    """
    data = to_data(value)
    return escaped_in_json(json.dumps(data, sort_keys=True, indent=indent, allow_nan=False, ensure_ascii=ascii_only))


def document(name: str, value: Any) -> dict[str, Any]:
    """A dataclass or a mapping as data that says what it is, in the form of which `DOCUMENT_VERSION` is the version."""
    return {"document": name, "version": DOCUMENT_VERSION, **to_data(value)}


def of_document(data: Any) -> Any:
    """The fields of data that `document` may have made."""
    return {key: one for key, one in data.items() if key not in _OF_DOCUMENTS} if isinstance(data, dict) else data


def of_others(text: str | bytes) -> Any:
    """JSON that another process wrote, its texts made valid Unicode; raises `ValueError` where it is none."""
    try:
        return received_data(json.loads(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
