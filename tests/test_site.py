"""The documentation as a site: it is built without a warning, and a browser shows it without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from browser import Browser, chromium

from akgflow.api import DOCUMENTS, KINDS
from akgflow.cli._main import cli

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.mark.thorough
def test_references_hold_every_command_key_and_document(site: Path) -> None:
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (site / "reference").glob("*.html")}
    headings = {name: set(re.findall(r'<h2 id="([^"]+)"', text)) for name, text in pages.items()}
    assert {f"akgflow-{name}" for name in cli.list_commands(None)} < headings["options"]  # type: ignore[arg-type]
    assert headings["files"] == set(KINDS) and headings["documents"] == set(DOCUMENTS)
    assert "Seconds since it was at work last" in pages["documents"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.mark.thorough
@pytest.mark.parametrize("page", ["index", "tasks", "corpus", "reference/files"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_needs_no_other_host_and_fits_a_phone(address: str, browser: Browser, page: str, scheme: str) -> None:
    browser.screen(400, scheme=scheme)
    browser.open(f"{address}/{page}.html")
    # The search says when its index is ready.
    assert [said for said in browser.complaints() if "/search/worker.js" not in said] == []
    assert [url for url in browser.requested() if not url.startswith((address, "data:"))] == []
    assert browser.js("return document.documentElement.scrollWidth") <= 400
    assert browser.js("return document.documentElement.dataset.bsTheme") == scheme
