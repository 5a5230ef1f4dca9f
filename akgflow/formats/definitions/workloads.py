"""The workloads of a definition: sizes of its axes, and where each input comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akgflow.base.text import lines
from akgflow.formats.base import Refused, Scalar
from akgflow.formats.definitions.definition import Definition
from akgflow.formats.definitions.generators import drawn_by
from akgflow.formats.structure import entry, json_object

WORKLOAD = "workload"
"""The key of a case that says which workload's data files are read."""
KINDS = ("random", "scalar", "safetensors", "custom", "generated")


@dataclass(frozen=True)
class Workload:
    """One line of a file of workloads."""

    data: Mapping[str, Any]
    """As the file has it."""
    axes: Mapping[str, int]
    scalars: Mapping[str, Scalar]
    kinds: Mapping[str, str]
    """The type of each input's descriptor; for what is generated, the expression that draws it."""
    blobs: Mapping[str, tuple[str, str]]
    """Inputs that are read from a file of tensors: its path, and the key in it."""


def read_workloads(text: str, file: Path, about: Definition) -> tuple[Workload, ...]:
    """The workloads of a JSONL text, bare or within traces. Raises `Refused`."""
    return tuple(
        _workload(json_object(line, file, number), file, number, about)
        for number, line in enumerate(lines(text), 1)
        if line.strip()
    )


def _workload(data: Mapping[str, Any], file: Path, line: int, about: Definition) -> Workload:
    data = entry(data, WORKLOAD, dict, file, data, line)
    axes = entry(data, "axes", dict, file, line=line)
    for name in about.var:
        if not isinstance(axes.get(name), int) or axes[name] < 0:
            raise Refused(f"gives no size for the axis {name!r}", file, line)
    given = entry(data, "inputs", dict, file, line=line)
    kinds: dict[str, str] = {}
    scalars: dict[str, Scalar] = {}
    blobs: dict[str, tuple[str, str]] = {}
    for one in about.inputs:
        source = entry(given, one.name, dict, file, line=line)
        kinds[one.name] = kind = entry(source, "type", str, file, line=line)
        if kind not in KINDS:
            raise Refused(f"the input {one.name!r} is {kind!r}; it can be {', '.join(KINDS)}", file, line)
        if kind == "generated":
            kinds[one.name] = drawn_by(entry(source, "generator", dict, file, line=line), one, about, file, line)
            continue
        if (kind == "scalar") != (one.shape is None):
            wanted = "a number" if one.shape is None else "a tensor"
            raise Refused(f"the input {one.name!r} is {wanted} in the definition, and {kind!r} here", file, line)
        if kind == "scalar":
            scalars[one.name] = _scalar(source.get("value"), one.name, file, line)
        if kind == "custom" and about.custom is None:
            raise Refused(f"the input {one.name!r} is custom, and the definition makes none", file, line)
        if kind == "safetensors":
            path = entry(source, "path", str, file, line=line)
            blobs[one.name] = (str(_blob(path, file, line)), entry(source, "tensor_key", str, file, line=line))
    return Workload(data, {name: axes[name] for name in about.var}, scalars, kinds, blobs)


def _scalar(value: Any, name: str, file: Path, line: int) -> Scalar:
    if not isinstance(value, int | float):
        raise Refused(f"the input {name!r} has no number as its value", file, line)
    return value


def _blob(path: str, file: Path, line: int) -> Path:
    """The file of tensors, below the nearest folder above the workloads that has it."""
    for folder in file.absolute().parents:
        if (folder / path).is_file():
            return folder / path
    raise Refused(f"the data file {path} is in no folder above this one", file, line, hint="download it")


def cases(workloads: tuple[Workload, ...]) -> Iterator[dict[str, Scalar]]:
    """A case for each workload: axes and numbers by name, and the workload itself where its data is in files."""
    listed = any(one.blobs for one in workloads) or len({tuple(one.kinds.items()) for one in workloads}) > 1
    for number, one in enumerate(workloads):
        yield {**one.axes, **one.scalars, **({WORKLOAD: number} if listed else {})}
