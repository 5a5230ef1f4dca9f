"""Runs and the knowledge store: what met its gates is kept, once, and later prompts show it where it is relevant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from known import entry, features, timed
from openai_server import OpenAIServer
from plain_workspace import plain_workspace
from running import run
from small_task import OPERATOR, RIGHT, WRONG, by_agent, fenced, make_workspace

from akgflow.agents import Examples, KernelView
from akgflow.api.showing import show
from akgflow.config import load
from akgflow.engine.knowledge import RunKnowledge, within
from akgflow.errors import ConfigError
from akgflow.executors.local import LocalExecutor
from akgflow.knowledge import Found, Lesson, Store
from akgflow.machine import detect
from akgflow.planning import build_plan
from akgflow.runs import Outcome
from akgflow.runs.harvest import cause_in, harvest, lessons_of
from akgflow.runs.journal import Journal
from akgflow.runs.reader import Unfinished, read_run
from akgflow.runs.result import Attempt
from akgflow.toolchains import missing_on

RELATED = OPERATOR.replace("torch.relu(x * self.scale)", "torch.sigmoid(x) * self.scale")
UNRELATED = OPERATOR.replace("torch.relu(x * self.scale)", "torch.cumsum(x, 1)")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TEST_KEY", "sk-anything")
    monkeypatch.delenv("AKGFLOW_MODEL", raising=False)
    return iter(())


@pytest.mark.thorough
def test_a_run_keeps_its_kernel_with_what_failed_before_it_and_the_next_prompt_shows_both(
    tmp_path: Path, openai_server: OpenAIServer, knowledge: Path
) -> None:
    drafts = iter([WRONG, RIGHT])
    openai_server.default = by_agent("the sketch", lambda _: fenced(next(drafts)))
    first = run(make_workspace(tmp_path / "one", openai_server.url), "knowledge.shipped=false")
    (kept,) = Store(knowledge).entries()
    assert (kept.task, kept.source.strip(), kept.trust) == ("scale", RIGHT.strip(), "judged")
    assert kept.features.kinds == {"pointwise": 2}
    (lesson,) = kept.lessons
    assert (lesson.status, lesson.cause) == ("INCORRECT_NUMERICAL", "negative values pass")
    assert harvest(Path(first.folder)) == [kept]
    assert "## Kernels that were judged right" not in openai_server.requests[-1].prompt

    # A second run, of another operator: its replies are no kernels, which ends it at once.
    openai_server.default = by_agent("the sketch", lambda _: "no kernel today")
    task = make_workspace(tmp_path / "two", openai_server.url)
    (tmp_path / "two" / "tasks" / "operators" / "scale.py").write_text(RELATED)
    said: list[str] = []
    recording = tmp_path / "two" / "tasks" / "recordings" / "scale.mine.yaml"
    second = run(task, "workflow=code_only", "knowledge.shipped=false", record=recording, said=said)
    assert second.jobs[0].outcome is Outcome.GATE_FAILED
    (prompt,) = (Path(second.folder) / "jobs" / "cpp-cpu" / "code-1-1").glob("prompt.coder.md")
    text = prompt.read_text()
    assert "## Kernels that were judged right" in text
    assert RIGHT.strip() in text
    assert "cpp: INCORRECT_NUMERICAL: negative values pass" in text
    assert text.index(RIGHT.strip()) < text.index("Write the module for scale")
    assert any("examples from the knowledge store: scale" in line for line in said)

    # The recording answers the same call whatever the store holds: its prompts carry no examples.
    third = run(task, "workflow=code_only", "models.default.model=recorded/mine")
    assert third.notes == ()
    (prompt,) = (Path(third.folder) / "jobs" / "cpp-cpu" / "code-1-1").glob("prompt.coder.md")
    assert "## Kernels that were judged right" not in prompt.read_text()


def shown(folder: Path, operator: str, *overrides: str) -> Examples:
    """What the prompts of a C++ job for an operator would show; what ships with akgflow only where it is asked for."""
    task = make_workspace(folder, "http://127.0.0.1:1/v1")
    (folder / "tasks" / "operators" / "scale.py").write_text(operator)
    loaded = load(str(task), overrides=("knowledge.shipped=false", *overrides))
    machine = detect()
    plan = build_plan(
        loaded.task,
        loaded.workspace,
        machine,
        missing=missing_on(machine),
        price_of=lambda spec: None,
        reply_tokens_of=lambda spec: 1000,
    )

    async def asked() -> Examples:
        journal, executor = Journal(folder / "journal.jsonl"), LocalExecutor(machine, folder / "scratch")
        if "features" not in journal:  # what a judge would say, without starting one
            journal.write("features", features(operator))
        try:
            made = RunKnowledge(loaded.task, loaded.workspace, plan, journal, executor, lambda job, text: None)
            await made.prepare()
            return made.examples("cpp-cpu")
        finally:
            journal.close()
            await executor.close()

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("operator", "overrides", "names"),
    [
        (RELATED, (), ["scale"]),
        (UNRELATED, (), []),
        (RELATED, ("knowledge.use=never",), []),
        (RELATED, ("models.default.model=recorded/mine",), []),
        (RELATED, ("models.default.model=recorded/mine", "knowledge.use=always"), ["scale"]),
        (RELATED, ("knowledge.examples=0",), []),
        (RELATED, ("knowledge.max_tokens=100",), []),
        (RELATED, ("knowledge.store=elsewhere.sqlite",), []),
        (RELATED, ("knowledge.shipped=true",), ["scale", "gated_chain"]),
        (OPERATOR, (), []),
        (OPERATOR, ("knowledge.same_operator=true",), ["scale"]),
    ],
)
def test_when_prompts_get_examples(
    tmp_path: Path, knowledge: Path, operator: str, overrides: tuple[str, ...], names: list[str]
) -> None:
    Store(knowledge).add(entry("scale", OPERATOR, RIGHT))
    assert [kernel.task for kernel in shown(tmp_path, operator, *overrides).kernels] == names


def test_what_was_shown_once_stays_when_the_store_changes(tmp_path: Path, knowledge: Path) -> None:
    Store(knowledge).add(entry("scale", OPERATOR, RIGHT))
    before = shown(tmp_path / "run", RELATED)
    (first,) = before.kernels
    assert before.kernels == (KernelView("scale", "cpu", first.claim, first.operator, RIGHT, first.id),)
    assert first.id == entry("scale", OPERATOR, RIGHT).id
    Store(knowledge).add(entry("better", RELATED, "# better", timed(9.0)))
    (tmp_path / "again").mkdir()
    (tmp_path / "run" / "journal.jsonl").rename(tmp_path / "again" / "journal.jsonl")
    assert shown(tmp_path / "again", RELATED) == before


def test_a_broken_store_costs_a_sentence_and_no_run(tmp_path: Path, knowledge: Path) -> None:
    knowledge.write_text("this is no database" * 99)
    assert not shown(tmp_path, RELATED)


def test_examples_stay_within_their_tokens() -> None:
    found = [Found(entry(name, OPERATOR, "#" * size), 1.0) for name, size in [("a", 900), ("b", 30_000), ("c", 900)]]
    assert [view.task for view in within(found, 3, 2_000)] == ["a", "c"]
    assert [view.task for view in within(found, 1, 2_000)] == ["a"]
    assert within(found, 3, 10) == ()


def test_causes_belong_to_the_failure_before_them() -> None:
    def attempt(step: str, number: int, status: str, message: str, sample: int = 1) -> Attempt:
        return Attempt(step, number, sample, "", status, message)

    attempts = [
        attempt("code", 1, "COMPILE_ERROR", "a"),
        attempt("fix", 1, "TIMEOUT", "b"),
        attempt("fix", 2, "TIMEOUT", "b"),
        attempt("fix", 3, "PASSED", ""),
    ]
    causes = {("fix", 1): "a brace", ("fix", 3): "a loop"}
    assert lessons_of(attempts, causes) == (Lesson("COMPILE_ERROR", "a", "a brace"), Lesson("TIMEOUT", "b", "a loop"))
    assert lessons_of(attempts[3:], causes) == ()


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        ('{"decision": "recode", "reason": "the tail", "advice": "mask it"}', "the tail"),
        ('Here:\n```json\n{"decision": "stop", "reason": "hopeless"}\n```', "hopeless"),
        ("Lesson: rows of one element\n```python\nx = {}\n```", "rows of one element"),
        ("```python\nx = {'decision': 1}\n```", ""),
        ("", ""),
    ],
)
def test_the_cause_that_a_reply_names(reply: str, cause: str) -> None:
    assert cause_in(reply) == cause


def test_a_folder_that_is_no_run_or_was_changed_gives_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not the folder of a run"):
        harvest(tmp_path)


@pytest.mark.thorough
def test_a_result_names_the_kernels_that_its_prompts_showed(
    tmp_path: Path, openai_server: OpenAIServer, knowledge: Path
) -> None:
    known = entry("scale", OPERATOR, RIGHT)
    Store(knowledge).add(known)
    openai_server.default = by_agent("the sketch", lambda _: "no kernel today")
    task = plain_workspace(tmp_path / "two", openai_server.url)
    (tmp_path / "two" / "tasks" / "operators" / "scale.py").write_text(RELATED)
    Store(knowledge).add(replace(known, dsl="plain"))
    result = run(task, "workflow=code_only")
    (shown_kernel,) = result.jobs[0].examples
    assert (shown_kernel.entry, shown_kernel.task) == (replace(known, dsl="plain").id, "scale")
    folder = Path(result.folder)
    said = f"plain-cpu: its prompts showed kernels of the knowledge store: scale on cpu ({shown_kernel.entry})"
    assert said in show(read_run(folder))
    assert json.loads((folder / "result.json").read_text())["jobs"][0]["examples"][0]["entry"] == shown_kernel.entry
    (folder / "result.json").unlink()
    unfinished = read_run(folder)
    assert isinstance(unfinished, Unfinished) and unfinished.examples == {"plain-cpu": (shown_kernel,)}
    assert said in show(unfinished)
