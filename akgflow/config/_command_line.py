"""Names, operators, cases and texts of a command or a call, held to the same rules as those in files."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from akgflow.config import _build
from akgflow.config._files import MAX_BYTES
from akgflow.config._layers import resolve_environment
from akgflow.config._problems import Problems, display, suggest, suggestion
from akgflow.config._schema import options_at, validate
from akgflow.config._yaml import Node, ScalarError, parse, resolve
from akgflow.config.checks.opened import operator_at, refuse, translated
from akgflow.config.checks.operators import Surface, misfit, read_operator
from akgflow.config.checks.references import target_hint
from akgflow.config.checks.shapes import check_guarantee, parse_shapes
from akgflow.config.types import Operator, Scalar, Target
from akgflow.errors import ConfigError, Mark
from akgflow.formats import Candidate, Refused, candidate
from akgflow.operators.backward import Backward
from akgflow.operators.preparation import Preparation
from akgflow.operators.shapes.guarantee import Guarantee
from akgflow.precision import PRECISIONS, Precision

Cases = Sequence[Mapping[str, Scalar]]


def read_text(path: Path, what: str, most: int = MAX_BYTES) -> str:
    """The text of a plain file of at most ``most`` bytes; raises `ConfigError`."""
    problems = Problems()
    text = problems.read(path, None, what, most)
    problems.check()
    return text or ""


def runs_folder(root: Path, env: Mapping[str, str] = os.environ) -> Path:
    """The folder of a workspace's runs. The rest of its agents.yaml is not looked at: results can be read without it.

    Raises `ConfigError`.
    """
    problems, path = Problems(), root / "agents.yaml"
    text = problems.read(path, None, "the file") if path.is_file() else None
    node = parse(text, display(path), problems) if text and re.search(r"\bruns[\"']?\s*:", text) else None
    section = node.at("runs") if node else None
    if section is not None:
        whole = resolve_environment(Node({"runs": section}, section.mark), "agents", env, problems)
        section = whole.at("runs") or section
        validate(section, "agents", problems, ("definitions", "runs"))
    problems.check()
    return _build.runs_folder(section, root)


def check_name(kind: str, name: str, known: Collection[str]) -> str:
    """``name`` where it is among those that are known; raises `ConfigError` with the nearest right one."""
    if name not in known:
        raise ConfigError(f"there is no {kind} {name!r}: {suggest(name, known)}")
    return name


def check_target(name: str, known: Mapping[str, Target]) -> str:
    """``name`` where it is a target; raises `ConfigError` with what was probably meant."""
    if name not in known:
        hint = target_hint(name, {target.name: target.platform for target in known.values()})
        raise ConfigError(f"there is no target {name!r}: {hint}")
    return name


def check_dtype(name: str) -> str:
    """``name`` where it is a number type that the judge casts to; raises `ConfigError`."""
    return check_name("number type", name, options_at("task", "dtype"))


def check_baseline(name: str) -> str:
    """``name`` where it is something that a timing can compare with; raises `ConfigError`."""
    return check_name("baseline", name, options_at("task", "baselines"))


def check_framework(name: str) -> str:
    """``name`` where it is ``forbid`` or ``allow``; raises `ConfigError`."""
    return check_name("answer to framework", name, options_at("task", "framework"))


def check_layouts(name: str) -> Literal["any"]:
    """``name`` where it is ``any``; raises `ConfigError`."""
    check_name("answer to layouts", name, options_at("task", "layouts"))
    return "any"


def check_precision(value: str | Mapping[str, str]) -> Precision:
    """The contract that ``value`` names, as in a task or as ``compute=bf16``; raises `ConfigError`."""
    try:
        return Precision.of(value)
    except ValueError:
        return Precision(check_name("precision", str(value), PRECISIONS))


def check_mode(name: str) -> str:
    """``name`` where it is a mode in which an operator can be judged; raises `ConfigError`."""
    return check_name("mode", name, options_at("task", "mode"))


def check_backward(value: bool | Mapping[str, Sequence[str]]) -> Backward | None:
    """What ``true`` or ``{"overwrites": [...]}`` asks of gradients, None for ``false``; raises `ConfigError`."""
    if isinstance(value, bool):
        return Backward.of(value)
    names = value.get("overwrites", ()) if isinstance(value, Mapping) and set(value) <= {"overwrites"} else None
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"backward is true, false or {{'overwrites': [NAME, …]}}, not {value!r}")
    return Backward(tuple(names))


def check_prepare(value: bool | Mapping[str, int]) -> Preparation | None:
    """What ``true`` or ``{"calls": 100}`` asks of kernels that prepare weights; raises `ConfigError`."""
    if isinstance(value, bool):
        return Preparation.of(value)
    calls = value.get("calls") if isinstance(value, Mapping) and set(value) == {"calls"} else None
    if type(calls) is not int or calls < 1:
        raise ConfigError(f"prepare is true, false or {{'calls': NUMBER}}, not {value!r}")
    return Preparation(calls)


def parse_cases(cases: Sequence[str | Mapping[str, Scalar]]) -> tuple[dict[str, Scalar], ...]:
    """Cases that are texts such as ``m=256,n=130``, or mappings; raises `ConfigError` with all that is wrong."""
    problems = Problems()
    nodes = [_parse_case(case, problems) if isinstance(case, str) else _case_node(case, problems) for case in cases]
    problems.check()
    # What a command names is no secret.
    return tuple({name: value for name, value in node.data().items() if name != "secret"} for node in nodes)


def _case_node(case: Mapping[str, Scalar], problems: Problems) -> Node:
    mark = Mark(f"the case {dict(case)}", 1, 1)
    root = Node({name: Node(value, mark, key=mark) for name, value in case.items()}, mark)
    strange = [name for name, value in case.items() if not isinstance(value, Scalar)]
    if strange:
        problems.add(mark, f"a case holds numbers, truth values and texts: {', '.join(strange)} is something else")
        return root
    validate(root, "task", problems, ("definitions", "case"))
    return root


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


def check_operator(path: Path, cases: Cases, form: str | None = None) -> Operator:
    """The operator in ``path``, fit for ``cases``; raises `ConfigError` with all that is wrong.

    ``form`` names its format; without one it is found by its looks.
    """
    problems = Problems()
    made = translated(path, form, Mark(display(path), 1, 1), problems)
    if made is not None:
        shown = display(made.file)
        surface = read_operator(made.source, shown, Mark(shown, 1, 1), problems)
        if surface is not None:
            _check_cases(cases, surface, problems)
            _require_values(cases or made.cases or [{}], surface, shown, problems)
    problems.check()
    operator = operator_at(path.resolve(), form, problems)
    problems.check()
    return operator


def _require_values(cases: Cases, surface: Surface, file: str, problems: Problems) -> None:
    """Each argument without a default has a value in each case."""
    lacking = sorted(name for name in surface.required if any(name not in case for case in cases))
    if lacking:
        what = f"the operator needs values for {', '.join(lacking)}, which its file does not give"
        problems.add(
            Mark(file, 1, 1), what, f"give --case {','.join(f'{name}=…' for name in lacking)}, or 'cases' in a task"
        )


def check_candidate(text: str, path: Path, operator: Operator, dsl: str) -> Candidate:
    """The candidate that a solution's file is, in the format of the operator; raises `ConfigError`."""
    problems = Problems()
    problems.know(display(path), text)
    try:
        found = candidate(text, path, operator.translation) if operator.translation else Candidate(text)
    except Refused as why:
        refuse(why, problems)
    problems.check()
    if found.dsls and dsl not in found.dsls:
        raise ConfigError(f"{display(path)} is written in {' and '.join(found.dsls)}, not in {dsl}: give it with --dsl")
    return found


def check_shapes(operator: Operator, shapes: str) -> Guarantee:
    """What ``fixed`` or ``m=1..8192,k=8..4096:8`` says; raises `ConfigError` for sizes that the operator lacks."""
    guaranteed = parse_shapes(shapes)
    problems = Problems()
    surface = read_operator(operator.source, display(operator.file), Mark(display(operator.file), 1, 1), problems)
    problems.check()
    if surface is not None:
        check_guarantee(guaranteed, operator.whole, surface)
    return guaranteed


def check_cases(operator: Operator, cases: Cases) -> None:
    """Raise `ConfigError` where the operator of a task cannot take ``cases``."""
    if cases:
        form = operator.translation.format if operator.translation else None
        check_operator(operator.file, cases, form)


def _check_cases(cases: Cases, surface: Surface, problems: Problems) -> None:
    for name, value in {name: value for case in cases for name, value in case.items()}.items():
        if not surface.takes(name):
            hint = suggestion(name, sorted(surface.names))
            problems.add(None, f"--case: the operator takes no {name!r}", hint)
        elif wrong := misfit(name, value, surface):
            problems.add(None, f"--case: {wrong}")
