"""The files that a task or a DSL pack names: that they exist, and that they are what they should be."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from akgflow.base import resources
from akgflow.base.platforms import PLATFORMS
from akgflow.config._files import Unreadable, read_bytes
from akgflow.config._problems import Problems, display, nearest, quoted, suggest
from akgflow.config._yaml import Node
from akgflow.config.checks.opened import translated
from akgflow.config.checks.operators import (
    CallError,
    check_cases,
    check_source_module,
    forward_inputs,
    parse_call,
    parse_dimension,
    read_operator,
)
from akgflow.config.checks.shapes import check_shapes
from akgflow.config.types import SHARED
from akgflow.operators.backward import UPSTREAM
from akgflow.operators.python_text import PythonError, definitions, parse_python


def check_knowledge(pack: Node, folder: Path, problems: Problems) -> None:
    """Every document that a DSL pack names is there, as text."""
    lists = [pack.at("knowledge", part) for part in ("always", "repair", "improve")]
    for axis in ("by_operator", "by_platform"):
        by_value = pack.at("knowledge", axis)
        lists += by_value.entries.values() if by_value else []
    both = pack.at("knowledge", "by_platform_and_operator")
    for by_kind in both.entries.values() if both else ():
        lists += by_kind.entries.values()
    for documents in lists:
        for node in documents.items if documents else ():
            if node.text:
                problems.read(folder / node.text, node.mark, "the document")


def check_store(knowledge: Node | None, root: Path, problems: Problems) -> None:
    """The file of the knowledge store is a plain file, or is not there yet."""
    node = knowledge.at("store") if knowledge else None
    if node is None or not node.text or node.text == SHARED:
        return
    try:
        read_bytes(root / Path(node.text).expanduser(), 0)
    except Unreadable as why:
        if not why.missing:
            problems.add(node.mark, f"the knowledge store {quoted(node.text)} cannot be used: it {why}")
    except RuntimeError as why:  # a home folder that there is not
        problems.add(node.mark, f"the knowledge store {quoted(node.text)} cannot be used: {why}")


def check_archs(targets: Node | None, problems: Problems) -> None:
    """Each target's architecture is one of its platform's."""
    for name, target in targets.entries.items() if targets else ():
        platform, arch = target.at("platform"), target.at("arch")
        known = PLATFORMS.get(platform.text or "") if platform else None
        if known is None or arch is None or not arch.text or known.has(arch.text):
            continue
        what = f"{quoted(arch.text)} is no architecture of platform {known.name} (target {name!r})"
        meant = nearest(arch.text, sorted(known.known)) if re.fullmatch(known.arch, arch.text) else None
        problems.add(arch.mark, what, f"did you mean {meant!r}?" if meant else f"write it as {known.arch_form}")


TOOLCHAIN_FUNCTIONS = ("missing", "session", "resources", "source_module")
"""What a toolchain module defines; `akgflow.toolchains.base.Toolchain` says what they do."""


def check_toolchain(pack: Node, folder: Path, shipped: Collection[str], problems: Problems) -> None:
    """A toolchain is installed (the ``shipped`` ones are), or a file beside its pack that defines what they define."""
    node = pack.at("toolchain")
    if node is None or not node.text:
        return
    if not node.text.endswith(".py"):
        if node.text not in shipped and node.text not in (installed := resources.toolchains()):
            what = f"no toolchain {quoted(node.text)} is installed"
            problems.add(node.mark, what, suggest(node.text, sorted(installed)))
        return
    text = problems.read(folder / node.text, node.mark, "the toolchain")
    if text is None:
        return
    try:
        defined = definitions(parse_python(text).body)
    except PythonError as error:
        problems.add(node.mark, f"line {error.line} of the toolchain {node.text} is no Python", str(error))
        return
    lacking = [name for name in TOOLCHAIN_FUNCTIONS if name not in defined]
    if lacking:
        what = f"the toolchain {node.text} defines no {' and no '.join(lacking)}"
        problems.add(node.mark, what, "a toolchain is a module with the functions of akgflow.toolchains.base.Toolchain")


def check_task_files(task: Node, path: Path, problems: Problems) -> None:
    """The operator and the source kernel exist and have the form that they need; cases fit the operator."""
    _check_operator(task, path.parent, problems)
    source = task.at("source")
    if source is not None:
        _check_source(source, path.parent, problems)


def _check_operator(task: Node, folder: Path, problems: Problems) -> None:
    node = task.at("operator", "file")
    if node is None or not node.text:
        return
    form = task.at("operator", "format")
    made = translated(folder / node.text, form.text if form else None, node.mark, problems)
    surface = read_operator(made.source, display(made.file), node.mark, problems) if made is not None else None
    if made is not None and surface is not None:
        check_cases(task, surface, problems, has_cases=bool(made.cases))
        check_shapes(task, made.source, surface, problems)
        _check_overwrites(task.at("backward", "overwrites"), forward_inputs(made.source), problems)
        gate = task.at("gates", "shapes")
        if made.fixed and gate is not None and task.at("shapes") is None:
            what = f"this gate asks for other shapes than the stated ones, and this problem of {made.format} has none"
            problems.add(gate.mark, what, "say with 'shapes' which sizes a kernel must serve")


def _check_overwrites(named: Node | None, known: Sequence[str], problems: Problems) -> None:
    """What a call may overwrite is what ``forward`` takes, as far as its text says, or an upstream gradient."""
    for node in named.items if named is not None and known else ():
        if node.text and node.text not in (*known, UPSTREAM):
            what = f"forward of the operator takes no {quoted(node.text)}"
            problems.add(node.mark, what, suggest(node.text, [*known, UPSTREAM]))


def _check_source(source: Node, folder: Path, problems: Problems) -> None:
    node = source.at("file")
    if node is not None and node.text:
        path = folder / node.text
        text = problems.read(path, node.mark, "the source kernel")
        if path.suffix == ".py":
            if text is not None:
                check_source_module(text, display(path), node.mark, problems)
        else:
            for name in ("call", "out"):
                if name not in source.entries:
                    what = f"a source kernel in a {path.suffix or 'plain'} file lacks {name!r}"
                    problems.add(source.place, what, _WANTED[name])
    call, out = source.at("call"), source.at("out")
    if call is not None and call.text:
        try:
            parse_call(call.text)
        except CallError as error:
            problems.add(call.mark, "'call' cannot be read", str(error))
    for dimension in out.items if out else ():
        if dimension.text:
            try:
                parse_dimension(dimension.text)
            except CallError as error:
                problems.add(dimension.mark, "this dimension cannot be read", str(error))


_WANTED = {
    "call": "say how its host function is called: 'call: function(argument, …)'",
    "out": "give the shape of its output, for example 'out: [\"x.shape[0]\", 16]'",
}
