"""Models that are commands: what they get and print, what ends them, and what they can reach."""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from model_bench import Bench, spec
from stand_ins import eventually

from akgflow.config.types import CommandSpec, ModelSpec, Price
from akgflow.models.base import Failure, ProviderError
from akgflow.models.local.outputs import NoAnswer, read_output
from akgflow.verification.sandbox import landlock


@pytest.fixture(autouse=True)
def nothing_stays_open():
    """A pipe that nobody closed is a warning when it is collected, which is an error here."""
    yield
    gc.collect()


confined = pytest.mark.skipif(not landlock.is_here(), reason="this kernel has no landlock")


def agent(folder: Path, text: str, **more: Any) -> ModelSpec:
    """A model that is a Python script."""
    script = folder / "agent.py"
    script.write_text("import os, sys, time\n" + textwrap.dedent(text))
    changes = {name: more.pop(name) for name in ("timeout", "price", "retries", "params") if name in more}
    return spec(model="command/default", command=CommandSpec((sys.executable, str(script)), **more), **changes)


def test_the_prompt_comes_in_and_the_answer_goes_out(tmp_path: Path) -> None:
    reply = Bench(agent(tmp_path, "print('got: ' + sys.stdin.read().strip())")).once("a prompt of 一 line")
    assert reply.text.strip() == "got: a prompt of 一 line"
    assert (reply.origin, reply.answered_by, reply.usage.estimated) == ("live", "command/default", True)
    assert any("no figures of usage" in note for note in reply.notes)


def test_a_large_prompt_that_nobody_reads_is_no_failure(tmp_path: Path) -> None:
    assert Bench(agent(tmp_path, "print('pong')")).once("x" * 2_000_000).text.strip() == "pong"


CLAUDE = {
    "type": "result",
    "is_error": False,
    "result": "pong",
    "total_cost_usd": 0.5,
    "usage": {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 7},
}
OPENAI = {"choices": [{"message": {"content": "pong"}}], "usage": {"prompt_tokens": 15, "completion_tokens": 7}}
PARTS = {"content": [{"type": "text", "text": "po"}, {"type": "text", "text": "ng"}], "usage": {"input_tokens": 1}}
LINES = [
    {"type": "thread.started"},
    {"type": "item.completed", "item": {"type": "agent_message", "text": "thinking"}},
    {"type": "item.completed", "item": {"type": "agent_message", "text": "pong"}},
    {"type": "turn.completed", "usage": {"input_tokens": 15, "output_tokens": 7}},
]


@pytest.mark.parametrize(
    ("form", "printed", "figures"),
    [
        ("json", json.dumps(CLAUDE), (115, 100, 7, 0.5)),
        ("json", json.dumps([{"type": "system"}, CLAUDE]), (115, 100, 7, 0.5)),
        ("json", json.dumps(OPENAI), (15, 0, 7, None)),
        ("json", json.dumps(PARTS), (1, 0, 0, None)),
        ("json", json.dumps({"response": "pong", "stats": {}}), (0, 0, 0, None)),
        ("json", json.dumps({"text": "pong", "usage": {"input_tokens": -3, "output_tokens": "x"}}), (0, 0, 0, None)),
        ("jsonl", "warming up\n" + "\n".join(map(json.dumps, LINES)), (15, 0, 7, None)),
        ("jsonl", "\n".join(json.dumps(one) for one in ({"type": "system"}, CLAUDE)), (115, 100, 7, 0.5)),
    ],
)
def test_json_gives_the_answer_and_its_usage(form: str, printed: str, figures: tuple[Any, ...]) -> None:
    found = read_output(printed, form)
    assert found.text == "pong"
    assert (found.prompt_tokens, found.cached_tokens, found.completion_tokens, found.usd) == figures


@pytest.mark.parametrize(
    ("form", "printed", "reason"),
    [
        ("json", "pong", "not JSON"),
        ("json", "{}", "no answer"),
        ("json", json.dumps({**CLAUDE, "is_error": True, "result": "Invalid API key"}), "failure: Invalid API key"),
        ("json", json.dumps({"error": {"message": "quota"}}), "failure: .*quota"),
        ("jsonl", "pong", "no answer"),
        ("json", "[" * 100_000, "not JSON"),
    ],
)
def test_json_without_an_answer_says_so(form: str, printed: str, reason: str) -> None:
    with pytest.raises(NoAnswer, match=reason):
        read_output(printed, form)


def test_usage_is_booked_at_the_price(tmp_path: Path) -> None:
    text = f"print('''{json.dumps(CLAUDE)}''')"
    priced = Bench(agent(tmp_path, text, output="json", price=Price(1.0, 10.0, 0.1))).once().usage
    assert (priced.prompt_tokens, priced.completion_tokens, priced.estimated) == (115, 7, False)
    assert priced.cost == pytest.approx((15 * 1.0 + 100 * 0.1 + 7 * 10.0) / 1e6)
    assert Bench(agent(tmp_path, text, output="json")).once().usage.cost == 0.5
    # The most that a call costs is booked where the command does not say what it did cost.
    assert Bench(agent(tmp_path, text, output="json", price=Price(0, 0, call=2.0))).once().usage.cost == 0.5
    assert Bench(agent(tmp_path, "print('pong')", price=Price(0, 0, call=2.0))).once().usage.cost == 2.0


@pytest.mark.parametrize(
    ("text", "failure", "words"),
    [
        ("sys.exit('not logged in')", Failure.SERVER, "exited with status 1: not logged in"),
        ("os.kill(os.getpid(), 9)", Failure.SERVER, "exited with status 137"),
        ("print()", Failure.INVALID_RESPONSE, "printed nothing"),
        ("sys.stdout.write('x' * (9 << 20))", Failure.INVALID_RESPONSE, "more than 8 MiB"),
        ("print('sk-' + 'a' * 40, file=sys.stderr); sys.exit(3)", Failure.SERVER, "status 3"),
    ],
)
def test_a_command_that_fails_is_explained(tmp_path: Path, text: str, failure: Failure, words: str) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        Bench(agent(tmp_path, text)).once()
    assert caught.value.failure is failure
    assert "sk-aaaa" not in str(caught.value)


def test_a_command_that_is_not_there_costs_nothing() -> None:
    bench = Bench(spec(model="command/default", command=CommandSpec(("akgflow-no-such-agent",))))
    with pytest.raises(ProviderError, match=r"akgflow-no-such-agent cannot be run: .*No such file"):
        bench.once()
    assert not bench.lost and bench.gateway.ledger.spent.tokens == 0


ORPHANS = """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open(sys.argv[0] + '.pid', 'w').write(str(os.getpid()))
            for stream in (0, 1, 2): os.close(stream)
            time.sleep(300)
        os._exit(0)
    while not os.path.exists(sys.argv[0] + '.pid') or not open(sys.argv[0] + '.pid').read(): time.sleep(0.01)
"""


def _alive(folder: Path) -> bool:
    pid = int((folder / "agent.py.pid").read_text())
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.thorough
def test_time_out_ends_all_that_the_command_started(tmp_path: Path) -> None:
    slow = agent(tmp_path, ORPHANS + "    time.sleep(300)\n", timeout=8.0, writes=(str(tmp_path),))
    with pytest.raises(ProviderError, match="gave no answer within 8 s") as caught:
        Bench(slow).once()
    assert caught.value.failure is Failure.TIMEOUT
    assert eventually(lambda: not _alive(tmp_path))


def test_what_a_command_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    leaving = agent(tmp_path, ORPHANS + "    print('pong')\n", timeout=30.0, writes=(str(tmp_path),))
    assert Bench(leaving).once().text.strip() == "pong"
    assert eventually(lambda: not _alive(tmp_path))


def test_kill_9_leaves_no_command_behind(tmp_path: Path) -> None:
    agent(tmp_path, ORPHANS + "    time.sleep(300)\n")
    asking = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
from model_bench import Bench, spec
from akgflow.config.types import CommandSpec
command = CommandSpec((sys.executable, {str(tmp_path / "agent.py")!r}), writes=({str(tmp_path)!r},))
Bench(spec(model="command/default", command=command, timeout=200.0)).once()
"""
    process = subprocess.Popen([sys.executable, "-c", asking])
    try:
        assert eventually(lambda: (tmp_path / "agent.py.pid").exists() and (tmp_path / "agent.py.pid").read_text())
        assert _alive(tmp_path)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert eventually(lambda: not _alive(tmp_path))


@confined
def test_a_command_writes_in_its_own_folder_only(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    text = f"""
        here = os.getcwd()
        assert os.listdir(here) == [] and os.environ['TMPDIR'] == here
        open('mine', 'w').write('x')
        open({str(tmp_path / "open" / "named")!r}, 'w').write('x')
        try:
            open({str(tmp_path / "outside")!r}, 'w').write('x')
        except PermissionError:
            print(here)
    """
    here = Bench(agent(tmp_path, text, writes=(str(tmp_path / "open"),))).once().text.strip()
    assert (tmp_path / "open" / "named").exists() and not (tmp_path / "outside").exists()
    assert here and not Path(here).exists()


def test_a_command_gets_no_keys_but_those_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "MY_AGENT_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "sk-secret")
    text = "print(sorted(name for name, value in os.environ.items() if value == 'sk-secret'), os.environ['HOME'])"
    assert Bench(agent(tmp_path, text, env=("MY_AGENT_KEY",))).once().text.startswith("['MY_AGENT_KEY'] ")
