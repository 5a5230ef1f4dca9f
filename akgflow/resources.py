"""Where the files that ship with akgflow are: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from akgflow.errors import PrerequisiteError

_PACKAGE = Path(__file__).resolve().parent


def defaults() -> Path:
    """The folder that holds the shipped ``agents.yaml``, ``hardware.yaml``, ``schemas/`` and ``tasks/``."""
    for folder in (_PACKAGE / "defaults", _PACKAGE.parent):
        if (folder / "schemas").is_dir():
            return folder
    raise PrerequisiteError(f"this akgflow lacks its schemas (looked beside {_PACKAGE}): install it again")


def dsl_packs() -> Path:
    """The folder of the shipped DSL packs and their knowledge documents."""
    return _PACKAGE / "dsls"


def schema(kind: str) -> Path:
    """The JSON Schema file of ``kind``: agents, hardware, dsl, task or verdict."""
    return defaults() / "schemas" / f"{kind}.schema.json"


def tasks() -> Path:
    """The folder of the shipped tasks."""
    return defaults() / "tasks"
