"""Verified kernels as packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from akgflow.api.boundary import public
from akgflow.api.running import find_run
from akgflow.api.tasks import load_workspace
from akgflow.config import check_dtype, check_mode, check_name, check_operator, read_text
from akgflow.export import FORMS, Exported, Subject, Wish, of_files, of_run, write_package
from akgflow.export.reread import read_verdict
from akgflow.machine import detect


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
    single: bool = False,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Exported:
    """Write the best kernel of a job of a finished run as a package: a ``wheel``, an ``hf-kernel`` or a ``folder``.

    Where the job keeps several kernels, the package picks one of them by shape; with ``single`` it holds the best one.

    ``run`` is its folder, or the folder's name in the workspace. ``name`` is the package's; ``license`` an SPDX
    expression for kernel and operator. With ``fallback`` the operator computes what was not verified, which is refused
    otherwise. Raises `ConfigError`, `PrerequisiteError`.
    """
    space = load_workspace(workspace, overrides=overrides)
    folder = find_run(run, space.runs)
    wish = Wish(check_name("form", to, FORMS), Path(out), name, license, fallback)
    return write_package(of_run(folder, job, space, single=single), wish)


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


__all__ = ["Exported", "Subject", "export_candidate", "export_kernel"]
