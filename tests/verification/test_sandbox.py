"""What a candidate cannot do to the machine: each attempt is a verdict, and nothing of it is left behind."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from judging import Bench
from sampling import sampled

from akgflow.terms import Status
from akgflow.verdict import Limits
from akgflow.verification.judge.build_cache import BuildCache
from akgflow.verification.sandbox import LAYERS, process_tree
from akgflow.verification.sandbox.untrusted_files import remove, tidy

OPERATOR = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return x + 1

    def get_inputs():
        return [torch.rand(40)]

    def get_init_inputs():
        return []
    """
RIGHT = """
    import torch

    class ModelNew(torch.nn.Module):
        def forward(self, x):
            return x + 1
    """
MARK = f"harm-{os.getpid()}"
"""In the names of files and in the arguments of processes that candidates try to leave behind."""
LITTER = f"""
        for folder in ("/tmp", "/dev/shm", "/var/tmp", "/root", os.path.expanduser("~"), "..", "../..", "/run", "/etc"):
            try:
                open(folder + "/{MARK}", "w").close()
            except OSError:
                pass
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execlp("sleep", "{MARK}", "300")
                os._exit(0)"""


def harmful(body, litter=True):
    """A candidate that litters, and then runs ``body`` before it answers rightly."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    return f"""
import ctypes, mmap, os, signal, socket, sys, time
import torch

class ModelNew(torch.nn.Module):
    def forward(self, x):{LITTER if litter else ""}
{lines}
        return x + 1
"""


def small(**changes):
    values = {"build_seconds": 3, "run_seconds": 2, "memory_bytes": 2 << 30, "disk_bytes": 64 << 20, "files": 2000}
    return Limits(**(values | changes))


def family():
    return {p.pid for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE}


def litter():
    """Processes and files, wherever they are, that a candidate of this test has left."""
    marked = {p.pid for p in psutil.process_iter(["cmdline"]) if any(MARK in word for word in p.info["cmdline"] or [])}
    places = ("/tmp", "/dev/shm", "/var/tmp", "/run", "/etc", str(Path.home()))
    return sorted(marked) + [f"{place}/{MARK}" for place in places if os.path.exists(f"{place}/{MARK}")]


def eventually(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


HARM = {
    "hangs": ("while True: pass", "TIMEOUT", "did not finish within"),
    "sleeps": ("signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); time.sleep(99)", "TIMEOUT", "finish"),
    "crashes": ("ctypes.string_at(0)", "RUNTIME_ERROR", "SIGSEGV"),
    "aborts": ("os.abort()", "RUNTIME_ERROR", "SIGABRT"),
    "ends": ("os._exit(0)", "RUNTIME_ERROR", "exit code 0"),
    "ends itself": ("os.kill(os.getpid(), signal.SIGKILL); time.sleep(9)", "RUNTIME_ERROR", "SIGKILL"),
    # Each child answers the judge as its parent does, which is an answer too many.
    "forks for ever": ("while True: os.fork()", "RUNTIME_ERROR OUT_OF_MEMORY TIMEOUT REFUSED", ""),
    "forks for ever, whatever the system says": (
        """
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
        "RUNTIME_ERROR",
        "more than 128 processes",
    ),
    "takes 100 GB": ("x = x + bytearray(100 << 30)[0]", "OUT_OF_MEMORY", ""),
    "takes 100 GB in parts": (
        """
        while True:
            if os.fork() == 0:
                kept = b"x" * (400 << 20)
                time.sleep(99)
            time.sleep(0.02)
        """,
        "OUT_OF_MEMORY",
        "MiB of memory",
    ),
    "takes memory that no process holds": (
        """
        kept = [os.memfd_create("kept") for _ in range(200)]
        for fd in kept:
            os.posix_fallocate(fd, 0, 100 << 20)
        time.sleep(9)
        """,
        "OUT_OF_MEMORY",
        "",
    ),
    "fills the disk": (
        """
        for i in range(1000):
            with open(f"big-{i}", "wb") as file:
                os.posix_fallocate(file.fileno(), 0, 8 << 20)
            time.sleep(0.01)
        """,
        "RUNTIME_ERROR",
        "MiB to disk",
    ),
    "fills the disk without names": (
        """
        kept = []
        for i in range(1000):
            kept.append(open("big", "wb"))
            os.unlink("big")
            os.posix_fallocate(kept[-1].fileno(), 0, 8 << 20)
            time.sleep(0.01)
        """,
        "RUNTIME_ERROR",
        "MiB to disk",
    ),
    "fills the disk where nobody can look": (
        """
        for i in range(40):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
        for i in range(300):
            with open(f"big-{i}", "wb") as file:
                os.posix_fallocate(file.fileno(), 0, 8 << 20)
            time.sleep(0.01)
        """,
        "RUNTIME_ERROR",
        "nobody can list",
    ),
    "makes files without end": ("for i in range(10**7): open(f'file-{i}', 'w').close()", "RUNTIME_ERROR", "2000 files"),
    "nests folders": (
        """
        for i in range(1500):
            os.mkdir("d")
            os.chdir("d")
        os.chmod(".", 0)
        os._exit(0)
        """,
        "RUNTIME_ERROR",
        "",
    ),
    "kills its parent": (
        """
        for pid in (os.getppid(), 1, -1, *range(2, os.getpid())):
            if pid != 0:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        raise ValueError("it lives")
        """,
        "RUNTIME_ERROR",
        "it lives",
    ),
    "opens a socket": ("socket.socket().bind(('127.0.0.1', 0))", "RUNTIME_ERROR", "PermissionError"),
    "opens a unix socket": ("socket.socket(socket.AF_UNIX).bind('here')", "RUNTIME_ERROR", "PermissionError"),
    "leaves helpers": ("pass", "REFUSED", "lived on: sleep"),
}


SECONDS = {"forks for ever, whatever the system says": 30, "takes 100 GB in parts": 30}
"""Of what takes the processor from the judge too, until it is noticed."""


@pytest.mark.parametrize("name", sampled(HARM, "kills its parent", "opens a socket", "leaves helpers"))
def test_harm_is_a_verdict_and_leaves_nothing_behind(bench, tmp_path, name):
    body, statuses, words = HARM[name]
    assert bench.judge(RIGHT, OPERATOR).passed
    before, files = family(), sorted(bench.executor.root.iterdir())
    verdict = bench.judge(harmful(body), OPERATOR, limits=small(run_seconds=SECONDS.get(name, 2)))
    assert verdict.status.value in statuses.split(), (verdict.message, verdict.log)
    assert words in verdict.message
    assert set(verdict.sandbox) <= set(LAYERS) and {"privileges", "limits"} <= set(verdict.sandbox)
    assert eventually(lambda: family() == before), "the same judge and fork server, and nothing else"
    assert sorted(bench.executor.root.iterdir()) == files
    assert litter() == []
    assert bench.judge(RIGHT, OPERATOR).passed


def test_keys_are_out_of_reach(bench, tmp_path):
    key = tmp_path / ".ssh" / "id_ed25519"
    key.parent.mkdir()
    key.write_text("sk-in-a-file")
    body = f"""
        found = dict(os.environ)
        for pid in ["self", *filter(str.isdigit, os.listdir("/proc"))]:
            for name in ("environ", "cmdline", "cwd/.env", "root{key}"):
                try:
                    found[pid + name] = open(f"/proc/{{pid}}/{{name}}", "rb").read().decode(errors="replace")
                except OSError:
                    pass
        for path in ("{key}", os.path.expanduser("~/.netrc"), "/root/.ssh", "/etc/shadow"):
            try:
                found[path] = open(path).read() if not os.path.isdir(path) else str(os.listdir(path))
            except OSError:
                pass
        raise ValueError(" ".join(w for w in repr(found).split("'") if "sk-" in w or "not-for" in w or "root:" in w))
        """
    verdict = bench.judge(harmful(body, litter=False), OPERATOR)
    assert (verdict.status, verdict.message) == (Status.RUNTIME_ERROR, "ValueError:")


@pytest.mark.parametrize("role", sampled(["judge.worker", "candidate.fork_server"], "candidate.fork_server"))
def test_nothing_outlives_a_judge_or_a_fork_server_that_is_killed(bench, role):
    async def killed():
        found = 0
        hanging = harmful("time.sleep(99)")
        task = asyncio.create_task(bench.executor.judge(Bench.request(hanging, OPERATOR, limits=small())))
        while not litter():
            await asyncio.sleep(0.05)
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if f"akgflow.verification.{role}" in process.cmdline():
                    process.kill()
                    found += 1
        assert found, f"no process runs akgflow.verification.{role}"
        await task

    bench.runner.run(asyncio.wait_for(killed(), 90))
    assert eventually(lambda: not litter())
    assert [path for path in bench.executor.root.iterdir() if path.is_dir()] == []
    assert bench.judge(RIGHT, OPERATOR).passed


ON_A_LESSER_MACHINE = """
import json, sys
sys.path[:0] = [{support!r}]
from pathlib import Path
from judging import Bench
sys.path[:0] = [{here!r}]
import test_sandbox as t

bench = Bench(Path({root!r}))
found = {{}}
for name in ("leaves helpers", "kills its parent", "opens a socket", "ends"):
    verdict = bench.judge(t.harmful(t.HARM[name][0]), t.OPERATOR, limits=t.small())
    found[name] = [verdict.status.value, verdict.message]
verdict = bench.judge(t.RIGHT, t.OPERATOR)
found["right"] = [verdict.status.value, verdict.message]
found["litter"] = t.litter()
bench.close()
print(json.dumps([found, verdict.sandbox]))
"""
WITHOUT = {
    "namespaces": {"network", "ipc", "files", "processes"},
    "landlock": {"landlock"},
    "seccomp": {"seccomp"},
}


@pytest.mark.thorough
@pytest.mark.parametrize("missing", WITHOUT)
def test_a_machine_without_a_layer_judges_with_the_others_and_says_so(bench, tmp_path, missing):
    support = Path(__file__).parents[1] / "support"
    lesser = [sys.executable, str(support / "lesser_machine.py"), missing, sys.executable]
    tried = subprocess.run([*lesser, "-m", "akgflow.verification.sandbox.probe"], capture_output=True, text=True)
    probed = json.loads(tried.stdout)
    held = set(LAYERS) - WITHOUT[missing]
    assert set(probed["layers"]) <= held, "what the kernel refuses is not claimed"
    assert probed["missing"]
    here = str(Path(__file__).parent)
    script = ON_A_LESSER_MACHINE.format(support=str(support), here=here, root=str(tmp_path))
    done = subprocess.run([*lesser, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found, layers = json.loads(done.stdout.splitlines()[-1])
    assert layers == probed["layers"]
    assert found["right"][0] == "PASSED", found
    assert found["leaves helpers"][0] == "REFUSED", found
    assert found["kills its parent"][0] == "RUNTIME_ERROR", found
    assert found["ends"][0] == "RUNTIME_ERROR", found
    assert found["opens a socket"][0] == "RUNTIME_ERROR" or missing == "seccomp", found
    assert found["litter"] == [], found


@pytest.fixture
def built(tmp_path):
    """A folder as a candidate leaves it: a library, and what a reader had better not touch."""

    def make(name, size=1000):
        folder = tmp_path / name
        (folder / "cpp").mkdir(parents=True)
        (folder / "cpp" / "a.so").write_bytes(bytes(size))
        os.mkfifo(folder / "pipe")
        (folder / "link").symlink_to("/etc/passwd")
        return folder

    return make


def test_builds_come_back_for_the_same_text_only(tmp_path, built):
    builds = BuildCache(tmp_path / "kept")
    folder = built("one")
    made = os.stat(folder / "cpp" / "a.so").st_mtime_ns
    builds.keep("one", folder)
    assert not builds.fetch("other", tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    assert builds.fetch("one", tmp_path / "again")
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["cpp"], "no pipe and no link"
    assert os.stat(tmp_path / "again" / "cpp" / "a.so").st_mtime_ns == made
    (tmp_path / "again" / "cpp" / "a.so").write_bytes(b"other")
    assert builds.fetch("one", tmp_path / "third")
    assert (tmp_path / "third" / "cpp" / "a.so").read_bytes() == bytes(1000), "a copy, which its user may change"


def test_the_oldest_builds_go_first_and_the_rest_is_bounded(tmp_path, built):
    builds = BuildCache(tmp_path / "kept", most_bytes=250_000)
    for name in ("a", "b", "c"):
        builds.keep(name, built(name, 100_000))
        time.sleep(0.02)
        if name == "b":
            assert builds.fetch("a", tmp_path / "used")
            time.sleep(0.02)
    assert sorted(path.name for path in builds.root.iterdir()) == ["a", "c"]
    builds.keep("huge", built("huge", 100 << 20))
    assert sorted(path.name for path in builds.root.iterdir()) == ["a", "c"]


def test_remains_are_removed_however_deep(tmp_path):
    root = tmp_path / "deep"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        tidy(root)
        assert process_tree.disk_use(str(root), 10_000)[1] > 10_000, "what cannot be listed counts as too much"
        remove(root)
        assert not root.exists()
    finally:
        # Those who tidy up after tests would fail at it.
        subprocess.run(["rm", "-rf", root])


VANISHED = """
import json, os, sys, tempfile
from akgflow.verification.sandbox import PR_SET_CHILD_SUBREAPER, Bounds, Launcher, prctl

prctl(PR_SET_CHILD_SUBREAPER, 1)
launcher, found = Launcher(), []
with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as beside:
    reads = os.path.join(beside, "reads")
    os.mkdir(reads)
    for _ in range(2):
        started = launcher.launch(Bounds(scratch, 1 << 30, 1, reads=(reads,)), (), lambda: None)
        started.end()
        found.append(started.layers)
        if os.path.exists(reads):
            os.rmdir(reads)
print(json.dumps([found, launcher.missing]))
"""


def test_a_folder_that_has_gone_costs_no_layer():
    done = subprocess.run([sys.executable, "-c", VANISHED], capture_output=True, text=True, check=True)
    (before, after), missing = json.loads(done.stdout)
    assert before == after
    assert "files" not in missing or "files" not in before
