"""kernelbot (GPU MODE): a folder with ``task.yml`` and ``reference.py``; submissions define ``custom_kernel(data)``.

Specified in gpu-mode/kernelbot: ``libkernelbot/task.py``. ``generate_input`` makes the only argument, ``ref_kernel``
the answer. Cases are the task's tests and benchmarks; their seeds are left out, since the judge draws its own.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from akgflow.formats.base import ADDED, Candidate, Read, Refused, Scalar, Translation
from akgflow.formats.python import is_candidate, literal, parameters, require_solution, requires, with_modules
from akgflow.formats.structure import entry, line_of, scalars

_TASKS = ("task.yml", "task.yaml")
_REFERENCE, _SUBMISSION = "reference.py", "@SUBMISSION@"
_SEED = "seed"

_ADAPTER = """\
import torch as _akgflow_torch


class _akgflow_on_cpu(_akgflow_torch.overrides.TorchFunctionMode):
    \"\"\"Inputs that are asked for on a GPU are made on the CPU where there is none; the judge places them.\"\"\"

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is _akgflow_torch.Tensor.cuda:
            return args[0]
        moved = [_akgflow_cpu(one) for one in args]
        return function(*moved, **{name: _akgflow_cpu(one) for name, one in (kwargs or {}).items()})


def _akgflow_cpu(value):
    is_device = isinstance(value, (str, _akgflow_torch.device)) and str(value).partition(":")[0] == "cuda"
    return "cpu" if is_device else value


def _akgflow_drawn(given):
    if _akgflow_torch.cuda.is_available():
        return generate_input(**given)
    kept = _akgflow_torch.Generator
    _akgflow_torch.Generator = lambda device=None: kept()
    try:
        with _akgflow_on_cpu():
            return generate_input(**given)
    finally:
        _akgflow_torch.Generator = kept


class Model(_akgflow_torch.nn.Module):
    def forward(self, data):
        return ref_kernel(data)


def get_init_inputs():
    return []


"""


def find(path: Path) -> Path | None:
    """A folder with a task file and a reference, or either of them."""
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and path.name not in (*_TASKS, _REFERENCE):
        return None
    has_task = any((folder / name).is_file() for name in _TASKS)
    return folder / _REFERENCE if has_task and (folder / _REFERENCE).is_file() else None


def translate(file: Path, read: Read) -> Translation:
    """The task of the folder, for its reference."""
    task = next(one for name in _TASKS if (one := file.with_name(name)).is_file())
    written = read(task)
    settings = _yaml(written, task)
    text = read(file)
    _require_one_device(settings, task, written)
    found = requires(text, "ref_kernel", file)
    requires(text, "generate_input", file)
    _require_comparison(found, file)
    cases = _cases(settings, task, written)
    takes = parameters(found["generate_input"])
    return Translation(
        format="kernelbot",
        name=file.parent.name,
        file=file,
        source=text + ADDED + _ADAPTER + _get_inputs(cases, _SEED in takes),
        beside=_modules(settings, task, read),
        cases=tuple(cases),
        description=_first_line(entry(settings, "description", str, task, "")),
        # Its text says which sizes there are ("multiples of 16"): a submission need not serve others.
        fixed=True,
    )


def _yaml(text: str, file: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        raise Refused(f"not valid YAML: {getattr(error, 'problem', None) or error}", file, *place) from None
    if not isinstance(found, dict):
        raise Refused("holds no task", file)
    return found


def _require_one_device(settings: Mapping[str, Any], task: Path, text: str) -> None:
    if entry(settings, "lang", str, task, "py") != "py":
        raise Refused(f"the task is in {settings['lang']!r}; its reference must be Python", task, _line(text, "lang"))
    if settings.get("multi_gpu"):
        raise Refused(
            "the task runs on several GPUs at once; a kernel is judged on one", task, _line(text, "multi_gpu")
        )


def _line(text: str, key: str) -> int:
    at = text.find(f"\n{key}:")
    return text.count("\n", 0, at + 1) + 1 if at >= 0 else line_of(text, key)


def _require_comparison(found: Mapping[str, ast.stmt], file: Path) -> None:
    """Refuse a task whose checker accepts every answer with some properties: the judge compares with one answer."""
    checker = found.get("check_implementation")
    if checker is None:
        return
    seen, todo = {"check_implementation"}, [checker]
    while todo:
        names = {node.id for node in ast.walk(todo.pop()) if isinstance(node, ast.Name)}
        if "ref_kernel" in names:
            return
        todo += [found[name] for name in names - seen if name in found]
        seen |= names
    reason = "check_implementation does not compare with ref_kernel: it takes any answer with the properties it tests"
    raise Refused(reason, file, checker.lineno, hint="the judge compares with the answer of the reference")


def _cases(settings: Mapping[str, Any], task: Path, text: str) -> list[dict[str, Scalar]]:
    found: list[dict[str, Scalar]] = []
    for name in ("tests", "benchmarks"):
        for one in entry(settings, name, list, task, []):
            given = scalars(one, name, task, _line(text, name))
            case = {key: value for key, value in given.items() if key != _SEED}
            if case not in found:
                found.append(case)
    if not found:
        raise Refused("has no tests and no benchmarks", task)
    return found


def _get_inputs(cases: list[dict[str, Scalar]], seeded: bool) -> str:
    """``get_inputs`` with the names of the cases; what some cases leave out is left to ``generate_input``."""
    names = dict.fromkeys(name for case in cases for name in case)
    defaults = {name: cases[0].get(name) for name in names}
    signature = ", ".join(f"{name}={literal(value)}" for name, value in defaults.items())
    given = ", ".join(f"{name!r}: {name}" for name in names)
    seed = f"    given[{_SEED!r}] = int(_akgflow_torch.randint(2**31 - 1, ()))\n" if seeded else ""
    return (
        f"def get_inputs({signature}):\n"
        f"    given = {{name: value for name, value in {{{given}}}.items() if value is not None}}\n"
        f"{seed}    return [_akgflow_drawn(given)]\n"
    )


def _modules(settings: Mapping[str, Any], task: Path, read: Read) -> dict[str, str]:
    """The Python modules that the task puts beside the reference, by the names that it gives them."""
    found: dict[str, str] = {}
    for one in entry(settings, "files", list, task, []):
        name, source = (one.get("name"), one.get("source")) if isinstance(one, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(source, str):
            raise Refused("'files' holds something else than {name: …, source: …}", task)
        if source != _SUBMISSION and name.endswith(".py") and name not in (_REFERENCE, _main(settings)):
            found[name] = read(task.parent / source)
    return found


def _main(settings: Mapping[str, Any]) -> str:
    """The program that evaluates a submission there; the judge does it here."""
    config = settings.get("config")
    return str(config.get("main", "eval.py")) if isinstance(config, dict) else "eval.py"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def candidate(text: str, file: Path, about: Translation) -> Candidate:
    """A submission, with the modules of the task that it imports."""
    if is_candidate(text, file):
        return Candidate(text)
    if file.suffix != ".py":
        raise Refused("a submission is Python", file)
    require_solution(text, "custom_kernel", file)
    model = (
        "import torch as _akgflow_torch\n\n\n"
        "class ModelNew(_akgflow_torch.nn.Module):\n"
        "    def forward(self, data):\n"
        "        return custom_kernel(data)\n"
    )
    return Candidate(with_modules(text, about.beside, file) + ADDED + model)
