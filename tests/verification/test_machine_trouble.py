"""Whose fault it is: a shortage of the machine blames no kernel, and a kernel's own doing blames no machine."""

import asyncio
import errno
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from judging import Bench
from small_disk import small_disk
from small_task import OPERATOR as SCALE
from small_task import RIGHT as SCALE_IN_CPP

from akgflow.base import atomic
from akgflow.terms import Status
from akgflow.toolchains.common import headers
from akgflow.toolchains.common.diagnostics import first_errors
from akgflow.verdict import Limits
from akgflow.verification.candidate.failed_calls import failure_of
from akgflow.verification.judge.failures import Disturbed, reported
from akgflow.verification.judge.resources import machine_pressure, memory_plan
from akgflow.verification.sandbox import process_tree
from akgflow.verification.shared.protocol import ErrorKind, Failure

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


def module(*lines):
    """A candidate whose forward runs ``lines`` first."""
    body = "\n            ".join([*lines, "return x + 1"])
    return f"""
    import errno, os, signal, subprocess, time, torch

    class ModelNew(torch.nn.Module):
        def forward(self, x):
            {body}
    """


CLAIMS = {
    "says that the disk is full": "raise OSError(errno.ENOSPC, 'No space left on device')",
    "says that the quota is used up": "raise OSError(errno.EDQUOT, 'Disk quota exceeded')",
    "says that the disk fails": "raise OSError(errno.EIO, 'Input/output error')",
    "says that no process could be started": "raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')",
    "says that the system has no descriptors": "raise OSError(errno.ENFILE, 'Too many open files in system')",
    "opens ten thousand files": "self.files = [open('/dev/null') for _ in range(10_000)]",
    "fills its /tmp": "open('/tmp/x', 'wb').write(bytes(256 << 20))",
    "fills its /dev/shm": "open('/dev/shm/x', 'wb').write(bytes(512 << 20))",
}


@pytest.mark.parametrize("what", CLAIMS)
def test_what_a_candidate_says_or_does_to_its_own_bounds_is_its_own_fault(bench, what):
    limits = Limits(build_seconds=60, run_seconds=30, memory_bytes=1 << 30)
    verdict = bench.judge(module(CLAIMS[what]), OPERATOR, limits=limits)
    assert verdict.status == "RUNTIME_ERROR", verdict.message


def test_memory_beyond_its_own_limit_is_its_own_fault(bench):
    assert bench.judge(module("torch.empty(1 << 36).fill_(1)"), OPERATOR).status == "OUT_OF_MEMORY"


WAITS = module("time.sleep(0.4)")


def candidates():
    """Processes in which candidates run, and those that guard them."""
    found = [p for p in psutil.Process().children(recursive=True) if fork_server(p)]
    return [child for server in found for child in server.children(recursive=True)]


def fork_servers():
    return [p for p in psutil.Process().children(recursive=True) if fork_server(p)]


def fork_server(process):
    try:
        listed = "akgflow.verification.candidate.fork_server" in process.cmdline()
        return listed and "judge.worker" in " ".join(process.parent().cmdline())
    except psutil.Error:
        return False


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
@pytest.mark.parametrize("aim", ["candidate", "guard", "fork server"])
def test_a_process_that_somebody_ended_is_judged_again(bench, aim, number):
    if aim == "guard" and number is not signal.SIGKILL:
        pytest.skip("guards ignore it")

    async def killed():
        task = asyncio.create_task(bench.executor.judge(Bench.request(WAITS, OPERATOR)))
        deadline = time.monotonic() + 60
        while not candidates() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.7)
        if aim == "fork server":
            found = fork_servers()
        else:
            found = [p for p in candidates() if bool(p.children()) is (aim == "guard")]
        assert found, "there is nothing to end"
        for process in found:
            process.send_signal(number)
        return await task

    verdict = bench.runner.run(killed())
    assert verdict.passed, verdict.message


@pytest.mark.thorough
def test_no_process_of_a_judgement_catches_an_interrupt(bench):
    """As an exception it can be swallowed half-way through an import, and what goes on then fails each candidate."""

    async def looked():
        task = asyncio.create_task(bench.executor.judge(Bench.request(WAITS, OPERATOR)))
        deadline = time.monotonic() + 60
        while not candidates() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        servers = fork_servers()
        found = servers + [server.parent() for server in servers] + [p for p in candidates() if not p.children()]
        catching = [p.cmdline() for p in found if catches(p.pid, signal.SIGINT)]
        return await task, len(found), catching

    verdict, count, catching = bench.runner.run(looked())
    assert (verdict.passed, catching) == (True, []) and count >= 3


@pytest.mark.thorough
@pytest.mark.parametrize("delay", [0.1, 0.2, 0.4, 0.8, 1.6])
def test_an_interrupt_ends_a_process_that_still_imports(delay):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = process_tree.python_command("akgflow.verification.candidate.fork_server", str(theirs.fileno()))
    with ours, theirs, subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        # Python itself may not have begun yet, and says so in its own way.
        assert process.wait(60) in (-signal.SIGINT, 1)


def catches(pid, number):
    """Whether a process has a handler of its own for a signal (SigCgt, proc_pid_status(5))."""
    (mask,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_candidate_that_ends_itself_gains_nothing(bench):
    verdict = bench.judge(module("os.kill(os.getpid(), signal.SIGTERM)", "time.sleep(9)"), OPERATOR)
    assert (verdict.status, "SIGTERM" in verdict.message) == ("RUNTIME_ERROR", True)


VERIFY = "verify", "kernel.py", "--operator", "scale.py", "--dsl", "cpp", "--target", "cpu", "--no-time", "--json"


@pytest.mark.thorough
def test_a_compiler_that_has_too_few_descriptors_or_no_room_ends_with_code_7(tmp_path):
    """The folder for temporary files is on the full disk; the command says so in one sentence."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        (disk.seen / "kernel.py").write_text(SCALE_IN_CPP)
        (disk.seen / "scale.py").write_text(SCALE)
        command = sys.executable, "-m", "akgflow", *VERIFY
        nothing_built = {"AKGFLOW_CACHE": str(tmp_path / "cache")}
        # A little is left: Python looks for another folder where it cannot write at all.
        disk.fill(128 << 10)
        code, _, err = disk.run(command, cwd=disk.folder, env=nothing_built | {"TMPDIR": str(disk.folder)})
        assert code == 7 and "Traceback" not in err, err
        assert "the disk" in err and err.count("\n") == 1
        disk.free()
        limited = "sh", "-c", 'ulimit -n 16; exec "$@"', "sh", *command
        code, _, err = disk.run(limited, cwd=disk.folder, env=nothing_built)
        assert code == 7 and "descriptors" in err, err


def test_the_numbers_of_the_system_are_those_that_are_meant():
    from akgflow.errors import machine_error

    for number in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS, errno.EIO):
        wrapped = RuntimeError("the build failed")
        wrapped.__cause__ = OSError(number, "no", "/some/where")
        short = machine_error(wrapped)
        assert short is not None and short.exit_code == 7 and "/some/where" in str(short)
    assert machine_error(OSError(errno.ENOENT, "no", "/some/where")) is None


@pytest.mark.parametrize(
    ("log", "again"),
    [
        ("g++: fatal error: Killed signal terminated program cc1plus\ncompilation terminated.", True),
        ("g++: internal compiler error: Interrupt signal terminated program cc1plus", True),
        ("[1/2] g++ -c main.cpp\nFAILED: main.o\nninja: build stopped: subcommand failed.", True),
        ("ninja: build stopped: interrupted by user.", True),
        ("main.cpp:3:5: error: expected ';' before '}' token\nninja: build stopped: subcommand failed.", False),
        ("kernel k: its PTX has no kernel", False),
    ],
)
def test_a_build_whose_compiler_somebody_ended_is_tried_again(log, again):
    failure = reported(Failure(ErrorKind.COMPILE, first_errors(log), ""), stand_in=False)
    assert (failure.status, isinstance(failure, Disturbed)) == ("COMPILE_ERROR", again)


TROUBLE = {
    "our folder exists already": ("headers._compile([], taken, taken)", ErrorKind.OURS),
    "our file would be a folder that the candidate named": ("write_text(taken, '')", ErrorKind.EXCEPTION),
    "the candidate's folder exists already": ("taken.mkdir()", ErrorKind.EXCEPTION),
    "the candidate says so": ("raise FileExistsError(17, 'File exists')", ErrorKind.EXCEPTION),
}


@pytest.mark.parametrize("what", TROUBLE)
def test_what_our_own_code_meets_in_a_candidates_process_is_not_its_fault(tmp_path, what):
    line, kind = TROUBLE[what]
    taken = tmp_path / "taken"
    (taken / "kept" / headers.FIRST).parent.mkdir(parents=True)
    names = {"headers": headers, "write_text": atomic.write_text}
    exec(compile(f"def call(taken):\n    {line}\n", str(tmp_path / "candidate.py"), "exec"), names)
    with pytest.raises(OSError) as raised:
        names["call"](taken)
    failure = failure_of(raised.value, tmp_path, None)
    assert failure.error is kind
    found = reported(failure, stand_in=False)
    # A candidate may say so falsely: it is tried again, and gains no other verdict by it.
    ours = kind is ErrorKind.OURS
    assert found.status is Status.RUNTIME_ERROR
    assert (isinstance(found, Disturbed), "akgflow's own code" in found.message) == (ours, ours)


def test_what_nothing_of_the_candidate_called_is_ours(tmp_path):
    with pytest.raises(IsADirectoryError) as raised:
        atomic.write_text(tmp_path, "")
    assert failure_of(raised.value, tmp_path, None).error is ErrorKind.OURS


@pytest.mark.parametrize("bounded", [True, False])
def test_what_stays_free_is_a_share_of_what_the_group_may_have(tmp_path, monkeypatch, bounded):
    """In a container on a large machine a tenth of the machine may be more than the container has."""
    gib = 1 << 30
    most, used, stat = (tmp_path / name for name in ("memory.max", "memory.current", "memory.stat"))
    most.write_text(f"{4 * gib}\n" if bounded else "max\n")
    used.write_text(f"{3 * gib}\n")
    stat.write_text(f"anon 5\nactive_file {gib // 2}\ninactive_file {gib}\nshmem 7\n")
    machine = psutil.virtual_memory()._replace(total=64 * gib, available=60 * gib)
    monkeypatch.setattr(machine_pressure, "_GROUP_MEMORY", [(most, used, stat)])
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine)
    left, total = (2.5 * gib, 4 * gib) if bounded else (60 * gib, 64 * gib)
    assert (machine_pressure.memory_left(), machine_pressure.memory_total()) == (left, total)
    assert memory_plan.room("cpu").host == pytest.approx(left - 0.1 * total, abs=1)
