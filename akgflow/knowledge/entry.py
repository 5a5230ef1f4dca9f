"""An entry of the store: a kernel that the judge found right, what it computes, and what was learned on the way."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from akgflow.base.serial import to_json
from akgflow.config.types import Scalar
from akgflow.features import OperatorFeatures
from akgflow.operators.python_text import PythonError, definitions, parse_python
from akgflow.speed import overall
from akgflow.terms import Evidence
from akgflow.verdict import FRAMEWORK_ALLOWED, Overall, Verdict

NUMERIC = (Evidence.EXECUTED, Evidence.INTERPRETED)
"""Evidence that an entry must have: that it compiles says nothing about its numbers."""


@dataclass(frozen=True)
class Lesson:
    """One failure on the way to a kernel: the verdict's status and sentence, and what a model said was the cause."""

    status: str
    message: str
    cause: str = ""

    @property
    def text(self) -> str:
        """The cause where one was named, else the judge's sentence."""
        return self.cause or self.message


@dataclass(frozen=True)
class Entry:
    """One verified kernel.

    ``operator`` and ``source`` are texts of modules: of the reference and of the candidate. ``added`` is the time of
    the verdict. ``trust`` is ``judged`` where a judge on this machine said what ``verdict`` says, ``shipped`` where it
    came with akgflow, whose judge said so on another machine, and ``imported`` where somebody else claims it.
    """

    task: str
    operator: str
    dsl: str
    target: str
    platform: str
    arch: str
    source: str
    verdict: Verdict
    features: OperatorFeatures
    description: str = ""
    kind: str = ""
    cases: tuple[Mapping[str, Scalar], ...] = ()
    dtype: str | None = None
    lessons: tuple[Lesson, ...] = field(default=())
    akgflow: str = ""
    added: str = ""
    trust: Literal["judged", "imported", "shipped"] = "judged"

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits of what was judged: kernel, operator, shapes, types, language and target."""
        parts: tuple[object, ...] = (self.source, self.operator, self.cases, self.dtype, self.dsl, self.target)
        parts += (self.verdict.precision,) if self.verdict.allowed else ()
        return _digest(to_json(parts))[:16]

    @property
    def digest(self) -> str:
        """sha256 of everything in it but how far it is trusted."""
        return digest_of(vars(self))

    @property
    def speed(self) -> Overall | None:
        """Over the first baseline, for all cases; None where it was not executed or not timed."""
        return next(iter(overall(self.verdict.timing, self.verdict.untimed)), None)

    @property
    def claim(self) -> str:
        """What is known about it, in one sentence."""
        speed = self.speed
        if speed is None:
            return f"{self.verdict.message}; not timed"
        low, high = speed.interval
        where = self.verdict.timing[0].device
        figures = f"{speed.speedup:.2f}x [{low:.2f}, {high:.2f}] over {speed.baseline} on {where}"
        return f"{self.verdict.message}; {figures}"

    @property
    def outline(self) -> Outline:
        """What a list says about it: everything but the texts."""
        speed = self.speed
        return Outline(
            id=self.id,
            task=self.task,
            dsl=self.dsl,
            target=self.target,
            trust=self.trust,
            evidence=self.verdict.evidence,
            speedup=speed.speedup if speed else None,
            interval=speed.interval if speed else None,
            baseline=speed.baseline if speed else None,
            device=self.verdict.timing[0].device if speed else None,
            kinds=self.features.kinds,
            lessons=len(self.lessons),
            akgflow=self.akgflow,
            added=self.added,
        )

    @property
    def worth(self) -> tuple[bool, float]:
        """Order among verdicts on the same kernel: executed before interpreted, then the faster."""
        speed = self.speed
        return Evidence.EXECUTED in self.verdict.evidence, speed.speedup if speed else 0.0


@dataclass(frozen=True)
class Outline:
    """An entry in a list. The speedup and its interval are those over the first baseline, for all cases."""

    id: str
    task: str
    dsl: str
    target: str
    trust: str
    evidence: tuple[Evidence, ...]
    speedup: float | None
    interval: tuple[float, float] | None
    baseline: str | None
    device: str | None
    kinds: Mapping[str, int]
    lessons: int
    akgflow: str
    added: str


def why_not(verdict: Verdict) -> str:
    """Why a kernel with this verdict does not belong in the store; empty where it does."""
    if not verdict.passed:
        return f"{verdict.status}: {verdict.message}"
    if FRAMEWORK_ALLOWED in verdict.warnings:
        return FRAMEWORK_ALLOWED
    if not any(one in verdict.evidence for one in NUMERIC):
        have = ", ".join(verdict.evidence) or "none"
        return f"its numbers were not checked (evidence: {have})"
    return ""


def operator_id(text: str) -> str:
    """Equal for operators that differ in comments, docstrings and layout only."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return _digest(text)[:16]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return _digest(ast.unparse(tree))[:16]


def variant_id(entry: Entry) -> str:
    """Equal for kernels that differ in comments, layout and constants only, judged for the same thing."""
    parts = (entry.operator, entry.cases, entry.dtype, entry.dsl, entry.target, entry.verdict.allowed)
    return _digest(to_json((_without_constants(entry.source), *parts)))[:16]


_NUMBER = re.compile(r"\b\d[\w.]*(?:(?<=[eE])[+-]\w+)?")


def _without_constants(source: str) -> str:
    """A module's text with every number and truth value the same, also inside the kernels that its strings hold."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _NUMBER.sub("0", source)
    return ast.unparse(_Constants().visit(tree))


class _Constants(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, str):
            return ast.Constant(_NUMBER.sub("0", node.value))
        return ast.Constant(0) if isinstance(node.value, bool | int | float | complex) else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """A negative number is a number."""
        node.operand = self.visit(node.operand)
        negative = isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
        return node.operand if negative else node


class Surface(NamedTuple):
    """How an operator is built and called: names of the constructor's and of ``forward``'s parameters."""

    constructor: tuple[str, ...]
    forward: tuple[str, ...]


def model_text(operator: str) -> str:
    """The source of an operator's ``Model`` without docstrings; the whole text where there is none."""
    found = _model(operator)
    if found is None:
        return operator
    for node in ast.walk(found):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(found)


def surface(operator: str) -> Surface:
    """The parameters of an operator's ``Model``."""
    found = _model(operator)
    methods = {n.name: n for n in found.body if isinstance(n, ast.FunctionDef)} if found else {}

    def names(method: str) -> tuple[str, ...]:
        return tuple(a.arg for a in methods[method].args.args[1:]) if method in methods else ()

    return Surface(names("__init__"), names("forward"))


def _model(operator: str) -> ast.ClassDef | None:
    try:
        found = definitions(parse_python(operator).body).get("Model")
    except PythonError:
        return None
    return found if isinstance(found, ast.ClassDef) else None


_COMMON = (
    "self torch nn def return class model init super forward tensor import from none int float list get inputs "
    "functional true false the and for with shape size dim of to a an x is in as by or module parameter rand randn "
    "batch features functional object len range"
)
"""Words that any operator may have."""


def words(text: str) -> list[str]:
    """The telling words of a text, each once: no word that every operator has, no numbers, nothing of one letter."""
    found = (word for word in re.findall(r"[a-z]+[0-9]*[a-z]*", text.lower()) if len(word) > 1)
    return list(dict.fromkeys(word for word in found if word not in _COMMON.split()))


def digest_of(data: Mapping[str, Any]) -> str:
    """The `Entry.digest` of an entry's fields, or of its form as data, of another version's entry, too."""
    return _digest(to_json({name: value for name, value in data.items() if name != "trust"}))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
