"""Kernels judged again on what is here: of runs, suites, the knowledge store and exported packages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from akgflow.api.boundary import public
from akgflow.api.judging import Inquiry, inquire
from akgflow.api.running import Notify
from akgflow.api.suites import find_suite_or_run
from akgflow.api.tasks import load_workspace
from akgflow.config import check_target
from akgflow.config.types import Operator, Workspace
from akgflow.errors import ConfigError, PrerequisiteError
from akgflow.executors.availability import Availability
from akgflow.executors.base import Executor
from akgflow.executors.once import with_executor
from akgflow.export.reread import packages_in, read_package
from akgflow.knowledge import Store, store_path
from akgflow.machine import detect
from akgflow.runs.layout import PLAN
from akgflow.suites import Recheck, Rechecked, is_suite_folder
from akgflow.suites.comparison import Call
from akgflow.suites.rechecking import JudgedKernel, in_folder, in_order, of_entry, rechecked, unreached

STORE = "knowledge"
"""The name of the workspace's own store."""


@public
def recheck(
    what: str | Path,
    *,
    target: str | None = None,
    time: bool = True,
    notify: Notify = lambda kernel, text: None,  # noqa: ARG005
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Recheck:
    """Judge kernels that passed again, under the same conditions, and compare the verdicts.

    ``what`` is a run or a suite (its folder, or its name in the workspace), a knowledge store (its file, or
    ``knowledge`` for the workspace's), or a folder of exported packages. ``target`` judges for another target of the
    workspace; ``time`` times again what was timed. ``notify`` is called with a kernel's name before it is judged.

    A kernel that cannot be judged here is *not compared*, with the reason. Raises `ConfigError` where there is no
    kernel that passed, or where one is not what was judged.
    """
    space = load_workspace(workspace, overrides=overrides)
    if target is not None:
        check_target(target, space.targets)
    place, kernels = _found(what, space)
    if not kernels:
        raise ConfigError(f"{place} holds no kernel that passed: nothing to judge again")
    machine = detect()
    availability = Availability(machine, space)
    asked = [_asked(kernel, space, availability, target, time) for kernel in kernels]

    async def judged(executor: Executor) -> list[Rechecked]:
        pairs = zip(kernels, asked, strict=True)
        return await asyncio.gather(*(_judged(kernel, one, executor, notify) for kernel, one in pairs))

    if any(isinstance(one, Inquiry) for one in asked):
        return in_order(place, with_executor(machine, judged))
    return in_order(place, [unreached(kernel, str(one)) for kernel, one in zip(kernels, asked, strict=True)])


def _found(what: str | Path, space: Workspace) -> tuple[str, list[JudgedKernel]]:
    """Where the kernels are, and the kernels."""
    path = Path(what)
    if path.is_file() or (str(what) == STORE and not path.is_dir()):
        store = Store(path if path.is_file() else store_path(space.knowledge, space.root))
        return str(store.path), [of_entry(entry) for entry in store.entries(trust="judged")]
    of_akgflow = is_suite_folder(path) or (path / PLAN).is_file()
    if path.is_dir() and not of_akgflow and (packages := packages_in(path)):
        return str(path), [read_package(one) for one in packages]
    folder = find_suite_or_run(what, space.runs)
    return str(folder), in_folder(folder)


def _asked(
    kernel: JudgedKernel, space: Workspace, availability: Availability, target: str | None, time: bool
) -> Inquiry | str:
    """What to ask about a kernel, or why nothing can be asked here."""
    to = target or kernel.verdict.target
    try:
        operator = Operator(Path("operator.py"), kernel.operator)
        found = inquire(space, operator, kernel.source, kernel.dsl, to, availability)
    except (ConfigError, PrerequisiteError) as error:
        return str(error)
    if why := kernel.out_of_reach(found.found.evidence, found.found.gaps):
        return why
    request = kernel.conditions.on(found.request)
    return replace(found, request=replace(request, time=time and bool(kernel.verdict.timing)))


async def _judged(kernel: JudgedKernel, asked: Inquiry | str, executor: Executor, notify: Notify) -> Rechecked:
    if isinstance(asked, str):
        return unreached(kernel, asked)
    notify(kernel.name, "judging again")
    found = rechecked(kernel, await asked.verdict(executor))
    if found.pair.call is not Call.WORSE:
        return found
    # What else the machine did can make one timing slow, and an interval does not know of it.
    notify(kernel.name, "slower: judging once more")
    again = rechecked(kernel, await asked.verdict(executor))
    return found if again.pair.call is Call.UNKNOWN else again


__all__ = ["Recheck", "recheck"]
