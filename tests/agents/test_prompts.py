"""Rendering: the shipped prompts, errors with their place, and fingerprints that travel between machines."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from akgflow.agents import HistoryEntry, PromptContext, TargetView, render, with_complaint
from akgflow.config import load_workspace
from akgflow.config.types import AgentSpec, DslPack, Operator, Prompt, ReplyForm, SourceKernel, Target, Task, Workspace
from akgflow.errors import ConfigError, Mark
from akgflow.machine import Device, Machine
from akgflow.operators.backward import Backward
from akgflow.operators.preparation import Preparation
from akgflow.precision import Precision
from akgflow.sketch import check

ROOT = Path(__file__).resolve().parents[2]
HERE = Machine("Some CPU", 2)
ANOTHER = Machine("Another CPU", 64, (Device("cuda", "sm_90", "NVIDIA H200", 0),))


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return load_workspace(ROOT, env={})


def _context(machine: Machine = HERE, **changes: Any) -> PromptContext:
    operator = Operator(Path("op.py"), (ROOT / "tasks/operators/gemm.py").read_text(), "gemm")
    source = SourceKernel("cuda_c", Path("k.cu"), (ROOT / "tasks/kernels/gemm.cu").read_text())
    task = Task("t", Path("t.yaml"), "migrate", operator, ("triton",), ("h",), "w", cases=({"m": 3, "k": 5},))
    dsl = DslPack(
        "triton", "Triton", "triton", {}, always=("ALWAYS.",), by_operator={"gemm": ("DOTS.",), "x": ("NO.",)}
    )
    target = Target("h", "cuda", "sm_90a", "NVIDIA H200", facts={"smem_kib": 227, "tflops": {"fp32": 67}})
    return replace(PromptContext.of(replace(task, source=source), dsl, target, machine), **changes)


def _agent(prompt: str, system: str = "", file: str = "agents.yaml", line: int = 10) -> AgentSpec:
    return AgentSpec("a", "default", Prompt(system, Mark(file, 5, 1)), Prompt(prompt, Mark(file, line, 1)))


def _user(prompt: str, context: PromptContext) -> str:
    return render(_agent(prompt), context).messages[-1].content


STAGES: dict[str, dict[str, Any]] = {
    "first": {},
    "sketched": {"sketch": "THE SKETCH"},
    "repair": {"sketch": "THE SKETCH", "candidate": "THE MODULE", "feedback": "THE FINDING", "attempt": 2},
    "advised": {
        "sketch": "THE SKETCH",
        "candidate": "THE MODULE",
        "feedback": "THE FINDING",
        "advice": "THE ADVICE",
        "history": (HistoryEntry(1, "COMPILE_ERROR", "THE PAST"),),
        "attempt": 3,
    },
    "malformed": {"feedback": "THE FINDING", "attempt": 2},
}


@pytest.mark.parametrize("migrates", [True, False])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", ["designer", "coder", "conductor"])
def test_every_shipped_prompt_renders_at_every_stage(
    name: str, stage: str, migrates: bool, workspace: Workspace
) -> None:
    context = _context(**STAGES[stage])
    if not migrates:
        context = replace(context, source=None, cases=())
    messages = render(workspace.agents[name], context).messages
    mends = name == "coder" and stage in ("repair", "advised")
    assert [m.role for m in messages] == ["system", "user"] + ["assistant", "user"] * mends
    text = "\n".join(m.content for m in messages[1:])
    assert "class Model(nn.Module)" in text
    assert ("gemm_bias_relu_kernel" in text) == (migrates and name != "conductor")
    assert "{{" not in text and "{%" not in text
    if name == "coder":
        told = {key: word for key, word in STAGES[stage].items() if mends or key == "sketch"}
        assert all(word in text for word in told.values() if isinstance(word, str))
        assert ("THE PAST" in text) == (stage == "advised")


def test_the_coder_knows_its_dsl_and_target(workspace: Workspace) -> None:
    text = render(workspace.agents["coder"], _context()).messages[1].content
    for word in ("ALWAYS.", "DOTS.", "NVIDIA H200", "sm_90a", "smem_kib: 227", "- m=3, k=5\n"):
        assert word in text
    assert "NO." not in text


def test_a_repair_goes_on_from_the_first_prompt_and_its_reply(workspace: Workspace) -> None:
    coder = workspace.agents["coder"]
    first = render(coder, _context(sketch="S"))
    wrong = _context(sketch="S", candidate="C", feedback="F", advice="A", attempt=2)
    wrong = replace(wrong, dsl=replace(wrong.dsl, repair=("HOW TO MEND.",)))
    again = render(coder, wrong, first.answered("my module"))
    assert again.messages[: len(first.messages)] == first.messages
    said = again.messages[len(first.messages)]
    assert (said.role, said.content) == ("assistant", "my module")
    third = render(coder, replace(wrong, candidate="D", feedback="G"), again.answered("an edit"))
    assert third.messages[: len(again.messages)] == again.messages
    assert third.messages[-2].content == "an edit" and "G" in third.messages[-1].content
    # What the DSL's documents say about mending is said once.
    assert ["HOW TO MEND." in m.content for m in third.messages[2:]] == [False, True, False, False]
    assert len({first.fingerprint, again.fingerprint, third.fingerprint}) == 3


@pytest.mark.parametrize(
    "earlier",
    [
        lambda coder, context: None,
        lambda coder, context: render(coder, replace(context, sketch="another")).answered("old"),
        lambda coder, context: render(coder, context).answered("x" * 20_000),
    ],
    ids=["nothing was said", "the sketch is another", "the conversation is long"],
)
def test_a_repair_starts_again_from_the_module_where_it_cannot_go_on(earlier: Any, workspace: Workspace) -> None:
    coder = workspace.agents["coder"]
    history = (HistoryEntry(1, "TIMEOUT", "THE PAST"),)
    wrong = _context(sketch="S", candidate="THE MODULE", feedback="F", history=history, attempt=2)
    messages = render(coder, wrong, earlier(coder, wrong.at_first())).messages
    assert [m.role for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[:2] == render(coder, _context(sketch="S")).messages
    assert "THE MODULE" in messages[2].content and "THE PAST" in messages[3].content


def test_a_conversation_has_a_fingerprint_without_what_was_measured(workspace: Workspace) -> None:
    coder = workspace.agents["coder"]
    prints = set()
    for took in ("took 3.9 ms", "took 4.1 ms"):
        first = render(coder, _context())
        again = render(coder, _context(candidate="C", feedback=took), first.answered("C"))
        prints.add(render(coder, _context(candidate="D", feedback=took), again.answered("an edit")).fingerprint)
    assert len(prints) == 1


def test_a_sketch_belongs_to_no_job(workspace: Workspace) -> None:
    targets = (TargetView("a", "One GPU", "cuda", "sm_90", {}), TargetView("b", "A CPU", "cpu", "native", {}))
    prompts = set()
    for name in ("triton", "cpp"):
        context = _context(targets=targets)
        context = replace(context, dsl=replace(context.dsl, name=name, title=name), target=targets[name == "cpp"])
        prompts.add(render(workspace.agents["designer"], context).messages)
    (messages,) = prompts
    assert "One GPU" in messages[1].content and "A CPU" in messages[1].content
    with pytest.raises(ConfigError, match="target"):
        sketcher = replace(_agent("{{ target.arch }}"), reply=ReplyForm("sketch"))
        render(sketcher, _context())


def test_the_designers_example_is_sound(workspace: Workspace) -> None:
    system = render(workspace.agents["designer"], _context()).messages[0].content
    (example,) = re.findall(r"```sketch\n(.*?)```\n", system, re.DOTALL)
    assert [str(found) for found in check(example)] == []


def test_the_sketch_prompt_names_no_vendor(workspace: Workspace) -> None:
    system = render(workspace.agents["designer"], _context()).messages[0].content.lower()
    for word in ("cuda", "nvidia", "shared memory", "warp", "triton", "hbm"):
        assert word not in system


@pytest.mark.parametrize(
    "prompt, line, words",
    [
        ("one\n{{ nonesuch }}", 2, "'nonesuch' is undefined"),
        ("one\ntwo\n  {{ target.nonesuch }}", 3, "nonesuch"),
        ("{% for x in cases %}\n{{ x.m }}\n{{ x.nonesuch }}\n{% endfor %}", 3, "nonesuch"),
        ("{{ target.facts.smem }}", 1, "smem"),
        ("one\n{{ 1 / 0 }}", 2, "division by zero"),
        ("one\n{% if task %}", 2, "Unexpected end of template"),
        ("{{ ''.__class__.__mro__ }}", 1, "unsafe"),
        ("a\n{{ target.facts.update({}) }}", 2, "unsafe"),
        ("a\n{{ operator.source.nonesuch() }}", 2, "nonesuch"),
    ],
)
def test_an_error_in_a_template_has_its_place(prompt: str, line: int, words: str, tmp_path: Path) -> None:
    file = tmp_path / "agents.yaml"
    file.write_text("\n".join(["# line"] * 9 + ["      " + row for row in prompt.split("\n")]))
    with pytest.raises(ConfigError) as caught:
        render(_agent(prompt, file=str(file)), _context())
    (problem,) = caught.value.problems
    assert problem.mark is not None
    assert (problem.mark.file, problem.mark.line) == (str(file), 9 + line)
    assert words in problem.message and "prompt of agent a" in problem.message
    row = file.read_text().split("\n")[problem.mark.line - 1]
    assert problem.snippet == row
    assert row[problem.mark.column - 1 :].startswith("{")


def test_values_are_not_templates() -> None:
    assert _user("{{ candidate }}", _context(candidate="{{ 7 * 7 }} {% raw %}")) == "{{ 7 * 7 }} {% raw %}"


def test_an_empty_system_prompt_is_left_out() -> None:
    assert [m.role for m in render(_agent("x"), _context()).messages] == ["user"]


MEASURED = "{{ machine.cpu }} {{ machine.cores }} {{ feedback }} {% for h in history %}{{ h.summary }}{% endfor %}"
PAST = (HistoryEntry(1, "INCORRECT_NUMERICAL", "off by 0.25"),)


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": ANOTHER},
        {"feedback": "took 4.1 ms"},
        {"history": (HistoryEntry(1, "INCORRECT_NUMERICAL", "off by 0.26"),)},
    ],
    ids=["machine", "feedback", "history"],
)
def test_a_measurement_does_not_change_the_fingerprint(changes: dict[str, Any]) -> None:
    context = _context(feedback="took 3.9 ms", history=PAST)
    before, after = (render(_agent(MEASURED), c) for c in (context, replace(context, **changes)))
    assert before.messages != after.messages
    assert before.fingerprint == after.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"sketch": "another"},
        {"candidate": "another"},
        {"advice": "another"},
        {"feedback": ""},
        {"history": ()},
        {"history": (HistoryEntry(1, "TIMEOUT", "off by 0.25"),)},
        {"attempt": 4},
    ],
    ids=str,
)
def test_anything_else_does(changes: dict[str, Any]) -> None:
    prompt = (
        "{{ sketch }} {{ candidate }} {{ advice }} {{ attempt }} {% if feedback %}mend{% endif %}"
        "{% for h in history %}{{ h.status }}{% endfor %}"
    )
    context = _context(feedback="took 3.9 ms", history=PAST)
    before, after = (render(_agent(prompt), c).fingerprint for c in (context, replace(context, **changes)))
    assert before != after


def test_the_template_itself_counts() -> None:
    prints = {render(_agent(prompt, system), _context()).fingerprint for prompt, system in ["ab", "ba", "aa", "a "]}
    assert len(prints) == 4


def test_a_malformed_reply_goes_back_with_the_reason() -> None:
    first = render(_agent("do it"), _context())
    again = with_complaint(first, "sorry", "it holds no code block")
    assert again.messages[: len(first.messages)] == first.messages
    assert [m.role for m in again.messages[len(first.messages) :]] == ["assistant", "user"]
    assert "it holds no code block" in again.messages[-1].content
    assert again.fingerprint not in {first.fingerprint, with_complaint(first, "sorry", "another").fingerprint}
    assert again == with_complaint(first, "sorry", "it holds no code block")


CONVOLUTION = "class Model: forward = lambda self, x: torch.nn.functional.conv2d(x, self.weight)"


@pytest.mark.parametrize(
    ("precision", "platform", "operator", "said"),
    [
        (Precision.FRAMEWORK, "cuda", "return a @ b", ""),
        (Precision.FRAMEWORK, "cpu", CONVOLUTION, ""),
        (Precision.FRAMEWORK, "cuda", CONVOLUTION, "operands of float32 convolutions may be rounded to TF32"),
        (Precision.STRICT, "cuda", CONVOLUTION, "float32 stays float32 everywhere"),
        (Precision.TF32, "cpu", "return a @ b", "products and convolutions may be rounded to TF32"),
        (Precision.BF16, "cuda", "return a @ b", "products and convolutions may be rounded to bfloat16"),
    ],
)
def test_the_coder_is_told_what_float32_may_lose(
    workspace: Workspace, precision: Precision, platform: str, operator: str, said: str
) -> None:
    context = _context()
    asked = replace(context, precision=precision.advice(platform, operator))
    system = render(workspace.agents["coder"], asked).messages[0].content
    line = next(line for line in system.splitlines() if "in the precision of the reference" in line)
    assert line.endswith("float32 or wider." if not said else ".") and said in line
    assert ("operands" in line or "float32 everywhere" in line) == bool(said)
    # The shipped recordings answer prompts in which nothing is said.
    same = (
        render(workspace.agents["coder"], asked).fingerprint == render(workspace.agents["coder"], context).fingerprint
    )
    assert same == (not said)


def test_the_coder_is_told_how_to_give_gradients(workspace: Workspace) -> None:
    context = _context()
    asked = replace(context, gradients=Backward(("logits", "upstream")).advice)
    said, before = (render(workspace.agents["coder"], one).messages[0].content for one in (asked, context))
    for words in ("torch.autograd.Function", "backward(self, grads, inputs, outputs)", "overwrite logits and the ups"):
        assert words in " ".join(said.split()) and words not in " ".join(before.split())
    lines = said.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("- The gradients of all"))
    more = [line for line in lines[start + 1 :] if line][:9]
    assert all(line.startswith("  ") for line in more[:7]), more
    # What is said takes no line away, and adds none elsewhere.
    assert [line for line in lines if line in before.splitlines()] == before.splitlines()


def test_the_coder_is_told_of_prepare_only_where_the_task_has_it(workspace: Workspace) -> None:
    context = _context()
    asked = replace(context, prepare=Preparation(7).advice)
    said, before = (render(workspace.agents["coder"], one).messages[0].content for one in (asked, context))
    for words in ("`prepare(self)`", "Inputs are not known then", "counts as spread over 7 calls"):
        assert words in " ".join(said.split()) and words not in " ".join(before.split())
    # What is said takes no line away: prompts of recordings stay as they are.
    assert [line for line in said.splitlines() if line in before.splitlines()] == before.splitlines()
