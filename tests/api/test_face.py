"""What `import akgflow` offers, where it may be called from, and that it raises where commands exit."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from plain_workspace import PLAIN_RIGHT, PLAIN_WRONG, plain_workspace, wrong_then_right

import akgflow
from akgflow import api
from akgflow.base.loop import run_async
from akgflow.terms import Status

Caller = Callable[[Callable[[], Any]], Any]


def in_a_script(work: Callable[[], Any]) -> Any:
    return work()


def in_a_notebook(work: Callable[[], Any]) -> Any:
    async def cell() -> Any:
        return work()

    # As a notebook's kernel does, and unlike asyncio.run, with Python's own answer to an interruption.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(cell())
    finally:
        loop.close()


def in_a_thread(work: Callable[[], Any]) -> Any:
    found: list[Any] = []

    def keep() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


@pytest.fixture
def space(tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_KEY", "k")
    plain_workspace(tmp_path, openai_server.url)
    openai_server.default = wrong_then_right()
    return tmp_path


def test_every_name_is_there_and_none_hides_a_part() -> None:
    missing = [name for name in akgflow.__all__ if not hasattr(akgflow, name)]
    parts = {path.stem for path in Path(akgflow.__file__).parent.iterdir()}
    assert not missing
    assert {"load", "plan", "run", "verify", "matrix", "show", "read_run", "Verdict"} <= set(akgflow.__all__)
    assert not parts & set(akgflow.__all__)
    with pytest.raises(AttributeError, match="no attribute 'verfy'"):
        akgflow.verfy  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    "entry", ["model: openai/x, api_key_env: NO_KEY", "command: [cat], output: json, env: [A], writes: [b]"]
)
def test_one_model_answers_for_every_other_whatever_it_is(space: Path, entry: str) -> None:
    settings = f"{{{entry}, fallbacks: [other]}}\n  other: {{model: openai/y, api_base: 'http://127.0.0.1:9/v1'}}"
    (space / "agents.yaml").write_text(f"version: 1\nmodels:\n  default: {settings}\n")
    model = f"manual/{space}/in, box"
    overrides = api.answered_by(akgflow.load("scale", workspace=space), model)
    assert set(akgflow.plan("scale", workspace=space, overrides=overrides).models.values()) == {model}
    assert api.unreachable("scale", workspace=space, overrides=overrides) == ()


@pytest.mark.thorough
@pytest.mark.parametrize("caller", [in_a_script, in_a_notebook, in_a_thread])
def test_a_task_runs_from_anywhere(space: Path, caller: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    def work() -> akgflow.RunResult:
        return akgflow.run("scale", workspace=str(space), notify=lambda job, line: said.append(line))

    result = caller(work)
    assert result.exit_code == akgflow.ExitCode.DONE and result.jobs[0].outcome is akgflow.Outcome.MET
    assert caller(work) == result
    assert any("is finished" in line for line in said)
    assert akgflow.read_run(workspace=space) == result
    wrong = caller(
        lambda: akgflow.verify(source=PLAIN_WRONG, task="scale", dsl="plain", target="cpu", time=False, workspace=space)
    )
    assert wrong.status is Status.INCORRECT_NUMERICAL
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda root: akgflow.plan("scael", workspace=root), "did you mean 'scale'"),
        (
            lambda root: akgflow.plan(akgflow.load("scale", workspace=root), overrides=["budget.usd=1"]),
            "give overrides",
        ),
        (lambda root: akgflow.verify(dsl="plain", target="cpu", task="scale", workspace=root), "or its source text"),
        (lambda root: akgflow.verify(root / "none.py", dsl="plain", target="cpu", task="scale"), "does not exist"),
        (lambda root: verify(root), "either an operator's file or a task"),
        (lambda root: verify(root, task="scale", dsl="plan"), "there is no DSL 'plan': did you mean 'plain'?"),
        (lambda root: verify(root, task="scale", target="cup"), "there is no target 'cup': did you mean 'cpu'?"),
        (lambda root: verify(root, task="scale", target="nvidia"), "the targets of platform cuda are nvidia_a100, "),
        (lambda root: verify(root, task="scale", target="xpu"), "akgflow has no platform for Intel's GPUs"),
        (lambda root: verify(root, task="scale", dtype="flaot16"), "did you mean 'float16'?"),
        (lambda root: verify(root, task="scale", framework="alow"), "did you mean 'allow'?"),
        (lambda root: verify(root, task="scale", baselines=["eagre"]), "did you mean 'eager'?"),
        (lambda root: verify(root, task="scale", layouts="an"), "did you mean 'any'?"),
        (lambda root: verify(root, task="scale", backward={"overwrite": ["x"]}), "backward is true, false or "),
        (lambda root: verify(root, task="scale", prepare={"calls": 0}), "prepare is true, false or "),
        (lambda root: verify(root, task="scale", cases=[{"row": 3}]), "did you mean 'rows'?"),
        (lambda root: verify(root, task="scale", cases=[{"rows": [3]}]), "texts: rows is something else"),
        (lambda root: verify(root, task="scale", cases=["rows"]), "a case is NAME=VALUE"),
        (lambda root: akgflow.read_run("none", workspace=root), "there is no run 'none'"),
        (lambda root: akgflow.read_run(workspace=root), "there is no run in"),
        (lambda root: akgflow.matrix("scale", workspace=root), "there is no run of scale"),
        (lambda root: akgflow.init(root), "already holds"),
        (lambda root: akgflow.run("scale", workspace=root, fresh=True, repair=True), "starts a new run"),
    ],
)
def test_what_is_wrong_in_a_call_is_a_configuration_error(space: Path, call: Callable[[Path], Any], words: str) -> None:
    with pytest.raises(akgflow.ConfigError, match="(?s)" + words.replace("?", r"\?")):
        call(space)


@pytest.mark.thorough
@pytest.mark.parametrize(("layouts", "passed"), [(None, True), ("any", False)])
def test_layouts_are_asked_for(space: Path, layouts: str | None, passed: bool) -> None:
    particular = PLAIN_RIGHT.replace("return ", "assert x.is_contiguous(); return ")
    assert particular != PLAIN_RIGHT
    verdict = verify(space, task="scale", source=particular, layouts=layouts, time=False)
    assert verdict.passed == passed, verdict.message


def test_a_path_that_cannot_be_used_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(akgflow.PathError, match="file/lab cannot be used: Not a directory"):
        akgflow.init(tmp_path / "file" / "lab")


def verify(root: Path, **how: Any) -> akgflow.Verdict:
    """A call of `akgflow.verify` that is right but for ``how``."""
    return akgflow.verify(**({"source": PLAIN_WRONG, "dsl": "plain", "target": "cpu", "workspace": root} | how))


def test_an_interruption_in_a_notebook_ends_the_work_before_it_is_raised() -> None:
    """The cell's thread gets the interruption; what was under way in the other one has been cancelled, not left."""
    seen: list[str] = []

    async def work() -> None:
        try:
            interrupt.start()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            seen.append("closed")

    main = threading.main_thread().ident
    assert main is not None
    started = time.monotonic()
    interrupt = threading.Timer(0.2, lambda: signal_main(main))
    with pytest.raises(KeyboardInterrupt):
        in_a_notebook(lambda: run_async(work()))
    assert seen == ["closed"] and time.monotonic() - started < 30


def signal_main(thread: int) -> None:
    import signal

    signal.pthread_kill(thread, signal.SIGINT)


def test_an_error_in_a_notebook_is_the_works_own() -> None:
    async def work() -> None:
        raise akgflow.ConfigError("wrong")

    with pytest.raises(akgflow.ConfigError, match="wrong"):
        in_a_notebook(lambda: run_async(work()))


@pytest.mark.thorough
def test_types_reach_those_who_check_theirs(tmp_path: Path) -> None:
    """What a checker sees of the lazy face is what there is."""
    (tmp_path / "uses.py").write_text(
        "import akgflow\n"
        "reveal_type(akgflow.verify)\n"
        "reveal_type(akgflow.run('x').exit_code)\n"
        "akgflow.plan(3)\n"
        "akgflow.nothing\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path / 'cache'}", "uses.py"]
    environ = {**os.environ, "MYPYPATH": str(root)}
    shown = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False).stdout
    assert "-> akgflow.verdict.Verdict" in shown and "akgflow.errors.ExitCode" in shown, shown
    assert 'Argument 1 to "plan" has incompatible type "int"' in shown and 'has no attribute "nothing"' in shown
