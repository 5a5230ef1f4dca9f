"""Replacing attributes for the time of a session, also in modules that are imported later."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Changes = list[tuple[Any, str, Any]]
"""Attributes to set: object, name, value."""
_ABSENT = object()


@contextmanager
def patched(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Set ``object.name = value`` for each change; the former values come back at the end, last change first."""
    undo: list[tuple[Any, str, Any]] = []
    try:
        for owner, name, value in changes:
            undo.append((owner, name, vars(owner).get(name, _ABSENT)))
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in reversed(undo):
            if value is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


@contextmanager
def on_import(name: str, action: Callable[[Any], None]) -> Iterator[None]:
    """Call ``action`` with the module ``name`` once it is imported, now or later."""
    if name in sys.modules:
        action(sys.modules[name])
        yield
        return
    finder = _Watcher(name, action)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Watcher:
    """A finder that finds nothing itself: it lets the others find the module, and acts when it has run."""

    def __init__(self, name: str, action: Callable[[Any], None]) -> None:
        self.name, self.action = name, action

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(fullname, path, target))), None)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = self._then_act(spec.loader.exec_module)  # type: ignore[method-assign,assignment]
        return spec

    def _then_act(self, execute: Callable[[Any], None]) -> Callable[[Any], None]:
        def exec_module(module: Any) -> None:
            execute(module)
            self.action(module)

        return exec_module
