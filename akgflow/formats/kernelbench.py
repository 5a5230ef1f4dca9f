"""KernelBench: a file with ``Model``, ``get_inputs`` and ``get_init_inputs``; solutions define ``ModelNew``.

Specified in ScalingIntelligence/KernelBench. It is the judge's own form, but for ``get_init_inputs``: a file whose
``Model`` needs no argument may leave it out.
"""

from __future__ import annotations

import ast
from pathlib import Path

from akgflow.formats.base import ADDED, Candidate, Read, Translation
from akgflow.operators.python_text import PythonError, definitions, parse_python, required

SUFFIX = ".py"
NO_ARGUMENTS = "def get_init_inputs():\n    return []\n"
_BARE = ("torch.nn.Module", "nn.Module", "Module")
"""What a class without a constructor of its own is made from, where that is known to take nothing."""


def find(path: Path) -> Path | None:
    """Any Python file: what it must define is checked where it is read."""
    return path if path.suffix == SUFFIX else None


def translate(file: Path, read: Read) -> Translation:
    """The file as it is, or with the ``get_init_inputs`` that it leaves out."""
    text = read(file)
    source = text + ADDED + NO_ARGUMENTS if _made_without_arguments(text) else text
    return Translation("kernelbench", file.stem, file, source)


def _made_without_arguments(text: str) -> bool:
    """Whether a text has no ``get_init_inputs``, and a ``Model`` that is seen to need none.

    What is wrong with a text is said where it is checked.
    """
    try:
        tree = parse_python(text)
    except PythonError:
        return False
    found = definitions(tree.body)
    model = found.get("Model")
    if "get_init_inputs" in found or not isinstance(model, ast.ClassDef):
        return False
    own = definitions(model.body).get("__init__")
    if isinstance(own, ast.FunctionDef):
        return len(required(own.args)) <= 1
    return own is None and bool(model.bases) and all(ast.unparse(base) in _BARE for base in model.bases)


def candidate(text: str, file: Path, about: Translation) -> Candidate:  # noqa: ARG001
    """The file as it is."""
    return Candidate(text)
