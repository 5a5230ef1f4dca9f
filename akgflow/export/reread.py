"""Reads an exported package: its kernel with the verdict that it was exported with, as long as no file was changed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from akgflow.base.serial import fit, of_document, of_others
from akgflow.config import read_text
from akgflow.errors import ConfigError
from akgflow.export.files import CHECKSUMS
from akgflow.suites.rechecking import JudgedKernel, conditions_of
from akgflow.verdict import Verdict

_FACTS = Path("evidence", "facts.json")
_MOST_BYTES = 1 << 26
_UNSIGNED = frozenset({CHECKSUMS, "metadata.json", "_ops.py"})
"""Files of a package that have no checksum: the list itself, and what builders of the kernel hub write."""


def packages_in(folder: Path) -> list[Path]:
    """The folders of all packages in ``folder``, itself among them; of equal ones the first."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob(str(_FACTS))):
        found.setdefault(path.read_text(encoding="utf-8", errors="replace"), path.parents[1])
    return list(found.values())


def read_package(folder: Path) -> JudgedKernel:
    """The kernel of a package; raises `ConfigError` where a file is not what was exported."""
    _require_unchanged(folder)
    try:
        return _kernel(folder, read_json(folder / _FACTS), read_verdict(folder / "evidence" / "verdict.json"))
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{folder / _FACTS} is not as akgflow export writes it: {error!r}") from None


def _kernel(folder: Path, facts: dict[str, Any], verdict: Verdict) -> JudgedKernel:
    # The package accepts those cases and no others, whichever of them were stated.
    cases = [one["case"] for one in facts["signatures"] if one["case"]]
    return JudgedKernel(
        problem=facts["task"],
        dsl=facts["dsl"],
        source=read_text(folder / "kernel.py", "the kernel"),
        operator=read_text(folder / "reference.py", "the operator"),
        verdict=verdict,
        conditions=replace(conditions_of(verdict, cases, facts["dtype"]), secret_cases=()),
    )


def read_json(path: Path) -> Any:
    """A file of JSON; raises `ConfigError`."""
    try:
        return of_others(read_text(path, "the file", _MOST_BYTES))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from None


def read_verdict(path: Path) -> Verdict:
    """A verdict as ``akgflow verify --json`` prints it; raises `ConfigError`."""
    try:
        return fit(of_document(read_json(path)), Verdict)
    except ValueError as error:
        raise ConfigError(f"{path} is no verdict, as akgflow verify --json prints one: {error}") from None


def _require_unchanged(folder: Path) -> None:
    wanted = read_json(folder / CHECKSUMS)
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    found = {path.relative_to(folder).as_posix(): path for path in files}
    have = {name: path for name, path in found.items() if name not in _UNSIGNED}
    for name in sorted({*wanted, *have}):
        digest = hashlib.sha256(have[name].read_bytes()).hexdigest() if name in have else None
        if digest != wanted.get(name):
            raise ConfigError(f"{folder / name} is not what was exported, by {CHECKSUMS}: export the kernel again")
