"""Loads a workspace and its tasks from folders of YAML; one error lists everything that is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from akgflow.base import resources
from akgflow.config import _build
from akgflow.config._layers import (
    Layered,
    Override,
    apply_override,
    extend,
    layer,
    parse_override,
    resolve_environment,
)
from akgflow.config._problems import Problems, display, suggest
from akgflow.config._schema import validate
from akgflow.config._yaml import Node, parse
from akgflow.config.checks.files import check_archs, check_knowledge, check_store, check_task_files, check_toolchain
from akgflow.config.checks.names import found_task, named_in, repeated
from akgflow.config.checks.opened import operator_at
from akgflow.config.checks.references import Names, check_agents, check_start, check_task
from akgflow.config.checks.roles import check_forms, check_workflows
from akgflow.config.checks.suites import Draft, expand
from akgflow.config.checks.vocabulary import (
    check_extra,
    check_kind_of_task,
    check_kinds_of_pack,
    fact_names,
    own_kinds,
)
from akgflow.config.prompts.analysis import check_prompts
from akgflow.config.prompts.trial import try_prompts
from akgflow.config.types import Task, Workspace
from akgflow.errors import ConfigError, Mark, Problem

_SECTIONS = {"agents": ("models", "agents", "workflows", "knowledge", "runs"), "hardware": ("targets",)}
_FILE_OF = {section: kind for kind, sections in _SECTIONS.items() for section in sections}
T = TypeVar("T")


@dataclass(frozen=True)
class Loaded:
    """A task and the workspace that its names resolve in."""

    workspace: Workspace
    task: Task


def find_root(task: Path | None = None) -> Path:
    """The nearest folder above ``task`` (or the current one) that is a workspace; the current folder if none is."""
    here = Path.cwd()
    start = Path(os.path.abspath(task)).parent if task else here
    for folder in (start, *start.parents):
        if any((folder / name).is_file() for name in ("agents.yaml", "hardware.yaml")) or (folder / "tasks").is_dir():
            return folder
    return here


def workspace_of(task: str | Path) -> Path:
    """The workspace of the task of that name or path; raises `ConfigError` where there is none."""
    here = find_root()
    file = _find_task(str(task), here)
    return here if file.parent == resources.tasks() else find_root(file)


def list_tasks(root: Path) -> dict[str, Path]:
    """Task files by their tasks' names, which the command line takes: the workspace's before the shipped ones."""
    return _shipped_tasks() | {name: paths[0] for name, paths in named_in(root / "tasks").items()}


def _shipped_tasks() -> dict[str, Path]:
    # Each of them is the file of its name: a test holds them to that.
    return {path.stem: path for path in sorted(resources.tasks().glob("*.yaml"))}


def load(
    task: str | Path,
    *,
    root: Path | None = None,
    overrides: Sequence[str] = (),
    env: Mapping[str, str] = os.environ,
) -> Loaded:
    """The task of that name or path, and its workspace (``root``: `find_root` where none is given).

    ``overrides`` are ``path=value`` texts. Raises `ConfigError` with every problem of every file.
    """
    workspace, tasks = load_tasks([task], root=root, overrides=overrides, env=env)
    return Loaded(workspace, tasks[0])


def load_tasks(
    tasks: Sequence[str | Path],
    *,
    root: Path | None = None,
    overrides: Sequence[str] = (),
    env: Mapping[str, str] = os.environ,
) -> tuple[Workspace, tuple[Task, ...]]:
    """Several tasks of one workspace, checked together; without a ``root``, the first task's workspace."""
    here = root or (workspace_of(str(tasks[0])) if tasks else find_root())
    files = [_find_task(str(task), here) for task in tasks]
    loader = Loader(here, overrides, env)
    for one in repeated(files):
        loader.problems.add(one.mark, one.message, one.hint)
    for file in files:
        loader.add_task(file)
    return loader.finish()


def load_workspace(root: Path, *, overrides: Sequence[str] = (), env: Mapping[str, str] = os.environ) -> Workspace:
    """The workspace alone. Raises `ConfigError`, also for overrides that belong to a task."""
    return load_tasks([], root=root, overrides=overrides, env=env)[0]


def load_all(
    root: Path, *, overrides: Sequence[str] = (), env: Mapping[str, str] = os.environ
) -> tuple[Workspace, tuple[Task, ...]]:
    """The workspace and each of its own tasks, checked together. Raises `ConfigError`."""
    return load_tasks(sorted((root / "tasks").glob("*.yaml")), root=root, overrides=overrides, env=env)


def _find_task(task: str, root: Path) -> Path:
    """An existing file, or a name among the tasks of the workspace and the shipped ones."""
    return found_task(task, root / "tasks", _shipped_tasks())


@dataclass
class _Pack:
    node: Node
    folder: Path


@dataclass
class Loader:
    """Reads files of one workspace, and checks them together."""

    root: Path
    overrides: Sequence[str]
    env: Mapping[str, str]
    problems: Problems = field(default_factory=Problems)

    def __post_init__(self) -> None:
        made = (parse_override(text, self.problems) for text in self.overrides)
        self._overrides = [override for override in made if override]
        self._used: set[int] = set()
        self._unsure: set[str] = set()
        self._shipped_toolchains: set[str] = set()
        self._agents = self._sections("agents")
        self._hardware = self._sections("hardware")
        self._packs = self._load_packs()
        self._tasks: list[tuple[Node, Path]] = []
        agents, targets = self._agents.at("agents"), self._hardware.at("targets")
        self._facts = fact_names(targets)
        check_prompts(agents or Node({}, Mark("", 1, 1)), self._facts, self.problems)
        check_agents(self._agents, self._names, self.problems)
        check_forms(agents, self.problems)
        check_workflows(self._agents.at("workflows"), agents, self._agents.at("models"), self._facts, self.problems)
        check_store(self._agents.at("knowledge"), self.root, self.problems)
        check_archs(targets, self.problems)
        check_extra(targets, self.problems)
        for pack in self._packs.values():
            check_knowledge(pack.node, pack.folder, self.problems)
            check_kinds_of_pack(pack.node, self.problems)
            check_toolchain(pack.node, pack.folder, self._shipped_toolchains, self.problems)

    @property
    def _names(self) -> Names:
        found: dict[str, dict[str, str | None]] = {"dsls": dict.fromkeys(self._packs)}
        for section, kind in _FILE_OF.items():
            node = (self._agents if kind == "agents" else self._hardware).at(section)
            if node is not None and not isinstance(node.value, dict):
                self._unsure.add(section)
            entries = node.entries if node else {}
            found[section] = {
                name: _platform(entry) if section == "targets" else None for name, entry in entries.items()
            }
        return {section: names for section, names in found.items() if section not in self._unsure}

    def add_task(self, path: Path) -> None:
        """Read and check one task file."""
        path = Path(os.path.abspath(path))
        node = self._read(path, "the task file")
        if node is None:
            self._used.update(map(id, self._of_task()))
            return
        self._add(self._resolved(self._overridden(node, self._of_task()), "task"), path)

    def _add(self, node: Node, path: Path) -> None:
        check_task(node, self._names, self.problems)
        check_start(node, self._agents.at("workflows"), _build.DEFAULT_WORKFLOWS, self.problems)
        check_kind_of_task(node, own_kinds(pack.node for pack in self._packs.values()), self.problems)
        check_task_files(node, path, self.problems)
        self._tasks.append((node, path))

    def add_suite(self, path: Path) -> tuple[Node, list[tuple[Draft, Sequence[Problem]]]]:
        """Read and check a suite's file, and each of its problems as a task.

        Beside each problem stands why it cannot be judged; what can be judged is a task, in the same order.
        """
        path = Path(os.path.abspath(path))
        node = self._read(path, "the suite's file")
        if node is None:
            self._used.update(map(id, self._of_task()))
            return Node({}, Mark("", 1, 1)), []
        node = self._resolved(self._overridden(node, self._of_task()), "suite")
        drafts = [(draft, self._unfit(draft, path)) for draft in expand(node, path.parent, self.problems)]
        for draft, unfit in drafts:
            if not unfit:
                self._add(draft.task, path)
        return node, drafts

    def _unfit(self, draft: Draft, path: Path) -> Sequence[Problem]:
        """What is wrong with a problem itself; what a suite says wrongly of it is wrong with the suite."""
        own = Problems()
        check_task_files(draft.task, path, own)
        file = draft.task.at("operator", "file")
        assert file is not None and file.text
        if not own:
            with suppress(ConfigError):
                operator_at(Path(file.text), None, own)
        found = own.sorted()
        of_suite = [one for one in found if one.mark and one.mark.file == display(path) and one.mark != file.mark]
        return [one for one in found if one not in of_suite]

    def finish(self) -> tuple[Workspace, tuple[Task, ...]]:
        """The values, or one `ConfigError`."""
        for override in self._overrides:
            if id(override) not in self._used:
                name, mark = override.path[0]
                hint = f"start it with {', '.join((*_FILE_OF, 'dsls'))}, or give a task"
                self.problems.add(mark, f"{name!r} would be set in a task, and there is none", hint)
        self.problems.check()
        packs = {n: _build.dsl_pack(n, p.node, p.folder, self._text) for n, p in self._packs.items()}
        workspace = Workspace(
            root=self.root,
            models=_each(self._agents, "models", partial(_build.model, root=self.root)),
            agents=_each(self._agents, "agents", _build.agent),
            workflows=_each(self._agents, "workflows", _build.workflow),
            targets=_each(self._hardware, "targets", _build.target),
            dsls=packs,
            runs=_build.runs_folder(self._agents.at("runs"), self.root),
            knowledge=_build.knowledge(self._agents.at("knowledge"), self.root),
            origins=dict(self._origins()),
        )
        opened = partial(operator_at, problems=self.problems)
        tasks = tuple(_build.task(node, path, self._text, opened) for node, path in self._tasks)
        for task in tasks:
            try_prompts(task, workspace, self._facts, self.problems)
        self.problems.check()
        return workspace, tasks

    def _origins(self) -> Iterator[tuple[str, dict[str, Mark]]]:
        for section, kind in _FILE_OF.items():
            node = (self._agents if kind == "agents" else self._hardware).at(section)
            yield section, {name: child.place for name, child in (node.entries if node else {}).items()}
        yield "dsls", {name: pack.node.mark for name, pack in self._packs.items()}

    def _text(self, path: Path) -> str:
        return self.problems.read(path, None, "the file") or ""

    def _read(self, path: Path, what: str) -> Node | None:
        text = self.problems.read(path, None, what)
        return None if text is None else parse(text, display(path), self.problems)

    def _sections(self, kind: str) -> Node:
        """``agents.yaml`` or ``hardware.yaml`` of the workspace over the shipped one, checked against its schema."""
        shipped_path, own_path = resources.defaults() / f"{kind}.yaml", self.root / f"{kind}.yaml"
        shipped = self._read(shipped_path, "the shipped file") if shipped_path.is_file() else None
        own = None
        if own_path.exists() and not _same(own_path, shipped_path):
            own = self._read(own_path, "the file")
            if own is None or not isinstance(own.value, dict):
                self._unsure.update(_SECTIONS[kind])
        if own is None and shipped is None:
            return Node({}, Mark("", 1, 1))
        layered = layer(own, shipped, _SECTIONS[kind])
        mine = [o for o in self._overrides if _FILE_OF.get(o.names[0]) == kind]
        layered = Layered(self._overridden(layered.root, mine), layered.shadowed)
        return self._resolved(extend(layered, _SECTIONS[kind], self.problems), kind)

    def _load_packs(self) -> dict[str, _Pack]:
        own, shipped = self.root / "dsls", resources.dsl_packs()
        folders = [shipped] if _same(own, shipped) else [shipped, own]
        packs: dict[str, _Pack] = {}
        for folder in folders:
            packs |= self._packs_in(folder)
            if folder == shipped:
                named = (pack.node.at("toolchain") for pack in packs.values())
                self._shipped_toolchains = {node.text for node in named if node is not None and node.text}
        for override in self._overrides:
            names = override.names
            if names[0] != "dsls":
                continue
            self._used.add(id(override))
            if len(names) < 3 or names[1] not in packs:
                where = override.path[min(1, len(names) - 1)][1]
                self.problems.add(
                    where, "an override of a DSL is dsls.NAME.KEY=VALUE", suggest(".".join(names[1:2]), packs)
                )
                continue
            inner = Override(override.path[2:], override.value)
            packs[names[1]].node = apply_override(packs[names[1]].node, inner, self.problems)
        for pack in packs.values():
            pack.node = self._resolved(pack.node, "dsl")
        return packs

    def _packs_in(self, folder: Path) -> dict[str, _Pack]:
        found: dict[str, _Pack] = {}
        for path in sorted(folder.glob("*.yaml")):
            node = self._read(path, "the DSL pack")
            if node is None:
                self._unsure.add("dsls")
                continue
            name = node.at("dsl")
            key = (name.text if name else None) or path.stem
            if key in found and name:
                other = found[key].node.mark.file
                self.problems.add(name.mark, f"the DSL {key!r} is described twice", f"{other} has it too; keep one")
            found.setdefault(key, _Pack(node, folder))
        return found

    def _of_task(self) -> list[Override]:
        return [o for o in self._overrides if o.names[0] != "dsls" and o.names[0] not in _FILE_OF]

    def _overridden(self, root: Node, overrides: Iterable[Override]) -> Node:
        for override in overrides:
            self._used.add(id(override))
            root = apply_override(root, override, self.problems)
        return root

    def _resolved(self, root: Node, kind: str) -> Node:
        root = resolve_environment(root, kind, self.env, self.problems)
        validate(root, kind, self.problems)
        return root


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _platform(target: Node) -> str | None:
    node = target.at("platform")
    return node.text if node else None


def _each(root: Node, section: str, make: Callable[[str, Node], T]) -> dict[str, T]:
    node = root.at(section)
    return {name: make(name, child) for name, child in node.entries.items()} if node else {}
