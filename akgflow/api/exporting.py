"""Verified kernels as packages, and packages judged again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from akgflow.api.boundary import public
from akgflow.api.judging import Question
from akgflow.api.running import find_run
from akgflow.api.tasks import load_workspace
from akgflow.base.serial import fit
from akgflow.config import check_dtype, check_mode, check_name, check_operator, read_text
from akgflow.errors import ConfigError
from akgflow.executors.once import with_executor
from akgflow.export import FORMS, Exported, Subject, Wish, of_files, of_run, write_package
from akgflow.machine import detect
from akgflow.verdict import Verdict


@public
def export_kernel(
    run: str | Path,
    job: str | None = None,
    *,
    to: str = "wheel",
    out: str | Path = ".",
    name: str | None = None,
    license: str | None = None,
    fallback: bool = False,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Exported:
    """Write the best kernel of a job of a finished run as a package: a ``wheel``, an ``hf-kernel`` or a ``folder``.

    ``run`` is its folder, or the folder's name in the workspace. ``name`` is the package's; ``license`` an SPDX
    expression for kernel and operator. With ``fallback`` the operator computes what was not verified, which is refused
    otherwise. Raises `ConfigError`, `PrerequisiteError`.
    """
    space = load_workspace(workspace, overrides=overrides)
    folder = find_run(run, workspace=space.root)
    wish = Wish(check_name("form", to, FORMS), Path(out), name, license, fallback)
    return write_package(of_run(folder, job, space), wish)


@public
def export_candidate(
    candidate: str | Path,
    *,
    operator: str | Path,
    verdict: str | Path,
    dsl: str,
    to: str = "wheel",
    out: str | Path = ".",
    name: str | None = None,
    license: str | None = None,
    fallback: bool = False,
    dtype: str | None = None,
    mode: str | None = None,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Exported:
    """The same for the kernel in a file, with the verdict that ``akgflow verify --json`` printed about it.

    ``dtype`` and ``mode`` are what was given there.

    Nothing shows that the verdict is of this kernel and operator, or that it is true: ``recheck`` of the package does.
    """
    space = load_workspace(workspace, overrides=overrides)
    reference = check_operator(Path(operator), ())
    reference = reference if mode is None else replace(reference, mode=check_mode(mode))
    found = read_verdict(Path(verdict))
    subject = of_files(
        read_text(Path(candidate), "the candidate"),
        reference.whole,
        found,
        name=reference.file.stem,
        dsl=dsl,
        machine=detect().arch,
        space=space,
        dtype=None if dtype is None else check_dtype(dtype),
    )
    wish = Wish(check_name("form", to, FORMS), Path(out), name, license, fallback)
    return write_package(subject, wish)


@public
def recheck(
    package: str | Path,
    *,
    target: str | None = None,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Verdict:
    """Judge the kernel of an exported package again, on the cases for which it was exported; nothing is timed.

    ``package`` is the folder that holds ``kernel.py``. Raises `ConfigError` where a file is not what was exported.
    """
    folder = Path(package)
    _require_unchanged(folder)
    facts = _json(folder / "evidence" / "facts.json")
    question = Question(
        source=read_text(folder / "kernel.py", "the kernel"),
        dsl=facts["dsl"],
        target=target or facts["target"],
        operator=folder / "reference.py",
        cases=[one["case"] for one in facts["signatures"] if one["case"]],
        dtype=facts["dtype"],
        framework=facts["framework"],
        precision=facts["precision"],
        time=False,
        workspace=workspace,
        overrides=overrides,
    )
    machine = detect()
    inquiry = question.inquiry(machine)
    inquiry = replace(inquiry, request=replace(inquiry.request, tolerance=facts["tolerance"]))
    return with_executor(machine, inquiry.verdict)


_UNSIGNED = frozenset({"checksums.json", "metadata.json", "_ops.py"})
"""Files of a package that have no checksum: the list itself, and what builders of the kernel hub write."""


def _require_unchanged(folder: Path) -> None:
    wanted = _json(folder / "checksums.json")
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    found = {path.relative_to(folder).as_posix(): path for path in files}
    have = {name: path for name, path in found.items() if name not in _UNSIGNED}
    for name in sorted({*wanted, *have}):
        digest = hashlib.sha256(have[name].read_bytes()).hexdigest() if name in have else None
        if digest != wanted.get(name):
            raise ConfigError(f"{folder / name} is not what was exported, by checksums.json: export the kernel again")


def _json(path: Path) -> Any:
    try:
        return json.loads(read_text(path, "the file", 1 << 26))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from None


def read_verdict(path: Path) -> Verdict:
    """The verdict that ``akgflow verify --json`` printed into a file. Raises `ConfigError`."""
    try:
        return fit(_json(path), Verdict)
    except ValueError as error:
        raise ConfigError(f"{path} is no verdict, as akgflow verify --json prints one: {error}") from None


__all__ = ["Exported", "Subject", "export_candidate", "export_kernel", "recheck"]
