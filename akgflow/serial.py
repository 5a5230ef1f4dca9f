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

if TYPE_CHECKING:
    import cattrs

T = TypeVar("T")

_SPECIAL = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def _float_out(value: float) -> float | str:
    """JSON has no infinities and no NaN: they travel as the strings that flashinfer-bench uses."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _float_in(value: Any, _: type) -> float:
    return _SPECIAL[value] if value in _SPECIAL else float(value)


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


def to_json(value: Any, indent: int | None = None) -> str:
    """Canonical JSON text: sorted keys, no NaN literals; equal values give equal text."""
    return json.dumps(to_data(value), sort_keys=True, indent=indent, allow_nan=False, ensure_ascii=False)
