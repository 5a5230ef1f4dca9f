"""Long texts in little room: prompts of one run share most of their lines, and few of them are ever opened.

Each distinct line is kept once and the whole is deflated: 1,000 candidates with prompts and replies take about a
megabyte. The page inflates it when a text is first opened, and puts it in as text, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib

from akgflow.base.text import visible


class Texts:
    """The texts of a page by a name that depends on the text alone, so that a page that follows a run can keep it."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}
        self._texts: dict[str, list[int]] = {}

    def add(self, text: str) -> str:
        """Keep a text, with what would steer or hide written out; returns its name."""
        shown = visible(text)
        name = hashlib.sha256(shown.encode("utf-8", "replace")).hexdigest()[:12]
        if name not in self._texts:
            self._texts[name] = [self._lines.setdefault(line, len(self._lines)) for line in shown.split("\n")]
        return name

    def packed(self) -> str:
        """All of them as base64 of a zlib stream of JSON: ``{"lines": […], "texts": {name: [line, …]}}``."""
        data = json.dumps({"lines": list(self._lines), "texts": self._texts}, separators=(",", ":"))
        return base64.b64encode(zlib.compress(data.encode(), 9)).decode()
