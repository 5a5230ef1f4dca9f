"""A suite with a real judge and a model on loopback: killed and continued, shared fairly, within its budget."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from documents import document
from openai_server import Answer, OpenAIServer, Seen
from plain_workspace import PLAIN_RIGHT, PLAIN_WRONG, plain_workspace
from small_task import OPERATOR, by_agent, fenced

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import kills

NAMES = ("alpha", "beta", "gamma")
USAGE = (3_000, 1_000)


def make_suite(folder: Path, url: str, text: str = "", operators: dict[str, str] | None = None) -> Path:
    """Problems that differ in their name alone, which stands in every prompt."""
    plain_workspace(folder, url)
    (folder / "tasks" / "scale.yaml").unlink()
    agents = folder / "agents.yaml"
    agents.write_text(agents.read_text() + "    params: {max_tokens: 1000}\n    price: {input: 1, output: 1}\n")
    (folder / "problems").mkdir()
    for name in NAMES:
        changed = OPERATOR.replace("y = relu", f"Problem {name}: y = relu")
        (folder / "problems" / f"{name}.py").write_text((operators or {}).get(name, changed))
    (folder / "suites").mkdir()
    path = folder / "suites" / "mine.yaml"
    path.write_text(
        "version: 1\nsuite: mine\n"
        "problems: [{path: ../problems, level: one}]\n"
        "matrix: {dsl: [plain], target: [cpu]}\nframework: allow\nbaselines: []\n"
        f"{text}"
    )
    return path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "akgflow", "bench", "mine", "--json", *arguments],
        cwd=folder,
        env={**os.environ, "TEST_KEY": "k"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def bench(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=400)
    return process.returncode, document(out) if out.startswith("{") else {}, err


def journals(folder: Path) -> dict[str, list[str]]:
    """Finished effects by problem, a torn line left out."""
    return {
        path.parent.name: [json.loads(one)["key"] for one in path.read_bytes().split(b"\n")[:-1]]
        for path in folder.glob("runs/*/problems/*/journal.jsonl")
    }


def right_unless(wrong: str) -> Callable[[Seen], Answer]:
    """Who is asked about the problem ``wrong`` never gets it right, in another way each time."""
    times = count()

    def coder(seen: Seen) -> str:
        if f"Problem {wrong}" not in seen.prompt:
            return fenced(PLAIN_RIGHT)
        return fenced(PLAIN_WRONG.replace("x * self.scale", f"x * self.scale + {next(times)}.5"))

    inner = by_agent("a sketch", coder)
    return lambda seen: replace(inner(seen), usage=USAGE)


def figure(score: dict[str, Any], measure: str) -> float:
    return float(next(one["value"] for one in score["groups"][0]["figures"] if one["measure"] == measure))


@pytest.mark.thorough
def test_kill_9_on_the_way_loses_nothing_that_is_finished(tmp_path: Path, openai_server: OpenAIServer) -> None:
    answer = right_unless("nobody")
    openai_server.default = lambda seen: replace(answer(seen), delay=0.5)
    make_suite(tmp_path, openai_server.url, "parallel: 2\n")
    kept: dict[str, list[str]] = {}
    for number in (2, 6):
        process = start(tmp_path)
        while sum(map(len, journals(tmp_path).values())) < number and process.poll() is None:
            time.sleep(0.05)
        assert process.poll() is None, "the suite ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now = journals(tmp_path)
        assert all(now[name][: len(keys)] == keys for name, keys in kept.items())
        kept = now
    code, score, err = bench(tmp_path)
    assert code == 0, err
    done = journals(tmp_path)
    assert set(done) == set(NAMES)
    assert all(done[name][: len(keys)] == keys for name, keys in kept.items())
    twice = [(name, key) for name, keys in done.items() for key, times in Counter(keys).items() if times > 1]
    assert not twice
    # Each request was answered and kept, or was out at a kill and is counted.
    calls = sum(key.startswith("call ") for keys in done.values() for key in keys)
    lost = sum(key.startswith("lost ") for keys in done.values() for key in keys)
    assert len(openai_server.requests) <= calls + lost and score["price"]["calls"] == calls + lost
    assert figure(score, "right") == 1.0
    assert len(list((tmp_path / "runs").iterdir())) == 1

    # The same command on what is finished asks nobody, and --fresh begins again.
    asked = len(openai_server.requests)
    assert bench(tmp_path)[0] == 0 and len(openai_server.requests) == asked
    assert bench(tmp_path, "--fresh")[0] == 0 and len(openai_server.requests) > asked
    compared = subprocess.run(
        [sys.executable, "-m", "akgflow", "compare", *(path.name for path in sorted((tmp_path / "runs").iterdir()))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert compared.returncode == 0 and "3 same" in compared.stdout, compared.stdout + compared.stderr


@pytest.mark.thorough
def test_what_is_left_goes_to_who_needs_it_and_the_budget_holds(tmp_path: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = right_unless("alpha")
    whole = 90_000
    make_suite(tmp_path, openai_server.url, f"budget: {{tokens: {whole}}}\n")
    code, score, err = bench(tmp_path)
    assert code in (1, 5), err
    assert score["price"]["tokens"] <= whole
    assert figure(score, "right") == pytest.approx(2 / 3)
    (shares,) = tmp_path.glob("runs/*/shares.json")
    held = json.loads(shares.read_text())
    assert held["round"] >= 2
    assert held["of"]["alpha"]["tokens"] > whole // 3
    assert sum(one["tokens"] for one in held["of"].values()) <= whole
    # The first problem in line was the greedy one, and it starved no other.
    states = {cell["problem"]: cell["state"] for cell in score["cells"]}
    assert states == {"alpha": "wrong", "beta": "right", "gamma": "right"}


def test_a_problem_that_cannot_be_judged_is_not_run_and_stops_no_other(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.default = right_unless("nobody")
    broken = OPERATOR.replace("return torch.relu(x * self.scale)", 'raise ValueError("no such thing")')
    make_suite(tmp_path, openai_server.url, operators={"beta": broken})
    _, score, err = bench(tmp_path)
    found = {cell["problem"]: cell for cell in score["cells"]}
    assert {name: cell["state"] for name, cell in found.items()} == {
        "alpha": "right",
        "beta": "not_run",
        "gamma": "right",
    }, err
    assert "no such thing" in found["beta"]["reason"]
    assert figure(score, "right") == 1.0


@pytest.mark.thorough
def test_problems_share_places_at_a_model_and_the_end_of_one_breaks_off_no_call_of_another(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    answer = right_unless("nobody")
    out: list[int] = []
    lock = threading.Lock()

    def paced(seen: Seen) -> Answer:
        slow = "Problem gamma" in seen.prompt
        with lock:
            out.append(out[-1] + 1 if out else 1)
        time.sleep(2.5 if slow else 0.2)
        with lock:
            out.append(out[-1] - 1)
        return answer(seen)

    openai_server.default = paced
    make_suite(tmp_path, openai_server.url)
    agents = tmp_path / "agents.yaml"
    agents.write_text(agents.read_text().replace("retries: 0", "retries: 0, max_parallel: 2"))
    code, score, err = bench(tmp_path)
    assert code == 0, err
    assert figure(score, "right") == 1.0
    assert max(out) == 2


def test_a_suite_whose_model_cannot_be_asked_asks_for_it_before_it_begins(tmp_path: Path) -> None:
    make_suite(tmp_path, "http://127.0.0.1:9")
    code, _, err = bench(tmp_path)
    assert code == 4 and "nothing answers" in err
    assert not list(tmp_path.glob("runs/*/problems"))


@pytest.mark.thorough
def test_operators_become_kernels_without_a_model_whatever_is_killed(tmp_path: Path) -> None:
    """A part of the suite that ships, with five kills at random of the command, a judge or what a judge started."""
    operators = Path(__file__).parents[2] / "benchmarks" / "operators"
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "mine.yaml").write_text(
        "version: 1\nsuite: mine\n"
        f"problems: [{{path: {operators}, select: ['*/softmax.py', '*/cumsum.py', '*/moments.py', '*/sort_rows.py'],\n"
        "  cases: [{rows: 16, columns: 33}]}]\n"
        "matrix: {dsl: [cpp], target: [cpu]}\nworkflow: no_model\nshapes: fixed\nbaselines: []\n"
    )
    dice, report = random.Random(22), kills.Report()
    kept: dict[str, list[str]] = {}
    code, err = kills.GOES_ON[0], ""
    while code < 0 or code in kills.GOES_ON:
        assert report.starts < 20, "the suite never ends"
        process = start(tmp_path)
        report.starts += 1
        while sum(report.kills.values()) < 5 and process.poll() is None:
            kills.strike(process, dice, report)
        _, err = process.communicate(timeout=400)
        code, now = process.returncode, journals(tmp_path)
        assert all(now[name][: len(keys)] == keys for name, keys in kept.items())
        kept = now
    assert code == 1, err  # one operator has no loops of its own
    assert sum(report.kills.values()) >= 3 and not report.wrong
    twice = [key for keys in kept.values() for key, times in Counter(keys).items() if times > 1]
    assert not twice
    _, score, err = bench(tmp_path)
    states = {cell["problem"]: (cell["state"], cell["reason"]) for cell in score["cells"]}
    names = ("scan-cumsum", "reduction-moments", "softmax-softmax")
    assert {name: states[name][0] for name in names} == dict.fromkeys(names, "right"), err
    state, reason = states["indexing-sort_rows"]
    assert state == "wrong" and "aten.sort is the framework's kernel" in reason
    assert figure(score, "right") == 0.75 and score["price"]["calls"] == 0


@pytest.mark.thorough
def test_the_plan_says_what_is_likely_once_there_were_runs(tmp_path: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = right_unless("nobody")
    make_suite(tmp_path, openai_server.url)
    plan = [sys.executable, "-m", "akgflow", "plan", "mine", "--json"]
    env = {**os.environ, "TEST_KEY": "k"}

    def planned() -> Any:
        done = subprocess.run(plan, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        return document(done.stdout)["plan"]

    before = planned()
    assert before["likely"] is None and before["ceiling"]["calls"] > 0
    code, score, err = bench(tmp_path)
    assert code == 0, err
    after = planned()
    assert (after["likely"]["runs"], after["likely"]["tokens"]) == (3, score["price"]["tokens"])
    assert after["likely"]["tokens"] < after["ceiling"]["prompt_tokens"]
