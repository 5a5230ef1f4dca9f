"""Importing modules from an operator's text: they belong to one module and are in no search path.

A judge serves many operators, and two of them may each have a ``helpers.py``: so what one imports is never found by
another, nor left in `sys.modules` under its plain name.
"""

from __future__ import annotations

import builtins
import linecache
import sys
from collections.abc import Mapping
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any

from akgflow.base.text import lines


class Importer:
    """The modules of one operator. ``owner`` is the unique name of the module that imports them."""

    def __init__(self, owner: str, folder: str, files: Mapping[str, str]) -> None:
        self._owner, self._folder = owner, folder
        self._texts = {_name_of(path): (path, text) for path, text in files.items()}
        for path in files:
            for above in list(PurePosixPath(path).parents)[:-1]:
                self._texts.setdefault(".".join(above.parts), (f"{above}/__init__.py", ""))
        self._made: dict[str, ModuleType] = {}

    def install(self, module: ModuleType, package: str = "") -> None:
        """Let ``import`` in the module's text find them first; ``package`` is where its relative imports begin."""
        made = dict(vars(builtins))

        def importing(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
            whole = self._absolute(name, package, level)
            if whole and whole.partition(".")[0] not in self._tops:
                return builtins.__import__(name, globals, locals, fromlist, level)
            return self._found(whole, tuple(fromlist or ()))

        made["__import__"] = importing
        vars(module)["__builtins__"] = made

    @property
    def _tops(self) -> set[str]:
        return {name.partition(".")[0] for name in self._texts}

    @staticmethod
    def _absolute(name: str, package: str, level: int) -> str:
        if not level:
            return name
        above = package.split(".") if package else []
        return ".".join([*above[: len(above) - level + 1], *([name] if name else [])])

    def _found(self, name: str, fromlist: tuple[str, ...]) -> Any:
        """What an import statement binds: the first package, or, for ``from``, the module itself."""
        parts = name.split(".") if name else []
        chain = [self._module(".".join(parts[: depth + 1])) for depth in range(len(parts))]
        for one in fromlist:
            inner = ".".join([*parts, one])
            if inner in self._texts and not (chain and hasattr(chain[-1], one)):
                self._module(inner)
        if not chain:
            top = ModuleType(self._owner)
            vars(top).update({one: self._module(one) for one in fromlist if one in self._texts})
            return top
        return chain[-1] if fromlist else chain[0]

    def _module(self, name: str) -> ModuleType:
        known = self._made.get(name)
        if known is not None:
            return known
        if name not in self._texts:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        path, text = self._texts[name]
        module = self._made[name] = ModuleType(f"{self._owner}.{name}")
        is_package = path.endswith("__init__.py")
        module.__file__ = f"{self._folder}/{path}"
        self.install(module, name if is_package else name.rpartition(".")[0])
        # Data classes look their module up by its name.
        sys.modules[module.__name__] = module
        linecache.cache[module.__file__] = (len(text), None, lines(text, keep_ends=True), module.__file__)
        try:
            exec(compile(text, module.__file__, "exec"), vars(module))
        except BaseException:
            del self._made[name], sys.modules[module.__name__]
            raise
        above, _, last = name.rpartition(".")
        if above:
            setattr(self._module(above), last, module)
        return module


def _name_of(path: str) -> str:
    """``helpers/rope.py`` → ``helpers.rope``, ``helpers/__init__.py`` → ``helpers``."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
