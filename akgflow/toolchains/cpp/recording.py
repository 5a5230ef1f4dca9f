"""What the libraries of a candidate were built from, and what their functions were called with, as files."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from akgflow.base.maps import Span, merged, span_of

BUILT, CALLS = "built.json", "calls.txt"
MOST_CALLS = 64
MOST_BYTES = 256 << 20
"""Of all tensors together."""
_OPTIONS = ("functions", "extra_cflags", "extra_ldflags", "extra_include_paths")
_CODES = {"int": 0, "uint": 1, "float": 2, "bfloat": 4, "complex": 5, "bool": 6}
"""``DLDataTypeCode`` of dlpack.h."""


class Recorder:
    """Writes calls to ``folder`` before they are made. ``problem`` says why something is not there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._built: list[dict[str, Any]] = []
        self._calls = self._bytes = 0
        self._last: int | None = None
        self.problem("" if not (folder / CALLS).exists() else "two processes recorded")

    def problem(self, why: str) -> None:
        """Remember why some calls are not recorded."""
        self._problem = why
        self._write()

    def built(self, name: str, options: Mapping[str, Any]) -> int:
        """A library was built; its number."""
        kept = {key: _plain(options[key]) for key in _OPTIONS if options.get(key) is not None}
        sources = [str(one) for one in options.get("cpp_sources") or ()]
        self._built.append({"name": name, "cpp_sources": sources, **kept})
        self._write()
        return len(self._built) - 1

    def called(self, library: int, function: str, args: Sequence[Any]) -> None:
        """A function is about to be called."""
        if self._calls >= MOST_CALLS or self._problem:
            return
        lines = self._spans(args) if library == self._last else [f"library {library}", *self._spans(args)]
        with (self._folder / CALLS).open("a", encoding="utf-8") as file:
            if not self._problem:
                file.writelines(f"{line}\n" for line in (*lines, f"call {function}"))
                self._calls, self._last = self._calls + 1, library

    def _spans(self, args: Sequence[Any]) -> list[str]:
        spans = merged([span_of(one) for one in args if hasattr(one, "data_ptr") and one.numel()])
        self._bytes += sum(one.end - one.start for one in spans)
        if self._bytes > MOST_BYTES:
            self.problem(f"its calls take more than {MOST_BYTES >> 20} MiB: give a smaller case")
            return []
        lines = []
        for number, span in enumerate(spans):
            file = self._folder / f"{self._calls}-{number}.bin"
            file.write_bytes(ctypes.string_at(span.start, span.end - span.start))
            lines.append(f"span {file} {span.end - span.start}")
        return [*lines, *(line for one in args if (line := self._argument(one, spans)))]

    def _argument(self, value: Any, spans: Sequence[Span]) -> str:
        if hasattr(value, "data_ptr") and str(value.device) == "cpu":
            code, bits = _dtype(str(value.dtype).removeprefix("torch."))
            if code is not None:
                at = value.data_ptr()
                place = next(((n, at - s.start) for n, s in enumerate(spans) if s.start <= at < s.end), (0, 0))
                numbers = (*place, code, bits, value.dim(), *value.shape, *value.stride())
                return f"tensor {' '.join(map(str, numbers))}"
        if isinstance(value, int):
            return f"int {int(value)}"
        if isinstance(value, float):
            return f"float {value.hex()}"
        if value is None:
            return "none"
        self.problem(f"a function takes a {type(value).__name__}, and only tensors and numbers are replayed")
        return ""

    def _write(self) -> None:
        data = {"libraries": self._built, "problem": self._problem}
        (self._folder / BUILT).write_text(json.dumps(data), encoding="utf-8")


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value if isinstance(value, str) else list(map(str, value))


def _dtype(name: str) -> tuple[int | None, int]:
    """The code and the bits of a type of PyTorch's; no code where dlpack has none for it here."""
    if name == "bool":
        return _CODES["bool"], 8
    kind = name.rstrip("0123456789")
    return _CODES.get(kind) if name != kind else None, int(name[len(kind) :] or 0)
