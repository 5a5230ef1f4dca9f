"""Every key of every kind of step does something: with another value the steps take another course."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from knobs import by_role, kernel, knobs, speed
from known_judge import KnownJudge, known, run_steps
from openai_server import OpenAIServer, Seen
from sampling import sampled
from small_task import STOP, make_workspace, sketch

from akgflow.config import schema_text
from akgflow.terms import Status
from akgflow.verdict import Verdict

CODERS = ("first", "second", "third")
STEPS = """\
      one: {agent: first}
      two: {agent: second}
      three: {agent: third}
"""
KINDS = {
    "ask": "      step: {agent: first}\n",
    "repair": STEPS + "      step: {repair: one, agent: optimizer, max_attempts: 4, until: gates, patience: null}\n",
    "best_of": "      step: {best_of: 2, agent: first, repairs: 0}\n",
    "evolve": STEPS + "      step: {evolve: [one, two, three], agent: optimizer, generations: 4, population: 3, "
    "elites: 1, children: 3, patience: null, inspirations: 1, headroom: null, tiers: [1, 1, 1]}\n",
    "adaptive": STEPS + "      step: {adaptive: [one, two, three], agent: optimizer, trials: 6, parallel: 1, "
    "patience: null, inspirations: 1, explore: 0}\n",
    "tune": STEPS + "      step: {tune: [one, two, three], trials: 70}\n",
    "seed": "      step: {seed: source}\n",
    "agentic": STEPS + "      step: {agentic: working, judgements: 2, minutes: 5}\n",
}
"""A workflow with a step of each kind, named ``step``."""
OTHER = {
    "ask agent": "second",
    "ask samples": "2",
    "repair repair": "two",
    "repair agent": "second",
    "repair advisor": "conductor",
    "repair until": "correct",
    "repair max_attempts": "1",
    "repair same_failure": "1",
    "repair headroom": "0.1",
    "repair patience": "1",
    "best_of best_of": "3",
    "best_of agent": "second",
    "best_of repairs": "2",
    "evolve evolve": "[one]",
    "evolve agent": "second",
    "evolve generations": "1",
    "evolve children": "1",
    "evolve islands": "1",
    "evolve population": "2",
    "evolve elites": "3",
    "evolve migrate_every": "1",
    "evolve parents": "2",
    "evolve inspirations": "0",
    "evolve tiers": "[9, 0, 0]",
    "evolve headroom": "0.1",
    "evolve patience": "1",
    "evolve random_seed": "1",
    "adaptive adaptive": "[one]",
    "adaptive agent": "second",
    "adaptive trials": "2",
    "adaptive parallel": "4",
    "adaptive explore": "5",
    "adaptive inspirations": "0",
    "adaptive headroom": "0.1",
    "adaptive patience": "1",
    "adaptive random_seed": "1",
    "adaptive when": "correct",
    "tune tune": "[two]",
    "tune trials": "3",
    "tune best": "2",
    "tune parallel": "4",
    "tune headroom": "0.1",
    "tune patience": "1",
    "tune random_seed": "1",
    "seed seed": "knowledge",
    "agentic agentic": "working_otherwise",
    "agentic judgements": "1",
    "agentic minutes": "0.0001",
    "agentic start": "[two]",
    "agentic tokens": "500k",
}
"""Another value for each key than `KINDS` has, or than is the default."""
SHOWN_BELOW = {
    # The source is one seed; several come from a store: tests/knowledge/test_retrieval.py asks it for a number.
    "seed most",
}


def _keys() -> Iterator[str]:
    definitions = json.loads(schema_text("agents"))["definitions"]
    for kind in KINDS:
        own = definitions[kind]["properties"]
        # The schema of a step that asks also names the keys of the other kinds.
        yield from (f"{kind} {key}" for key in own if kind != "ask" or key in ("agent", "samples"))


def timed(source: str) -> Verdict:
    """Every kernel is right; the best one reaches 0.8 of the roofline."""
    fast = speed(*knobs(source))
    return known(fast, share=fast / 25)


def wrong(source: str) -> Verdict:
    """The same failure, whatever the kernel is."""
    return known(status=Status.INCORRECT_NUMERICAL, message="the last row is wrong")


WORKERS = {"working": ((3, 3), (8, 5)), "working_otherwise": ((4, 4),)}
"""Agents that are commands, and the kernels that they ask about."""


def _asking(folder: Path, name: str) -> str:
    files = [str(folder / f"{a}-{b}.py") for a, b in WORKERS[name]]
    return json.dumps([sys.executable, str(Path(__file__).parents[1] / "support/stand_in_agent.py"), "asks", *files])


JUDGES: dict[str, Callable[[str], Verdict]] = {
    "repair same_failure": wrong,
    "best_of repairs": wrong,
    "adaptive when": wrong,
}


class Bench:
    """A workspace for each kind of step, and the course that its step takes."""

    def __init__(self, folder: Path, server: OpenAIServer) -> None:
        self._folder, self._server = folder, server
        self._known: dict[tuple[str, str, str], object] = {}
        self._runs = count()

    def _task(self, kind: str) -> Path:
        task = self._folder / kind / "tasks" / "scale.yaml"
        if task.exists():
            return task
        (self._folder / kind).mkdir()
        make_workspace(self._folder / kind, self._server.url)
        agents = self._folder / kind / "agents.yaml"
        coders = "".join(f"  {name}: {{extends: coder, system: You are the {name} one.}}\n" for name in CODERS)
        for name, made in WORKERS.items():
            for a, b in made:
                (self._folder / kind / f"{a}-{b}.py").write_text(kernel(a, b))
            coders += f"  {name}: {{extends: coder, model: {name}}}\n"
        # A connection that was kept open may be closed by the other side as the next request is written.
        given = agents.read_text().replace("retries: 0", "retries: 3")
        given += "".join(f"  {name}: {{command: {_asking(self._folder / kind, name)}}}\n" for name in WORKERS)
        agents.write_text(given + f"agents:\n{coders}workflows:\n  mine:\n    steps:\n{KINDS[kind]}")
        (task.parent / "given.py").write_text(kernel(2, 2))
        more = "workflow: mine\nsource: {dsl: cpp, file: given.py}\ngates: {fast: {at_least: 99}}\n"
        task.write_text(task.read_text().replace("baselines: []", "baselines: [eager]") + more)
        return task

    def course(self, kind: str, judge: Callable[[str], Verdict], override: str = "") -> object:
        """What is asked, how often, and what comes of it."""
        key = (kind, judge.__name__, override)
        if key not in self._known:
            del self._server.requests[:]
            changed = [f"workflows.mine.steps.step.{override}"] if override else []
            asked = KnownJudge(judge)
            ran = run_steps(self._task(kind), asked, *changed, folder=f"run{next(self._runs)}")
            assert ran.failed is None
            prompts = Counter(seen.prompt for seen in self._server.requests)
            candidates = [a.candidate for a in ran.state.attempts]
            # An agent's prompt reaches no server, and what is reserved for it shows in the plan alone.
            handed = (ran.plan.ceiling, [j.candidate.id for j in ran.state.made.get("step", [])])
            self._known[key] = (ran.course, candidates, prompts, handed if kind == "agentic" else None, asked.ranked)
        return self._known[key]


def answer(seen: Seen) -> object:
    """A designer's sketch, a leader who stops, everyone else's kernel."""
    system = str(seen.body["messages"][0]["content"])
    reply = by_role()(seen)
    if system.startswith("You lead"):
        return replace(reply, text=STOP)
    return replace(reply, text=sketch("s")) if system.startswith("You design") else reply


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("keys")
    server = OpenAIServer()
    server.default = answer  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_KEY", "k")
        patch.setenv("AKGFLOW_KNOWLEDGE", str(folder / "knowledge.sqlite"))
        yield Bench(folder, server)
    server.close()


@pytest.mark.parametrize(
    "key", sampled(_keys(), "evolve elites", "adaptive explore", "tune best", "repair same_failure", "best_of repairs")
)
def test_another_value_gives_another_course(bench: Bench, key: str) -> None:
    if key in SHOWN_BELOW:
        return
    kind, _, name = key.partition(" ")
    judge = JUDGES.get(key, timed)
    assert bench.course(kind, judge, f"{name}={OTHER[key]}") != bench.course(kind, judge)


def test_the_same_values_give_the_same_course(bench: Bench) -> None:
    """Without that, the test above would show nothing."""
    for kind in ("evolve", "adaptive", "tune"):
        assert bench.course(kind, timed, "random_seed=0") == bench.course(kind, timed)
