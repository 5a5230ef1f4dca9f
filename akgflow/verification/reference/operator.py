"""The operator in KernelBench form: loading it, and making one case of it concrete."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import random
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

import torch

from akgflow.base.text import lines
from akgflow.config.types import Scalar
from akgflow.operators.arguments import Keywords, in_mode
from akgflow.operators.backward import Backward
from akgflow.operators.importer import Importer
from akgflow.operators.preparation import Preparation
from akgflow.operators.shapes.dimensions import base_of, pinned, written_in
from akgflow.operators.text import parts_of
from akgflow.verification.shared.gradients import Wanted
from akgflow.verification.shared.memory import dtype_of

RESERVED = ("dtype", "tolerance")
MODULE_NAME = "akgflow_operator_"
"""What the names of operators' modules begin with."""
DYN = "dyn"
"""The key of a case that counts the members of ``get_inputs_dyn_list``."""
_PLAIN = (torch.Tensor, bool, int, float, str, type(None), torch.dtype, torch.device)


class OperatorError(Exception):
    """The operator itself cannot be judged with; one sentence for the task's author, not for the candidate."""


class TooLarge(OperatorError):
    """The operator is sound, and a case of it takes more than there is."""


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
    seed: int = 0
    """What the arguments of `Model` were drawn from."""
    mode: str | None = None
    """``eval`` or ``train``; None for the mode in which `Model` constructs itself."""
    backward: Backward | None = None
    """What is asked of gradients; None where they are not judged."""
    prepare: Preparation | None = None
    """What is asked of candidates that prepare their weights; None where ``prepare()`` is not called."""
    wanted: Wanted | None = None
    """The gradients that are asked for; None where there are none, or as long as nobody looked."""
    upstream: tuple[torch.Tensor, ...] = ()
    """What upstream gradients are drawn for, without values."""
    overwrites: tuple[int, ...] = ()
    """The tensors that a call may overwrite, by number; upstream gradients come behind the arguments."""

    def model(self) -> Any:
        """A new `Model`, with its own default parameters."""
        model = self.module.Model(*self.init_args, **self.init_kwargs)
        if not isinstance(model, torch.nn.Module):
            raise OperatorError(f"Model of {self.module.__file__} gives a {type(model).__name__}, no torch.nn.Module")
        return in_mode(model, self.mode)


def load(text: str, file: str) -> types.ModuleType:
    """Execute an operator's whole text as if it were read from ``file``, with the modules that it carries."""
    folder = str(Path(file).absolute().parent)
    if folder not in sys.path:
        # For what is imported by a name that is made at run time.
        sys.path.append(folder)
    name = f"{MODULE_NAME}{abs(hash((text, file))):x}"
    module = types.ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    # Triton and tracebacks read what is run, which may be more than the file holds, or made from it.
    linecache.cache[file] = (len(text), None, lines(text, keep_ends=True), file)
    if beside := parts_of(text).beside:
        Importer(name, folder, beside).install(module)
    try:
        exec(compile(text, file, "exec"), vars(module))
    except Exception as error:
        hint = ""
        if isinstance(error, ModuleNotFoundError) and error.name:
            hint = f"; install it where the judge runs, or put {error.name}.py beside the operator"
        raise OperatorError(f"operator {file} cannot be imported: {type(error).__name__}: {error}{hint}") from error
    for needed in ("Model", "get_inputs", "get_init_inputs"):
        optional = needed == "get_inputs" and hasattr(module, "get_inputs_dyn_list")
        if not callable(getattr(module, needed, None)) and not optional:
            raise OperatorError(f"operator {file} defines no {needed}; KernelBench form needs it")
    return module


def cases_of(text: str, file: str, cases: tuple[Mapping[str, Scalar], ...]) -> tuple[Mapping[str, Scalar], ...]:
    """The cases to judge: the task's, else the operator's own.

    Each member of ``get_inputs_dyn_list`` is a case, of the task's cases too where the operator has no ``get_inputs``.
    """
    module = load(text, file)
    if not hasattr(module, "get_inputs_dyn_list") or (cases and hasattr(module, "get_inputs")):
        return cases or ({},)
    return tuple(one for keys in cases or ({},) for one in _members(module, keys, file))


def _members(module: types.ModuleType, keys: Mapping[str, Scalar], file: str) -> Iterator[Mapping[str, Scalar]]:
    """A case for each member of ``get_inputs_dyn_list`` under some keys."""
    if DYN in keys:
        yield keys
        return
    with seeded(0):
        made = _run(module.get_inputs_dyn_list, _accepted(module.get_inputs_dyn_list, keys), file)
    if not isinstance(made, (list, tuple)) or not made:
        raise OperatorError(f"get_inputs_dyn_list of {file} must give a list with the inputs of each case")
    yield from ({**keys, DYN: index} for index in range(len(made)))


def make_case(text: str, file: str, keys: Mapping[str, Scalar], dtype: str | None, seed: int) -> Case:
    """A case in its own module, which no other case's globals affect. ``seed`` draws the init inputs."""
    module = load(text, file)
    wanted = {name: value for name, value in keys.items() if name not in RESERVED}
    index = wanted.pop(DYN, None) if hasattr(module, "get_inputs_dyn_list") else None
    if index is None and not hasattr(module, "get_inputs"):
        index = 0
    maker = "get_inputs" if index is None else "get_inputs_dyn_list"
    for_inputs, for_init = _accepted(getattr(module, maker), wanted), _accepted(module.get_init_inputs, wanted)
    rest = {n: v for n, v in wanted.items() if n not in for_inputs and n not in for_init}
    unknown = sorted(name for name in rest if not _has(module, name))
    if unknown:
        unknown = [name for name in unknown if name not in written_in(text)]
    if unknown:
        raise OperatorError(
            f"case key {unknown[0]!r} is neither a keyword of get_inputs or get_init_inputs nor a global of {file}"
        )
    # The top level runs again: what it computes from a global follows it.
    module = load(pinned(text, rest), file) if rest else module
    source = getattr(module, maker)

    def make_inputs() -> tuple[Any, ...]:
        made = _run(source, for_inputs, file)
        if index is not None and not 0 <= int(index) < len(made):
            raise OperatorError(f"{source.__name__} of {file} gives {len(made)} cases, and none has the number {index}")
        made = made if index is None else made[int(index)]
        return arguments_of(made, module.Model, f"{source.__name__} of {file}")

    with seeded(seed):
        init = _run(module.get_init_inputs, for_init, file)
    args, kwargs = _init_parts(init, f"get_init_inputs of {file}")
    wide = str(keys.get("dtype", dtype or ""))
    try:
        chosen = dtype_of(wide) if wide else None
    except ValueError as error:
        raise OperatorError(f"dtype of case {dict(keys)}: {error}") from error
    how = parts_of(text)
    ways = how.mode, how.backward, how.prepare
    return Case(module, keys, rest, chosen, args, kwargs, make_inputs, _tolerance(keys), seed, *ways)


def _has(module: types.ModuleType, name: str) -> bool:
    """Whether a module has a global, or a global list or tuple with such an element."""
    base, place = base_of(name)
    value = getattr(module, base, None)
    return hasattr(module, base) and (place is None or (isinstance(value, (list, tuple)) and place < len(value)))


def arguments_of(made: Any, model: Any, where: str) -> tuple[Any, ...]:
    """What ``forward`` is called with: a list of arguments, ``[args, kwargs]``, a dict of keywords, or one tensor.

    A dict that does not fit the names of ``forward`` is its only argument, where it takes one.
    """
    if isinstance(made, torch.Tensor):
        found: tuple[Any, ...] = (made,)
    elif isinstance(made, dict):
        found = (Keywords(made),) if _fits(model, (), made) or not _fits(model, (made,), {}) else (made,)
    elif isinstance(made, (list, tuple)):
        found = _with_keywords(tuple(made), model)
    else:
        what = "a list of the arguments of forward, or a dict of its keywords"
        raise OperatorError(f"{where} must give {what}, not {type(made).__name__}")
    for place, one in enumerate(found):
        _check_argument(one, f"{where}: argument {place}")
    return found


def _with_keywords(made: tuple[Any, ...], model: Any) -> tuple[Any, ...]:
    """``[args, kwargs]`` as arguments and keywords, where ``forward`` takes them so and not as two arguments.

    Where it takes either, as any that has more parameters with defaults does, the names of the keywords decide.
    """
    if len(made) != 2 or not isinstance(made[0], (list, tuple)) or not isinstance(made[1], dict):
        return made
    args, keywords = made
    if not _fits(model, args, keywords):
        return made
    named = bool(keywords) and keywords.keys() <= inspect.signature(model.forward).parameters.keys()
    return (*args, Keywords(keywords)) if named or not _fits(model, made, {}) else made


def _fits(model: Any, args: tuple[Any, ...], keywords: Mapping[Any, Any]) -> bool:
    """True when ``forward`` takes these arguments, as far as its signature says."""
    try:
        inspect.signature(model.forward).bind(None, *args, **keywords)
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def _check_argument(value: Any, where: str) -> None:
    """Raise `OperatorError` where an argument holds what cannot be handed to a candidate as it is."""
    if isinstance(value, tuple) and type(value) not in (tuple, torch.Size):
        raise OperatorError(f"{where} is a named tuple ({type(value).__name__}): give a dict, or a plain tuple")
    if isinstance(value, dict):
        if keys := [key for key in value if not isinstance(key, str)]:
            raise OperatorError(f"{where} is a dict with the key {keys[0]!r}: give it keys that are text")
        for key, item in value.items():
            _check_argument(item, f"{where}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            _check_argument(item, f"{where}[{place}]")
    elif isinstance(value, torch.Tensor):
        if strange := _strange(value):
            raise OperatorError(f"{where} is {strange}")
    elif isinstance(value, torch.Generator):
        raise OperatorError(f"{where} is a generator: draw the random numbers in get_inputs, and give them as a tensor")
    elif not isinstance(value, _PLAIN):
        raise OperatorError(f"{where} is a {_foreign(value)}")


def _foreign(value: Any) -> str:
    """The name of a class that a candidate does not know, and what to give instead of its object."""
    kind = type(value)
    own = kind.__module__ == "builtins" or kind.__module__.startswith(MODULE_NAME)
    name = kind.__qualname__ if own else f"{kind.__module__}.{kind.__qualname__}"
    what = "tensors, numbers, text, None, and lists, tuples and dicts of them"
    if is_dataclass(value):
        what = "its fields, and make it from them in Model"
    return f"{name}, which cannot be handed to a candidate: give {what}"


def _strange(tensor: torch.Tensor) -> str:
    """Why a tensor cannot be handed to a candidate, and what to give instead; empty where it can."""
    if tensor.is_nested:
        return "a nested tensor: give its values and offsets, or a list of tensors"
    if tensor.is_quantized:
        return "a quantised tensor: give its integers (int_repr), scales and zero points"
    if tensor.layout != torch.strided:
        return f"a tensor of layout {tensor.layout}: give its indices and values as dense tensors"
    # An operator is traced on fake tensors, too; importing their class takes seconds.
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) and type(tensor).__name__ != "FakeTensor":
        return f"a {type(tensor).__name__}, which is more than a plain tensor: give the tensors that it consists of"
    return ""


def check_state(model: torch.nn.Module, where: str) -> None:
    """Raise `OperatorError` where a model's state is not all plain tensors: it is drawn, and loaded by name."""
    named = {**dict(model.named_parameters()), **dict(model.named_buffers()), **model.state_dict()}
    for name, value in named.items():
        if not isinstance(value, torch.Tensor):
            what = f"a {type(value).__name__}: keep weights as tensors in parameters or buffers"
        else:
            what = _strange(value)
        if what:
            raise OperatorError(f"{name} {where} is {what}")


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


def _init_parts(init: Any, where: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """KernelBench gives a list; some operators give ``[args, kwargs]`` or a dict of keywords."""
    if not isinstance(init, (dict, list, tuple, type(None))):
        raise OperatorError(f"{where} must give a list of the arguments of Model, not {type(init).__name__}")
    parts, keywords = ((), dict(init)) if isinstance(init, dict) else (tuple(init or ()), {})
    if len(parts) == 2 and isinstance(parts[0], (list, tuple)) and isinstance(parts[1], dict):
        parts, keywords = tuple(parts[0]), dict(parts[1])
    _check_argument([*parts, keywords], where)
    return parts, keywords


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


@contextmanager
def reseeded(seed: int) -> Iterator[None]:
    """Seeds that an operator sets by itself stand for others for the while, which depend on both.

    With ``torch.manual_seed(0)`` in `get_inputs` each draw would be the same, and an answer written down would pass.
    """

    def mixed(given: Any) -> int:
        return int.from_bytes(hashlib.sha256(f"{seed} {given}".encode()).digest()[:4], "little")

    class Generator(torch.Generator):  # type: ignore[misc]
        def manual_seed(self, given: int) -> torch.Generator:
            return super().manual_seed(mixed(given))

    owners = [(torch, "manual_seed"), (torch.random, "manual_seed"), (random, "seed")]
    if (numpy := sys.modules.get("numpy")) is not None:
        owners.append((numpy.random, "seed"))
    before = [(owner, name, getattr(owner, name)) for owner, name in owners]
    for owner, name, real in before:
        setattr(owner, name, _seeding(real, mixed))
    before.append((torch, "Generator", torch.Generator))
    torch.Generator = Generator
    try:
        yield
    finally:
        for owner, name, real in before:
            setattr(owner, name, real)


def _seeding(real: Callable[[int], Any], mixed: Callable[[Any], int]) -> Callable[..., Any]:
    def seed(given: Any = None, *_: Any, **__: Any) -> Any:
        return real(mixed(given))

    return seed
