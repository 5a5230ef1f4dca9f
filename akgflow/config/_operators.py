"""What can be said about the Python files that a task names without running them."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from akgflow.config._problems import Problems, suggest
from akgflow.config._yaml import Node
from akgflow.errors import Mark

_DTYPE = "dtype"


@dataclass(frozen=True)
class Surface:
    """What a case may set: arguments of ``get_inputs`` and ``get_init_inputs``, and the module's global values.

    ``required`` are arguments without a default; ``anything`` is true where ``**names`` takes any argument.
    """

    arguments: frozenset[str]
    required: frozenset[str]
    globals: frozenset[str]
    anything: bool

    @property
    def names(self) -> list[str]:
        """Every name that a case may set."""
        return sorted({*self.arguments, *self.globals, _DTYPE})


def read_operator(source: str, file: str, at: Mark, problems: Problems) -> Surface | None:
    """Check that ``source`` is an operator in KernelBench form; None where that cannot be said."""
    tree = parse_python(source, file, problems)
    if tree is None:
        return None
    defined = dict(_definitions(tree.body))
    for name, what in (("Model", "class"), ("get_inputs", "function"), ("get_init_inputs", "function")):
        if name not in defined:
            hint = f"define the {what} {name} in {file}"
            problems.add(at, f"the operator {file!r} has no {name}", _moved(name, defined) or hint)
    functions = [defined.get(name) for name in ("get_inputs", "get_init_inputs")]
    signatures = [node.args for node in functions if isinstance(node, ast.FunctionDef)]
    values = (name for name, node in defined.items() if isinstance(node, ast.Assign | ast.AnnAssign))
    return Surface(
        arguments=frozenset(a.arg for s in signatures for a in (*s.args, *s.kwonlyargs)),
        required=frozenset(name for s in signatures for name in _required(s)),
        globals=frozenset(values),
        anything=any(s.kwarg is not None for s in signatures),
    )


def forward_inputs(source: str) -> tuple[str, ...]:
    """Names of what ``Model.forward`` takes, in order; empty where it is not written out in ``source``."""
    tree = parse_python(source, "", Problems())
    model = dict(_definitions(tree.body)).get("Model") if tree else None
    forward = dict(_definitions(model.body)).get("forward") if isinstance(model, ast.ClassDef) else None
    if not isinstance(forward, ast.FunctionDef):
        return ()
    return tuple(argument.arg for argument in (*forward.args.posonlyargs, *forward.args.args))[1:]


def check_source_module(source: str, file: str, at: Mark, problems: Problems) -> None:
    """Check that a source kernel in Python defines ``ModelNew``."""
    tree = parse_python(source, file, problems)
    if tree is not None and "ModelNew" not in dict(_definitions(tree.body)):
        problems.add(at, f"the source kernel {file!r} has no ModelNew", f"define the class ModelNew in {file}")


def check_cases(task: Node, surface: Surface, problems: Problems) -> None:
    """Every name in a case exists in the operator, and every argument without a default has a value."""
    cases = task.at("cases")
    for case in cases.items if cases else ():
        for name, value in case.entries.items():
            if not surface.anything and name not in surface.names:
                what = f"the operator takes no {name!r}: no argument of get_inputs or get_init_inputs, and no global"
                problems.add(value.place, what, suggest(name, surface.names))
        for name in sorted(surface.required - set(case.entries)):
            problems.add(case.mark, f"this case gives no {name!r}, which the operator needs", f"add '{name}: …'")
    file = task.at("operator", "file")
    if file is not None and surface.required and not (cases and cases.items):
        names = ", ".join(sorted(surface.required))
        problems.add(file.mark, f"the operator needs values for {names}", "give 'cases', or defaults in the operator")


def parse_python(source: str, file: str, problems: Problems) -> ast.Module | None:
    """The syntax tree; None, with a problem at its own place in ``file``, where the syntax is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray backslash in someone's docstring is not our matter
            return ast.parse(source, filename=file)
    except SyntaxError as error:
        mark = Mark(file, error.lineno or 1, max(error.offset or 1, 1))
        problems.add(mark, f"not valid Python: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        problems.add(Mark(file, 1, 1), f"not valid Python: {error or 'nested too deeply'}")
    return None


def _definitions(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Names bound at the top level, also below ``if``, ``try`` and ``with``."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (found for target in targets for found in ast.walk(target) if isinstance(found, ast.Name))
            yield from ((found.id, node) for found in names if isinstance(found.ctx, ast.Store))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name.partition(".")[0], node) for alias in node.names)
        else:
            for block in ("body", "orelse", "finalbody"):
                yield from _definitions(getattr(node, block, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _definitions(handler.body)


def _required(signature: ast.arguments) -> list[str]:
    positional = [*signature.posonlyargs, *signature.args]
    first_default = len(positional) - len(signature.defaults)
    named = (a for a, default in zip(signature.kwonlyargs, signature.kw_defaults, strict=True) if default is None)
    return [a.arg for a in (*positional[:first_default], *named)]


def _moved(name: str, defined: dict[str, ast.stmt]) -> str:
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
        raise CallError(f"{text!r} is not {_ARGUMENTS}")
    return _argument(node)


def _expression(text: str) -> ast.expr | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
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
