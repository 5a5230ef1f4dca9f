"""Short forms of `run` and `plan`, the cache, and what a run says about itself."""

import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from documents import document
from openai_server import OpenAIServer
from small_task import RIGHT, by_agent, fenced, make_workspace

from akgflow.cli._main import cli


def invoked(*args: str, **env: str):
    return CliRunner().invoke(cli, args, env=env or None)


@pytest.fixture
def space(tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_workspace(tmp_path, openai_server.url)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_KEY", "k")
    openai_server.default = by_agent("the sketch", lambda seen: fenced(RIGHT))
    return tmp_path


def planned(*args: str) -> dict:
    found = invoked("plan", "scale", "--json", "--set", "models.default.price=free", *args)
    assert found.exit_code == 0, found.output
    return document(found.output)["plan"]


def test_short_forms_are_overrides(space: Path):
    plan = planned("--model", "openai/other", "--dsl", "cpp", "--target", "cpu", "--budget", "$2.5, 30k tokens,5 min")
    assert plan["models"] == {"default": "openai/other"}
    assert [(job["dsl"], job["target"]) for job in plan["jobs"]] == [("cpp", "cpu")]
    assert (plan["budget"]["usd"], plan["budget"]["tokens"], plan["budget"]["minutes"]) == (2.5, 30_000, 5)
    assert planned("--budget", "2usd,10device-min")["budget"]["device_minutes"] == 10


def test_what_is_set_says_the_last_word(space: Path):
    assert planned("--budget", "$2", "--set", "budget.usd=3")["budget"]["usd"] == 3


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--budget", "5 apples"), "'5 apples' is no ceiling: write $2"),
        (("--dsl", "cp"), "there is no DSL 'cp': did you mean 'cpp'?"),
        (("--target", "cpus"), "did you mean 'cpu'?"),
    ],
)
def test_wrong_ones_are_errors_that_say_what_to_write(space: Path, args: tuple[str, ...], words: str):
    found = CliRunner().invoke(cli, ["plan", "scale", *args])
    assert found.exit_code != 0
    assert words in found.output + str(found.exception)


@pytest.mark.thorough
def test_quiet_prints_the_result_alone(space: Path):
    found = invoked("run", "scale", "-q")
    assert found.exit_code == 0, found.output
    assert "PASSED" in found.stdout and "at most" not in found.stdout
    assert found.stderr == ""
    assert "asking coder" in invoked("run", "scale", "--fresh", "-v", "--no-progress").stderr
    assert "--verbose" in invoked("run", "scale", "-q", "-v").output


def test_the_cache_says_what_it_holds_and_is_emptied_of_what_is_old(tmp_path: Path):
    old, young = tmp_path / "cpp" / "a" / "old.so", tmp_path / "cpp" / "young.so"
    old.parent.mkdir(parents=True)
    for path in (old, young):
        path.write_bytes(bytes(1_000_000))
    os.utime(old, (time.time() - 86_400 * 3,) * 2)
    where = {"AKGFLOW_CACHE": str(tmp_path)}
    assert invoked("cache", "dir", **where).output.strip() == str(tmp_path)
    (kind,) = document(invoked("cache", "size", "--json", **where).output)["kinds"]
    assert (kind["name"], kind["files"]) == ("cpp", 2) and kind["bytes"] >= 2_000_000
    assert "0.0 MB removed" in invoked("cache", "clean", "--older-than", "7d", **where).output
    assert old.exists()
    assert "1.0 MB removed" in invoked("cache", "clean", **where).output
    # What is young may be in use.
    assert young.exists() and not old.parent.exists()
    assert "write 90m, 12h or 30d" in invoked("cache", "clean", "--older-than", "old", **where).output


def test_a_cache_that_nobody_has_used_is_empty(tmp_path: Path):
    where = {"AKGFLOW_CACHE": str(tmp_path / "none")}
    assert invoked("cache", "size", **where).output == f"       0.0 MB in {tmp_path / 'none'}\n"
    assert invoked("cache", "clean", **where).exit_code == 0
