"""What PyTorch's own headers have, and what the headers that stand in for them have."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from akgflow.toolchains.common.installed import package_dir

TORCH = Path(__file__).parents[1] / "include" / "torch_stand_in"

_INCLUDE = re.compile(
    r"^[ \t]*#[ \t]*include[ \t]*[<\"]((?:ATen|c10|caffe2|torch|pybind11)/[\w./-]+)[>\"]", re.MULTILINE
)
_QUALIFIED = re.compile(r"\b(?:torch|at|c10)((?:\s*::\s*\w+)+)")
_MACRO = re.compile(r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\s*\(")


@cache
def _include() -> Path | None:
    package = package_dir("torch")
    folder = package / "include" if package else None
    return folder if folder is not None and folder.is_dir() else None


def forwarded(text: str) -> str:
    """``text`` with headers of the installed PyTorch that the stand-in has not as the stand-in itself.

    What such a header declares is then missed by its name, where it is used. Lines keep their numbers.
    """

    def here(found: re.Match[str]) -> str:
        path, real = found[1], _include()
        lacking = not (TORCH / path).exists() and real is not None and (real / path).exists()
        return "#include <torch/extension.h>" if lacking else found[0]

    return _INCLUDE.sub(here, text)


@cache
def in_pytorch(name: str) -> bool:
    """False where no header of the installed PyTorch has the name: then the candidate is wrong, not the stand-in."""
    headers = _include()
    if headers is None or not re.fullmatch(r"\w+", name):
        return True
    command = ["grep", "-rwqF", "--include=*.h", "--include=*.cuh", name, str(headers)]
    return subprocess.run(command, capture_output=True).returncode != 1


@cache
def _stood_in_for() -> frozenset[str]:
    """Every name in the headers that stand in for PyTorch's."""
    texts = (path.read_text(encoding="utf-8") for path in TORCH.rglob("*") if path.is_file())
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


def lacking(line: str) -> str | None:
    """The first name in a line of a text that PyTorch's headers have and the stand-in lacks."""
    known = _stood_in_for()
    return next((whole for name, whole in _names(line) if name not in known and in_pytorch(name)), None)


def _names(line: str) -> Iterator[tuple[str, str]]:
    for found in _QUALIFIED.finditer(line):
        whole = "".join(found[0].split())
        yield from ((name, whole) for name in whole.split("::")[1:])
    for found in _MACRO.finditer(line):
        yield found[1], found[1]
