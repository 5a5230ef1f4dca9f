"""Operators and cases that come from the command line, held to the same rules as those in task files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from akgflow.config._problems import Problems, display, suggest
from akgflow.config._yaml import ScalarError, resolve
from akgflow.config.checks.operators import read_operator
from akgflow.config.types import Operator, Scalar
from akgflow.errors import ConfigError, Mark


def parse_case(text: str) -> dict[str, Scalar]:
    """``m=256,n=130`` as a case; raises `ConfigError`."""
    case: dict[str, Scalar] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        try:
            scalar = resolve(value) if value else None
        except ScalarError as error:
            raise ConfigError(f"--case {text}: {error}") from None
        if not name or not equals or scalar is None or name in case:
            raise ConfigError(f"--case {text}: write NAME=VALUE,NAME=VALUE, each name once")
        case[name] = scalar
    return case


def check_operator(path: Path, cases: Sequence[Mapping[str, Scalar]]) -> Operator:
    """The operator in ``path``, fit for ``cases``; raises `ConfigError` with all that is wrong."""
    problems = Problems()
    mark = Mark(display(path), 1, 1)
    source = problems.read(path, mark, "the operator")
    surface = read_operator(source, mark.file, mark, problems) if source is not None else None
    if surface is not None:
        for name in sorted({name for case in cases for name in case}):
            if not surface.anything and name not in surface.names:
                problems.add(None, f"--case: the operator takes no {name!r}", suggest(name, sorted(surface.names)))
        for name in sorted(surface.required):
            if not cases or any(name not in case for case in cases):
                problems.add(None, f"the operator needs a value for {name!r}", f"give --case {name}=…")
    problems.check()
    return Operator(path.resolve(), source or "")
