"""The tools that an agent sees, over stdio. The SDK is imported when a server is made, not before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from akgflow import __version__
from akgflow.base.secrets import redact
from akgflow.errors import AkgflowError, PrerequisiteError
from akgflow.mcp.runs import MANUAL, Runs
from akgflow.mcp.tools import Tools

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

P = ParamSpec("P")
T = TypeVar("T")
Tool = Callable[..., Awaitable[Any]]

INSTRUCTIONS = f"""\
akgflow writes, migrates and optimises compute kernels; real compilers and devices judge them. You can answer prompts:
1. `tasks` lists what can be run; `plan` shows what a task would do and at most for how much.
2. `run` starts a task in the background with the model `{MANUAL}`, which is you.
3. `next_prompt` waits for a prompt; write what it asks for, in the form it asks for, and send it with `answer`.
   Repeat until it says that nothing waits and the run has ended.
4. `show` gives the table of a run. `verify` judges one kernel without any run.
What the judge says is measured; a kernel is right when it says so, not before.
"""


def serve(workspace: Path, inbox: Path) -> None:
    """Serve until the client closes the connection; runs that were started are stopped and can be resumed."""
    make_server(workspace, inbox).run("stdio")


def make_server(workspace: Path, inbox: Path) -> MCPServer[Any]:
    """The server with its tools; raises `PrerequisiteError` where the SDK is not installed."""
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp_types import ToolAnnotations
    except ImportError as missing:
        raise PrerequisiteError(
            f"akgflow mcp needs the MCP SDK ({missing}): pip install 'akgflow[mcp]' (mcp 2.3 or later)"
        ) from None
    runs = Runs(workspace, inbox)
    tools = Tools(runs)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Any]) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await runs.close()

    server: MCPServer[Any] = MCPServer(
        "akgflow", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING", lifespan=lifespan
    )
    looks = ToolAnnotations(read_only_hint=True)
    looking: Sequence[Tool] = (tools.tasks, tools.plan, tools.next_prompt, tools.show)
    doing: Sequence[Tool] = (tools.run, tools.answer, tools.verify, tools.stop)
    for tool in (*looking, *doing):
        server.add_tool(_told(tool), annotations=looks if tool in looking else None)
    return server


def _told(tool: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """``tool`` with errors that the agent can read and act on; anything else stays a bug of ours, in the log."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    async def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await tool(*args, **kwargs)
        except AkgflowError as wrong:
            raise ToolError(redact(str(wrong))) from None

    return told
