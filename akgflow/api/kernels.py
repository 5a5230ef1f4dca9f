"""The store of verified kernels: what is in it, and the ways into it, each through the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from akgflow import __version__
from akgflow.api.boundary import public
from akgflow.api.judging import Case, Inquiry, inquire
from akgflow.api.tasks import load_workspace
from akgflow.base.atomic import write_text
from akgflow.base.text import lines
from akgflow.config import check_baseline, check_dtype, check_operator, parse_cases, read_text
from akgflow.config.types import Operator, Target, Workspace
from akgflow.errors import ConfigError, PrerequisiteError
from akgflow.executors.availability import Availability
from akgflow.executors.base import Executor
from akgflow.executors.once import with_executor
from akgflow.features import FeatureRequest, OperatorFeatures
from akgflow.knowledge import Entry, Store, from_lines, store_path, to_lines, why_not
from akgflow.machine import Machine, detect
from akgflow.runs.harvest import NOT_ASKED, harvest
from akgflow.verdict import Verdict

MAX_IMPORT_BYTES = 1 << 30


@dataclass(frozen=True)
class Added:
    """What came into the store.

    ``known`` were there with a verdict at least as good; ``refused`` gives by file or id why the judge let one not in.
    """

    added: tuple[Entry, ...] = ()
    known: tuple[Entry, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Asked:
    """A question about a candidate, and one about its operator."""

    inquiry: Inquiry
    about: FeatureRequest


@public
def open_store(workspace: str | Path | None = None, *, overrides: Sequence[str] = ()) -> Store:
    """The workspace's store; its methods list, find and forget entries. Raises `ConfigError`."""
    return _store(load_workspace(workspace, overrides=overrides))


def _store(space: Workspace) -> Store:
    return Store(store_path(space.knowledge, space.root))


@public
def add_run(folder: str | Path, *, workspace: str | Path | None = None, overrides: Sequence[str] = ()) -> Added:
    """Add the kernels that a run has verified. Raises `ConfigError` where the folder is not a run's."""
    store = open_store(workspace, overrides=overrides)
    entries = harvest(Path(folder))
    if entries and entries[0].features == NOT_ASKED:
        one = entries[0]
        about = FeatureRequest(str(Path(folder) / "operator.py"), one.operator, one.cases, one.dtype)
        features = with_executor(detect(), lambda executor: executor.features(about))
        entries = [replace(entry, features=features) for entry in entries]
    return _put(store, entries, {})


@public
def add_candidate(
    candidate: str | Path,
    *,
    operator: str | Path,
    dsl: str,
    target: str,
    cases: Sequence[Case] = (),
    dtype: str | None = None,
    time: bool = True,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Added:
    """Judge the kernel in a file and add it if it is right. Raises what `verify` does."""
    return add_candidates(
        {candidate: operator},
        dsl=dsl,
        target=target,
        cases=cases,
        dtype=dtype,
        time=time,
        workspace=workspace,
        overrides=overrides,
    )


@public
def add_candidates(
    candidates: Mapping[str | Path, str | Path],
    *,
    dsl: str,
    target: str,
    cases: Sequence[Case] = (),
    dtype: str | None = None,
    baselines: Sequence[str] = ("eager",),
    time: bool = True,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Added:
    """Judge the kernels in files, each against its operator's file, by one judge, and add those that are right.

    They are timed against ``baselines``. Raises what `verify` does.
    """
    space = load_workspace(workspace, overrides=overrides)
    shapes = parse_cases(cases)
    dtype = check_dtype(dtype) if dtype is not None else None
    compared = tuple(map(check_baseline, baselines))
    machine = detect()
    availability = Availability(machine, space)
    asked: dict[str, _Asked] = {}
    for file, about in candidates.items():
        reference = check_operator(Path(about), shapes)
        source = read_text(Path(file), "the candidate")
        inquiry = inquire(space, reference, source, dsl, target, availability)
        request = replace(inquiry.request, cases=shapes, dtype=dtype, time=time, baselines=compared)
        features = FeatureRequest(str(reference.file), reference.whole, shapes, dtype)
        asked[str(file)] = _Asked(replace(inquiry, request=request), features)
    answers = dict(zip(asked, _answers(list(asked.values()), machine), strict=True))
    refused = {file: reason for file, (verdict, _) in answers.items() if (reason := why_not(verdict))}
    where = space.targets[target]
    entries = [_entry(one, where, dsl, *answers[file]) for file, one in asked.items() if file not in refused]
    return _put(_store(space), entries, refused)


def _entry(asked: _Asked, target: Target, dsl: str, verdict: Verdict, features: OperatorFeatures) -> Entry:
    request, about = asked.inquiry.request, asked.about
    return Entry(
        task=Path(about.operator_file).stem,
        operator=about.operator,
        dsl=dsl,
        target=target.name,
        platform=target.platform,
        arch=target.arch,
        source=str(request.candidate),
        verdict=verdict,
        features=features,
        cases=request.cases,
        dtype=request.dtype,
        akgflow=__version__,
        added=verdict.timestamp,
    )


@public
def import_entries(
    file: str | Path,
    *,
    judge: bool = False,
    time: bool = True,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Added:
    """Take in the entries of an export, as others' claims; with ``judge`` those that are right here are verified.

    Judging runs the references in the file.
    """
    space = load_workspace(workspace, overrides=overrides)
    entries = from_lines(lines(read_text(Path(file), "the file", MAX_IMPORT_BYTES)), str(file))
    refused: dict[str, str] = {}
    if judge:
        entries, refused = _judged(space, entries, time)
    return _put(_store(space), entries, refused)


@public
def export_entries(
    file: str | Path,
    *,
    dsl: str | None = None,
    target: str | None = None,
    workspace: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> list[Entry]:
    """Write the judged entries to ``file``, one line of JSON each, and return them."""
    entries = open_store(workspace, overrides=overrides).entries(dsl=dsl, target=target, trust="judged")
    write_text(Path(file), "".join(f"{line}\n" for line in to_lines(entries)))
    return entries


@public
def forget_entries(
    ids: Sequence[str], *, workspace: str | Path | None = None, overrides: Sequence[str] = ()
) -> list[Entry]:
    """Remove the entries whose ids start with these, all or, where one names none, nothing; return them."""
    store = open_store(workspace, overrides=overrides)
    whole = [store.get(one).id for one in ids]
    return [store.forget(one) for one in dict.fromkeys(whole)]


def _put(store: Store, entries: Sequence[Entry], refused: dict[str, str]) -> Added:
    added = tuple(entry for entry in entries if store.add(entry))
    return Added(added, tuple(entry for entry in entries if entry not in added), refused)


def _judged(space: Workspace, entries: Sequence[Entry], time: bool) -> tuple[list[Entry], dict[str, str]]:
    """Entries with a verdict and features of this machine; why the others are left out, by id."""
    machine = detect()
    availability = Availability(machine, space)
    refused: dict[str, str] = {}
    asked: dict[str, _Asked] = {}
    for entry in entries:
        operator = Operator(Path(f"{entry.task}.py"), entry.operator)
        try:
            inquiry = inquire(space, operator, entry.source, entry.dsl, entry.target, availability)
        except (ConfigError, PrerequisiteError) as error:
            refused[entry.id] = str(error)
            continue
        request = replace(inquiry.request, cases=entry.cases, dtype=entry.dtype, time=time)
        about = FeatureRequest(str(operator.file), entry.operator, entry.cases, entry.dtype)
        asked[entry.id] = _Asked(replace(inquiry, request=request), about)
    answers = dict(zip(asked, _answers(list(asked.values()), machine), strict=True))
    refused |= {name: reason for name, (verdict, _) in answers.items() if (reason := why_not(verdict))}
    return [_with(entry, *answers[entry.id]) for entry in entries if entry.id not in refused], refused


def _with(entry: Entry, verdict: Verdict, features: OperatorFeatures) -> Entry:
    new = replace(entry, verdict=verdict, features=features, added=verdict.timestamp)
    return replace(new, trust="judged", akgflow=__version__)


def _answers(asked: Sequence[_Asked], machine: Machine) -> list[tuple[Verdict, OperatorFeatures]]:
    """One judge's verdicts about candidates, and what it says about their operators."""

    async def answers(executor: Executor) -> list[tuple[Verdict, OperatorFeatures]]:
        return [(await one.inquiry.verdict(executor), await executor.features(one.about)) for one in asked]

    return with_executor(machine, answers)
