"""Package exports whose modules load on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_exports(package: str, exports: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A ``__getattr__`` for ``package``; ``exports`` lists its modules, each with the names that it provides.

    `akgflow plan` needs a few values of packages that also run things, and must not wait for their imports.
    """
    module_of = {name: f"{package}.{module}" for module, names in exports.items() for name in names}

    def find(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(module_of[name]), name)

    return find
