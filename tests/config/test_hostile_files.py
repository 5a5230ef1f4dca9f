"""Files that are no use: each ends in bounded work with a sentence, never in a wait, a traceback or a flood."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from akgflow.cli._main import _guarded
from akgflow.config._layers import MAX_CHAIN
from akgflow.config._problems import MAX_SHOWN, masked
from akgflow.config._yaml import MAX_NODES
from akgflow.errors import ConfigError
from akgflow.models.recording import read_recording

if TYPE_CHECKING:
    from conftest import Place


@pytest.fixture
def validate(place: Place, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """``akgflow validate`` in this process: its exit code and all that it says."""

    def run(*args: str) -> tuple[int, str]:
        capsys.readouterr()
        code = _guarded(["validate", *args])
        out, err = capsys.readouterr()
        assert "Traceback" not in err and "bug in akgflow" not in err, err
        return code, out + err

    return run


def _chain(length: int) -> str:
    rows = (f"  m{i}: {{extends: m{i + 1}}}" for i in range(length))
    return "version: 1\nmodels:\n" + "\n".join(rows) + f"\n  m{length}: {{model: recorded/x}}\n"


def _agents(entry: str) -> str:
    return f"version: 1\nagents:\n  a: {{model: default, prompt: {entry}}}\n"


AGENTS: dict[str, tuple[str | bytes, str]] = {
    "a line of 200,000 characters": ("version: 1\nmodels: {m: {model: x, modle: " + "a" * 200_000 + "}}\n", "'modle'"),
    "a broken line of 200,000 characters": (
        "version: 1\nmodels: {m: {model: x, " + "a " * 100_000 + "]\n",
        "not valid",
    ),
    "keys of 900,000 characters": (
        "version: 1\n? " + "k" * 450_000 + "\n: 1\n? " + "j" * 450_000 + "\n: 1\n",
        "the file knows no key 'jjj",
    ),
    "a number of 400 digits": (f"version: 1\nknowledge: {{examples: {'9' * 400}}}\n", "400 characters is too long"),
    "an exponent out of reach": ("version: 1\nknowledge: {examples: 1e400}\n", "too large for a number"),
    "infinity": ("version: 1\nknowledge: {examples: .inf}\n", "is not a finite number"),
    "infinity where a number is wanted": (
        "version: 1\nmodels: {m: {model: x, limits: {timeout: .inf}}}\n",
        "1 problem;",
    ),
    "no time at all": (
        "version: 1\nmodels: {m: {model: x, limits: {timeout: 0s}}}\n",
        "Write a time above zero, such as 45s",
    ),
    "an octal number": ("version: 1\nknowledge: {examples: 010}\n", "may be octal"),
    "a sexagesimal number": ("version: 1\nknowledge: {examples: 12:30}\n", "must be a whole number, not the text"),
    "a date": ("version: 1\nknowledge: {examples: 2024-01-01}\n", "must be a whole number, not the text"),
    "a real number": ("version: 1\nknowledge: {examples: 2.0}\n", "not the number 2.0: write 2"),
    "a chain that is too long": (_chain(480), f"builds on {MAX_CHAIN} others or more"),
    "a chain of 5,000": (_chain(5_000), f"more than {MAX_NODES:,} keys and values"),
    "a chain of 3,000": (_chain(3_000), f"builds on {MAX_CHAIN} others or more"),
    "an entry that extends itself": ("version: 1\nmodels: {m: {extends: m}}\n", "extends itself"),
    "nesting of 10,000": ("version: 1\nmodels: " + "[" * 10_000, "nested deeper"),
    "a flood of items": ("version: 1\nmodels: [" + "1," * 300_000 + "1]\n", f"more than {MAX_NODES:,} keys and values"),
    "a flood of problems": (
        "version: 1\nmodels:\n" + "".join(f"  m{i}: {{model: x, k{i}: 1}}\n" for i in range(3_000)),
        "more\n",
    ),
    "a NUL byte": (b"version: 1\nmodels: {m: {model: a\0b}}\n", "U+0000 is not printable"),
    "an escaped NUL": ('version: 1\nmodels: {m: {model: "a\\0b"}}\n', "no text can hold the character U+0000"),
    "half a surrogate pair": ('version: 1\nmodels: {m: {model: "a\\ud800b"}}\n', "no text can hold"),
    "bytes that are no UTF-8": (b"version: 1\nmodels: {m: {model: \xff}}\n", "is not UTF-8 text"),
    "UTF-16": ("version: 1\n".encode("utf-16"), "is not UTF-8 text"),
    "a megabyte too much": ("version: 1\n#" + "x" * (1 << 20), "is larger than 1 MiB"),
    "tabs": ("version: 1\nmodels:\n\tm: 1\n", "a tab stands where spaces must"),
    "an alias": ("version: 1\nmodels: {a: &x {model: y}, b: *x}\n", "the alias *x is not allowed"),
    "a merge key": ("version: 1\nmodels: {a: {<<: {model: y}}}\n", "the merge key '<<' is not allowed"),
    "a key twice": ("version: 1\nversion: 1\n", "the key 'version' is here twice"),
    "a Python tag": ("version: !!python/object/apply:os.system [ls]\n", "the tag"),
    "two documents": ("version: 1\n---\nversion: 1\n", "a second document"),
    "a template of 300,000 brackets": (_agents("'{{ " + "(" * 300_000 + " }}'"), "the template"),
    "a template of 5,000 blocks": (_agents("'" + "{% if task %}" * 5_000 + "'"), "the template"),
}


@pytest.mark.parametrize("name", AGENTS)
def test_a_file_that_is_no_use_is_refused(name: str, place: Place, validate: Callable[..., tuple[int, str]]) -> None:
    text, said = AGENTS[name]
    (place.root / "agents.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    code, shown = validate()
    assert code == 2, shown
    assert said in shown
    assert shown.rstrip().endswith("nothing was run and nothing was spent")
    assert len(shown.splitlines()) <= 3 * MAX_SHOWN + 2
    assert max(map(len, shown.splitlines())) < 2_000


@pytest.mark.parametrize("end", ["\r", "\x85", "\u2028", "\u2029", "\r\n"], ids=ascii)
def test_places_are_counted_by_the_line_ends_of_yaml(
    end: str, place: Place, validate: Callable[..., tuple[int, str]]
) -> None:
    (place.root / "agents.yaml").write_bytes(f"version: 1{end}models:{end}  m: {{modle: x}}{end}".encode())
    code, shown = validate()
    assert code == 2
    assert "agents.yaml:3:7: 'm' knows no key 'modle'" in shown
    assert " 3 |   m: {modle: x}\n   |       ^" in shown


def test_a_hundred_problems_are_shown_and_the_rest_is_counted(
    place: Place, validate: Callable[..., tuple[int, str]]
) -> None:
    rows = "".join(f"  m{i}: {{model: x, k: 1}}\n" for i in range(250))
    place.write("agents.yaml", "version: 1\nmodels:\n" + rows)
    code, shown = validate()
    assert code == 2
    assert shown.count("knows no key") == MAX_SHOWN
    assert "… and 150 more\n250 problems;" in shown


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is at most 107 bytes long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def _folder(path: Path) -> None:
    path.mkdir()


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


STRANGE = {"a pipe": _pipe, "a socket": _socket, "a directory": _folder, "a device": _device}
PLACES = {
    "agents.yaml": "",
    "hardware.yaml": "",
    "dsls/x.yaml": "",
    "tasks/x.yaml": "",
    "tasks/operators/small.py": "",
    "tasks/k.cu": "source: {dsl: triton, file: k.cu, call: f(x), out: [4]}\n",
}


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_file_is_not_waited_for(
    kind: str, path: str, place: Place, validate: Callable[..., tuple[int, str]]
) -> None:
    place.write("tasks/small.yaml", place.task + PLACES[path])
    (place.root / path).parent.mkdir(exist_ok=True)
    (place.root / path).unlink(missing_ok=True)
    STRANGE[kind](place.root / path)
    code, shown = validate()
    assert code == 2
    assert f"'{path}' cannot be read: is {kind}" in shown


@pytest.mark.parametrize("kind", STRANGE)
def test_a_store_that_is_no_file_is_refused(kind: str, place: Place, validate: Callable[..., tuple[int, str]]) -> None:
    STRANGE[kind](place.root / "store")
    place.write("agents.yaml", "version: 1\nknowledge: {store: store}\n")
    code, shown = validate()
    assert code == 2
    assert f"the knowledge store 'store' cannot be used: it is {kind}" in shown


@pytest.mark.parametrize("kind", STRANGE)
def test_a_recording_that_is_no_file_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    STRANGE[kind](tmp_path / "r.yaml")
    with pytest.raises(ConfigError, match=f"the recording cannot be read: it is {kind}"):
        read_recording(tmp_path / "r.yaml")


def test_a_task_that_is_a_pipe_is_not_waited_for(place: Place, validate: Callable[..., tuple[int, str]]) -> None:
    os.mkfifo(place.root / "fifo")
    assert validate(str(place.root / "fifo"))[0] == 2


@pytest.mark.parametrize("file", ["a\\0b", "\\ud800", "x" * 5_000, "a/" * 3_000])
def test_a_path_that_cannot_be_is_no_bug(file: str, place: Place, validate: Callable[..., tuple[int, str]]) -> None:
    place.write("tasks/small.yaml", place.task.replace("operators/small.py", f'"{file}"'))
    assert validate()[0] == 2


def _elifs(count: int) -> str:
    return "if a: pass\n" + "elif b: pass\n" * count


@pytest.mark.parametrize(
    "code",
    ["(" * 100_000, "x = " + "-" * 100_000 + "1", _elifs(1_500), _elifs(20_000), "\0", "def f(:", "x = " + "9" * 9_000],
    ids=["brackets", "signs", "elifs", "many elifs", "NUL", "syntax", "digits"],
)
def test_python_that_nests_deep_or_is_none_is_no_bug(
    code: str, place: Place, validate: Callable[..., tuple[int, str]]
) -> None:
    place.write("tasks/operators/small.py", code)
    assert validate()[0] == 2


def _work(job: Callable[[], object]) -> int:
    """Calls of functions, Python's and C's, that ``job`` makes."""
    calls = 0

    def count(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    job()  # what is loaded and kept the first time is no work of the second
    sys.setprofile(count)
    try:
        job()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.thorough
@pytest.mark.parametrize(
    "text",
    [
        lambda n: "models:\n" + "".join(f"  m{i}: {{model: x, k{i}: 1}}\n" for i in range(n)),
        lambda n: f"models: {{{', '.join(f'm{i}: {{modle: x}}' for i in range(n))}}}\n",
        lambda n: "models: {a: {model: x, fallbacks: [" + "b, " * n + "]}}\n",
        lambda n: "models:\n" + "".join(f"  m{i}: {{extends: m{i + 1}}}\n" for i in range(n)),
        lambda n: "workflows: {w: {steps: {" + ", ".join(f"s{i}: {{repair: z}}" for i in range(n)) + "}}}\n",
        lambda n: "models: {m: {model: [" + "1, a, " * n + "]}}\n",
    ],
    ids=["unknown keys", "one line", "equal items", "extends", "steps", "mixed items"],
)
def test_twice_the_file_is_twice_the_work(text: Callable[[int], str], place: Place) -> None:
    counts = []
    for size in (300, 600, 1200):
        place.write("agents.yaml", "version: 1\n" + text(size))
        counts.append(_work(lambda: _guarded(["validate"])))
    # What does not depend on the file at all falls out of the differences.
    assert counts[2] - counts[1] < 2.6 * max(counts[1] - counts[0], 1_000), counts


def test_a_line_is_searched_for_keys_in_one_pass() -> None:
    """The pattern never looks at a word from within: what follows it decides once, however long the word is."""
    line = "a" * 500_000 + " api_key: hush" + " " * 500_000
    assert "hush" not in masked(line)
