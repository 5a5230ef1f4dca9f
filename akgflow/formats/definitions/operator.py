"""A definition and its workloads as the text of an operator in KernelBench form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from akgflow.formats.base import ADDED, Scalar
from akgflow.formats.definitions.definition import Definition, Tensor, shape_text
from akgflow.formats.definitions.workloads import KINDS, WORKLOAD, Workload
from akgflow.formats.python import literal

_RANGES = {"int8": 128, "uint8": 256}
"""Random integers are below these in magnitude; others below 1024."""
_FP8 = "float8"
_NUMBERS = {"bool": "bool", **dict.fromkeys(("int64", "int32", "int16", "int8", "uint8"), "int")}
"""Types of Python numbers by dtype; others are floats."""

_BLOBS = """

def _akgflow_blob(file, key, dtype):
    \"\"\"A tensor of a safetensors file: eight bytes with the length of a JSON header, the header, the data.\"\"\"
    with open(file, "rb") as stream:
        header = _akgflow_json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        start, end = header[key]["data_offsets"]
        stream.seek(start, 1)
        data = bytearray(stream.read(end - start))
    return _akgflow_torch.frombuffer(data, dtype=dtype).reshape(header[key]["shape"])
"""

OUTPUTS = """

def _akgflow_outputs(result):
    \"\"\"The outputs in order: a dict gives them by name, and a tuple of one is that one.\"\"\"
    if isinstance(result, dict):
        result = tuple(result[name] for name in {names!r})
    return result[0] if isinstance(result, (list, tuple)) and len(result) == 1 else result
"""

_AUTOGRAD = re.compile(r"\.backward\(|\bautograd\b")
_WITH_AUTOGRAD = """

def _akgflow_run(*inputs):
    \"\"\"The reference differentiates, and the judge calls it without autograd.\"\"\"
    with _akgflow_torch.enable_grad():
        result = run(*inputs)
    if isinstance(result, dict):
        return {name: _akgflow_detached(one) for name, one in result.items()}
    return tuple(map(_akgflow_detached, result)) if isinstance(result, (list, tuple)) else _akgflow_detached(result)


def _akgflow_detached(value):
    return value.detach() if isinstance(value, _akgflow_torch.Tensor) else value
"""


def operator_text(about: Definition, workloads: Sequence[Workload], cases: Sequence[Mapping[str, Scalar]]) -> str:
    """The reference, then ``Model``, ``get_inputs`` and ``get_init_inputs``."""
    arguments = ", ".join(one.name for one in about.inputs)
    # The reference may define any of the names that follow.
    kept = ["_akgflow_run = run", *([f"_akgflow_custom = {about.custom}"] if about.custom else [])]
    blobs = any(one.blobs for one in workloads)
    return (
        f"{about.reference}{ADDED}import json as _akgflow_json\nimport torch as _akgflow_torch\n\n"
        + "\n".join(kept)
        + (_BLOBS if blobs else "")
        + OUTPUTS.format(names=[one.name for one in about.outputs])
        + (_WITH_AUTOGRAD if _AUTOGRAD.search(about.reference) else "")
        + f"\n\nclass Model(_akgflow_torch.nn.Module):\n{constructor_text(about)}    def forward(self, {arguments}):\n"
        f"        return _akgflow_outputs(_akgflow_run({arguments}))\n"
        f"\n\ndef get_init_inputs({_told(about, cases)}):\n    return [{', '.join(about.unseen)}]\n\n\n"
        + _get_inputs(about, workloads, cases)
    )


def constructor_text(about: Definition) -> str:
    """The constructor of a model that is told the axes which no input has; empty where there is none."""
    if not about.unseen:
        return ""
    kept = "".join(f"        self._axis_{axis} = {axis}\n" for axis in about.unseen)
    return f"    def __init__(self, {', '.join(about.unseen)}):\n        super().__init__()\n{kept}\n"


def _told(about: Definition, cases: Sequence[Mapping[str, Scalar]]) -> str:
    first: Mapping[str, Scalar] = cases[0] if cases else {}
    return ", ".join(f"{axis}={_default(axis, first[axis], about)}" if first else axis for axis in about.unseen)


def axes_text(about: Definition, sizes: Mapping[str, str], indent: str) -> str:
    """Statements that put the size of every axis into ``_axes``; ``sizes`` are those of the variable ones."""
    given = {**sizes, **{name: str(value) for name, value in about.const.items()}}
    known = ", ".join(f"{name!r}: {value}" for name, value in given.items())
    computed = "".join(f"{indent}_axes[{name!r}] = {code}\n" for name, code in about.exprs.items())
    return f"{indent}_axes = {{{known}}}\n{computed}"


def _get_inputs(about: Definition, workloads: Sequence[Workload], cases: Sequence[Mapping[str, Scalar]]) -> str:
    first: Mapping[str, Scalar] = cases[0] if cases else {}
    signature = [f"{name}={_default(name, value, about)}" for name, value in first.items()]
    if not workloads:
        # Cases must give them.
        signature = [*about.var, *(f"{one.name}: {_NUMBERS.get(one.dtype, 'float')}" for one in _numbers(about))]
    kinds = workloads[0].kinds if workloads else {one.name: _unsaid(one, about) for one in about.inputs}
    mixed = {one.name: [w.kinds[one.name] for w in workloads] for one in about.inputs} if WORKLOAD in first else {}
    body = axes_text(about, {name: name for name in about.var}, "    ")
    if any("custom" in one.kinds.values() for one in workloads) or (about.custom and not workloads):
        numbers = "".join(f", {name!r}: {name}" for name in (workloads[0].scalars if workloads else ()))
        device = "_akgflow_torch.device('cpu')"
        body += f"    _custom = _akgflow_custom({{**_axes{numbers}}}, {device})\n"
    body += "    return [\n" + "".join(f"        {_chosen(one, kinds, mixed, workloads)},\n" for one in about.inputs)
    return f"def get_inputs({', '.join(signature)}):\n{body}    ]\n"


def _numbers(about: Definition) -> Iterator[Tensor]:
    return (one for one in about.inputs if one.shape is None)


def _unsaid(one: Tensor, about: Definition) -> str:
    """Where an input comes from that no workload describes."""
    if one.shape is None:
        return "scalar"
    drawn = _drawn(one, "random", {})
    return f"_custom[{one.name!r}] if {one.name!r} in _custom else {drawn}" if about.custom else "random"


def _default(name: str, value: Scalar, about: Definition) -> str:
    """A number that is no size of an input is not written out plainly: the judge varies whole numbers that are."""
    varied = name in about.var and name not in about.unseen
    return repr(value) if varied else f"{type(value).__name__}({literal(value)})"


def _chosen(
    one: Tensor, kinds: Mapping[str, str], mixed: Mapping[str, Sequence[str]], workloads: Sequence[Workload]
) -> str:
    """The expression of an input; where workloads differ, that of the chosen one."""
    if one.name not in mixed:
        return _drawn(one, kinds[one.name], {})
    by_kind = dict.fromkeys(mixed[one.name])
    files = {number: w.blobs[one.name] for number, w in enumerate(workloads) if one.name in w.blobs}
    if len(by_kind) == 1:
        return _drawn(one, next(iter(by_kind)), files)
    return _branches(one, mixed[one.name], files)


def _branches(one: Tensor, kinds: Sequence[str], files: Mapping[int, tuple[str, str]]) -> str:
    *others, last = dict.fromkeys(kinds)
    branches: Iterator[str] = (
        f"{_drawn(one, kind, files)} if {WORKLOAD} in {tuple(n for n, k in enumerate(kinds) if k == kind)!r} else "
        for kind in others
    )
    return "".join(branches) + _drawn(one, last, files)


def _drawn(one: Tensor, kind: str, files: Mapping[int, tuple[str, str]]) -> str:
    if kind == "scalar":
        return one.name
    if kind == "custom":
        return f"_custom[{one.name!r}]"
    if kind not in KINDS:
        return kind
    dtype = f"_akgflow_torch.{one.dtype}"
    if kind == "safetensors":
        return f"_akgflow_blob(*{dict(files)!r}[{WORKLOAD}], {dtype})"
    shape = shape_text(one)
    if one.dtype == "bool":
        return f"_akgflow_torch.rand({shape}) < 0.5"
    if "int" in one.dtype:
        most = _RANGES.get(one.dtype, 1024)
        least = 0 if one.dtype.startswith("u") else -most
        return f"_akgflow_torch.randint({least}, {most}, {shape}, dtype={dtype})"
    wide = "float64" if one.dtype == "float64" else "float32"
    clamped = ".clamp(-2, 2)" if one.dtype.startswith(_FP8) else ""
    return f"_akgflow_torch.randn({shape}, dtype=_akgflow_torch.{wide}){clamped}.to({dtype})"
