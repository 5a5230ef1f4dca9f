"""Builds frozen values from checked nodes: these fit their schema, and their references exist."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from akgflow.config._yaml import Node
from akgflow.config.checks.operators import forward_inputs
from akgflow.config.checks.shapes import guarantee
from akgflow.config.checks.vocabulary import kind_of_operator
from akgflow.config.prompts.analysis import first_line
from akgflow.config.steps import read_step
from akgflow.config.types import (
    DEFAULT_BUDGET,
    SHARED,
    AgentSpec,
    Budget,
    CommandSpec,
    DslPack,
    FastGate,
    Gates,
    KnowledgeSpec,
    ModelLimits,
    ModelSpec,
    Operator,
    Price,
    Prompt,
    RayReach,
    ReplyForm,
    SourceKernel,
    Target,
    Task,
    TimeLimits,
    ToolchainFile,
    Workflow,
)
from akgflow.operators.backward import Backward
from akgflow.operators.preparation import Preparation
from akgflow.precision import Precision
from akgflow.terms import Evidence, in_order

Read = Callable[[Path], str]
Opened = Callable[[Path, str | None], Operator]
"""The operator that a file is, in a format that is named or found."""
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_TOKENS = {"k": 1_000, "M": 1_000_000}
_SIZES = {"MiB": 1 << 20, "GiB": 1 << 30}
RUNS = "runs"
"""The folder of a workspace's runs, where none is named."""
DEFAULT_WORKFLOWS = {"generate": "design_code_improve", "migrate": "design_code_improve", "optimize": "improve"}
"""The workflow of a task that names none, by its kind."""


def seconds(value: float | str) -> float:
    """``180``, ``180s``, ``3m`` and ``1h`` as seconds."""
    return float(value[:-1]) * _SECONDS[value[-1]] if isinstance(value, str) else float(value)


def size(value: float | str) -> int:
    """``1048576``, ``500MiB`` and ``8GiB`` as a number of bytes."""
    return round(float(value[:-3]) * _SIZES[value[-3:]]) if isinstance(value, str) else int(value)


def tokens(value: float | str) -> int:
    """``400000``, ``400k`` and ``2M`` as a number of tokens."""
    return round(float(value[:-1]) * _TOKENS[value[-1]]) if isinstance(value, str) else int(value)


def model(name: str, node: Node, root: Path) -> ModelSpec:
    """One entry of ``models``; paths of a command are relative to the workspace in ``root``."""
    data = node.data()
    limits = data.get("limits", {})
    default = ModelLimits()
    return ModelSpec(
        name=name,
        model=f"command/{name}" if "command" in data else data["model"],
        params=data.get("params", {}),
        api_base=data.get("api_base"),
        api_key_env=data.get("api_key_env"),
        limits=ModelLimits(
            max_parallel=int(limits.get("max_parallel", default.max_parallel)),
            timeout=seconds(limits.get("timeout", default.timeout)),
            retries=int(limits.get("retries", default.retries)),
        ),
        fallbacks=tuple(data.get("fallbacks", ())),
        price=_price(data.get("price")),
        command=_command(data, root) if "command" in data else None,
    )


def _command(data: dict[str, Any], root: Path) -> CommandSpec:
    program, *arguments = map(str, data["command"])
    return CommandSpec(
        words=(_absolute(program, root) if "/" in program else program, *arguments),
        output=data.get("output", CommandSpec.output),
        env=tuple(data.get("env", ())),
        writes=tuple(_absolute(name, root) for name in data.get("writes", ())),
    )


def _absolute(path: str, root: Path) -> str:
    return os.path.abspath(root / os.path.expanduser(path))


def _price(data: Any) -> Price | Literal["unknown"] | None:
    if data in (None, "unknown"):
        return "unknown" if data else None
    if data == "free":
        return Price(0.0, 0.0)
    if "usd_per_call" in data:
        return Price(0.0, 0.0, call=float(data["usd_per_call"]))
    rates = data.get("usd_per_million_tokens", {"in": data.get("input"), "out": data.get("output")})
    cached = rates.get("cached_in")
    return Price(float(rates["in"]), float(rates["out"]), None if cached is None else float(cached))


def agent(name: str, node: Node) -> AgentSpec:
    """One entry of ``agents``."""
    reply = node.at("reply")
    return AgentSpec(
        name=name,
        model=_text(node, "model"),
        system=_prompt(node, "system"),
        prompt=_prompt(node, "prompt"),
        reply=_reply(reply.data()) if reply else ReplyForm(),
        description=_text(node, "description"),
        repair=_prompt(node, "repair") if node.at("repair") else None,
    )


def _reply(data: dict[str, Any]) -> ReplyForm:
    return ReplyForm(
        format=data["format"],
        must_define=tuple(data.get("must_define", ())),
        fields=data.get("fields", {}),
        max_bytes=int(data.get("max_bytes", ReplyForm.max_bytes)),
        edits=bool(data.get("edits", ReplyForm.edits)),
    )


def _prompt(node: Node, name: str) -> Prompt:
    child = node.at(name)
    return Prompt(child.text or "", first_line(child)) if child else Prompt("", node.place)


def workflow(name: str, node: Node) -> Workflow:
    """One entry of ``workflows``."""
    steps = node.at("steps")
    made = tuple(read_step(key, _step(child.data())) for key, child in (steps.entries if steps else {}).items())
    return Workflow(name, made, _text(node, "description"))


def _step(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "tokens": tokens(data["tokens"])} if "tokens" in data else data


def target(name: str, node: Node) -> Target:
    """One entry of ``targets``."""
    data = node.data()
    return Target(
        name=name,
        platform=data["platform"],
        arch=data["arch"],
        title=data.get("title", Target.title),
        device=data.get("device", Target.device),
        facts=_facts(data.get("facts", {})),
        sources=tuple(data.get("sources", ())),
        reach=_reach(data["reach"]["ray"]) if "reach" in data else None,
    )


def _facts(data: dict[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in data.items() if name != "extra"}, **data.get("extra", {})}


def knowledge(node: Node | None, root: Path) -> KnowledgeSpec:
    """The section ``knowledge``; a relative ``store`` is relative to the workspace."""
    data = node.data() if node else {}
    default = KnowledgeSpec()
    return KnowledgeSpec(
        store=_store(data.get("store"), root),
        use=data.get("use", default.use),
        add=data.get("add", default.add),
        examples=int(data.get("examples", default.examples)),
        max_tokens=tokens(data.get("max_tokens", default.max_tokens)),
        shipped=data.get("shipped", default.shipped),
        same_operator=data.get("same_operator", default.same_operator),
    )


def runs_folder(node: Node | None, root: Path) -> Path:
    """The ``folder`` of the section ``runs``; a relative one is relative to the workspace."""
    named = (node.data() if node else {}).get("folder") or RUNS
    return root / Path(named).expanduser()


def _store(named: str | None, root: Path) -> Path | Literal["shared"] | None:
    if not named:
        return None
    return "shared" if named == SHARED else Path(os.path.abspath(root / Path(named).expanduser()))


def _reach(data: dict[str, Any]) -> RayReach:
    resources = {name: int(amount) for name, amount in data["resources"].items()}
    return RayReach(resources, data.get("address", RayReach.address), seconds(data.get("wait", RayReach.wait)))


def dsl_pack(name: str, node: Node, folder: Path, read: Read) -> DslPack:
    """One DSL pack, with the text of its documents."""
    data = node.data()
    knowledge = data.get("knowledge", {})

    def texts(documents: list[str]) -> tuple[str, ...]:
        return tuple(read(folder / document) for document in documents)

    def by_kind(documents: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
        return {kind_of_operator(kind): texts(listed) for kind, listed in documents.items()}

    return DslPack(
        name=name,
        title=data["title"],
        toolchain=_toolchain(data["toolchain"], folder, read),
        platforms={key: in_order(map(Evidence, kinds)) for key, kinds in data["platforms"].items()},
        always=texts(knowledge.get("always", [])),
        by_operator=by_kind(knowledge.get("by_operator", {})),
        by_platform={name: texts(listed) for name, listed in knowledge.get("by_platform", {}).items()},
        by_platform_and_operator={
            name: by_kind(listed) for name, listed in knowledge.get("by_platform_and_operator", {}).items()
        },
        repair=texts(knowledge.get("repair", [])),
        improve=texts(knowledge.get("improve", [])),
    )


def _toolchain(named: str, folder: Path, read: Read) -> str | ToolchainFile:
    return ToolchainFile(named, read(folder / named)) if named.endswith(".py") else named


def task(node: Node, file: Path, read: Read, opened: Opened) -> Task:
    """One task, with the text of its operator and source kernel."""
    data = node.data()
    named, source = data["operator"], data.get("source")
    operator = opened(Path(os.path.abspath(file.parent / named["file"])), named.get("format"))
    operator = replace(operator, kind=named.get("kind"), mode=data.get("mode"))
    asked = Backward.of(data.get("backward")), Preparation.of(data.get("prepare"))
    operator = replace(operator, backward=asked[0], prepare=asked[1])
    stated = data.get("cases", [])
    gates = _gates(data.get("gates", {}))
    usd = node.at("budget", "usd")
    over = (gates.fast.over,) if gates.fast else ()
    return Task(
        name=data["name"],
        file=file,
        kind=data["kind"],
        operator=operator,
        dsls=tuple(data["matrix"]["dsl"]),
        targets=tuple(data["matrix"]["target"]),
        workflow=data.get("workflow", DEFAULT_WORKFLOWS[data["kind"]]),
        description=data.get("description", Task.description),
        cases=_cases(stated, secret=False) if stated else operator.cases,
        secret_cases=_cases(stated, secret=True),
        shapes=guarantee(data["shapes"]) if "shapes" in data else operator.shapes,
        layouts=data.get("layouts"),
        dtype=data.get("dtype"),
        source=_source(source, file.parent, read, forward_inputs(operator.source)) if source else None,
        gates=gates,
        budget=_budget(data.get("budget", {})),
        usd_mark=usd.mark if usd else None,
        tolerance=float(data.get("tolerance", Task.tolerance)),
        limits=TimeLimits(**{name: seconds(value) for name, value in data.get("limits", {}).items()}),
        memory=size(data["memory"]) if "memory" in data else Task.memory,
        precision=Precision.of(data.get("precision", Task.precision)),
        framework=data.get("framework", Task.framework),
        winners=int(data.get("keep", {}).get("winners", Task.winners)),
        profile=bool(data.get("profile", Task.profile)),
        baselines=tuple(dict.fromkeys((*data.get("baselines", Task.baselines), *over))),
    )


def _cases(data: list[dict[str, Any]], secret: bool) -> tuple[dict[str, Any], ...]:
    """The cases that are secret, or those that are not, by their arguments alone."""
    chosen = (case for case in data if bool(case.get("secret")) is secret)
    return tuple({name: value for name, value in case.items() if name != "secret"} for case in chosen)


def _source(data: dict[str, Any], folder: Path, read: Read, inputs: tuple[str, ...]) -> SourceKernel:
    file = Path(os.path.abspath(folder / data["file"]))
    out = tuple(str(dimension) for dimension in data.get("out", ()))
    return SourceKernel(data["dsl"], file, read(file), data.get("call"), out, inputs)


def _gates(data: dict[str, Any]) -> Gates:
    fast = data.get("fast")
    return Gates(
        evidence=Evidence(data.get("evidence", Gates.evidence)),
        fast=FastGate(fast.get("over", FastGate.over), float(fast["at_least"])) if fast else None,
        shapes=data.get("shapes"),
        uses=data.get("uses"),
        sanitized=tuple(dict.fromkeys(data.get("sanitized", ()))),
    )


def _budget(data: dict[str, Any]) -> Budget:
    if not data:
        return DEFAULT_BUDGET
    return Budget(
        usd=float(data["usd"]) if "usd" in data else None,
        tokens=tokens(data["tokens"]) if "tokens" in data else None,
        minutes=float(data["minutes"]) if "minutes" in data else None,
        device_minutes=float(data["device_minutes"]) if "device_minutes" in data else None,
    )


def _text(node: Node, name: str) -> str:
    child = node.at(name)
    return (child.text or "") if child else ""
