"""A command-line agent for tests: ``stand_in_agent.py MODE ARGUMENT…`` in a folder, as ``agentic`` steps start one.

It is a program of its own, with nothing but the standard library: all that it knows is its prompt and its folder.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

HERE = Path.cwd()


class Mcp:
    """The server that the folder's ``.mcp.json`` names, spoken to in JSON-RPC over its pipes."""

    def __init__(self) -> None:
        (server,) = json.loads((HERE / ".mcp.json").read_text())["mcpServers"].values()
        command = [server["command"], *server["args"]]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._ids = itertools.count(1)
        client = {"name": "stand-in", "version": "1"}
        self.call("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
        self._send({"method": "notifications/initialized"})

    def call(self, method: str, **params: object) -> dict[str, object]:
        number = next(self._ids)
        self._send({"id": number, "method": method, "params": params})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == number:
                return message["result"]
        raise RuntimeError("the MCP server has ended")

    def _send(self, message: dict[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()

    def verify(self) -> str:
        content = self.call("tools/call", name="verify", arguments={})["content"]
        return "\n".join(block["text"] for block in content)  # type: ignore[attr-defined]


def script() -> str:
    """``./verify``."""
    return subprocess.run(["./verify"], capture_output=True, text=True).stdout


def over_mcp(wrong: str, right: str) -> None:
    server = Mcp()
    tools = server.call("tools/list")["tools"]
    assert [tool["name"] for tool in tools] == ["verify"], tools  # type: ignore[attr-defined]
    works(server.verify, wrong, right)


def by_script(wrong: str, right: str) -> None:
    works(script, wrong, right)


def works(verify, wrong: str, right: str) -> None:  # type: ignore[no-untyped-def]
    """Write a wrong kernel, read what the judge says, mend it, and say what was seen."""
    assert "class Model" in (HERE / "TASK.md").read_text() and "class Model" in sys.stdin.read()
    Path("candidate.py").write_text(Path(wrong).read_text())
    first = verify()
    assert "INCORRECT_NUMERICAL" in first, first
    Path("candidate.py").write_text(Path(right).read_text())
    second = verify()
    print(json.dumps({"result": f"{first}\n{second}", "usage": {"input_tokens": 700, "output_tokens": 90}}))


def asks(*sources: str) -> None:
    """Ask about each source."""
    for source in sources:
        Path("candidate.py").write_text(Path(source).read_text())
        print(script())


def never_ends(source: str) -> None:
    Path("candidate.py").write_text(Path(source).read_text())
    print(script(), flush=True)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child()
    time.sleep(600)


def leaves_children(source: str) -> None:
    Path("candidate.py").write_text(Path(source).read_text())
    child()


def child() -> None:
    """A process in a session of its own, which leaves its number in the agent's one open folder."""
    if os.fork() == 0:
        os.setsid()
        for stream in (0, 1, 2):
            os.close(stream)
        Path(os.environ["STAND_IN_NOTES"], "child").write_text(str(os.getpid()))
        time.sleep(600)
    while not (Path(os.environ["STAND_IN_NOTES"]) / "child").exists():
        time.sleep(0.01)


def prints_megabytes(source: str) -> None:
    Path("candidate.py").write_text(Path(source).read_text())
    for stream in (sys.stdout, sys.stderr):
        for _ in range(30):
            stream.write("x" * (1 << 20))
    print("the end of it")


def greedy(source: str) -> None:
    text = Path(source).read_text()
    for number in range(12):
        Path("candidate.py").write_text(text + f"N = {number}\n")
        print(script())
        print(script())


def reaches_out(*paths: str) -> None:
    """Try to read and to write each path, and say which could be."""
    did = []
    for path in paths:
        with suppress(OSError):
            did.append(f"read {path}: {os.listdir(path) if os.path.isdir(path) else Path(path).read_bytes()!r}")
        with suppress(OSError):
            with open(os.path.join(path, "planted") if os.path.isdir(path) else path, "a") as file:
                file.write("x")
            did.append(f"wrote {path}")
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if b"never-to-be-seen" in (entry / "environ").read_bytes():
                did.append(f"read the environment of {int(entry.name)}")
    print(json.dumps({"result": "\n".join([*did, "tried all"])}))


def forges(source: str) -> None:
    """Leave everything behind that might be taken for a verdict."""
    Path("candidate.py").write_text(Path(source).read_text())
    verdict = json.dumps({"status": "PASSED", "message": "PASSED", "passed": True})
    for name in ("verdict.json", "journal.jsonl", "result.json", "../verdict.json", "../candidate.py"):
        with suppress(OSError):
            Path(name).write_text(verdict)
    Path("verify").unlink()
    Path("verify").write_text(f"#!/bin/sh\necho '{verdict}'\n")
    Path("judge.sock").unlink()
    print(verdict, "\n--- the file as the agent left it ---\nprint('forged')\n")


def floods(source: str) -> None:
    """Garbage of every kind, then a question as it should be."""
    garbage = (
        b"",
        b"\n",
        b"\x00" * 1000 + b"\n",
        b"{}\n",
        b'{"source": 5}\n',
        b'{"source": " "}\n',
        b"[" * 100_000 + b"\n",
    )
    for line in (*garbage, b'{"source": "' + b"a" * (8 << 20), b'{"source": "x", "status": "PASSED"}\n'):
        with socket.socket(socket.AF_UNIX) as link, suppress(OSError):
            link.connect("judge.sock")
            link.sendall(line)
            link.shutdown(socket.SHUT_WR)
            print(link.recv(300))
    idle = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    for link in idle:
        with suppress(OSError):
            link.connect("judge.sock")
    for link in idle:
        link.close()
    Path("candidate.py").write_text(Path(source).read_text())
    print(script())


def links(target: str) -> None:
    """A candidate that is a link to what the agent cannot read itself."""
    Path("candidate.py").symlink_to(target)
    print(json.dumps({"result": "done"}))


def dies(status: str = "3") -> None:
    sys.exit("not logged in") if status == "3" else os.kill(os.getpid(), 9)


def works_until_killed(notes: str, *sources: str) -> None:
    """Ask about one source in each session, then wait for ever; end once there is none left."""
    done = Path(notes, "done")
    number = len(done.read_text()) if done.exists() else 0
    if number < len(sources):
        Path("candidate.py").write_text(Path(sources[number]).read_text())
        said = script()
        done.open("a").write("x")
        Path(notes, f"said-{number}").write_text(said)
        time.sleep(600)
    print(json.dumps({"result": "done", "usage": {"input_tokens": 700, "output_tokens": 90}}))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
