"""Shipped YAML with a thousand seeded slips: each is read, or refused in plain sentences, in bounded work."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sampling import sampled

from akgflow.base import resources
from akgflow.cli._main import _guarded
from akgflow.config._problems import MAX_SHOWN

CHUNKS, EACH = 20, 50
_SCALARS = (
    *("2.0", "-1", "0", "1e400", ".nan", "9" * 400, "010", "0x1F", "1e3", "null", "~", "true", "yes", "''", '"\\0"'),
    *("2024-01-01", "12:30:45", "!!python/name:os.system", "&a x", "*a", "[]", "{}", "{env: NOPE}", "x" * 5_000),
    *("'{{ nope }}'", "'{{ target.nme }}'", "'{% if %}'", "a: b: c", "[[[[", "}", "\t", "\x07", "\u2028", "é" * 50),
)
_LINES = (
    "  <<: {a: 1}\n",
    "---\n",
    "? [a, b]\n: 1\n",
    "version: 1\n",
    "\tx: 1\n",
    "x: |\n",
    "  - y\n",
    "\r",
    "#\u0085",
)


def _files() -> list[Path]:
    """The files of a copy of the shipped workspace, by their paths within it."""
    top = resources.defaults()
    tasks = sorted((top / "tasks").glob("*.yaml"))
    packs = sorted(resources.dsl_packs().glob("*.yaml"))
    return [top / "agents.yaml", top / "hardware.yaml", *packs, *tasks]


def _within(path: Path) -> str:
    return path.name if path.parent == resources.defaults() else f"{path.parent.name}/{path.name}"


def _misspelt(text: str, rng: random.Random) -> str:
    words = list(re.finditer(r"[A-Za-z_]{3,}", text))
    if not words:
        return text
    word = rng.choice(words)
    place = rng.randrange(word.start(), word.end() - 1)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _other_value(text: str, rng: random.Random) -> str:
    values = list(re.finditer(r"(?<=: )[^\s,\[\]{}|#][^,\n\]}#]*", text))
    if not values:
        return text
    value = rng.choice(values)
    return text[: value.start()] + rng.choice(_SCALARS) + text[value.end() :]


def _other_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    place = rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(place, lines[rng.randrange(len(lines))])
    elif kind == 2:
        lines.insert(place, rng.choice(_LINES))
    elif kind == 3:
        lines[place] = " " * rng.randrange(1, 4) + lines[place]
    else:
        lines[place] = lines[place].lstrip()
    return "".join(lines)


def _other_character(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text))
    char = rng.choice("[]{},:#&*!|>'\"%@`- \n\t\0\x7f\ud7ff\ufeff0aé")
    return text[:place] + char + text[place + rng.randrange(2) :]


def _cut(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text))]


MUTATIONS: tuple[Callable[[str, random.Random], str], ...] = (
    *(_misspelt, _misspelt, _other_value, _other_value, _other_value, _other_line, _other_line),
    *(_other_character, _other_character, _cut),
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of everything that ships, with one small task in place of them all."""
    root = tmp_path_factory.mktemp("mutated")
    shutil.copytree(resources.defaults() / "tasks", root / "tasks", ignore=shutil.ignore_patterns("recordings"))
    shutil.copytree(resources.dsl_packs(), root / "dsls")
    for name in ("agents.yaml", "hardware.yaml"):
        shutil.copy(resources.defaults() / name, root / name)
    yield root


def _validate(root: Path, capsys: pytest.CaptureFixture[str], task: str) -> tuple[int, str]:
    capsys.readouterr()
    code = _guarded(["validate", "--workspace", str(root), str(root / "tasks" / task)])
    out, err = capsys.readouterr()
    return code, out + err


def test_the_copy_itself_is_sound(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (workspace / "tasks").glob("*.yaml"):
        assert _validate(workspace, capsys, path.name)[0] == 0


@pytest.mark.parametrize("chunk", sampled(range(CHUNKS), 0, 7))
def test_a_slip_is_read_or_refused(chunk: int, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = 0
    for number in range(EACH):
        rng = random.Random(chunk * EACH + number)
        path = rng.choice(_files())
        file = workspace / _within(path)
        text = path.read_text(encoding="utf-8")
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            text = rng.choice(MUTATIONS)(text or "x: yes\n", rng)
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        task = path.name if path.parent.name == "tasks" else "softmax_generate.yaml"
        try:
            code, shown = _validate(workspace, capsys, task)
        finally:
            shutil.copy(path, file)
        seed = f"seed {chunk * EACH + number}, {path.name}\n{shown}"
        assert code in (0, 2), seed
        assert not re.search(r"Traceback|bug in akgflow|<[a-z_.]+ object|at 0x", shown), seed
        if code == 2:
            refused += 1
            assert shown.rstrip().endswith("nothing was run and nothing was spent"), seed
            assert len(shown.splitlines()) <= 3 * MAX_SHOWN + 2, seed
    assert refused > EACH // 3
