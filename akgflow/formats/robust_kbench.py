"""robust-kbench: a folder with ``func_forward.py`` and ``config_forward.json``.

The first defines ``Model``, ``forward_fn`` and ``get_inputs``. Specified in SakanaAI/robust-kbench:
``robust_kbench/config_task.py``. A case is an input config, an init config and a shared config together. A solution is
a CUDA file that binds ``forward``, or a Python file with ``forward_fn``; it is called with the arguments of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from akgflow.formats import native
from akgflow.formats.base import ADDED, Candidate, Read, Refused, Scalar, Translation
from akgflow.formats.python import is_candidate, literal, require_solution, requires
from akgflow.formats.structure import entry, json_object, line_of, scalars

_FORWARD, _BACKWARD, _CONFIG = "func_forward.py", "func_backward.py", "config_forward.json"
_PARTS = ("input", "init", "shared")


def find(path: Path) -> Path | None:
    """A folder with the two files, or the Python file in it."""
    if path.name == _BACKWARD and (path.parent / "config_backward.json").is_file():
        return path
    folder = path if path.is_dir() else path.parent
    named = path.is_dir() or path.name in (_FORWARD, _CONFIG)
    return folder / _FORWARD if named and (folder / _CONFIG).is_file() and (folder / _FORWARD).is_file() else None


def translate(file: Path, read: Read) -> Translation:
    """The folder's forward problem with all of its configs as cases."""
    if file.name == _BACKWARD:
        raise Refused("gradients are not judged", file, hint=f"give {_FORWARD}")
    text = read(file)
    found = requires(text, "Model", file)
    for name in ("forward_fn", "get_inputs"):
        requires(text, name, file)
    config = file.with_name(_CONFIG)
    settings = json_object(read(config), config)
    cases = tuple(_cases(settings, config, read(config)))
    return Translation(
        format="robust-kbench",
        name=file.parent.name,
        file=file,
        source=text if "get_init_inputs" in found else text + ADDED + _init_inputs(settings),
        cases=cases,
        spec={"reference": text},
    )


def _cases(settings: Mapping[str, Any], config: Path, text: str) -> list[dict[str, Scalar]]:
    """One case for each combination of an input, an init and a shared config, first those of ``single``."""
    found: list[dict[str, Scalar]] = []
    for kind in ("single", "multi"):
        lists = [_configs(settings, f"{kind}_{part}_configs", config, text) for part in _PARTS]
        for given, init, shared in product(*lists):
            both = {n for n in given.keys() & init.keys() if given[n] != init[n] and n not in shared}
            if both:
                name = min(both)
                reason = f"{name!r} has one value for inputs and another for the constructor; a case has one"
                raise Refused(reason, config, line_of(text, name))
            case = {**init, **given, **shared}
            if case not in found and (kind == "single" or case):
                found.append(case)
    return [case for case in found if case]


def _configs(settings: Mapping[str, Any], name: str, config: Path, text: str) -> list[dict[str, Scalar]]:
    return [scalars(one, name, config, line_of(text, name)) for one in entry(settings, name, list, config, [{}])]


def _init_inputs(settings: Mapping[str, Any]) -> str:
    """``get_init_inputs`` with the names of the configs; those that the constructor takes are handed on."""
    given: dict[str, Any] = {}
    for kind in ("single", "multi"):
        for part in ("init", "shared"):
            for one in settings.get(f"{kind}_{part}_configs", ()):
                # A case leaves out what is null in its config.
                given = {**one, **given, **{name: None for name, value in one.items() if value is None}}
    signature = ", ".join(f"{name}={literal(value)}" for name, value in given.items())
    return (
        f"def get_init_inputs({signature}):\n"
        f"    import inspect\n\n"
        f"    given = {{{', '.join(f'{name!r}: {name}' for name in given)}}}\n"
        f"    taken = inspect.signature(Model.__init__).parameters\n"
        f"    return {{name: value for name, value in given.items() if name in taken}}\n"
    )


def candidate(text: str, file: Path, about: Translation) -> Candidate:
    """A CUDA file with ``forward``, or a Python file with ``forward_fn``, called by the problem's own ``Model``."""
    if is_candidate(text, file):
        return Candidate(text)
    model = (
        f"{ADDED}_akgflow_reference = {{'__name__': 'reference'}}\n"
        f"exec(compile({about.spec['reference']!r}, 'reference.py', 'exec'), _akgflow_reference)\n\n\n"
        f"class ModelNew(_akgflow_reference['Model']):\n"
        f"    def forward(self, *args):\n"
        f"        return super().forward(*args, fn=_akgflow_function)\n"
    )
    if file.suffix == ".py":
        require_solution(text, "forward_fn", file)
        return Candidate(f"{text}{ADDED}_akgflow_function = forward_fn\n{model}")
    built = native.library({file.name: text}, "forward", "torch", {}, file)
    return Candidate(f"{built}_akgflow_function = _akgflow_library.forward\n{model}", dsls=("cuda_c",))
