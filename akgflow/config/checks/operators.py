"""Checks the Python files that a task names, without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from akgflow.config._problems import Problems, quoted, suggest, suggestion
from akgflow.config._yaml import Node
from akgflow.errors import Mark
from akgflow.operators.python_text import PythonError, definitions, parse_expression, parse_python, required
from akgflow.operators.shapes.dimensions import base_of
from akgflow.operators.shapes.written import written

_DYN_LIST = "get_inputs_dyn_list"
_OF_A_CASE = ("dtype", "tolerance", "secret")
"""What a case sets beside the operator's own names."""


@dataclass(frozen=True)
class Surface:
    """What a case may set: arguments of ``get_inputs`` and ``get_init_inputs``, and the module's global values.

    ``required`` are arguments without a default; ``anything`` is true where ``**names`` takes any argument. ``types``
    gives int, float, str or bool for those that are annotated so; ``whole`` are those whose default is a whole number.
    ``written`` are sizes that the functions write out themselves. ``listed`` says that ``get_inputs_dyn_list`` gives
    cases, which ``dyn`` counts.
    """

    arguments: frozenset[str]
    required: frozenset[str]
    globals: frozenset[str]
    anything: bool
    types: Mapping[str, type] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    listed: bool = False

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that a case may set, elements of globals (``shape[1]``) aside."""
        own = (*self.arguments, *self.globals, *self.written)
        return frozenset((*own, *_OF_A_CASE, *(["dyn"] if self.listed else [])))

    def takes(self, name: str) -> bool:
        """Whether a case may set ``name``, as far as the text says."""
        base, place = base_of(name)
        return self.anything or name in self.names or (place is not None and base in self.globals)


def read_operator(source: str, file: str, at: Mark, problems: Problems) -> Surface | None:
    """Check that ``source`` is an operator in KernelBench form; None where that cannot be said."""
    tree = _parsed(source, file, problems)
    if tree is None:
        return None
    defined = definitions(tree.body)
    inputs = _DYN_LIST if _DYN_LIST in defined and "get_inputs" not in defined else "get_inputs"
    for name, what in (("Model", "class"), (inputs, "function"), ("get_init_inputs", "function")):
        if name not in defined:
            hint = f"define the {what} {name} in {file}"
            problems.add(at, f"the operator {file!r} has no {name}", _moved(name, defined) or hint)
    functions = [defined[name] for name in (inputs, "get_init_inputs") if name in defined]
    signatures = [node.args for node in functions if isinstance(node, ast.FunctionDef)]
    values = {name: node for name, node in defined.items() if isinstance(node, ast.Assign | ast.AnnAssign)}
    said = [(name, getattr(node, "annotation", None), node.value) for name, node in values.items()]
    said += [one for signature in signatures for one in _arguments_of(signature)]
    inner = written(tree)
    return Surface(
        arguments=frozenset(a.arg for s in signatures for a in (*s.args, *s.kwonlyargs)),
        required=frozenset(name for s in signatures for name in required(s)),
        globals=frozenset(values),
        # What is imported, or made by a call, takes what it takes.
        anything=len(signatures) < len(functions) or any(s.kwarg is not None for s in signatures),
        types=dict.fromkeys(inner, int)
        | {name: _BY_NAME[n.id] for name, n, _ in said if isinstance(n, ast.Name) and n.id in _BY_NAME},
        whole=frozenset(
            name for name, note, value in said if note is None and value is not None and _is_integer(value)
        ),
        written=frozenset(inner),
        listed=_DYN_LIST in defined,
    )


def forward_inputs(source: str) -> tuple[str, ...]:
    """Names of what ``Model.forward`` takes, in order; empty where it is not written out in ``source``."""
    tree = _parsed(source, "", Problems())
    model = definitions(tree.body).get("Model") if tree else None
    forward = definitions(model.body).get("forward") if isinstance(model, ast.ClassDef) else None
    if not isinstance(forward, ast.FunctionDef):
        return ()
    return tuple(argument.arg for argument in (*forward.args.posonlyargs, *forward.args.args))[1:]


def check_source_module(source: str, file: str, at: Mark, problems: Problems) -> None:
    """Check that a source kernel in Python defines ``ModelNew``."""
    tree = _parsed(source, file, problems)
    if tree is not None and "ModelNew" not in definitions(tree.body):
        problems.add(at, f"the source kernel {file!r} has no ModelNew", f"define the class ModelNew in {file}")


def check_cases(task: Node, surface: Surface, problems: Problems, *, has_cases: bool = False) -> None:
    """Every name in a case exists in the operator and has a value of its type; all that need a value have one.

    ``has_cases``: the operator's file comes with cases of its own.
    """
    cases = task.at("cases")
    for case in cases.items if cases else ():
        for name, value in case.entries.items():
            if not surface.takes(name):
                what = (
                    f"the operator takes no {quoted(name)}: no argument of get_inputs or get_init_inputs, and no global"
                )
                problems.add(value.place, what, suggestion(name, sorted(surface.names)))
            elif wrong := misfit(name, value.value, surface):
                problems.add(value.mark, wrong)
        for name in sorted(surface.required - set(case.entries)):
            problems.add(case.mark, f"this case gives no {name!r}, which the operator needs", f"add '{name}: …'")
    file = task.at("operator", "file")
    if file is not None and surface.required and not has_cases and not (cases and cases.items):
        names = ", ".join(sorted(surface.required))
        problems.add(file.mark, f"the operator needs values for {names}", "give 'cases', or defaults in the operator")


_TYPES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_BY_NAME = {kind.__name__: kind for kind in _TYPES}


def misfit(name: str, value: object, surface: Surface) -> str:
    """Why a case's value is not what the operator says that it takes; empty where it may be.

    An annotation decides. Without one, a default that is a whole number excludes only values such as ``2.0``: a size is
    never written so, and ``2.5`` may be meant.
    """
    wanted = surface.types.get(name)
    if wanted is None and name in surface.whole and isinstance(value, float) and value.is_integer():
        wanted = int
    if wanted is None or type(value) not in _TYPES or type(value) is wanted or (wanted is float and type(value) is int):
        return ""
    shown = quoted(value) if isinstance(value, str) else value
    return f"the operator wants {_TYPES[wanted]} for {name!r}, not {_TYPES[type(value)]}: {shown}"


_Argument = tuple[str, ast.expr | None, ast.expr | None]
"""A name, its annotation and its default."""


def _arguments_of(signature: ast.arguments) -> Iterator[_Argument]:
    positional = [*signature.posonlyargs, *signature.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(signature.defaults))
    defaults += signature.defaults
    pairs = (*zip(positional, defaults, strict=True), *zip(signature.kwonlyargs, signature.kw_defaults, strict=True))
    yield from ((argument.arg, argument.annotation, default) for argument, default in pairs)


def _parsed(source: str, file: str, problems: Problems) -> ast.Module | None:
    """The syntax tree; None, with a problem at its own place in ``file``, where the syntax is wrong."""
    try:
        return parse_python(source)
    except PythonError as error:
        problems.add(Mark(file, error.line, error.column), f"not valid Python: {error}")
        return None


def _moved(name: str, defined: Mapping[str, ast.stmt]) -> str:
    close = suggest(name, [d for d in defined if d.lower().replace("_", "") == name.lower().replace("_", "")])
    return close if close.startswith("did") else ""


class CallError(ValueError):
    """A host call that is not in the small language of tasks; the text says what is."""


_ARGUMENTS = "a name, NAME.shape[i] or an integer"


def parse_call(text: str) -> tuple[str, tuple[str, ...]]:
    """``function(argument, …)`` as the function's name and its arguments; raises `CallError`.

    An argument is a dotted name (an input, a parameter or ``out``), ``NAME.shape[i]`` or an integer.
    """
    node = _expression(text)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        raise CallError(f"write function(argument, …), each argument {_ARGUMENTS}")
    return node.func.id, tuple(_argument(argument) for argument in node.args)


def parse_dimension(text: str) -> str:
    """One dimension of an output's shape in the terms of `parse_call`; raises `CallError`."""
    node = _expression(text)
    if node is None:
        raise CallError(f"{quoted(text)} is not {_ARGUMENTS}")
    return _argument(node)


_LONGEST = 500
"""Characters of a call; a longer text is not a call, and may nest too deep to be shown."""


def _expression(text: str) -> ast.expr | None:
    try:
        return parse_expression(text.strip()) if len(text) <= _LONGEST else None
    except PythonError:
        return None


def _argument(node: ast.expr) -> str:
    subject = node
    if isinstance(node, ast.Subscript):
        subject = node.value
        if not _is_integer(node.slice) or not isinstance(subject, ast.Attribute) or subject.attr != "shape":
            raise CallError(f"{ast.unparse(node)!r} is not {_ARGUMENTS}")
        subject = subject.value
    elif _is_integer(node):
        return ast.unparse(node)
    while isinstance(subject, ast.Attribute):
        subject = subject.value
    if not isinstance(subject, ast.Name):
        raise CallError(f"{ast.unparse(node)!r} is not {_ARGUMENTS}")
    return ast.unparse(node)


def _is_integer(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) is int
