"""Prompts that are rendered once for each set of values that they read: cells of a matrix share most of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from akgflow.config.prompts.analysis import variables_of
from akgflow.config.prompts.environment import rendered
from akgflow.config.types import Prompt


class Memo:
    """Remembers by the very objects that a template reads: contexts that share a value share the rendering."""

    def __init__(self) -> None:
        self._texts: dict[tuple[object, ...], tuple[str | Exception, tuple[object, ...]]] = {}

    def render(self, prompt: Prompt, values: Mapping[str, Any]) -> str:
        """The text of the prompt; raises again what its template raised."""
        if not prompt.text:
            return ""
        read = tuple(values[name] for name in sorted(variables_of(prompt.text)) if name in values)
        key = (prompt.text, len(values), *map(id, read))
        if key not in self._texts:
            # What was read is kept alive, so that no other object takes over an id.
            self._texts[key] = self._made(prompt, values), read
        made = self._texts[key][0]
        if isinstance(made, Exception):
            raise made
        return made

    @staticmethod
    def _made(prompt: Prompt, values: Mapping[str, Any]) -> str | Exception:
        try:
            return rendered(prompt, values)
        except Exception as failed:  # anything that the template's calls raise
            return failed
