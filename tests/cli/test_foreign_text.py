"""Text of others, from a model's reply to the terminal: runs go on, records stay readable, nothing is steered."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import document
from openai_server import Answer, OpenAIServer, Seen
from plain_workspace import PLAIN_RIGHT, plain_workspace
from small_task import by_agent, fenced

WORDS = {
    "steers": r"\x1b[2J\x1b]0;pwned\x07\x1b[32mPASSED\x1b[0m\r\n\x9b31m [bold red]markup[/]",
    "ends no line": r"a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei",
    "is no character": r"bad \ud800 half, \udc80 half",
    "hides": r"\u202e reversed \u2066 isolated \u200b nothing \ufeff mark \U000e0041 tag",
}
RAW = "before \u2028 a line that is none, \u202e reversed, \x1b[2J cleared, \ud800 half, \ud83d\ude00 whole\n"
# What a terminal acts on, or a reader does not see. A table has its own line ends.
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


class Here:
    """A workspace; the coder's first draft raises `words`, and the raw characters stand around all its replies."""

    def __init__(self, folder: Path, server: OpenAIServer) -> None:
        self.folder, self.server = folder, server
        plain_workspace(folder, server.url)

    def says(self, words: str) -> None:
        """What the first draft raises."""
        bad = PLAIN_RIGHT.replace("return torch", f'raise ValueError("{words}")\n        return torch')

        def code(seen: Seen) -> str:
            return RAW + fenced(PLAIN_RIGHT if "judge found" in seen.prompt else bad)

        def answer(seen: Seen) -> Answer:
            return by_agent(f"a \u2028 sketch \u202e {RAW}".replace("\n", " "), code)(seen)

        self.server.default = answer

    def akgflow(self, *args: str, **env: str) -> subprocess.CompletedProcess[bytes]:
        """One call of the command."""
        environ = {**os.environ, "TEST_KEY": "k", **env}
        command = [sys.executable, "-m", "akgflow", *args]
        return subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, check=False)


@pytest.fixture
def here(tmp_path: Path, openai_server: OpenAIServer) -> Iterator[Here]:
    yield Here(tmp_path, openai_server)


@pytest.mark.thorough
def test_a_run_whose_candidate_raises_all_of_it(here: Here) -> None:
    here.says("".join(WORDS.values()))
    ran = here.akgflow("run", "scale")
    assert ran.returncode == 0, ran.stderr.decode(errors="replace")
    asked = len(here.server.requests)
    for request in here.server.requests:
        assert not STEERS.search(request.prompt.partition("What the judge found")[2])
    (folder,) = (here.folder / "runs").iterdir()
    # Every reader's notion of a line gives the same entries.
    text = (folder / "journal.jsonl").read_bytes().decode()
    assert [json.loads(line)["key"] for line in text.splitlines()] == [
        json.loads(line)["key"] for line in text.split("\n")[:-1]
    ]
    assert "\u2028" in json.dumps([json.loads(line) for line in text.splitlines()], ensure_ascii=False)
    (folder / "result.json").unlink()
    again = here.akgflow("run", "scale", "--json", PYTHONIOENCODING="ascii")
    assert (again.returncode, len(here.server.requests)) == (0, asked)
    assert document(again.stdout)["jobs"][0]["outcome"] == "met"
    shown = here.akgflow("show", "--json", PYTHONIOENCODING="latin-1")
    assert document(shown.stdout)["jobs"][0]["attempts"][0]["status"] == "RUNTIME_ERROR"
    for done in (ran, here.akgflow("show"), here.akgflow("matrix", "scale")):
        assert not STEERS.search((done.stdout + done.stderr).decode())


@pytest.mark.thorough
def test_a_terminal_is_not_steered(here: Here) -> None:
    words = "".join(WORDS.values())
    (here.folder / "k.py").write_text(PLAIN_RIGHT.replace("return torch", f'raise ValueError("{words}"); torch'))
    command = [sys.executable, "-m", "akgflow", "verify", "k.py", "--task", "scale", "--dsl", "plain", "--target=cpu"]
    main, other = os.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    process = subprocess.Popen(command, cwd=here.folder, env=environ, stdout=other, stderr=other)
    os.close(other)
    said = b""
    try:
        while piece := os.read(main, 65536):
            said += piece
    except OSError:  # what Linux says when the last writer has closed a terminal
        pass
    os.close(main)
    assert process.wait() == 1
    text = said.decode()
    # rich's own colours, and those of its live line, are all that is left.
    plain = re.sub(r"\x1b\[(\?25[lh]|2K|1A|[0-9;]*m)", "", text).replace("\r", "")
    assert "RUNTIME_ERROR" in plain and r"\x1b]0;pwned" in plain
    assert not STEERS.search(plain)
    assert "[bold red]markup[/]" in plain


def test_names_and_files_that_steer(here: Here) -> None:
    name = "x\x1b[2J\u202e"
    shown = here.akgflow("plan", name)
    assert shown.returncode == 2 and not STEERS.search(shown.stderr.decode())
    odd = here.folder / "tasks" / f"{name}.yaml"
    odd.write_text(f"version: 1\nname: scale\nkind: 'gen\\x1b[2J{chr(0x202E)}'\n")
    for args in (["plan", str(odd)], ["validate"], ["list", "tasks"], [f"--{name}"], [name]):
        done = here.akgflow(*args)
        assert done.returncode in (0, 2)
        assert not STEERS.search((done.stdout + done.stderr).decode())
    bytes_name = os.fsdecode(b"\xff\xfe.yaml")
    done = here.akgflow("plan", bytes_name, "--json")
    assert done.returncode == 2 and document(done.stdout)["problems"]


@pytest.mark.thorough
def test_replies_written_by_hand_may_be_in_any_encoding(here: Here) -> None:
    inbox = here.folder / "inbox"
    here.says("x")
    process = subprocess.Popen(
        [sys.executable, "-m", "akgflow", "run", "scale", "--json", "--set", f"models.default.model=manual/{inbox}"],
        cwd=here.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    sketch, code = (f"{RAW}{text}" for text in ("", fenced(PLAIN_RIGHT)))
    from small_task import sketch as sketched

    answered: set[Path] = set()
    while process.poll() is None:
        for prompt in set(inbox.glob("*.prompt.md")) - answered:
            answered.add(prompt)
            text = sketched("by hand") if "designer" in prompt.name else code
            raw = b"\xef\xbb\xbf" + text.encode("utf-8", "surrogatepass").replace(b"before", b"b\xe9fore")
            prompt.with_name(prompt.name.replace(".prompt.", ".reply.")).write_bytes(raw)
    assert process.returncode == 0 and sketch
    assert json.loads(process.communicate()[0])["jobs"][0]["outcome"] == "met"
