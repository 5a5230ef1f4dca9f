"""Writes a package: as a project's folder, as a wheel, or in the form of the Hugging Face kernel hub."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from akgflow.base.atomic import write_bytes, write_text
from akgflow.base.text import lines, named_values
from akgflow.errors import ConfigError, PrerequisiteError
from akgflow.export.facts import Operands, facts, operands
from akgflow.export.files import license_text, namespace, package_files, readme, rendered, requirements
from akgflow.export.names import check_package_name, package_name
from akgflow.export.signatures import signatures
from akgflow.export.subject import Subject
from akgflow.operators.signature import Signatures
from akgflow.toolchains import Shipping, shipping

NO_LICENSE = "LicenseRef-Not-Stated"
_SPDX = re.compile(r"[A-Za-z0-9.+ ()-]{1,200}")


@dataclass(frozen=True)
class Wish:
    """How a kernel is to be exported."""

    form: str
    """A key of `FORMS`."""
    out: Path
    """The folder in which the result is written."""
    name: str | None = None
    """The package's; None makes one of task and job."""
    license: str | None = None
    """An SPDX expression for kernel and operator."""
    fallback: bool = False
    """Whether the operator itself computes what was not verified; else that is refused."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: str
    """The wheel, or the project's folder."""
    package: str
    """The name that is imported."""
    summary: str
    """The evidence in one line."""
    verified: tuple[str, ...]
    """The cases that the package accepts."""
    requires: tuple[str, ...]
    """What pip installs with it."""


@dataclass(frozen=True)
class _Project:
    """Everything that the forms put into files."""

    subject: Subject
    found: Signatures
    taken: Operands
    shipping: Shipping
    known: Mapping[str, Any]
    requires: list[str]
    license: str | None

    @property
    def package(self) -> str:
        return str(self.known["package"])

    @property
    def distribution(self) -> str:
        return self.package.replace("_", "-")

    def files(self, hub: bool) -> dict[str, str]:
        """The package's own."""
        return package_files(self.subject, self.found, self.taken, self.shipping, self.known, hub)


def write_package(subject: Subject, wish: Wish) -> Exported:
    """Write a verified kernel as a package.

    Raises `ConfigError` where it cannot be one, or where the place is taken; `PrerequisiteError` for a build tool.
    """
    name = check_package_name(wish.name) if wish.name is not None else package_name(subject.task, subject.job)
    if wish.license is not None and not _SPDX.fullmatch(wish.license):
        raise ConfigError(f"{wish.license!r} is no SPDX licence expression, such as Apache-2.0 or MIT")
    ships = shipping(subject.toolchain, subject.evidence, subject.target)
    if isinstance(ships, str):
        raise ConfigError(f"the kernel of {subject.job} cannot be exported: {ships}")
    requires = requirements(subject, ships)
    found = signatures(subject)
    taken = operands(found, subject.task)
    known = facts(subject, found, taken, name, wish.fallback)
    project = _Project(subject, found, taken, ships, known, requires, wish.license)
    path = FORMS[wish.form](project, wish.out)
    cases = tuple(named_values(one.case) for one in found.cases)
    return Exported(str(path), name, known["summary"], cases, tuple(requires))


def _folder(project: _Project, out: Path) -> Path:
    """A project with a build backend, whose package is in ``src``."""
    place = _free(out / project.package)
    return _written(place, _project_files(project))


def _written(place: Path, files: Mapping[str, str]) -> Path:
    """``place`` with these files in it."""
    for path, text in files.items():
        write_text(place / path, text)
    return place


def _project_files(project: _Project) -> dict[str, str]:
    values = {
        "distribution": project.distribution,
        "package": project.package,
        # The kernel's digest: another kernel of the same name is another version, which pip does not skip.
        "version": f"0.1.0+{namespace(project.package, project.known)[-8:]}",
        "title": f"{project.subject.task}: a verified kernel, exported by akgflow",
        "license": _spdx(project.license),
        "requires": project.requires,
    }
    own = {f"src/{project.package}/{name}": text for name, text in project.files(hub=False).items()}
    return own | {
        "pyproject.toml": rendered("project/pyproject.toml", values),
        "README.md": readme(project.subject, project.taken, project.known, project.distribution, hub=False),
        "LICENSE": license_text(project.distribution, project.license),
    }


def _spdx(license: str | None) -> str:
    stated = license or NO_LICENSE
    if stated == "Apache-2.0":
        return stated
    return f"({stated}) AND Apache-2.0" if " " in stated else f"{stated} AND Apache-2.0"


def _wheel(project: _Project, out: Path) -> Path:
    """The wheel of that project, built by hatchling in a process of its own."""
    if find_spec("hatchling") is None:
        raise PrerequisiteError("hatchling builds the wheel and is not installed: pip install hatchling")
    with tempfile.TemporaryDirectory(prefix="akgflow-export-") as scratch:
        root, made = Path(scratch, "project"), Path(scratch, "dist")
        _written(root, _project_files(project))
        epoch = str(int(datetime.fromisoformat(project.subject.verdict.timestamp).timestamp()))
        done = subprocess.run(
            [sys.executable, "-P", "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)],
            cwd=root,
            env={**os.environ, "SOURCE_DATE_EPOCH": epoch},
            capture_output=True,
            check=False,
        )
        if done.returncode:
            last = lines(done.stderr.decode(errors="replace").strip())[-1:] or ["no words"]
            raise PrerequisiteError(f"hatchling did not build the wheel: {last[0]}")
        (wheel,) = made.glob("*.whl")
        place = _free(out / wheel.name)
        write_bytes(place, wheel.read_bytes())
    return place


def _hub(project: _Project, out: Path) -> Path:
    """A project of kernel-builder, and beside it the one variant that it would build."""
    place = _free(out / project.package)
    files = project.files(hub=True)
    backend = "cpu" if project.subject.target.on_host else "cuda"
    depends = ["tvm-ffi"] if any(one.startswith("apache-tvm-ffi") for one in project.requires) else []
    license = _spdx(project.license)
    values = {
        "hub_name": project.distribution,
        "license": license,
        "backend": backend,
        "python_depends": depends,
    }
    card = readme(project.subject, project.taken, project.known, project.distribution, hub=True)
    tops = {
        "build.toml": rendered("hub/build.toml", values),
        "flake.nix": rendered("hub/flake.nix", values),
        "CARD.md": f"---\nlibrary_name: kernels\nlicense: other\nlicense_name: {json.dumps(license)}\n---\n\n{card}",
        "LICENSE": license_text(project.distribution, project.license),
    }
    variant = f"build/torch-{backend}"
    # kernel-builder writes _ops.py by itself.
    source = {f"torch-ext/{project.package}/{path}": text for path, text in files.items() if path != "_ops.py"}
    digests = {path: _base64_digest(text) for path, text in sorted(files.items())}
    metadata = {
        "name": project.distribution,
        "id": f"_{project.package}_{backend}_{namespace(project.package, project.known)[-8:]}",
        "version": 1,
        "license": license,
        "python-depends": depends,
        "backend": {"type": backend},
        "digest": {"algorithm": "sha256", "files": digests},
    }
    built = {f"{variant}/{path}": text for path, text in files.items()}
    built[f"{variant}/metadata.json"] = json.dumps(metadata, indent=2) + "\n"
    return _written(place, tops | source | built)


def _base64_digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _free(place: Path) -> Path:
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise ConfigError(f"{place} exists already: remove it, or name another folder with -o")
    return place


FORMS: Mapping[str, Callable[[_Project, Path], Path]] = {"wheel": _wheel, "hf-kernel": _hub, "folder": _folder}
"""How a package can be written, by name."""
