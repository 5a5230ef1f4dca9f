"""C++ and CUDA sources of a solution as the text of a Python candidate that builds and calls them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from akgflow.base.text import lines
from akgflow.formats.base import Refused

_CPP = (".cpp", ".cc", ".cxx", ".c")
_CUDA = (".cu",)
_INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')
_ONCE = re.compile(r"\s*#\s*pragma\s+once\b")
_EXPORTS = "TVM_FFI_DLL_EXPORT_TYPED_FUNC"
_BINDS = "PYBIND11_MODULE"


def library(
    sources: Mapping[str, str], function: str, binding: str, flags: Mapping[str, Sequence[str]], file: Path
) -> str:
    """Python statements that build ``sources`` by path and name the result ``_akgflow_library``.

    ``binding`` is ``tvm-ffi`` or ``torch``; ``flags`` are by argument of the builder. Raises `Refused`.
    """
    whole = "".join(sources.values())
    if binding == "torch" and _BINDS not in whole:
        raise Refused(f"no source binds {function}", file, hint=f"bind it with {_BINDS}(TORCH_EXTENSION_NAME, m)")
    cpp, cuda = _joined(sources, _CPP), _joined(sources, _CUDA)
    if not cpp and not cuda:
        raise Refused(f"no source is C++ or CUDA: {', '.join(sources)}", file)
    bound = None if _EXPORTS in whole or binding == "torch" else [function]
    module = "torch.utils.cpp_extension" if binding == "torch" else "tvm_ffi.cpp"
    # torch's builder wants a C++ text, an empty one too; tvm-ffi's wants none.
    given = {"cpp_sources": cpp or ([""] if binding == "torch" else None), "cuda_sources": cuda or None}
    options = {**given, "functions": bound, **{name: list(one) for name, one in flags.items() if one}}
    written = ", ".join(f"{name}={value!r}" for name, value in options.items() if value is not None)
    return (
        f"from {module} import load_inline as _akgflow_load\n\n"
        f"_akgflow_library = _akgflow_load(name={'akgflow_solution'!r}, {written})\n"
    )


def _joined(sources: Mapping[str, str], suffixes: Sequence[str]) -> list[str]:
    """One text of all sources with these suffixes; each header that comes with them stands where it is included."""
    chosen = [path for path in sources if PurePosixPath(path).suffix in suffixes]
    seen: set[str] = set()
    parts = [line for path in chosen for line in _expanded(path, sources, seen)]
    return ["\n".join(parts) + "\n"] if parts else []


def _expanded(path: str, sources: Mapping[str, str], seen: set[str]) -> Iterator[str]:
    seen.add(path)
    yield f'#line 1 "{path}"'
    for number, line in enumerate(lines(sources[path]), 1):
        found = _INCLUDE.match(line)
        header = _resolved(found[1], path, sources) if found else None
        if header is not None:
            if header not in seen:
                yield from _expanded(header, sources, seen)
            yield f'#line {number + 1} "{path}"'
        else:
            # Each header stands here once.
            yield "" if _ONCE.match(line) else line


def _resolved(name: str, included_by: str, sources: Mapping[str, str]) -> str | None:
    """The source that an include means: beside the including one, or below the root."""
    beside = str(PurePosixPath(included_by).parent / name)
    return next((path for path in (beside, name) if path in sources), None)
