"""Packages that an operator imports and this Python lacks, found without importing anything."""

from __future__ import annotations

import sys

import pytest

from akgflow.operators.packages import lacking

TEXTS = {
    # text: what it lacks
    "import nobody.has.it, json\nimport torch": ("nobody",),
    "from nobody import x\nfrom nobody.y import z\nimport other as o": ("nobody", "other"),
    "try:\n    import nobody\nexcept ImportError:\n    nobody = None": (),
    "def forward():\n    import nobody": (),
    "from . import helper\nfrom helper import f": (),
    "def (": (),
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_lacking(text: str) -> None:
    assert lacking(text, {"helper.py": ""}) == TEXTS[text]


def test_what_is_beside_an_operator_may_lack_something_too() -> None:
    assert lacking("import helper", {"helper.py": "import nobody", "parts/rope.py": "import parts"}) == ("nobody",)
    assert "numpy" not in lacking("import numpy", {}) and "antigravity" not in sys.modules
    assert lacking("import antigravity", {}) == () and "antigravity" not in sys.modules
