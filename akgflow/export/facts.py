"""What a package knows about its kernel: the operands of its operator, and every call that was verified."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from akgflow import __version__
from akgflow.base.serial import to_data, to_json
from akgflow.errors import ConfigError
from akgflow.export.names import operand_names
from akgflow.export.signatures import cast_of
from akgflow.export.subject import Subject
from akgflow.operators.signature import Signature, Signatures
from akgflow.operators.text import parts_of


@dataclass(frozen=True)
class Operands:
    """The operands of the custom operator: arguments of ``forward`` that hold tensors, then the state."""

    arguments: Mapping[str, str]
    """Names in the schema by those of ``forward``."""
    state: Mapping[str, str]
    """Names in the schema by those of the ``state_dict``."""
    types: tuple[str, ...]
    """``Tensor``, ``Tensor?`` or ``Tensor[]``, in order."""
    single: bool
    """Whether the result is one tensor."""

    @property
    def names(self) -> tuple[str, ...]:
        """All names in the schema, in order."""
        return (*self.arguments.values(), *self.state.values())

    @property
    def schema(self) -> str:
        """As `torch.library` takes it."""
        listed = ", ".join(f"{kind} {name}" for kind, name in zip(self.types, self.names, strict=True))
        return f'({listed}, *, str settings="") -> {"Tensor" if self.single else "Tensor[]"}'


def operands(found: Signatures, task: str) -> Operands:
    """Those of an operator. Raises `ConfigError` where its cases differ in more than sizes."""
    cases = found.cases
    one = cases[0]
    if any(list(case.state) != list(one.state) or case.result != one.result for case in cases):
        raise ConfigError(
            f"{task} cannot be exported: its cases differ in the names of its state or the form of its result"
        )
    if any(case.training != one.training for case in cases):
        raise ConfigError(f"{task} cannot be exported: its cases are judged in different modes")
    kinds = {p.name: _kind(p.name, cases) for p in found.parameters}
    held = {name: kind for name, kind in kinds.items() if kind}
    if mixed := [name for name, kind in held.items() if kind == "mixed"]:
        raise ConfigError(
            f"{task} cannot be exported: {mixed[0]} of forward is a tensor in one case and none in another"
        )
    if not held and not one.state:
        raise ConfigError(f"{task} cannot be exported: no argument of forward is a tensor")
    names = operand_names([*(f"{name}" for name in held), *(f"{name}." for name in one.state)])
    return Operands(
        arguments={name: names[name] for name in held},
        state={name: names[f"{name}."] for name in one.state},
        types=(*held.values(), *("Tensor" for _ in one.state)),
        single=one.result == "tensor",
    )


def _kind(name: str, cases: tuple[Signature, ...]) -> str:
    """The type of an argument in the schema; empty for one that is never a tensor."""
    if all(name in case.lists for case in cases):
        return "Tensor[]"
    if all(name in case.tensors for case in cases):
        return "Tensor"
    missing = all(name in case.tensors or case.values.get(name, 0) is None for case in cases)
    if any(name in case.tensors for case in cases):
        return "Tensor?" if missing else "mixed"
    return "mixed" if any(name in case.lists for case in cases) else ""


def facts(subject: Subject, found: Signatures, taken: Operands, package: str, fallback: bool) -> dict[str, Any]:
    """Everything, as JSON."""
    verdict = subject.verdict
    return {
        "version": 1,
        "package": package,
        "akgflow": __version__,
        "task": subject.task,
        "job": subject.job,
        "dsl": subject.dsl,
        "target": verdict.target,
        "evidence": list(verdict.evidence),
        "summary": summary(subject),
        "device": _device(subject),
        "framework": subject.verdict.framework,
        "precision": str(verdict.precision),
        "tolerance": verdict.tolerance,
        "dtype": subject.dtype,
        "fallback": fallback,
        "gradients": False,
        "prepares": parts_of(subject.operator).prepare is not None,
        "training": found.cases[0].training,
        "parameters": to_data(found.parameters),
        "arguments": [list(pair) for pair in taken.arguments.items()],
        "state": [list(pair) for pair in taken.state.items()],
        "operands": list(taken.names),
        "result": found.cases[0].result,
        "signatures": [_case(case, taken, subject.dtype) for case in found.cases],
        "kernel_sha256": hashlib.sha256(subject.source.encode()).hexdigest(),
        "operator_sha256": hashlib.sha256(subject.operator.encode()).hexdigest(),
    }


def summary(subject: Subject) -> str:
    """The evidence in one line, for messages."""
    verdict = subject.verdict
    assert verdict.correctness is not None
    shapes = len({to_json(one.case) for one in verdict.correctness.cases})
    return (
        f"{subject.evidence} for {verdict.target} on {verdict.environment.hardware}, {verdict.timestamp}, "
        f"{verdict.status} with {len(verdict.correctness.cases)} checks of {shapes} stated shape{'s' * (shapes != 1)} "
        f"(task {subject.task}, job {subject.job}, evidence/verdict.json)"
    )


def _device(subject: Subject) -> dict[str, str]:
    """Where the kernel may run: a processor of that architecture, or a device of that name."""
    if subject.target.on_host:
        return {"type": "cpu", "machine": subject.machine}
    return {"type": "cuda", "name": subject.verdict.environment.hardware}


def _case(case: Signature, taken: Operands, dtype: str | None) -> dict[str, Any]:
    forms: dict[str, Any] = {}
    for name, operand in taken.arguments.items():
        forms[operand] = to_data(case.lists[name] if name in case.lists else case.tensors.get(name))
    forms |= {operand: to_data(case.state[name]) for name, operand in taken.state.items()}
    held = [form for one in forms.values() if one is not None for form in (one if isinstance(one, list) else [one])]
    return {
        "case": dict(case.case),
        "cast": cast_of(case.case, dtype),
        "init": list(case.init),
        "bound": dict(case.bound),
        "values": {name: value for name, value in case.values.items() if name not in taken.arguments},
        "positional": list(case.positional),
        "keywords": list(case.keywords),
        "training": case.training,
        "operands": forms,
        "outputs": to_data(case.outputs),
        "dtypes": sorted({form["dtype"] for form in held}),
    }
