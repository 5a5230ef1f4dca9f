"""Operators, cases and texts that come from the command line, held to the same rules as those in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from akgflow.config._files import MAX_BYTES
from akgflow.config._problems import Problems, display, suggest, suggestion
from akgflow.config._schema import options_at, validate
from akgflow.config._yaml import Node, ScalarError, resolve
from akgflow.config.checks.operators import Surface, misfit, read_operator
from akgflow.config.types import Operator, Scalar
from akgflow.errors import ConfigError, Mark

Cases = Sequence[Mapping[str, Scalar]]


def read_text(path: Path, what: str, most: int = MAX_BYTES) -> str:
    """The text of a plain file of at most ``most`` bytes; raises `ConfigError`."""
    problems = Problems()
    text = problems.read(path, None, what, most)
    problems.check()
    return text or ""


def check_dtype(name: str) -> str:
    """``name`` where it is a number type that the judge casts to; raises `ConfigError`."""
    known = options_at("task", "dtype")
    if name not in known:
        raise ConfigError(f"--dtype: there is no number type {name!r} to judge in: {suggest(name, known)}")
    return name


def parse_cases(texts: Sequence[str]) -> tuple[dict[str, Scalar], ...]:
    """Texts such as ``m=256,n=130`` as cases; raises `ConfigError` with all that is wrong."""
    problems = Problems()
    cases = [_parse_case(text, problems) for text in texts]
    problems.check()
    return tuple(case.data() for case in cases)


def _parse_case(text: str, problems: Problems) -> Node:
    file = f"--case {text if len(text) <= 60 else text[:59] + '…'}"
    problems.know(file, text)
    case: dict[str, Node] = {}
    column = 1
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        at = Mark(file, 1, column)
        try:
            scalar = resolve(value) if value else None
        except ScalarError as error:
            problems.add(at, str(error))
            scalar = 0
        if not name or not equals or scalar is None or name in case:
            problems.add(at, "a case is NAME=VALUE,NAME=VALUE, each name once", "write for example m=256,n=130")
        case[name] = Node(scalar, Mark(file, 1, column + part.find("=") + 1), key=at)
        column += len(part) + 1
    root = Node(case, Mark(file, 1, 1))
    if not problems:
        validate(root, "task", problems, ("definitions", "case"))
    return root


def check_operator(path: Path, cases: Cases) -> Operator:
    """The operator in ``path``, fit for ``cases``; raises `ConfigError` with all that is wrong."""
    problems = Problems()
    mark = Mark(display(path), 1, 1)
    source = problems.read(path, mark, "the operator")
    surface = read_operator(source, mark.file, mark, problems) if source is not None else None
    if surface is not None:
        _check_cases(cases, surface, problems)
        for name in sorted(surface.required):
            if not cases or any(name not in case for case in cases):
                problems.add(None, f"the operator needs a value for {name!r}", f"give --case {name}=…")
    problems.check()
    return Operator(path.resolve(), source or "")


def check_cases(operator: Operator, cases: Cases) -> None:
    """Raise `ConfigError` where the operator of a task cannot take ``cases``."""
    if cases:
        check_operator(operator.file, cases)


def _check_cases(cases: Cases, surface: Surface, problems: Problems) -> None:
    for name, value in {name: value for case in cases for name, value in case.items()}.items():
        if not surface.anything and name not in surface.names:
            hint = suggestion(name, sorted(surface.names))
            problems.add(None, f"--case: the operator takes no {name!r}", hint)
        elif wrong := misfit(name, value, surface):
            problems.add(None, f"--case: {wrong}")
