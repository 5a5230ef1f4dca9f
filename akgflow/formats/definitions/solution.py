"""A solution of a definition as a candidate: its function is called with outputs that the candidate allocates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from akgflow.formats import native
from akgflow.formats.base import ADDED, Candidate, Refused
from akgflow.formats.definitions.definition import Definition, shape_text
from akgflow.formats.definitions.operator import OUTPUTS, axes_text, constructor_text
from akgflow.formats.python import is_candidate, require_solution, with_modules
from akgflow.formats.structure import entry, json_object, line_of

_PYTHON, _NATIVE = ("pytorch", "python", "triton", "tilelang"), ("cuda", "cuda_cpp", "cpp")
_DSLS = {"triton": "triton", "tilelang": "tilelang", "cuda": "cuda_c", "cuda_cpp": "cuda_c", "cpp": "cpp"}
"""DSLs by the names that solutions have for them."""
_FLAGS = {"cflags": "extra_cflags", "cuda_cflags": "extra_cuda_cflags", "ld_flags": "extra_ldflags"}


@dataclass(frozen=True)
class Dialect:
    """Where two formats of solutions differ."""

    languages: str
    """The key of the languages."""
    binding: str
    """That of C++ and CUDA sources that state none."""


@dataclass(frozen=True)
class _Solution:
    name: str
    languages: Sequence[str]
    entry_file: str
    function: str
    destination: bool
    """Whether outputs are passed as the last arguments."""
    binding: str
    flags: Mapping[str, Sequence[str]]
    sources: Mapping[str, str]


def read_candidate(text: str, file: Path, about: Definition, dialect: Dialect) -> Candidate:
    """A solution's JSON, or a Python file with ``run`` in destination-passing style. Raises `Refused`."""
    if file.suffix == ".json":
        solution = _read(text, file, about, dialect)
    elif is_candidate(text, file):
        return Candidate(text)
    else:
        solution = _Solution("", (), file.name, "run", True, dialect.binding, {}, {file.name: text})
    dsls = tuple(dict.fromkeys(_DSLS[one] for one in solution.languages if one in _DSLS))
    return Candidate(_text(solution, file, about), solution.name, dsls)


def _read(text: str, file: Path, about: Definition, dialect: Dialect) -> _Solution:
    data = json_object(text, file)
    of = entry(data, "definition", str, file)
    if of != about.name:
        raise Refused(f"solves {of!r}, and the operator is {about.name!r}", file, line_of(text, "definition"))
    spec = entry(data, "spec", dict, file)
    where, _, function = entry(spec, "entry_point", str, file, line=line_of(text, "entry_point")).partition("::")
    sources = _sources(data, file, text)
    if where not in sources or not function.isidentifier():
        reason = f"the entry point {where}::{function} is no FILE::FUNCTION of its sources"
        raise Refused(reason, file, line_of(text, "entry_point"))
    languages = _languages(spec, dialect, file, text)
    options = entry(spec, "compile_options", dict, file, {})
    return _Solution(
        name=entry(data, "name", str, file),
        languages=languages,
        entry_file=where,
        function=function,
        destination=entry(spec, "destination_passing_style", bool, file, True),
        binding=entry(spec, "binding", str, file, dialect.binding),
        flags={ours: entry(options, theirs, list, file, []) for theirs, ours in _FLAGS.items()},
        sources=sources,
    )


def _languages(spec: Mapping[str, Any], dialect: Dialect, file: Path, text: str) -> list[str]:
    line = line_of(text, dialect.languages)
    given = spec.get(dialect.languages)
    languages = [given] if isinstance(given, str) else given
    if not isinstance(languages, list) or not languages:
        raise Refused(f"has no {dialect.languages!r}", file, line)
    for one in languages:
        if one not in (*_PYTHON, *_NATIVE):
            raise Refused(f"is written in {one}, which is no DSL that akgflow compiles", file, line)
    return languages


def _sources(data: Mapping[str, Any], file: Path, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in entry(data, "sources", list, file):
        if not isinstance(one, dict):
            raise Refused("'sources' holds something else than objects", file, line_of(text, "sources"))
        path = entry(one, "path", str, file, line=line_of(text, "sources"))
        content = entry(one, "content", str, file, line=line_of(text, path))
        found[str(PurePosixPath(path))] = content or _beside(path, file)
    return found


def _beside(path: str, file: Path) -> str:
    """The text of a source that a solution leaves empty: that of the file of its name below the solution's folder."""
    inner = PurePosixPath(path)
    if inner.is_absolute() or ".." in inner.parts:
        return ""
    try:
        return (file.parent / inner).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _text(solution: _Solution, file: Path, about: Definition) -> str:
    source = solution.sources[solution.entry_file]
    if solution.entry_file.endswith(".py"):
        inner = file.with_name(PurePosixPath(solution.entry_file).name)
        require_solution(source, solution.function, inner)
        beside = {path: one for path, one in solution.sources.items() if path != solution.entry_file}
        begin = with_modules(source, beside, inner) + ADDED + f"_akgflow_run = {solution.function}\n"
    else:
        if solution.binding not in ("torch", "tvm-ffi"):
            raise Refused(f"the binding {solution.binding!r} is neither torch nor tvm-ffi", file)
        flags = solution.flags
        built = native.library(solution.sources, solution.function, solution.binding, flags, file)
        begin = f"{built}_akgflow_run = _akgflow_library.{solution.function}\n"
    return begin + "import torch as _akgflow_torch\n" + _model(about, solution.destination, file)


def _model(about: Definition, destination: bool, file: Path) -> str:
    inputs = ", ".join(one.name for one in about.inputs)
    helper = OUTPUTS.format(names=[one.name for one in about.outputs])
    made = constructor_text(about)
    head = f"{helper}\n\nclass ModelNew(_akgflow_torch.nn.Module):\n{made}    def forward(self, {inputs}):\n"
    if not destination:
        return f"{head}        return _akgflow_outputs(_akgflow_run({inputs}))\n"
    made = "".join(f"            {_allocated(about, n, file)},\n" for n in range(len(about.outputs)))
    return (
        f"{head}{axes_text(about, _sizes(about), ' ' * 8)}"
        f"        _device = {_device(about)}\n"
        f"        _outputs = (\n{made}        )\n"
        f"        _akgflow_run({inputs}, *_outputs)\n"
        "        return _akgflow_outputs(_outputs)\n"
    )


def _allocated(about: Definition, number: int, file: Path) -> str:
    one = about.outputs[number]
    if one.shape is None:
        raise Refused(f"the output {one.name!r} is a number, which cannot be written to", file)
    return f"_akgflow_torch.empty({shape_text(one)}, dtype=_akgflow_torch.{one.dtype}, device=_device)"


def _sizes(about: Definition) -> dict[str, str]:
    """Each variable axis as the size of an input that has it, or as the model was told."""
    found = {
        axis: f"{one.name}.shape[{place}]"
        for one in reversed(about.inputs)
        for place, axis in enumerate(one.shape or ())
        if axis in about.var
    }
    told = {axis: f"self._axis_{axis}" for axis in about.unseen}
    return {axis: found.get(axis, told.get(axis, "0")) for axis in about.var}


def _device(about: Definition) -> str:
    tensor = next((one.name for one in about.inputs if one.shape is not None), None)
    return "'cpu'" if tensor is None else f"{tensor}.device"
