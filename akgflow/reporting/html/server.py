"""Serves the page of a run on loopback, built again when the run has changed.

Prompts and kernels are private, and other users and other pages can reach a port of loopback: the address holds a
secret, and a request must name this server as its host, so that a name which was pointed here reads nothing.
"""

from __future__ import annotations

import secrets
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

from akgflow.errors import ConfigError, known_error
from akgflow.reporting.html import run_page
from akgflow.reporting.html.page import policy, render
from akgflow.runs.layout import JOURNAL, PLAN, RESULT

HOST = "127.0.0.1"
_WATCHED = (PLAN, JOURNAL, RESULT)


class ReportServer:
    """A server of one run's page. ``url`` is its whole address; port 0 takes a free one."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._pages = _Pages(folder)
        self._pages.page()
        self._server = _listening(port)
        self._server.pages = self._pages
        self._server.home = f"/{secrets.token_urlsafe(16)}/"
        self.url = f"http://{HOST}:{self._server.server_address[1]}{self._server.home}"

    def serve(self) -> None:
        """Answer until `close` is called from another thread, or the process is interrupted."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> ReportServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()


class _Pages:
    """The page of a folder, kept for as long as its files are as they were."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: tuple[str, bytes] | None = None

    def state(self) -> str:
        """Changes with the run's files; cheap to ask."""
        found = []
        for name in _WATCHED:
            try:
                about = (self._folder / name).stat()
            except OSError:
                continue
            found.append(f"{name} {about.st_size} {about.st_mtime_ns}")
        return "; ".join(found)

    def page(self) -> bytes:
        """The page as it is now; raises as `run_page` does."""
        with self._lock:
            state = self.state()
            if self._kept is None or self._kept[0] != state:
                self._kept = state, run_page(self._folder, served=True).encode()
            return self._kept[1]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    """Browsers open connections that they may not use."""
    pages: _Pages
    home: str

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that went away is no failure."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """Take the address; the base class would ask a name server what this host is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])


def _listening(port: int) -> _Server:
    try:
        return _Server((HOST, port), _Handler)
    except OSError as wrong:
        raise ConfigError(f"port {port} cannot be served: {wrong.strerror}: name another, or none") from None


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "akgflow"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, or the state that says whether it has changed."""
        port = self.server.server_address[1]
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"ask for this page by its own address\n")
        elif self.path == self.server.home:
            self._page()
        elif self.path == f"{self.server.home}state":
            self._answer(HTTPStatus.OK, "text/plain", self.server.pages.state().encode())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there is one page: the address that was printed\n")

    def _page(self) -> None:
        try:
            self._answer(HTTPStatus.OK, "text/html", self.server.pages.page())
        except Exception as wrong:
            known = known_error(wrong)  # a folder that is being repaired, or was removed
            if known is None:
                raise
            page = render("trouble.html", served=True, message=known)
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/html", page.encode())

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": f"{policy(served=True)}; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is the user's."""
