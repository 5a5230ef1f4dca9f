"""The operator in KernelBench form: loading it, and making one case of it concrete."""

from __future__ import annotations

import inspect
import random
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from akgflow.config.types import Scalar
from akgflow.verification.shared.memory import dtype_of

RESERVED = ("dtype", "tolerance")


class OperatorError(Exception):
    """The operator itself cannot be judged with; one sentence for the task's author, not for the candidate."""


@dataclass(frozen=True)
class Case:
    """One case of an operator: a fresh module with the case's keys applied."""

    module: types.ModuleType
    keys: Mapping[str, Scalar]
    globals: Mapping[str, Scalar]
    """Those keys that the functions do not take as keywords."""
    dtype: torch.dtype | None
    """To which floating inputs and parameters are cast; None leaves them."""
    init_args: tuple[Any, ...]
    """Positional arguments of `Model`."""
    init_kwargs: Mapping[str, Any]
    """Keyword arguments of `Model`."""
    make_inputs: Callable[[], tuple[Any, ...]]
    """Draws one set of inputs from the generators' current state."""
    tolerance: float | None = None
    """The case's own factor on the bounds."""

    def model(self) -> Any:
        """A new `Model`, with its own default parameters."""
        return self.module.Model(*self.init_args, **self.init_kwargs)


def load(text: str, file: str) -> types.ModuleType:
    """Execute an operator's text as if it were read from ``file``; files beside it can be imported."""
    folder = str(Path(file).absolute().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    name = f"akgflow_operator_{abs(hash((text, file))):x}"
    module = types.ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    try:
        exec(compile(text, file, "exec"), vars(module))
    except Exception as error:
        raise OperatorError(f"operator {file} cannot be imported: {type(error).__name__}: {error}") from error
    for needed in ("Model", "get_inputs", "get_init_inputs"):
        optional = needed == "get_inputs" and hasattr(module, "get_inputs_dyn_list")
        if not callable(getattr(module, needed, None)) and not optional:
            raise OperatorError(f"operator {file} defines no {needed}; KernelBench form needs it")
    return module


def cases_of(text: str, file: str, cases: tuple[Mapping[str, Scalar], ...]) -> tuple[Mapping[str, Scalar], ...]:
    """The cases to judge: the task's, else one for each member of ``get_inputs_dyn_list``, else the operator's own."""
    if cases:
        return cases
    module = load(text, file)
    if not hasattr(module, "get_inputs_dyn_list"):
        return ({},)
    with seeded(0):
        count = len(_run(module.get_inputs_dyn_list, {}, file))
    return tuple({"dyn": index} for index in range(count))


def make_case(text: str, file: str, keys: Mapping[str, Scalar], dtype: str | None, seed: int) -> Case:
    """A case in its own module, which no other case's globals affect. ``seed`` draws the init inputs."""
    module = load(text, file)
    wanted = {name: value for name, value in keys.items() if name not in RESERVED}
    index = wanted.pop("dyn", None) if hasattr(module, "get_inputs_dyn_list") else None
    source = module.get_inputs if index is None else module.get_inputs_dyn_list
    for_inputs, for_init = _accepted(source, wanted), _accepted(module.get_init_inputs, wanted)
    rest = {n: v for n, v in wanted.items() if n not in for_inputs and n not in for_init}
    unknown = sorted(name for name in rest if not hasattr(module, name))
    if unknown:
        raise OperatorError(
            f"case key {unknown[0]!r} is neither a keyword of get_inputs or get_init_inputs nor a global of {file}"
        )
    for name, value in rest.items():
        setattr(module, name, value)

    def make_inputs() -> tuple[Any, ...]:
        made = _run(source, for_inputs, file)
        made = made if index is None else made[int(index)]
        if not isinstance(made, (list, tuple)):
            raise OperatorError(f"{source.__name__} of {file} must give a list of inputs, not {type(made).__name__}")
        return tuple(made)

    with seeded(seed):
        init = _run(module.get_init_inputs, for_init, file)
    args, kwargs = _init_parts(init)
    wide = str(keys.get("dtype", dtype or ""))
    try:
        chosen = dtype_of(wide) if wide else None
    except ValueError as error:
        raise OperatorError(f"dtype of case {dict(keys)}: {error}") from error
    return Case(module, keys, rest, chosen, args, kwargs, make_inputs, _tolerance(keys))


def _tolerance(keys: Mapping[str, Scalar]) -> float | None:
    value = keys.get("tolerance")
    if value is None:
        return None
    if isinstance(value, (bool, str)) or not value > 0:
        raise OperatorError(f"tolerance of case {dict(keys)} must be a number above zero")
    return float(value)


def _accepted(function: Callable[..., Any], keys: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Those keys that a function takes as keywords."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(keys)
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return {name: value for name, value in keys.items() if name in names}


def _init_parts(init: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """KernelBench gives a list; some operators give ``[args, kwargs]`` or a dict of keywords."""
    if isinstance(init, dict):
        return (), dict(init)
    parts = tuple(init or ())
    if len(parts) == 2 and isinstance(parts[0], (list, tuple)) and isinstance(parts[1], dict):
        return tuple(parts[0]), dict(parts[1])
    return parts, {}


def _run(function: Callable[..., Any], keywords: Mapping[str, Any], file: str) -> Any:
    try:
        return function(**keywords)
    except Exception as error:
        raise OperatorError(f"{function.__name__} of {file} failed: {type(error).__name__}: {error}") from error


def generator_states() -> list[Any]:
    """The states of all generators that an operator may draw from; two lists differ where it drew in between."""
    found = [random.getstate(), torch.get_rng_state().numpy().tobytes()]
    if "numpy" in sys.modules:
        _, words, *rest = sys.modules["numpy"].random.get_state()
        found += [words.tobytes(), *rest]
    if torch.cuda.is_initialized():
        found.append(torch.cuda.get_rng_state().numpy().tobytes())
    return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """All generators that an operator may draw from, seeded for the while and restored after it."""
    python_state, torch_state = random.getstate(), torch.get_rng_state()
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy is not None else None
    random.seed(seed)
    torch.manual_seed(seed)
    if numpy is not None:
        numpy.random.seed(seed % (1 << 32))
    try:
        yield
    finally:
        random.setstate(python_state)
        torch.set_rng_state(torch_state)
        if numpy is not None:
            numpy.random.set_state(numpy_state)
