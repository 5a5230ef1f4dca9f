"""Tokens of every shipped prompt, and how much of a repair's prompt a provider has read before.

    python benchmarks/prompts.py [--task NAME ...] [--json]

For every task, agent and DSL, and each stage that the agent has, this renders the shipped prompts for the target that
makes the coder's longest, with the task's recorded sketch, modules and advice where it has them, and with a module of
ordinary size where not (``stand-in``). Stages: ``first``; ``repair`` (the first repair of the first module);
``repair 2`` (that module mended by an edit, and wrong again); ``redesign`` (the sketch is another, so the beginning
ends before it).

- *tokens*: the whole rendered prompt, all messages. cl100k_base, from the file that litellm brings, so nothing is
  downloaded; models of other makers count within some 15 % of it.
- *in first*: the share of tokens in the byte-identical beginning that the prompt has in common with the agent's first
  prompt in that job.
- *seen*: the share in the byte-identical beginning that it has in common with the exchange before it, prompt and reply:
  what a provider that keeps what it has read and written need not read again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path

from akgflow.agents import PromptContext, Rendered, describe, render
from akgflow.base import resources
from akgflow.config import list_tasks, load
from akgflow.config.types import AgentSpec, Task, Workspace
from akgflow.machine import Machine
from akgflow.models.recording import RecordedReply, read_recording
from akgflow.terms import Evidence, Status
from akgflow.verdict import CaseResult, Correctness, Environment, Verdict

MACHINE = Machine("some CPU", 16)
Count = Callable[[str], int]


@dataclass(frozen=True)
class Row:
    """One rendered prompt. Shares are between 0 and 1; None for a first prompt, which nobody has seen."""

    task: str
    agent: str
    dsl: str
    stage: str
    tokens: int
    in_first: float | None
    seen: float | None
    basis: str


def tokenizer() -> Count:
    """cl100k_base without the network."""
    # Importing litellm takes seconds and asks the network for prices; only its file is wanted.
    found = importlib.util.find_spec("litellm")
    assert found is not None and found.origin is not None
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(found.origin).parent / "litellm_core_utils" / "tokenizers")
    import tiktoken

    encoding = tiktoken.get_encoding("cl100k_base")
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def measure(task: Task, space: Workspace, count: Count) -> Iterator[Row]:
    """All prompts of a task."""
    recorded = recorded_replies(task)
    designed = False
    for dsl in task.dsls:
        pack = space.dsls[dsl]
        targets = [space.targets[name] for name in task.targets]
        contexts = [PromptContext.of(task, pack, t, MACHINE, targets) for t in targets if t.platform in pack.platforms]
        if not contexts:
            continue
        context = max(contexts, key=lambda one: total(render(space.agents["coder"], one), count))
        names = [name for name in space.agents if not (designed and name == "designer")]
        designed = True
        for name in names:
            for stage, rendered, first, before, basis in stages(space.agents[name], context, recorded):
                shares = (
                    (None, None) if first is None else (share(rendered, first, count), share(rendered, before, count))
                )
                yield Row(
                    task.name, name, "all" if name == "designer" else dsl, stage, total(rendered, count), *shares, basis
                )


Stage = tuple[str, Rendered, Rendered | None, Rendered, str]


def stages(agent: AgentSpec, context: PromptContext, recorded: list[RecordedReply]) -> Iterator[Stage]:
    """Each stage's prompt, the agent's first prompt and the exchange before it."""
    job = f"{context.dsl.name}-{context.target.name}"
    sketch = parsed(next((r.text for r in recorded if r.agent == "designer"), STAND_IN_SKETCH))
    mine = [r for r in recorded if r.job == job and r.agent == "coder"]
    basis = "recorded" if mine else "stand-in"
    reply = mine[0].text if mine else stand_in_module(context)
    advice = next((r.text for r in recorded if r.job == job and r.agent == "conductor"), STAND_IN_ADVICE)
    advice = str(json.loads(advice)["advice"])
    module = parsed(reply)
    wrong = replace(context, sketch=sketch, candidate=module, feedback=describe(VERDICT), advice=advice)
    if agent.name == "designer":
        first = render(agent, context)
        again = replace(wrong, advice=advice)
        yield ("first", first, None, first, "recorded")
        yield ("redesign", render(agent, again), first, first.answered(sketch), basis)
    elif agent.name == "conductor":
        first = render(agent, wrong)
        yield ("first", first, None, first, basis)
        edited = module.replace("import torch", "import torch  # mended", 1)
        yield ("repair 2", render(agent, replace(wrong, candidate=edited)), first, first, basis)
    else:
        yield from coder_stages(agent, wrong, reply, basis)


def coder_stages(agent: AgentSpec, wrong: PromptContext, reply: str, basis: str) -> Iterator[Stage]:
    """The coder's first prompt, two repairs of one conversation, and a repair after another sketch."""
    first = render(agent, wrong.at_first())
    yield ("first", first, None, first, basis)
    said = first.answered(reply)
    repair = render(agent, wrong, said)
    yield ("repair", repair, first, said, basis)
    mended = repair.answered(STAND_IN_EDIT)
    yield ("repair 2", render(agent, wrong, mended), first, mended, basis)
    other = replace(wrong, sketch="# another\n" + wrong.sketch)
    yield ("redesign", render(agent, other, mended), first, mended, basis)


def recorded_replies(task: Task) -> list[RecordedReply]:
    path = task.file.parent / "recordings" / f"{task.name}.akgflow.yaml"
    return list(read_recording(path).replies.values()) if path.exists() else []


def parsed(reply: str) -> str:
    """The inside of a reply's code block."""
    return reply.split("```")[1].partition("\n")[2] if "```" in reply else reply


def total(rendered: Rendered, count: Count) -> int:
    return sum(count(message.content) for message in rendered.messages)


def share(rendered: Rendered, earlier: Rendered, count: Count) -> float:
    """Tokens of the common beginning over all tokens; a message that differs counts up to where it differs."""
    same = 0
    for mine, theirs in zip(rendered.messages, earlier.messages, strict=False):
        pairs = zip(mine.content, theirs.content, strict=False)
        same += count(mine.content[: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))])
        if mine.role != theirs.role or mine.content != theirs.content:
            break
    return same / total(rendered, count)


def stand_in_module(context: PromptContext) -> str:
    """A coder's reply of ordinary size for a task without a recording: the example of the DSL's own guide, twice."""
    shown = next(text for text in context.dsl.knowledge if "```python\n" in text)
    code = shown.split("```python\n")[1].split("```")[0]
    return f"One program for each row.\n\n```python\n{code}\n{code}```\n"


_PAGE = (Path(__file__).resolve().parents[1] / "docs" / "sketch.md").read_text(encoding="utf-8")
STAND_IN_SKETCH = _PAGE.split("```sketch\n")[1].split("```")[0]
STAND_IN_EDIT = (
    "The tail.\n\n<<<<<<< SEARCH\n    a = 1\n    b = 2\n=======\n    a = 2\n    b = 3\n    c = 4\n>>>>>>> REPLACE\n"
)
STAND_IN_ADVICE = json.dumps(
    {
        "advice": "The mask of the second load covers rows only, so the tail of K reads past the row: add the mask "
        "on k to both operands, with other=0. Leave the epilogue as it is, and keep the sum in float32."
    }
)
_DETAIL = (
    "output 0 at [248, 129]: got 3.396151e+38, expected 0.0401304 (error 3.4e+38, allowed 5.47e-06); 8 of 32500 "
    "elements are wrong: 8 elements were never written, all of them in dimension 0: 246 to 249 of 250 (the tail); "
    "dimension 1: 128 to 129 of 130 (the tail)"
)
VERDICT = Verdict(
    Status.INCORRECT_NUMERICAL,
    _DETAIL,
    "cpu",
    (Evidence.INTERPRETED,),
    Environment("some CPU"),
    "",
    correctness=Correctness(
        1.0,
        1.0,
        (
            CaseResult({"m": 256, "n": 256, "k": 256}, "normal", Status.PASSED),
            CaseResult({"m": 250, "n": 130, "k": 77}, "operator", Status.INCORRECT_NUMERICAL, detail=_DETAIL),
            CaseResult({"m": 250, "n": 130, "k": 77}, "normal", Status.INCORRECT_NUMERICAL, detail=_DETAIL),
            CaseResult({"m": 1, "n": 257, "k": 512}, "normal", Status.PASSED),
        ),
    ),
)
"""A verdict as the judge gave it about the recorded C++ draft of gemm_migrate."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", action="append", help="a task; all shipped ones where none is given")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    count = tokenizer()
    root = resources.tasks().parent
    rows: list[Row] = []
    for name in arguments.task or sorted(list_tasks(root)):
        loaded = load(name, root=root)
        rows += measure(loaded.task, loaded.workspace, count)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    print(f"{'task':<18} {'agent':<10} {'dsl':<12} {'stage':<9} {'tokens':>6} {'in first':>8} {'seen':>6}  modules")
    for row in rows:
        shares = ("" if value is None else f"{value:.0%}" for value in (row.in_first, row.seen))
        print(
            f"{row.task:<18} {row.agent:<10} {row.dsl:<12} {row.stage:<9} {row.tokens:>6} "
            f"{next(shares):>8} {next(shares):>6}  {row.basis}"
        )


if __name__ == "__main__":
    main()
