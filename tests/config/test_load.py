"""What good files mean: layers, extends, the environment, overrides, units, roots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from akgflow.base import resources
from akgflow.base.serial import to_json
from akgflow.config import find_root, list_tasks, load_all, load_tasks, load_workspace
from akgflow.config.steps import AgentStep, RepairStep
from akgflow.config.types import Budget, FastGate, Gates
from akgflow.errors import ConfigError, Mark
from akgflow.terms import Evidence

if TYPE_CHECKING:
    from conftest import Place


def test_shipped_defaults_and_a_task_become_values(place: Place) -> None:
    loaded = place.load()
    task, space = loaded.task, loaded.workspace
    assert (task.name, task.kind, task.dsls, task.targets) == ("small", "generate", ("triton",), ("cpu",))
    assert task.workflow == "design_code_improve"
    assert task.operator.source.startswith("class Model")
    assert task.file == place.root / "tasks/small.yaml"
    assert task.budget == Budget(usd=2.0, tokens=400_000, minutes=30.0)
    assert space.models["default"].model == "recorded/akgflow"
    assert space.models["default"].limits.timeout == 180.0
    assert space.agents["coder"].reply.must_define == ("ModelNew",)
    assert space.workflows["design_code_repair"].steps == (
        AgentStep("sketch", "designer"),
        AgentStep("code", "coder", samples=2),
        RepairStep("fix", repair="code", agent="coder", max_attempts=5),
    )
    pack = space.dsls["triton"]
    assert pack.platforms["cuda"] == (Evidence.EXECUTED, Evidence.INTERPRETED, Evidence.COMPILED)
    assert (pack.always, pack.by_operator) == (("basics",), {"gemm": ("dot",)})
    assert to_json(loaded.workspace)


def test_a_prompt_knows_the_line_of_its_first_line(place: Place) -> None:
    coder = place.load().workspace.agents["coder"]
    lines = (place.shipped / "agents.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[coder.system.mark.line - 1].strip() == "You write {{ dsl.title }}."
    assert lines[coder.prompt.mark.line - 1].strip() == "{% if source %}Start from"


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90.0), ("1.5", 1.5), ("180s", 180.0), ("3m", 180.0), ("0.5h", 1800.0)]
)
def test_times_become_seconds(place: Place, written: str, seconds: float) -> None:
    space = place.load(overrides=[f"models.default.limits.timeout={written}"]).workspace
    assert space.models["default"].limits.timeout == seconds


@pytest.mark.parametrize(
    ("written", "tokens"), [("5000", 5000), ("1e6", 10**6), ("400k", 400_000), ("1.5M", 1_500_000)]
)
def test_tokens_become_a_number(place: Place, written: str, tokens: int) -> None:
    assert place.load(overrides=[f"budget.tokens={written}"]).task.budget.tokens == tokens


def test_baselines_are_eager_unless_named_and_hold_what_a_gate_compares_with(place: Place) -> None:
    assert place.load().task.baselines == ("eager",)
    assert place.load(overrides=["baselines=[torch.compile]"]).task.baselines == ("torch.compile",)
    assert place.load(overrides=["baselines=[]"]).task.baselines == ()
    gated = place.load(overrides=["gates.fast.over=torch.compile", "gates.fast.at_least=1"]).task
    assert gated.baselines == ("eager", "torch.compile")


def test_the_workspace_comes_before_what_ships(place: Place) -> None:
    place.write("hardware.yaml", "version: 1\ntargets:\n  cpu: {platform: cpu, arch: x86_64}\n")
    place.write("agents.yaml", "version: 1\nmodels:\n  default: {model: openai/own}\n")
    place.write(
        "dsls/triton.yaml", "version: 1\ndsl: triton\ntitle: Mine\ntoolchain: triton\nplatforms: {cpu: [executed]}"
    )
    space = place.load().workspace
    assert space.targets["cpu"].arch == "x86_64"
    assert "nvidia_h200" in space.targets
    assert (space.models["default"].model, space.models["default"].params) == ("openai/own", {})
    assert space.dsls["triton"].title == "Mine"


def test_a_target_is_added_by_an_entry_alone(place: Place) -> None:
    place.write(
        "hardware.yaml",
        "version: 1\ntargets:\n  mine:\n    {platform: cuda, arch: sm_86, facts: {sms: 3, extra: {odd: {fp32: 1}}}}\n",
    )
    place.write("tasks/small.yaml", place.task.replace("[cpu]", "[cpu, mine]"))
    loaded = place.load()
    assert loaded.task.targets == ("cpu", "mine")
    assert loaded.workspace.targets["mine"].arch == "sm_86"
    assert loaded.workspace.targets["mine"].facts == {"sms": 3, "odd": {"fp32": 1}}


def test_extends_merges_mappings_and_replaces_the_rest(place: Place) -> None:
    place.write(
        "hardware.yaml",
        """\
version: 1
targets:
  a: {extends: b, facts: {l2_mib: 3}}
  b: {extends: nvidia_h200, title: B, facts: {sms: 100, tflops: {bf16: 9}}, sources: [mine]}
""",
    )
    targets = place.load().workspace.targets
    assert targets["a"].arch == "sm_90a"
    assert targets["a"].title == "B"
    assert targets["a"].facts == {"sms": 100, "tflops": {"fp32": 67, "bf16": 9}, "l2_mib": 3}
    assert targets["a"].sources == ("mine",)
    assert targets["nvidia_h200"].facts["sms"] == 132


def test_an_entry_may_extend_the_shipped_one_that_it_shadows(place: Place) -> None:
    place.write(
        "agents.yaml",
        """\
version: 1
models:
  default: {extends: default, params: {temperature: 0.9}}
workflows:
  design_code_repair:
    extends: design_code_repair
    steps: {fix: {max_attempts: 2}, again: {repair: fix, agent: coder, max_attempts: 1, until: gates}}
""",
    )
    space = place.load().workspace
    assert space.models["default"].params == {"temperature": 0.9, "max_tokens": 16000}
    steps = space.workflows["design_code_repair"].steps
    assert [step.name for step in steps] == ["sketch", "code", "fix", "again"]
    assert steps[2] == RepairStep("fix", repair="code", agent="coder", max_attempts=2)


@pytest.mark.parametrize(
    ("env", "model"),
    [({}, "recorded/akgflow"), ({"AKGFLOW_MODEL": ""}, "recorded/akgflow"), ({"AKGFLOW_MODEL": "123"}, "123")],
)
def test_the_environment_gives_text_where_text_is_wanted(place: Place, env: dict[str, str], model: str) -> None:
    assert place.load(env=env).workspace.models["default"].model == model


def test_the_environment_gives_numbers_elsewhere(place: Place) -> None:
    place.write("tasks/small.yaml", place.task.replace("usd: 2.0", "usd: {env: CAP}").replace("m: 256", "m: {env: M}"))
    task = place.load(env={"CAP": "1e-1", "M": "64"}).task
    assert task.budget.usd == 0.1
    assert task.cases == ({"m": 64, "n": 256},)


def test_an_override_spares_the_environment(place: Place) -> None:
    place.write("agents.yaml", "version: 1\nmodels: {default: {model: {env: NOT_SET}}}\n")
    space = place.load(overrides=["models.default.model=openai/x"]).workspace
    assert space.models["default"].model == "openai/x"


def test_overrides_reach_every_file(place: Place) -> None:
    loaded = place.load(
        overrides=[
            "budget.usd=0.5",
            "matrix.target=[cpu, nvidia_h200]",
            "cases.0.m=8",
            "gates.fast.at_least=1.5",
            "gates.evidence=interpreted",
            "models.default.params.temperature=0",
            "models.extra.model=openai/x",
            "workflows.design_code_repair.steps.fix.max_attempts=1",
            "targets.cpu.arch=x86_64",
            "dsls.triton.title=Other",
        ]
    )
    task, space = loaded.task, loaded.workspace
    assert task.budget == Budget(0.5, 400_000, 30.0)
    assert task.targets == ("cpu", "nvidia_h200")
    assert task.cases[0]["m"] == 8
    assert task.gates == Gates(Evidence.INTERPRETED, FastGate("eager", 1.5))
    assert space.models["default"].params["temperature"] == 0
    assert space.models["extra"].model == "openai/x"
    assert space.workflows["design_code_repair"].steps[2] == RepairStep("fix", "code", "coder", 1)
    assert (space.targets["cpu"].arch, space.dsls["triton"].title) == ("x86_64", "Other")


def test_a_migration_carries_its_source(place: Place) -> None:
    place.write("tasks/kernels/k.cu", "void k() {}")
    place.write(
        "tasks/small.yaml",
        place.task.replace("kind: generate", "kind: migrate")
        + "source:\n  dsl: triton\n  file: kernels/k.cu\n  call: k(x, lin.weight, out, x.shape[-1], -3)\n"
        + "  out:\n    - x.shape[0]\n    - 4\n",
    )
    source = place.load().task.source
    assert source is not None
    assert (source.source, source.out) == ("void k() {}", ("x.shape[0]", "4"))


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        ("class Model: ...", ()),
        ("class Model:\n    def forward(self, x, w=None): ...", ("x", "w")),
        ("class Model:\n    def forward(self, a, /, b, *, flag=1): ...", ("a", "b")),
        ("from elsewhere import Model", ()),
    ],
)
def test_a_source_kernel_knows_the_names_of_the_inputs(place: Place, model: str, inputs: tuple[str, ...]) -> None:
    operator = (place.root / "tasks/operators/small.py").read_text(encoding="utf-8")
    place.write("tasks/operators/small.py", operator.replace("class Model: ...", model))
    place.write("tasks/kernels/k.py", "class ModelNew: ...")
    source = "source: {dsl: triton, file: kernels/k.py}\n"
    place.write("tasks/small.yaml", place.task.replace("generate", "migrate") + source)
    made = place.load().task.source
    assert made is not None
    assert made.inputs == inputs


def test_a_workspace_that_ships_itself_is_read_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.shipped / "tasks").mkdir()
    monkeypatch.chdir(place.shipped)
    space = load_workspace(place.shipped, env={})
    assert list(space.targets) == ["cpu", "nvidia_h200"]


def test_several_tasks_are_checked_together(place: Place) -> None:
    place.write("tasks/two.yaml", place.task.replace("small\n", "two\n", 1))
    assert [task.name for task in load_all(place.root, env={})[1]] == ["small", "two"]
    assert [task.name for task in load_tasks(["two", "tasks/small.yaml"], env={})[1]] == ["two", "small"]


def test_names_resolve_in_the_workspace_then_in_what_ships(place: Place) -> None:
    (place.shipped / "tasks/operators").mkdir(parents=True)
    (place.shipped / "tasks/operators/small.py").write_text((place.root / "tasks/operators/small.py").read_text())
    for name in ("small", "other"):
        (place.shipped / f"tasks/{name}.yaml").write_text(place.task.replace("name: small", "name: shipped"))
    assert place.load("small").task.name == "small"
    loaded = place.load("other")
    assert (loaded.task.name, loaded.workspace.root) == ("shipped", place.root)
    assert list_tasks(place.root)["other"] == resources.tasks() / "other.yaml"


def test_a_task_goes_by_the_name_in_its_file(place: Place) -> None:
    place.write("tasks/other.yaml", place.task.replace("name: small\n", 'name: "large"  # not its file\'s\n'))
    assert place.load("large").task.name == "large"
    assert list_tasks(place.root)["large"] == place.root / "tasks" / "other.yaml"
    with pytest.raises(ConfigError, match=r"the task of 'other\.yaml' has the name 'large'"):
        place.load("other")


def test_two_tasks_of_a_name_are_an_error_with_both_places(place: Place) -> None:
    first = place.write("tasks/again.yaml", "\n" + place.task)
    line = place.task.splitlines().index("name: small") + 1
    wanted = rf"tasks/small.yaml:{line}:7: two tasks have the name 'small': tasks/again.yaml:{line + 1}:7 has it, too"
    for wrong in (lambda: load_all(place.root, env={}), lambda: place.load("small")):
        with pytest.raises(ConfigError, match=wanted):
            wrong()
    assert place.load(str(first)).task.name == "small"


def test_an_unknown_task_is_named_with_the_nearest(place: Place) -> None:
    with pytest.raises(ConfigError, match=r"there is no task named 'smal': did you mean 'small'\?"):
        place.load("smal")
    with pytest.raises(ConfigError, match=r"there is no task file 'tasks/smll.yaml': did you mean 'small'\?"):
        place.load("tasks/smll.yaml")


def test_the_root_is_the_nearest_workspace_above(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = place.root / "tasks/sub/more"
    deep.mkdir(parents=True)
    assert find_root(place.root / "tasks/small.yaml") == place.root
    assert find_root(deep / "x.yaml") == place.root
    monkeypatch.chdir(deep)
    assert find_root() == place.root


def test_marks_are_relative_to_the_current_folder(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.write("hardware.yaml", "version: 2\ntargets: {}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_workspace(place.root, env={})
    assert caught.value.problems[0].mark == Mark("work/hardware.yaml", 1, 10)
