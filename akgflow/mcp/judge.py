"""The judge of a run over MCP, for an agent that works in a folder: ``python -P -m akgflow.mcp.judge FOLDER``.

It asks through the script ``verify`` of that folder, as an agent without MCP does.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from akgflow import __version__


def main() -> None:
    """Serve until the client closes the connection."""
    from mcp.server.mcpserver import MCPServer

    folder = Path(sys.argv[1])

    async def verify(file: str = "candidate.py") -> str:
        """Ask the judge about the kernel in a file of your folder. It takes a while; wait for it.

        Says what the judge found, what to mend, how fast it is, and how many judgements are used.
        """
        process = await asyncio.create_subprocess_exec(
            *(str(folder / "verify"), str(folder / file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        return said.decode("utf-8", "replace").strip()

    server: MCPServer[Any] = MCPServer("akgflow", version=__version__, log_level="WARNING")
    server.add_tool(verify)
    server.run("stdio")


if __name__ == "__main__":
    main()
