"""Steps that search, against a real server as the model and a judge whose verdicts are known beforehand."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from knobs import by_role, kernel, knobs, speed, verdict_of
from known_judge import KnownJudge, Ran, known, run_steps
from openai_server import Answer, OpenAIServer, Seen, error
from sampling import sampled
from small_task import make_workspace

from akgflow.config.steps import KINDS
from akgflow.engine.steps import RUNS
from akgflow.models.sizes import most_tokens
from akgflow.runs.reader import candidates_of
from akgflow.terms import Evidence, Status
from akgflow.verdict import JudgeRequest, Verdict

CODERS = ("first", "second", "third")
PLENTY = "limits: {retries: 3, timeout: 20s, max_parallel: 16}"


@pytest.fixture
def task(tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose model turns knobs; its knowledge store is its own."""
    monkeypatch.setenv("TEST_KEY", "k")
    monkeypatch.setenv("AKGFLOW_KNOWLEDGE", str(tmp_path / "knowledge.sqlite"))
    openai_server.default = by_role()
    path = make_workspace(tmp_path, openai_server.url)
    agents = tmp_path / "agents.yaml"
    agents.write_text(agents.read_text().replace("limits: {retries: 0, timeout: 20s}", PLENTY))
    return path


def workflow(task: Path, steps: str) -> None:
    """Give the task a workflow of its own."""
    agents = task.parents[1] / "agents.yaml"
    coders = "".join(f"  {name}: {{extends: coder, system: You are the {name} one.}}\n" for name in CODERS)
    agents.write_text(agents.read_text() + f"agents:\n{coders}workflows:\n  mine:\n    steps:\n{steps}")
    task.write_text(task.read_text() + "workflow: mine\n")


def best(ran: Ran) -> float:
    found = ran.state.best()
    return speed(*knobs(found.candidate.source)) if found and found.verdict.passed else 0.0


def test_every_kind_has_a_module_that_runs_it() -> None:
    assert set(RUNS) == set(KINDS.values())


DRAFTS = """\
      one: {agent: first}
      two: {agent: second}
      three: {agent: third}
"""
TAKEN = "[one, two, three], agent: optimizer, patience: null"
EVOLVE = DRAFTS + f"      evolve: {{evolve: {TAKEN}, generations: 6, children: 2}}\n"
ADAPTIVE = DRAFTS + f"      search: {{adaptive: {TAKEN}, trials: 20, parallel: 4, explore: 0.7}}\n"


@pytest.mark.parametrize("steps", [EVOLVE, ADAPTIVE])
def test_a_search_climbs_pays_for_no_duplicate_and_repeats_nothing(
    task: Path, openai_server: OpenAIServer, steps: str
) -> None:
    workflow(task, steps)
    judge = KnownJudge(verdict_of)
    ran = run_steps(task, judge)
    first = max(speed(*knobs(j.candidate.source)) for j in ran.state.pool(("one", "two", "three")))
    assert ran.failed is None
    assert best(ran) > first
    assert len(judge.judged) == len(set(judge.judged))
    assert Counter(status for *_, status in ran.course)["TWIN"] == len(ran.course) - len(judge.judged)
    step = ran.plan.jobs[0].steps[3]
    mine = [(a, n) for name, a, n, _ in ran.course if name == step.name]
    assert mine == sorted(set(mine))
    assert len(mine) == step.verdicts == step.calls // 2

    asked = len(openai_server.requests)
    again = run_steps(task, judge)
    assert (again.course, len(openai_server.requests)) == (ran.course, asked)
    assert len(judge.judged) == len(set(judge.judged))


@pytest.mark.thorough
@pytest.mark.parametrize("steps", sampled([EVOLVE, ADAPTIVE], EVOLVE))
def test_the_course_does_not_depend_on_who_is_back_first(task: Path, openai_server: OpenAIServer, steps: str) -> None:
    workflow(task, steps)
    even = run_steps(task, KnownJudge(verdict_of), folder="even")
    pauses = itertools.cycle([0.06, 0.0, 0.03, 0.0, 0.01])
    openai_server.default = by_role(delay=lambda _: next(pauses))
    uneven = run_steps(task, KnownJudge(verdict_of), folder="uneven")
    assert uneven.course == even.course
    name = "evolve" if "evolve" in steps else "search"
    seed = f"workflows.mine.steps.{name}.random_seed=1"
    other = run_steps(task, KnownJudge(verdict_of), seed, folder="other")
    assert other.course[:3] == even.course[:3]
    assert [a.candidate for a in other.state.attempts] != [a.candidate for a in even.state.attempts]


def test_the_breeder_sees_its_parent_and_what_came_of_it(task: Path, openai_server: OpenAIServer) -> None:
    workflow(task, EVOLVE)
    run_steps(task, KnownJudge(verdict_of))
    bred = [seen.prompt for seen in openai_server.requests if "Write a better one" in seen.prompt]
    assert len(bred) == 24
    assert any("A module to look at" in prompt for prompt in bred)
    assert any("What was made of yours before" in prompt for prompt in bred)
    beginnings = {prompt[: prompt.index("```python\nTUNABLES")] for prompt in bred}
    assert len(beginnings) == 1  # what differs stands at the end


TUNED = "      code: {agent: coder}\n      tune: {tune: code, trials: 4}\n"


@pytest.mark.parametrize(("steps", "made"), [(EVOLVE, "evolve"), (ADAPTIVE, "search"), (TUNED, "tune")])
def test_what_a_candidate_was_made_from_is_kept(task: Path, steps: str, made: str) -> None:
    workflow(task, steps)
    ran = run_steps(task, KnownJudge(verdict_of))
    every = candidates_of(task.parents[1] / "run", ran.plan.jobs[0].id)
    sources = {candidate.id: candidate.source for candidate in every}
    children = [candidate for candidate in every if candidate.step == made]
    assert children and all(child.parents for child in children)
    for child in children:
        prompts = (task.parents[1] / "run").glob(f"jobs/*/{made}-{child.attempt}-{child.sample}/prompt.*.md")
        assert all(sources[child.parents[0]].strip() in prompt.read_text() for prompt in prompts)
        assert set(child.parents) <= set(sources)
    assert not any(candidate.parents for candidate in every if candidate.step != made)


def test_what_mends_a_candidate_was_made_from_it(task: Path, openai_server: OpenAIServer) -> None:
    drafts = iter([kernel(11, 7), kernel(8, 4)])
    openai_server.default = by_role(lambda seen: next(drafts))
    workflow(task, "      code: {best_of: 1, agent: coder, repairs: 1}\n")
    ran = run_steps(task, KnownJudge(verdict_of))
    broken, mended = candidates_of(task.parents[1] / "run", ran.plan.jobs[0].id)
    assert (broken.parents, mended.parents) == ((), (broken.id,))


def test_sources_that_differ_in_form_are_one_candidate(task: Path, openai_server: OpenAIServer) -> None:
    notes = itertools.count()
    openai_server.default = by_role(lambda seen: kernel(2, 2, f"# note {next(notes)}"))
    workflow(task, "      code: {agent: coder, samples: 2}\n      more: {best_of: 3, agent: coder}\n")
    judge = KnownJudge(verdict_of)
    ran = run_steps(task, judge)
    assert len(judge.judged) == 1
    assert [status for *_, status in ran.course] == ["PASSED", "PASSED", "TWIN", "TWIN", "TWIN"]
    assert run_steps(task, judge).course == ran.course


STOPPED = """\
      code: {agent: coder}
      evolve: {evolve: code, agent: optimizer, generations: 9, children: 1, patience: 2}
"""


@pytest.mark.parametrize(
    ("verdict", "generations", "words"),
    [
        (known(1.0, share=0.93), 0, "ended before generation 1: the best kernel reaches 93% of the roofline (memory)"),
        (known(1.0, share=0.5), 2, "ended before generation 3: the last 2 generations gained less than the noise"),
        (known(evidence=Evidence.INTERPRETED), 0, "nothing is executed here that would tell a faster one from it"),
    ],
)
def test_what_ends_a_search_early_is_said(task: Path, verdict: Verdict, generations: int, words: str) -> None:
    workflow(task, STOPPED)
    ran = run_steps(task, KnownJudge(lambda source: verdict))
    assert len([1 for name, *_ in ran.course if name == "evolve"]) == generations * 2
    assert words in "\n".join(ran.state.notes)
    assert set(ran.state.notes) <= set(ran.said)


def test_a_failure_that_comes_back_twice_ends_a_repair(task: Path) -> None:
    workflow(task, "      code: {agent: coder}\n      fix: {repair: code, agent: coder, max_attempts: 9}\n")
    wrong = known(status=Status.INCORRECT_NUMERICAL, message="the last row is wrong")
    ran = run_steps(task, KnownJudge(lambda source: wrong))
    assert [name for name, *_ in ran.course] == ["code", "fix", "fix"]
    assert ran.state.notes == [
        "fix: ended before attempt 3: the same failure came back 2 times after it was addressed (INCORRECT_NUMERICAL)"
    ]


def test_best_of_repairs_each_sample_and_hands_on_the_best(task: Path, openai_server: OpenAIServer) -> None:
    drafts = iter([kernel(11, 7), kernel(1, 1), kernel(5, 0)])
    openai_server.default = by_role(
        lambda seen: kernel(8, 4) if "What the judge found" in seen.prompt else next(drafts)
    )
    workflow(task, "      code: {best_of: 3, agent: coder, repairs: 2}\n")
    ran = run_steps(task, KnownJudge(verdict_of))
    broken = [status for *_, status in ran.course].count("COMPILE_ERROR")
    assert broken == 1
    assert len(ran.course) == 3 + broken
    assert [knobs(j.candidate.source) for j in ran.state.made["code"]] == [(8, 4)]
    assert ran.plan.jobs[0].steps[0].verdicts == 9


def test_tuning_asks_no_model_and_finds_the_top(task: Path, openai_server: OpenAIServer) -> None:
    openai_server.default = by_role(lambda seen: kernel(2, 2))
    workflow(task, "      code: {agent: coder}\n      tune: {tune: code, trials: 32}\n")
    judge = KnownJudge(verdict_of)
    ran = run_steps(task, judge)
    assert len(openai_server.requests) == 1
    assert ran.plan.jobs[0].steps[1].calls == 0
    assert (len(set(judge.ranked)), len(judge.judged)) == (32, 3), "many are ranked, the best two judged"
    assert best(ran) >= 19.0
    assert best(ran) == max(speed(*knobs(source)) for source in judge.ranked if verdict_of(source).passed)
    assert run_steps(task, judge).course == ran.course
    assert (len(judge.ranked), len(judge.judged)) == (32, 3), "nothing is ranked or judged again"


def test_a_kernel_that_only_ranks_well_gains_nothing(task: Path, openai_server: OpenAIServer) -> None:
    """What came first and is judged wrong is no candidate that counts; the next ones are judged in its place."""
    openai_server.default = by_role(lambda seen: kernel(2, 2))
    workflow(task, "      code: {agent: coder}\n      tune: {tune: code, trials: 32}\n")
    judge = KnownJudge(verdict_of)

    class Liar(KnownJudge):
        async def judge(self, request: JudgeRequest) -> Verdict:
            verdict = await super().judge(request)
            return known(status=Status.INCORRECT_NUMERICAL) if len(self.judged) in (2, 3) else verdict

    honest, lied = run_steps(task, judge), run_steps(task, liar := Liar(verdict_of), folder="lied")
    assert len(liar.judged) == 5
    assert liar.judged[1:3] == judge.judged[1:3], "the same came first"
    assert speed(2, 2) < best(lied) < best(honest)


@pytest.mark.parametrize(
    ("source", "verdict", "words"),
    [
        ("class ModelNew: ...\n", known(1.0), "no candidate declares constants (TUNABLES)"),
        ("class ModelNew: ...\n", known(status=Status.INVALID), "no candidate is right yet"),
        (kernel(1, 1), known(), "no right candidate was timed"),
        ("TUNABLES = {'A': [1]}\nclass ModelNew: ...\n", known(1.0), "no line 'A = …' at the top level"),
    ],
)
def test_why_nothing_was_tuned(
    task: Path, openai_server: OpenAIServer, source: str, verdict: Verdict, words: str
) -> None:
    openai_server.default = by_role(lambda seen: source)
    workflow(task, "      code: {agent: coder}\n      tune: {tune: code, trials: 4}\n")
    ran = run_steps(task, KnownJudge(lambda source: verdict))
    assert words in ran.state.notes[-1]
    assert len(ran.course) == 1


def test_what_is_in_flight_is_kept_when_a_call_fails(task: Path, openai_server: OpenAIServer) -> None:
    """One trial's call fails; those beside it are judged and taken in, and no later session pays for them again."""
    workflow(task, ADAPTIVE)
    count = itertools.count()

    def behave(seen: Seen) -> object:
        return error(401, "no") if "Write a better one" in seen.prompt and next(count) == 2 else by_role()(seen)

    openai_server.default = behave  # type: ignore[assignment]
    judge = KnownJudge(verdict_of)
    ran = run_steps(task, judge)
    assert ran.failed is not None
    kept = [attempt for name, attempt, *_ in ran.course if name == "search"]
    made = sum(key.startswith("call cpp-cpu.search") for key in ran.keys)
    assert len(kept) == made < 8
    openai_server.default = by_role()
    asked = len(openai_server.requests)
    again = run_steps(task, judge)
    assert again.failed is None
    assert len(openai_server.requests) == asked + 20 - made
    assert len(judge.judged) == len(set(judge.judged))


def test_seeds_come_from_the_source_kernel(task: Path) -> None:
    given = task.parent / "given.py"
    given.write_text(kernel(2, 2))
    task.write_text(task.read_text().replace("generate", "optimize") + "source: {dsl: cpp, file: given.py}\n")
    for name, attempts in (("verify_only", 1), ("tune_only", 3)):
        ran = run_steps(task, KnownJudge(verdict_of), f"workflow={name}", folder=name)
        assert len(ran.course) == attempts
        assert sum(step.calls for step in ran.plan.jobs[0].steps) == 0
        assert ran.plan.ceiling.usd == 0.0


def test_a_seed_that_is_not_there_says_so(task: Path) -> None:
    workflow(task, "      a: {seed: source}\n      b: {seed: knowledge}\n")
    ran = run_steps(task, KnownJudge(verdict_of))
    assert ran.state.notes == [
        "a: nothing to start from: the task gives no source kernel (source: {dsl: …, file: …})",
        "b: nothing to start from: the knowledge store has no kernel of this operator in this language",
    ]


def test_a_task_that_optimizes_searches_on_from_its_kernel_and_tunes(task: Path, openai_server: OpenAIServer) -> None:
    (task.parent / "given.py").write_text(kernel(2, 2))
    task.write_text(task.read_text().replace("generate", "optimize") + "source: {dsl: cpp, file: given.py}\n")
    ran = run_steps(task, KnownJudge(verdict_of))
    assert ran.failed is None
    assert ran.plan.workflow == "improve"
    steps = [name for name, *_ in ran.course]
    assert (steps[0], set(steps)) == ("given", {"given", "search", "tune"})
    first = [str(message["content"]) for message in openai_server.requests[0].body["messages"]]
    assert kernel(2, 2).strip() in first[2], "the search starts from the task's own kernel"
    assert best(ran) > speed(2, 2)


def test_what_an_agent_says_in_text_is_read_by_later_prompts(task: Path, openai_server: OpenAIServer) -> None:
    agents = task.parents[1] / "agents.yaml"
    agents.write_text(
        agents.read_text() + "agents:\n"
        "  thinker: {model: default, prompt: 'Think.', reply: {format: text}}\n"
        "  judge:\n    model: default\n    prompt: 'Rate {{ steps.idea }}.'\n"
        "    reply: {format: json, fields: {mark: {type: integer}}}\n"
        "  writer: {extends: coder, prompt: 'Idea {{ steps.idea }}; rated {{ steps.rated }}; {{ sketch | length }}.'}\n"
        "workflows:\n  mine:\n    steps:\n"
        "      plan: {agent: designer}\n      idea: {agent: thinker}\n      rated: {agent: judge}\n"
        "      code: {agent: writer}\n"
    )
    task.write_text(task.read_text() + "workflow: mine\n")

    def behave(seen: Seen) -> Answer:
        if "Think." in seen.prompt:
            return Answer("use wide loads")
        if seen.prompt.endswith("Rate use wide loads."):
            return Answer('{"mark": 7}')
        return by_role()(seen)

    openai_server.default = behave
    ran = run_steps(task, KnownJudge(verdict_of))
    assert ran.failed is None
    said = str(openai_server.requests[-1].body["messages"][-1]["content"])
    assert said.startswith('Idea use wide loads; rated {"mark": 7}; ')
    assert ran.state.sketch.startswith("# s"), "a text does not take the place of the sketch"
    assert len(ran.course) == 1
    sent = [[str(m["content"]) for m in seen.body["messages"]] for seen in openai_server.requests]
    assert sum(map(most_tokens, sent)) <= ran.plan.ceiling.prompt_tokens


@pytest.mark.parametrize("name", ["code_only", "design_code_repair", "best_of_n", "evolve", "adaptive"])
def test_shipped_workflows_run_within_their_caps(task: Path, openai_server: OpenAIServer, name: str) -> None:
    judge = KnownJudge(verdict_of)
    ran = run_steps(task, judge, f"workflow={name}")
    assert ran.failed is None
    assert best(ran) > 0
    assert len(openai_server.requests) <= ran.plan.ceiling.calls
    sent = [[str(m["content"]) for m in seen.body["messages"]] for seen in openai_server.requests]
    assert sum(map(most_tokens, sent)) <= ran.plan.ceiling.prompt_tokens
    assert len(judge.judged) <= ran.plan.ceiling.verdicts
