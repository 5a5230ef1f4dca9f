"""What a run's folder tells: the result of a finished run, or how far an unfinished one came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akgflow.config.types import Budget
from akgflow.errors import ConfigError
from akgflow.runs.folder import RESULT
from akgflow.runs.journal import Journal
from akgflow.runs.result import Account, RunResult
from akgflow.runs.spending import accounts
from akgflow.serial import from_data


@dataclass(frozen=True)
class Unfinished:
    """A run that has no result yet: what is done, by the journal's keys, and what it took so far."""

    folder: str
    done: tuple[str, ...]
    budget: Budget
    accounts: tuple[Account, ...]
    finished: bool = False


def read_run(folder: Path) -> RunResult | Unfinished:
    """The result that lies in a run's folder, or what its journal holds; raises `ConfigError` where neither lies."""
    data = _read(folder / RESULT)
    if data is not None:
        return from_data(data, RunResult)
    path = folder / "journal.jsonl"
    if not path.exists():
        raise ConfigError(f"{folder} is not a run's folder: it holds neither {RESULT} nor {path.name}")
    journal = Journal(path, mend=False)
    done = tuple(key for key, _ in journal.items("") if not key.startswith("lost "))
    plan = _read(folder / "plan.json") or {}
    return Unfinished(str(folder), done, from_data(plan.get("budget", {}), Budget), accounts(journal))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as wrong:
        raise ConfigError(f"{path} cannot be read: {wrong}") from None
