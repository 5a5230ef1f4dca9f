"""What README, docs and CONTRIBUTING show is what akgflow does: YAML is valid, tables are complete, links lead on."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from akgflow.cli._main import cli
from akgflow.config import load_workspace
from akgflow.errors import ExitCode
from akgflow.terms import Evidence, Status

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def _yaml_with(text: str, start: str) -> str:
    """The one fenced YAML block of ``text`` that has a line starting with ``start``."""
    blocks = [b for b in re.findall(r"```yaml\n(.*?)```", text, re.S) if re.search(f"^{re.escape(start)}", b, re.M)]
    assert len(blocks) == 1, f"{len(blocks)} blocks start a line with {start!r}"
    return blocks[0]


def _column(text: str, header: str) -> list[str]:
    """The first cells of the Markdown table whose header starts with ``header``."""
    after = text.split(f"\n| {header} |", 1)[1]
    rows = after.split("\n\n", 1)[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace that holds what the documents show, and no more."""
    shutil.copytree(ROOT / "tasks", tmp_path / "tasks")
    (tmp_path / "tasks" / "gemm_migrate.yaml").write_text(_yaml_with(PAGES["tasks"], "kind: migrate"), encoding="utf-8")
    models, flows = _yaml_with(PAGES["models"], "models:"), _yaml_with(CONTRIBUTING, "workflows:")
    (tmp_path / "agents.yaml").write_text(f"version: 1\n{models}{flows}", encoding="utf-8")
    return tmp_path


def _akgflow(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "akgflow", *arguments]
    return subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("document", [PAGES["hardware"], CONTRIBUTING], ids=["hardware", "CONTRIBUTING"])
def test_the_yaml_shown_is_valid(workspace: Path, document: str) -> None:
    (workspace / "hardware.yaml").write_text(f"version: 1\n{_yaml_with(document, '  nvidia_l40s:')}", encoding="utf-8")
    done = _akgflow(workspace, "validate")
    assert done.returncode == 0, done.stderr
    assert "nvidia_l40s" in _akgflow(workspace, "list", "targets").stdout
    assert "straight_to_code" in _akgflow(workspace, "list", "workflows").stdout


def test_hardware_that_is_elsewhere_is_one_line_more(workspace: Path) -> None:
    shown = _yaml_with(PAGES["hardware"], "  nvidia_h200:")
    (workspace / "hardware.yaml").write_text(f"version: 1\n{shown}", encoding="utf-8")
    reach = load_workspace(workspace).targets["nvidia_h200"].reach
    assert str(reach) == "Ray at 10.0.0.1:6379, h200: 1"


def test_a_target_of_hardware_yaml_alone_is_planned(workspace: Path) -> None:
    shown = _yaml_with(PAGES["hardware"], "  nvidia_l40s:")
    (workspace / "hardware.yaml").write_text(f"version: 1\n{shown}", encoding="utf-8")
    done = _akgflow(workspace, "plan", "gemm_migrate", "--set", "matrix.target=[nvidia_l40s]")
    assert done.returncode == 0, done.stderr
    assert "nvidia_l40s" in done.stdout


def test_a_misspelt_key_of_a_target_is_shown_with_its_place(workspace: Path) -> None:
    shown = _yaml_with(PAGES["hardware"], "  nvidia_l40s:").replace("arch:", "arhc:")
    (workspace / "hardware.yaml").write_text(f"version: 1\n{shown}", encoding="utf-8")
    done = _akgflow(workspace, "validate")
    assert done.returncode == ExitCode.CONFIG
    assert re.search(r"hardware\.yaml:5:5: .*arhc.*\barch\b", done.stderr), done.stderr


def test_the_agent_that_works_in_a_folder_is_planned_as_shown(workspace: Path) -> None:
    flow = _yaml_with(PAGES["workflows"], "agent_then_tune:")
    models = _yaml_with(PAGES["models"], "my_agent:")
    (workspace / "agents.yaml").write_text(
        f"version: 1\nmodels:\n{_indented(models)}agents:\n  engineer: {{extends: engineer, model: my_agent}}\n"
        f"workflows:\n{_indented(flow)}",
        encoding="utf-8",
    )
    done = _akgflow(workspace, "plan", "softmax_generate", "--set", "workflow=agent_then_tune", "--set", "budget.usd=9")
    assert done.returncode == 0, done.stderr
    shown = re.sub(r"\s+", " ", done.stdout)
    assert "work: engineer works on the best of draft in a folder of its own for at most 20 minutes" in shown
    assert "(at most 1 call, 9 verdicts a job)" in shown and "($6.00)" in shown
    assert "the command my-agent is not found" in shown


def _indented(text: str) -> str:
    return "".join(f"  {line}" for line in text.splitlines(keepends=True))


def test_what_skill_md_shows_is_what_akgflow_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = tmp_path / "mine"
    assert _akgflow(tmp_path, "init", str(space)).returncode == 0
    text = (space / "SKILL.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---")[1])
    assert set(head) == {"name", "description"} and head["name"] == "akgflow" and len(head["description"]) < 1024
    assert len(text.splitlines()) <= 80
    (space / "kernel.py").touch()
    monkeypatch.chdir(space)
    commands = _shell(space / "SKILL.md")
    assert [shlex.split(line)[1] for line in commands] == ["list", "validate", "plan", "verify", "run", "show"]
    for line in commands:
        name, *words = shlex.split(line)[1:]
        command = cli.get_command(click.Context(cli), name)
        assert command is not None and command.make_context(name, list(words)) is not None
        if name in ("list", "validate", "plan"):
            assert _akgflow(space, name, *words).returncode == 0
    assert [int(code) for code in _column(text, "exit code")] == [int(code) for code in ExitCode]
    statuses = {str(status) for status in Status}
    named = {word for cell in _column(text, "status") for word in re.findall(r"[A-Z_]+", cell)}
    assert named == statuses, f"{statuses ^ named}"


@pytest.mark.thorough
def test_the_commands_of_skill_md_that_judge_run(tmp_path: Path) -> None:
    space = tmp_path / "mine"
    assert _akgflow(tmp_path, "init", str(space)).returncode == 0
    shutil.copy(ROOT / "tasks" / "operators" / "softmax.py", space / "kernel.py")
    words = {line.split()[1]: shlex.split(line)[1:] for line in _shell(space / "SKILL.md")}
    judged = _akgflow(space, *words["verify"])
    assert judged.returncode == 1 and "INVALID" in judged.stdout, judged.stdout + judged.stderr
    ran = _akgflow(space, *words["run"], "--dsl", "cpp", "--target", "cpu")
    assert ran.returncode == 0, ran.stderr
    assert "met" in _akgflow(space, *words["show"]).stdout


def _shell(page: Path) -> list[str]:
    """The commands in a page."""
    return [line for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.S) for line in block.splitlines()]


def test_every_command_is_listed() -> None:
    listed = {
        re.split(r"\s", name.removeprefix("akgflow "), maxsplit=1)[0] for name in _column(PAGES["commands"], "command")
    }
    assert listed == set(cli.list_commands(click.Context(cli)))


def test_the_workflow_to_copy_calls_commands_as_they_are() -> None:
    text = (ROOT / "docs" / "ci" / "github-recheck.yml").read_text(encoding="utf-8")
    assert set(yaml.safe_load(text)["jobs"]) == {"right", "fast"}
    calls = re.findall(r"akgflow (recheck \"[^|>\n]*)", text)
    assert len(calls) == 2
    for name, *words in map(shlex.split, calls):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None and command.make_context(name, words).params["what"] == "$KERNELS"


def test_every_exit_code_is_listed() -> None:
    assert [int(code) for code in _column(PAGES["commands"], "code")] == [int(code) for code in ExitCode]


def test_every_evidence_is_listed() -> None:
    after = PAGES["words"].split("## Evidence", 1)[1]
    assert _column(after, "word") == [str(evidence) for evidence in Evidence]


def test_every_shipped_task_is_listed() -> None:
    assert sorted(_column(PAGES["tasks"], "task | from")) == sorted(
        path.stem for path in (ROOT / "tasks").glob("*.yaml")
    )


def test_the_operator_shown_in_the_readme_is_a_task_that_plans(tmp_path: Path) -> None:
    (tmp_path / "operators").mkdir()
    operator = re.findall(r"```python\n(.*?)```", PAGES["operators"], re.S)[0]
    (tmp_path / "operators" / "softmax.py").write_text(operator, encoding="utf-8")
    (tmp_path / "my_softmax.yaml").write_text(_yaml_with(README, "kind: generate"), encoding="utf-8")
    done = _akgflow(tmp_path, "plan", "my_softmax.yaml")
    assert done.returncode == 0, done.stderr


def test_the_readme_fits_on_a_few_screens() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.S)
    assert len(shown.splitlines()) <= 15 and max(map(len, shown.splitlines())) <= 100


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    for link in targets:
        name, _, anchor = link.partition("#")
        file = page if not name else (page.parent / name).resolve()
        assert file.exists(), f"{page.name} links to {link}, which is not there"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, link


def test_every_page_is_in_the_index() -> None:
    assert set(re.findall(r"\((\w+)\.md\)", PAGES["index"])) == set(PAGES) - {"index"}
