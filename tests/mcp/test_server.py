"""akgflow mcp as an agent's editor has it: a process of its own, spoken to over stdio by the SDK's own client."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from small_task import ADVICE, OPERATOR, RIGHT, WRONG, fenced, make_workspace, sketch

from akgflow.base import resources

PLAIN = OPERATOR.replace("Model(", "ModelNew(")
"""The operator as a candidate, without a kernel."""
SECRET = "sk-never-to-be-seen-0123456789"
ROOT = Path(__file__).resolve().parents[2]


def session(workspace: Path, talk: Callable[[Client], Awaitable[None]], log: Path) -> None:
    """Start the server in ``workspace`` and talk to it."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "akgflow", "mcp", "--workspace", str(workspace)],
        env={"TEST_KEY": SECRET, "OPENAI_API_KEY": SECRET, "AKGFLOW_MODEL": "openai/anything"},
        cwd=workspace,
    )

    async def main() -> None:
        with log.open("w") as errors:
            async with Client(stdio_client(parameters, errlog=errors)) as client:
                await talk(client)

    asyncio.run(asyncio.wait_for(main(), 240))


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """What a tool gives back; its error's words where it fails."""
    result = await client.call_tool(tool, arguments)
    text = "\n".join(getattr(block, "text", "") for block in result.content)
    assert SECRET not in text
    if result.is_error:
        return text
    data = result.structured_content
    assert data is not None
    return data["result"] if set(data) == {"result"} else data


def test_an_agent_sees_the_tools_and_plans_and_is_told_what_is_wrong(tmp_path: Path) -> None:
    async def talk(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"tasks", "plan", "run", "next_prompt", "answer", "verify", "show", "stop"}
        assert all(tool.description for tool in tools.values())
        assert set(tools["answer"].input_schema["properties"]) == {"id", "text"}
        assert "gemm_migrate" in await call(client, "tasks")
        plan = await call(
            client, "plan", task="gemm_migrate", overrides=["budget.usd=0.5", "models.default.price=free"]
        )
        assert "triton" in plan and "impossible" in plan and "$0.5" in plan
        assert "budget.usd cannot hold" in await call(client, "plan", task="gemm_migrate")
        assert "did you mean 'gemm_migrate'" in await call(client, "plan", task="gemm_migrat")
        assert "start one with run" in (await call(client, "next_prompt", wait_seconds=0))["say"]
        assert "no prompt 'x'" in await call(client, "answer", id="x", text="y")
        assert "started no run yet" in await call(client, "show")

    session(resources.tasks().parent, talk, tmp_path / "log")
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.thorough
def test_an_agent_answers_every_prompt_from_start_to_end(tmp_path: Path) -> None:
    """Verify a kernel that is wrong; run a task and answer its prompts; look at the result."""
    make_workspace(tmp_path, "http://127.0.0.1:9/v1")
    code = iter([WRONG, RIGHT])
    answered: list[str] = []

    def reply(asked: dict[str, Any]) -> str:
        answered.append(f"{asked['step']}/{asked['agent']}")
        assert asked["prompt"].startswith("<!-- Write the reply to ")
        if asked["agent"] == "designer":
            return sketch("the sketch")
        return ADVICE if asked["agent"] == "conductor" else fenced(next(code))

    async def talk(client: Client) -> None:
        about = {"dsl": "cpp", "target": "cpu", "task": "scale", "time": False}
        wrong = await call(client, "verify", code=WRONG, **about)
        assert (wrong["passed"], wrong["status"], wrong["evidence"]) == (False, "INCORRECT_NUMERICAL", ["executed"])
        assert "INCORRECT_NUMERICAL" in wrong["report"] and wrong["feedback"]
        assert (await call(client, "verify", code=PLAIN, **about))["status"] == "FALLBACK"
        allowed = await call(client, "verify", code=PLAIN, framework="allow", baselines=["eager"], **about)
        assert allowed["passed"], allowed

        started = await call(client, "run", task="scale")
        assert started["running"] and started["task"] == "scale"
        assert "is running already" in await call(client, "run", task="scale")
        while True:
            asked = await call(client, "next_prompt", wait_seconds=120)
            if not asked["id"]:
                break
            again = await call(client, "next_prompt", wait_seconds=0, id=asked["id"])
            assert again["prompt"] == asked["prompt"]
            assert (await call(client, "answer", id=asked["id"], text=reply(asked)))["say"].startswith("taken")
        (run,) = asked["runs"]
        assert (run["exit_code"], run["finished"]) == (0, True), run["said"]
        shown = await call(client, "show")
        assert "met" in shown and "manual/" in shown and "PASSED" in shown
        assert await call(client, "show", run=started["folder"]) == shown

    session(tmp_path, talk, tmp_path / "log")
    assert answered == ["sketch/designer", "code/coder", "fix/conductor", "fix/coder"]
    kept = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert any(path.name == "waiting.json" for path in kept)
    assert not [path for path in kept if SECRET in path.read_text(errors="replace")]


@pytest.mark.thorough
def test_a_run_that_is_stopped_goes_on_with_another_server(tmp_path: Path) -> None:
    make_workspace(tmp_path, "http://127.0.0.1:9/v1", task="workflow: code_only\n")
    seen: list[dict[str, Any]] = []

    async def begin(client: Client) -> None:
        seen.append(await call(client, "run", task="scale"))
        seen.append(await call(client, "next_prompt", wait_seconds=120))
        assert seen[1]["agent"] == "coder", seen[1]

    async def go_on(client: Client) -> None:
        # The first server took its run along when it ended: its prompt waits no longer.
        assert "start one with run" in (await call(client, "next_prompt", wait_seconds=0))["say"]
        assert (await call(client, "run", task="scale"))["folder"] == seen[0]["folder"]
        again = await call(client, "next_prompt", wait_seconds=120)
        assert again["id"] == seen[1]["id"], again
        stopped = await call(client, "stop", run=seen[0]["folder"])
        assert not stopped["running"] and not stopped["finished"]
        assert "is unfinished" in await call(client, "show")

    session(tmp_path, begin, tmp_path / "first")
    session(tmp_path, go_on, tmp_path / "second")


def without_the_sdk(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    hidden = f"import sys; sys.modules['mcp'] = None; sys.argv = {['akgflow', *arguments]}\n"
    script = hidden + "from akgflow.cli import main; main()"
    return subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)


def test_without_the_sdk_the_command_says_what_to_install(tmp_path: Path) -> None:
    done = without_the_sdk(tmp_path, "mcp")
    assert (done.returncode, "pip install 'akgflow[mcp]'" in done.stderr) == (4, True), done.stderr


@pytest.mark.parametrize("command", [["mcp", "--help"], ["--help"]])
def test_help_does_not_need_it(command: list[str], tmp_path: Path) -> None:
    done = without_the_sdk(tmp_path, *command)
    assert (done.returncode, "MCP" in done.stdout) == (0, True), done.stderr
