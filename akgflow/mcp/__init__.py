"""akgflow for agents in editors: an MCP server over stdio, by the official SDK (the extra ``akgflow[mcp]``)."""

from akgflow.mcp.server import serve

__all__ = ["serve"]
