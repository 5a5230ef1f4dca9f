"""No key does nothing: each changes a loaded value, and something outside `config` reads that value.

A schema's key without a setting here fails, and so does a field of a loaded value that nothing reads.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from akgflow.base import resources
from akgflow.config import schema_text, steps, types
from akgflow.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Place

BASE = {
    "agents.yaml": """\
version: 1
knowledge: {add: true}
models:
  m: {model: recorded/x, params: {temperature: 0.1}, limits: {retries: 1}, price: {input: 1, output: 1}}
  other: {model: recorded/y}
  told: {command: [agent, -p], output: json, env: [A_KEY], writes: [here]}
agents:
  a: {model: m, prompt: write, reply: {format: code}}
  b: {model: m, prompt: write, reply: {format: code}}
  j: {model: m, prompt: say, reply: {format: json, fields: {f: {type: number}}}}
  lead:
    model: m
    prompt: say
    reply: {format: json, fields: {decision: {type: string, enum: [stop]}, advice: {type: string}}}
workflows:
  w:
    steps:
      ask: {agent: a}
      ask2: {agent: a}
      mend: {repair: ask, agent: a, max_attempts: 1}
      best: {best_of: 2, agent: a}
      evolve: {evolve: ask, agent: a, generations: 1}
      adapt: {adaptive: ask, agent: a, trials: 2}
      tune: {tune: ask, trials: 2}
      seed: {seed: source}
      work: {agentic: a, judgements: 1, minutes: 1}
""",
    "hardware.yaml": """\
version: 1
targets:
  t: {platform: cuda, arch: sm_90, facts: {}, reach: {ray: {resources: {x: 1}}}}
""",
    "dsls/d.yaml": """\
version: 1
dsl: d
title: D
toolchain: triton
platforms: {cuda: [executed]}
""",
}
TASK_MORE = "source: {dsl: triton, file: k.cu, call: f(x), out: [4]}\n"

# Another value for each key, by its place in the schema: what an override sets, under the entry of BASE that has it.
_STEP = {"agent": "b", "headroom": "0.5", "patience": "7", "random_seed": "5", "inspirations": "3", "parallel": "3"}
_STEPS = {"repair": "mend", "best_of": "best", "evolve": "evolve", "adaptive": "adapt", "tune": "tune"}
SETTINGS: Mapping[str, str] = {
    "agents models": "models.new={model: recorded/z}",
    "agents agents": "agents.new={model: m, prompt: hi}",
    "agents workflows": "workflows.new={steps: {s: {agent: a}}}",
    "agents knowledge": "knowledge.add=false",
    "agents runs": "runs={folder: elsewhere}",
    "agents runs folder": "runs.folder=elsewhere",
    "agents model extends": "models.new={extends: m}",
    "agents model model": "models.m.model=recorded/z",
    "agents model params": "models.m.params={seed: 1}",
    "agents model params stop": "models.m.params.stop=x",
    "agents model params logit_bias": "models.m.params.logit_bias={a: 1}",
    "agents model params reasoning_effort": "models.m.params.reasoning_effort=low",
    "agents model params verbosity": "models.m.params.verbosity=low",
    "agents model params thinking": "models.m.params.thinking={type: enabled}",
    "agents model params thinking type": "models.m.params.thinking={type: enabled}",
    "agents model params thinking budget_tokens": "models.m.params.thinking={type: enabled, budget_tokens: 9}",
    "agents model params response_format": "models.m.params.response_format={type: json_object}",
    "agents model params service_tier": "models.m.params.service_tier=flex",
    "agents model params api_version": "models.m.params.api_version='1'",
    "agents model params drop_params": "models.m.params.drop_params=true",
    "agents model params stream": "models.m.params.stream=false",
    "agents model params extra_headers": "models.m.params.extra_headers={a: b}",
    "agents model params extra_body": "models.m.params.extra_body={a: b}",
    "agents model api_base": "models.m.api_base=http://x",
    "agents model api_key_env": "models.m.api_key_env=X",
    "agents model limits": "models.m.limits={retries: 2}",
    "agents model limits max_parallel": "models.m.limits.max_parallel=9",
    "agents model limits timeout": "models.m.limits.timeout=9s",
    "agents model limits retries": "models.m.limits.retries=9",
    "agents model fallbacks": "models.m.fallbacks=[other]",
    "agents model price": "models.m.price={input: 2, output: 2}",
    "agents model price usd_per_call": "models.m.price={usd_per_call: 2}",
    "agents model price input": "models.m.price.input=9",
    "agents model price output": "models.m.price.output=9",
    "agents agent extends": "agents.new={extends: a}",
    "agents agent model": "agents.a.model=other",
    "agents agent description": "agents.a.description=x",
    "agents agent system": "agents.a.system=x",
    "agents agent prompt": "agents.a.prompt=x",
    "agents agent repair": "agents.a.repair=x",
    "agents agent reply": "agents.a.reply={format: code, edits: true}",
    "agents agent reply format": "agents.j.reply={format: text}",
    "agents agent reply edits": "agents.a.reply.edits=true",
    "agents agent reply must_define": "agents.a.reply.must_define=[X]",
    "agents agent reply fields": "agents.j.reply.fields={g: {}}",
    "agents agent reply max_bytes": "agents.a.reply.max_bytes=9",
    "agents workflow extends": "workflows.new={extends: w}",
    "agents workflow description": "workflows.w.description=x",
    "agents workflow steps": "workflows.w.steps.new={agent: a}",
    "agents ask agent": "workflows.w.steps.ask.agent=b",
    "agents ask samples": "workflows.w.steps.ask.samples=2",
    "agents repair repair": "workflows.w.steps.mend.repair=ask2",
    "agents repair advisor": "workflows.w.steps.mend.advisor=lead",
    "agents repair until": "workflows.w.steps.mend.until=gates",
    "agents repair max_attempts": "workflows.w.steps.mend.max_attempts=9",
    "agents repair same_failure": "workflows.w.steps.mend.same_failure=9",
    "agents best_of best_of": "workflows.w.steps.best.best_of=9",
    "agents best_of repairs": "workflows.w.steps.best.repairs=9",
    "agents evolve evolve": "workflows.w.steps.evolve.evolve=ask2",
    **{
        f"agents evolve {key}": f"workflows.w.steps.evolve.{key}=3"
        for key in ("generations", "children", "islands", "population", "elites", "migrate_every", "parents")
    },
    "agents evolve tiers": "workflows.w.steps.evolve.tiers=[1, 1, 1]",
    "agents adaptive adaptive": "workflows.w.steps.adapt.adaptive=ask2",
    "agents adaptive when": "workflows.w.steps.adapt.when=correct",
    "agents adaptive trials": "workflows.w.steps.adapt.trials=9",
    "agents adaptive explore": "workflows.w.steps.adapt.explore=9",
    "agents tune tune": "workflows.w.steps.tune.tune=ask2",
    "agents tune trials": "workflows.w.steps.tune.trials=9",
    "agents tune best": "workflows.w.steps.tune.best=9",
    "agents seed seed": "workflows.w.steps.seed.seed=knowledge",
    "agents seed most": "workflows.w.steps.seed.most=9",
    "agents agentic agentic": "workflows.w.steps.work.agentic=b",
    "agents agentic judgements": "workflows.w.steps.work.judgements=9",
    "agents agentic minutes": "workflows.w.steps.work.minutes=0.5",
    "agents agentic start": "workflows.w.steps.work.start=[mend]",
    "agents agentic tokens": "workflows.w.steps.work.tokens=2M",
    **{
        f"agents {kind} {key}": f"workflows.w.steps.{name}.{key}={value}"
        for kind, name in {
            "repair": "mend",
            "best_of": "best",
            "evolve": "evolve",
            "adaptive": "adapt",
            "tune": "tune",
        }.items()
        for key, value in _STEP.items()
    },
    "agents model command": "models.told.command=[other]",
    "agents model output": "models.told.output=jsonl",
    "agents model env": "models.told.env=[OTHER]",
    "agents model writes": "models.told.writes=[other]",
    "agents knowledge store": "knowledge.store=x.sqlite",
    "agents knowledge use": "knowledge.use=never",
    "agents knowledge add": "knowledge.add=false",
    "agents knowledge examples": "knowledge.examples=9",
    "agents knowledge max_tokens": "knowledge.max_tokens=9",
    "agents knowledge same_operator": "knowledge.same_operator=true",
    "agents knowledge shipped": "knowledge.shipped=false",
    "hardware targets": "targets.new={platform: cpu, arch: native}",
    "hardware ray address": "targets.t.reach.ray.address=there",
    "hardware ray resources": "targets.t.reach.ray.resources={y: 1}",
    "hardware ray wait": "targets.t.reach.ray.wait=9",
    "hardware target extends": "targets.new={extends: t}",
    "hardware target platform": "targets.t={platform: cpu, arch: native}",
    "hardware target arch": "targets.t.arch=sm_80",
    "hardware target title": "targets.t.title=x",
    "hardware target device": "targets.t.device=x",
    "hardware target facts": "targets.t.facts={sms: 1}",
    "hardware target facts extra": "targets.t.facts.extra={mine: 1}",
    "hardware target facts tflops": "targets.t.facts.tflops={fp32: 1}",
    "hardware target reach": "targets.t.reach={ray: {resources: {z: 1}}}",
    "hardware target reach ray": "targets.t.reach.ray={resources: {z: 1}}",
    "hardware target sources": "targets.t.sources=[x]",
    "dsl title": "dsls.d.title=x",
    "dsl toolchain": "dsls.d.toolchain=cpp",
    "dsl platforms": "dsls.d.platforms={cpu: [executed]}",
    **{f"dsl platforms {name}": f"dsls.d.platforms.{name}=[compiled]" for name in ("cpu", "cuda", "hip", "ascend")},
    "dsl knowledge": "dsls.d.knowledge={always: [x.md]}",
    **{f"dsl knowledge {key}": f"dsls.d.knowledge.{key}=[x.md]" for key in ("always", "repair", "improve")},
    "dsl knowledge by_operator": "dsls.d.knowledge.by_operator={gemm: [x.md]}",
    "dsl knowledge by_platform": "dsls.d.knowledge.by_platform={cpu: [x.md]}",
    **{
        f"dsl knowledge by_platform {name}": f"dsls.d.knowledge.by_platform.{name}=[x.md]"
        for name in ("cpu", "cuda", "hip", "ascend")
    },
    "dsl knowledge by_platform_and_operator": "dsls.d.knowledge.by_platform_and_operator={cpu: {gemm: [x.md]}}",
    **{
        f"dsl knowledge {key} {name}": f"dsls.d.knowledge.{key}.{name}={{gemm: [x.md]}}"
        for key in ("by_platform_and_operator",)
        for name in ("cpu", "cuda", "hip", "ascend")
    },
    "task name": "name=x",
    "task description": "description=x",
    "task kind": "kind=migrate",
    "task operator": "operator={file: other.py}",
    "task operator file": "operator.file=other.py",
    "task operator kind": "operator.kind=softmax",
    "task operator format": "operator={file: other.py, format: kernelbench}",
    "task cases": "cases=[{m: 1}]",
    "task case dtype": "cases=[{m: 1, dtype: float16}]",
    "task case tolerance": "cases=[{m: 1, tolerance: 2}]",
    "task case secret": "cases=[{m: 1, secret: true}]",
    "task shapes": "shapes={m: 1..9}",
    "task sizes min": "shapes={m: {min: 2}}",
    "task sizes max": "shapes={m: {max: 9}}",
    "task sizes multiple_of": "shapes={m: {multiple_of: 8}}",
    "task layouts": "layouts=any",
    "task gates shapes": "gates.shapes=general",
    "task dtype": "dtype=float16",
    "task source": "source={dsl: triton, file: k.cu, call: g(x), out: [4]}",
    "task source dsl": "source.dsl=d",
    "task source file": "source.file=l.cu",
    "task source call": "source.call=g(x)",
    "task source out": "source.out=[5]",
    "task matrix": "matrix={dsl: [d], target: [cpu]}",
    "task matrix dsl": "matrix.dsl=[d]",
    "task matrix target": "matrix.target=[t]",
    "task workflow": "workflow=w",
    "task gates": "gates={evidence: lowered}",
    "task gates evidence": "gates.evidence=lowered",
    "task gates fast": "gates.fast={at_least: 2}",
    "task gates uses": "gates.uses=wgmma",
    "task gates sanitized": "gates.sanitized=[race]",
    "task gates fast over": "gates.fast={over: torch.compile, at_least: 1}",
    "task gates fast at_least": "gates.fast={at_least: 3}",
    "task budget": "budget={usd: 9}",
    **{f"task budget {key}": f"budget.{key}=9" for key in ("usd", "tokens", "minutes", "device_minutes")},
    "task precision": "precision=tf32",
    "task precision compute": "precision={compute: bf16}",
    "task backward": "backward=true",
    "task backward overwrites": "backward={overwrites: [x]}",
    "task prepare": "prepare=true",
    "task prepare calls": "prepare={calls: 7}",
    "task framework": "framework=allow",
    "task mode": "mode=eval",
    "task baselines": "baselines=[torch.compile]",
    "task keep": "keep={winners: 2}",
    "task keep winners": "keep.winners=2",
    "task profile": "profile=true",
    "task memory": "memory=8GiB",
    "task limits": "limits={build: 9}",
    **{f"task limits {key}": f"limits.{key}=9m" for key in ("build", "run", "hang", "judge")},
    "task tolerance": "tolerance=9",
}


def _keys(kind: str) -> Iterator[str]:
    """Every key of a schema: kind, definition and path."""
    whole = json.loads(schema_text(kind))

    def below(schema: Any, name: str) -> Iterator[str]:
        for key, child in schema.get("properties", {}).items():
            if key != "version" and "not" not in child:
                yield f"{name} {key}"
                yield from below(child, f"{name} {key}")

    yield from below(whole, kind)
    for name, definition in whole["definitions"].items():
        # A field of a JSON reply is JSON Schema itself; the environment is gone when a file is read.
        if name not in ("env", "field"):
            yield from below(definition, f"{kind} {name}")


def _setting(key: str) -> str:
    path = key.split()[1:]
    if key in SETTINGS:
        return SETTINGS[key]
    if path[:2] == ["model", "params"]:
        return f"models.m.params.{path[2]}=1"
    if path[:2] == ["target", "facts"]:
        return f"targets.t.facts.{'.'.join(path[2:])}=1"
    raise AssertionError(f"the key {key!r} of a schema has no setting here")


@pytest.mark.parametrize("key", [key for kind in ("agents", "hardware", "dsl", "task") for key in _keys(kind)])
def test_it_changes_what_is_loaded(key: str, place: Place) -> None:
    if key == "dsl dsl":
        return  # a pack's own name; an override names the pack by it
    for path, text in BASE.items():
        place.write(path, text)
    for path in ("tasks/k.cu", "tasks/l.cu", "dsls/x.md"):
        place.write(path, "text " + path)
    place.write("tasks/other.py", (place.root / "tasks/operators/small.py").read_text() + "# other\n")
    place.write("tasks/small.yaml", place.task + TASK_MORE)
    before = place.load()
    try:
        after = place.load(overrides=[_setting(key)])
    except ConfigError as wrong:
        pytest.fail(f"{key}: {wrong}")
    assert after != before, key


@cache
def _read_outside() -> set[str]:
    """Names of attributes that the package reads anywhere but in `config`."""
    package = Path(resources.__file__).parents[1]
    found: set[str] = set()
    for path in package.rglob("*.py"):
        if "config" not in path.relative_to(package).parts[:1] and "dsls" not in path.parts:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    return found


LOADED = [
    *(
        types.ModelLimits,
        types.Price,
        types.ModelSpec,
        types.ReplyForm,
        types.AgentSpec,
        types.Workflow,
        types.RayReach,
    ),
    *(types.Target, types.DslPack, types.Operator, types.SourceKernel, types.FastGate, types.Gates, types.Budget),
    *(types.Task, types.KnowledgeSpec, types.Workspace, *steps.KINDS.values()),
]
BY_CONFIG_ITSELF = {
    # What the prompts see is made in config, by `PromptContext.of`.
    *("by_operator", "by_platform", "by_platform_and_operator", "always", "repair", "improve", "title"),
    # What tokens cost is added up there, by `Price.of`.
    *("input", "output", "cached_input"),
}


@pytest.mark.parametrize("kind", LOADED)
def test_something_reads_it(kind: type) -> None:
    read = _read_outside() | BY_CONFIG_ITSELF
    assert [field.name for field in fields(kind) if field.name not in read] == []
