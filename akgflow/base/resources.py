"""What ships with akgflow or is installed beside it.

Its files are beside the package in a checkout, inside it in an installed wheel.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from akgflow.errors import PrerequisiteError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

TOOLCHAINS = "akgflow.toolchains"
"""The group of entry points in which packages offer toolchains."""
_PACKAGE = Path(__file__).resolve().parents[1]


def defaults() -> Path:
    """The folder that holds the shipped ``agents.yaml``, ``hardware.yaml``, ``schemas/`` and ``tasks/``."""
    for folder in (_PACKAGE / "defaults", _PACKAGE.parent):
        if (folder / "schemas").is_dir():
            return folder
    raise PrerequisiteError(f"this akgflow lacks its schemas (looked beside {_PACKAGE}): install it again")


def dsl_packs() -> Path:
    """The folder of the shipped DSL packs and their knowledge documents."""
    return _PACKAGE / "dsls"


def seeds() -> Path:
    """The folder of the shipped kernels: exports of a knowledge store, one for each DSL."""
    return _PACKAGE / "knowledge" / "seeds"


def schema(kind: str) -> Path:
    """The JSON Schema file of ``kind``: agents, hardware, dsl, task, suite or verdict."""
    return defaults() / "schemas" / f"{kind}.schema.json"


def tasks() -> Path:
    """The folder of the shipped tasks."""
    return defaults() / "tasks"


def toolchains() -> Mapping[str, EntryPoint]:
    """The installed toolchains by name."""
    return _toolchains_on(tuple(sys.path))


@cache
def _toolchains_on(path: tuple[str, ...]) -> Mapping[str, EntryPoint]:  # noqa: ARG001
    """A look at the metadata of every package that is installed; a plan asks once for each DSL."""
    from importlib.metadata import entry_points  # slow to load, and rarely asked for

    return {point.name: point for point in entry_points(group=TOOLCHAINS)}
