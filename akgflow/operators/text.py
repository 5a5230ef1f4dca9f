"""An operator's text as it is judged: its file, and at the end what it imports from beside it and how it is run.

One text, so that whatever depends on the operator (a plan's digest, a cached result, a judge on another machine, an
entry of the knowledge store) depends on all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from akgflow.base.text import lines
from akgflow.operators.backward import Backward
from akgflow.operators.preparation import Preparation

MODES = ("eval", "train")
"""Modes of `torch.nn.Module` in which an operator can be judged."""
_LINE = "\n\n# Added by akgflow: the files that this one imports from beside it, and the mode in which it is judged.\n"
_FILES, _MODE, _BACKWARD, _PREPARE = "__beside__ = ", "__mode__ = ", "__backward__ = ", "__prepare__ = "


class Parts(NamedTuple):
    """What a whole text consists of."""

    source: str
    """The operator's own file."""
    beside: Mapping[str, str]
    """Modules that it imports, by their path below its folder (``helpers/rope.py``)."""
    mode: str | None
    """``eval`` or ``train``; None for the mode in which the operator constructs itself."""
    backward: Backward | None = None
    """What is asked of gradients; None where they are not judged."""
    prepare: Preparation | None = None
    """What is asked of kernels that prepare their weights; None where ``prepare()`` is not called."""

    def around(self, source: str) -> str:
        """The whole text of another file of the operator, with the rest as it is."""
        return whole(source, self.beside, self.mode, self.backward, self.prepare)


def whole(
    source: str,
    beside: Mapping[str, str],
    mode: str | None,
    backward: Backward | None = None,
    prepare: Preparation | None = None,
) -> str:
    """The one text of an operator. It is Python with the lines of ``source`` where they were."""
    if not beside and mode is None and backward is None and prepare is None:
        return source
    asked = ((_BACKWARD, backward), (_PREPARE, prepare))
    last = "".join(f"{name}{json.dumps(one._asdict())}\n" for name, one in asked if one is not None)
    return f"{source}{_LINE}{_FILES}{json.dumps(dict(sorted(beside.items())))}\n{_MODE}{mode!r}\n{last}"


def parts_of(text: str) -> Parts:
    """The inverse of `whole`; any other text is a file by itself."""
    source, line, added = text.rpartition(_LINE)
    if not line:
        return Parts(text, {}, None)
    # A candidate that is made of an operator's text goes on after it.
    files, mode, *more = lines(added)
    named = mode.removeprefix(_MODE).strip("'\"")
    asked = {}
    while more and more[0].startswith((_BACKWARD, _PREPARE)):
        name, _, value = more.pop(0).partition(" = ")
        asked[f"{name} = "] = json.loads(value)
    ways = Backward.of(asked.get(_BACKWARD)), Preparation.of(asked.get(_PREPARE))
    return Parts(source, json.loads(files.removeprefix(_FILES)), named if named in MODES else None, *ways)


def shown(text: str) -> str:
    """The same for people and models to read: each file under its name."""
    found = parts_of(text)
    files = "".join(f"\n\n# {path}, beside it:\n\n{beside.strip()}\n" for path, beside in found.beside.items())
    mode = f"\n\n# Judged in {found.mode} mode: model.{found.mode}() is called first.\n" if found.mode else ""
    ways = (found.backward, found.prepare)
    asked = "".join(f"\n\n# {one.words}\n" for one in ways if one is not None)
    return f"{found.source.rstrip()}\n{files}{mode}{asked}" if files or mode or asked else text
