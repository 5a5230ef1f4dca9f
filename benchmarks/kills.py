"""Random kills while a run goes on: nothing is repeated, nothing is lost, nothing is left, and the result is the same.

    python benchmarks/kills.py [--count 100] [--seed 1] [--kills-per-run 10] [--json]

A task of several C++ cells, some of them timed, asks a real server on loopback that speaks the OpenAI protocol, and
has its kernels judged by real judges. At random moments SIGKILL, SIGTERM or SIGINT goes to the command itself, to a
judge, to the process that candidates are forked from, or to a candidate; the same command is given again until the run
has ended, and then the next run begins. Checked against a run that nobody disturbed:

* the same outcome, attempts and best kernel for every cell, and the same finished effects in the journal, each once;
* no model call was asked for again that the journal had;
* no process, scratch folder, shared memory or other file is left that an undisturbed run does not leave.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from openai_server import Answer, OpenAIServer, Seen
from small_task import OPERATOR, RIGHT, WRONG, fenced

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
AIMS = ("driver", "judge", "fork server", "candidate")
CELLS = {False: ("one", "two", "three"), True: ("one", "two")}
"""Targets of an untimed run, and of a timed one; every third run is timed."""
GOES_ON = (7, 130)
"""Exit codes after which the same command goes on: the machine could not, and interrupted."""
PACE_SECONDS = 0.3
HEEDED_SECONDS = 240
_AGENTS = """\
version: 1
models:
  default:
    model: openai/first
    api_base: {url}
    api_key_env: TEST_KEY
    limits: {{retries: 0, timeout: 20s}}
agents:
  writer:
    model: default
    system: You write kernels.
    prompt: "cell {{{{ target.name }}}}\\n{{{{ operator.source }}}}"
    repair: "What the judge found: {{{{ feedback }}}}"
    reply: {{format: code, must_define: [ModelNew]}}
workflows:
  killed:
    steps:
      code: {{agent: writer}}
      fix: {{repair: code, agent: writer, until: correct, max_attempts: 2}}
"""
_TASK = """\
version: 1
name: scale
kind: generate
operator: {{file: operators/scale.py}}
cases: [{{rows: 8, columns: 16}}, {{rows: 5, columns: 7}}]
matrix: {{dsl: [cpp], target: [{cells}]}}
workflow: killed
baselines: [{baselines}]
"""


@dataclass
class Seam:
    """What the server has seen: calls that the journal held already when they were asked."""

    workspace: Path
    calls: Counter[str] = field(default_factory=Counter)
    repeated: list[str] = field(default_factory=list)

    def answer(self, seen: Seen) -> Answer:
        """A kernel that forgets the negative values first, and the right one once the judge has said so."""
        cell = re.search(r"cell (\w+)", seen.prompt)
        assert cell is not None, "the prompt names its cell"
        step, source = ("fix", RIGHT) if "What the judge found" in seen.prompt else ("code", WRONG)
        call = f"cpp-{cell[1]}.{step}."
        self.calls[call] += 1
        self.repeated += [key for key in keys(self.workspace) if key.startswith(f"call {call}")]
        time.sleep(PACE_SECONDS)
        return Answer(fenced(f"# for {cell[1]}\n{source}"))


@dataclass
class Report:
    """What happened in all runs."""

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed: int = 0
    runs: int = 0
    starts: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    """Kill, check, print; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="kills in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills-per-run", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    # A shell lets what it starts in the background ignore interrupts, and all that this starts would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    started, dice, report = time.monotonic(), random.Random(asked.seed), Report()
    expected: dict[bool, dict[str, Any]] = {}
    before = traces()
    while sum(report.kills.values()) < asked.count and report.missed < 10 + asked.count:
        report.runs += 1
        timed = report.runs % 3 == 0
        if timed not in expected:
            undisturbed = Report()
            expected[timed] = one_run(timed, 0, dice, undisturbed)
            if undisturbed.wrong:
                raise SystemExit(f"a run that nobody disturbs fails: {undisturbed.wrong[0]}")
        left = asked.count - sum(report.kills.values())
        found = one_run(timed, min(left, asked.kills_per_run), dice, report)
        wrong = differences(expected[timed], found, f"run {report.runs}{' (timed)' if timed else ''}")
        report.wrong += wrong
        say("\n".join([f"run {report.runs}: {sum(report.kills.values())} kills so far", *wrong]))
    report.wrong += [f"left behind at the end: {name}" for name in sorted(traces() - before)]
    show(report, time.monotonic() - started, as_json=asked.json)
    return 1 if report.wrong else 0


def one_run(timed: bool, kills: int, dice: random.Random, report: Report) -> dict[str, Any]:
    """One run to its end, with up to ``kills`` on the way; what can be compared of it."""
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        workspace, server = Path(folder), OpenAIServer()
        seam = Seam(workspace)
        server.default = seam.answer
        try:
            write_workspace(workspace, server.url, timed)
            out = until_done(workspace, kills, dice, report)
        finally:
            server.close()
        return {
            "jobs": outcomes(json.loads(out)),
            "journal": sorted(keys(workspace)),
            "files": sorted(set(files(workspace))),
            "processes": [" ".join(p.cmdline()) for p in processes_of(workspace)],
            "asked again": seam.repeated,
            "timings": sorted(timings(out)),
        }


def outcomes(result: dict[str, Any]) -> dict[str, Any]:
    """How each cell ended, what was tried, and which kernel is the best."""
    return {
        job["job"]: (job["outcome"], [a["status"] for a in job["attempts"]], job["best"], job["calls"])
        for job in result.get("jobs", [])
    }


def write_workspace(folder: Path, url: str, timed: bool) -> None:
    """The workspace of one run; its targets are all this machine's processor."""
    (folder / "tasks" / "operators").mkdir(parents=True)
    (folder / "tmp").mkdir()
    (folder / "tasks" / "operators" / "scale.py").write_text(OPERATOR)
    (folder / "agents.yaml").write_text(_AGENTS.format(url=url))
    cells = CELLS[timed]
    targets = "".join(f"  {name}: {{platform: cpu, arch: native, facts: {{}}}}\n" for name in cells)
    (folder / "hardware.yaml").write_text(f"version: 1\ntargets:\n{targets}")
    task = _TASK.format(cells=", ".join(cells), baselines="eager" if timed else "")
    (folder / "tasks" / "scale.yaml").write_text(task)


def until_done(workspace: Path, kills: int, dice: random.Random, report: Report) -> str:
    """Give the command until the run has ended; its last output."""
    deadline = time.monotonic() + 1800
    while time.monotonic() < deadline:
        process, out = start(workspace)
        report.starts += 1
        while kills and process.poll() is None:
            hit = strike(process, dice, report)
            kills -= hit
            report.missed += not hit
        process.wait(600)
        report.codes[process.returncode] += 1
        if process.returncode >= 0 and process.returncode not in GOES_ON:
            if process.returncode != 0:
                report.wrong.append(f"exit code {process.returncode}: {(workspace / 'errors').read_text()[-2000:]}")
            return out.read_text() or "{}"
    report.wrong.append("a run did not end within half an hour")
    return "{}"


def start(workspace: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """The command, and the file that gets its output."""
    out = workspace / "out"
    own = {"TEST_KEY": "k", "AKGFLOW_KNOWLEDGE": "knowledge.sqlite", "TMPDIR": str(workspace / "tmp")}
    environment = {**os.environ, **own}
    with out.open("wb") as to, (workspace / "errors").open("ab") as errors:
        command = [sys.executable, "-m", "akgflow", "run", "scale", "--json"]
        process = subprocess.Popen(
            command, cwd=workspace, env=environment, stdout=to, stderr=errors, start_new_session=True
        )
    return process, out


def strike(process: subprocess.Popen[bytes], dice: random.Random, report: Report) -> bool:
    """Wait a random while, then send a random signal to a random process of the run; False when there was none."""
    aim, number = dice.choice(AIMS), dice.choice(SIGNALS)
    pause = dice.uniform(0.0, 8.0) if aim == "driver" else dice.uniform(0.0, 2.0)
    try:
        process.wait(pause)
        return False
    except subprocess.TimeoutExpired:
        pass
    deadline = time.monotonic() + 20.0
    while process.poll() is None and time.monotonic() < deadline:
        try:
            found = list(aimed_at(psutil.Process(process.pid), aim))
            if found:
                # Its moment within whatever it is doing is left to chance, too.
                time.sleep(dice.uniform(0.0, 1.0))
                dice.choice(found).send_signal(number)
                report.kills[aim, number.name] += 1
                if aim == "driver":
                    report.wrong += ended(process, number)
                return True
        except psutil.Error:
            pass
        time.sleep(0.02)
    return False


def ended(process: subprocess.Popen[bytes], number: signal.Signals) -> list[str]:
    """Wait for the command to end after a signal; what is wrong where it does not."""
    try:
        process.wait(HEEDED_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return [f"the command went on for {HEEDED_SECONDS} s after {number.name}"]
    return []


def aimed_at(driver: psutil.Process, aim: str) -> Iterator[psutil.Process]:
    """The processes of a run that play a part."""
    if aim == "driver":
        yield driver
        return
    for judge in driver.children():
        if "akgflow.verification.judge.worker" not in judge.cmdline():
            continue
        if aim == "judge":
            yield judge
            continue
        for server in judge.children():
            if "akgflow.verification.candidate.fork_server" not in server.cmdline():
                continue
            if aim == "fork server":
                yield server
            else:
                yield from server.children(recursive=True)


def keys(workspace: Path) -> list[str]:
    """Finished effects of the run, in order; a line that is being written is left out."""
    found = []
    for path in (workspace / "runs").glob("*/journal.jsonl"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            if line.endswith("\n"):
                found.append(json.loads(line)["key"])
    # A call that broke off while its reply was read is noted; how many do is a matter of the kills.
    return [key for key in found if not key.startswith("lost ")]


def files(workspace: Path) -> Iterator[str]:
    """Names of all files of the runs, and of temporary ones; what is random in the names of logs is left out."""
    for path in (*(workspace / "runs").rglob("*"), *(workspace / "tmp").iterdir()):
        yield re.sub(r"judge-[0-9a-f]+", "judge-N", str(path.relative_to(workspace)))


def timings(out: str) -> Iterator[tuple[str, int]]:
    """How many timings each cell's best kernel has, or that the machine was too noisy for one."""
    for job in json.loads(out).get("jobs", []):
        verdict = job["verdict"] or {}
        noisy = "too busy" in verdict.get("absent", {}).get("timing", "")
        yield job["job"], 1 if noisy else len(verdict.get("timing", ()))


def processes_of(workspace: Path) -> list[psutil.Process]:
    """Processes that work in a run's folder, once they have had two seconds to end."""
    time.sleep(2.0)
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(workspace)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def traces() -> set[str]:
    """Shared memory with a name, which a run could leave."""
    place = Path("/dev/shm")
    return {str(path) for path in place.iterdir()} if place.is_dir() else set()


def differences(expected: dict[str, Any], found: dict[str, Any], where: str) -> list[str]:
    """What is not as in an undisturbed run."""
    complaints = []
    for name, wanted in expected.items():
        if found[name] == wanted:
            continue
        if isinstance(wanted, list):
            more, less = Counter(map(str, found[name])), Counter(map(str, wanted))
            complaints.append(f"{where}: {name}: more: {list(more - less)}; less: {list(less - more)}")
        else:
            complaints.append(f"{where}: {name}: {found[name]} instead of {wanted}")
    return complaints


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def show(report: Report, seconds: float, *, as_json: bool) -> None:
    """The table of kills, and what was wrong."""
    if as_json:
        kills = {f"{aim} {name}": count for (aim, name), count in sorted(report.kills.items())}
        summary = {"kills": kills, "runs": report.runs, "starts": report.starts, "seconds": round(seconds, 1)}
        print(json.dumps(summary | {"exit_codes": report.codes, "wrong": report.wrong}, indent=2))
        return
    width = max(map(len, AIMS))
    print(f"{'':{width}} " + " ".join(f"{number.name:>8}" for number in SIGNALS))
    for aim in AIMS:
        print(f"{aim:{width}} " + " ".join(f"{report.kills[aim, number.name]:8}" for number in SIGNALS))
    codes = ", ".join(f"{code}: {count}" for code, count in sorted(report.codes.items()))
    print(f"{sum(report.kills.values())} kills, {report.runs} runs, {report.starts} starts, {seconds:.0f} s")
    print(f"exit codes: {codes}")
    print("nothing repeated, lost or left" if not report.wrong else "\n".join(["WRONG:", *report.wrong]))


if __name__ == "__main__":
    if shutil.which("g++") is None:
        sys.exit("g++ is needed: the kernels are C++")
    sys.exit(main())
