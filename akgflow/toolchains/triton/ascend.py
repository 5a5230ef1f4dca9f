"""Triton kernels lowered for Ascend by triton-ascend, which is installed in a separate environment.

It installs itself under the name ``triton``, so it must never be installed beside the real one. Kernels leave the
candidate's process as text, with what they refer to, and a process of that environment lowers them.
"""

from __future__ import annotations

import ast
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from akgflow.config.types import Target
from akgflow.toolchains.base import CompileFailure, Unsupported
from akgflow.toolchains.common.patching import patched
from akgflow.toolchains.common.workdir import artifacts_dir, digest

HOME = Path(sys.prefix) / "triton-ascend"
"""Below this environment, so that candidates' processes see it too."""
VERSION = "3.2.0"
_SECONDS = 120
_HELPER = Path(__file__).with_name("ascend_helper.py")
_TYPES = {
    "float16": "fp16",
    "bfloat16": "bf16",
    "float32": "fp32",
    "float64": "fp64",
    "bool": "i1",
    "uint8": "u8",
    **{f"int{bits}": f"i{bits}" for bits in (8, 16, 32, 64)},
}


def missing() -> str | None:
    """Why nothing can be lowered here, and how to make the environment; None when it is there."""
    if any(HOME.glob("lib/*/site-packages/triton/backends/ascend")):
        return None
    return (
        f"there is no environment with triton-ascend in {HOME}: python3.11 -m venv {HOME} && {HOME}/bin/pip install "
        f"triton-ascend=={VERSION} pybind11 (never beside triton: it would replace it; docs/ascend.md)"
    )


@contextlib.contextmanager
def lowering(session: Any, target: Target, scratch: Path) -> Iterator[None]:
    """Lower each specialisation that is launched, once, and keep it under ``scratch``; nothing is launched.

    Raises `CompileFailure` with triton-ascend's words from the launch that it refuses.
    """
    from triton.runtime.jit import JITFunction

    root, seen = artifacts_dir(scratch), set[str]()

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> None:  # noqa: ARG001
        spec = _specialisation(self, args, kwargs)
        spec |= {"arch": target.arch, "module": _module(self)}
        key = digest(json.dumps(spec))
        if key not in seen:
            folder = root / f"{len(seen):03d}-{self.__name__[:80]}"
            seen.add(key)
            folder.mkdir()
            _lower(folder, spec)
        session.launched[self.__name__] = None

    with patched((JITFunction, "run", run)):
        yield


def _lower(folder: Path, spec: dict[str, Any]) -> None:
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    (folder / "kernel_module.py").write_text(spec["module"], encoding="utf-8")
    command = [str(HOME / "bin" / "python"), "-I", str(_HELPER), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except OSError as error:
        raise Unsupported(f"triton-ascend's Python cannot be started where candidates run: {error}") from None
    except subprocess.TimeoutExpired:
        raise CompileFailure(f"kernel {spec['kernel']}: triton-ascend took more than {_SECONDS} s") from None
    if done.returncode != 0:
        raise CompileFailure(f"kernel {spec['kernel']}: {done.stderr.strip()[-3000:]}")


def _specialisation(kernel: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Name, types of the arguments, and values of those that are constants."""
    named = {name: value for name, value in kwargs.items() if name in kernel.arg_names}
    bound = kernel.signature.bind(*args, **named)
    bound.apply_defaults()
    constant = {p.name for p in kernel.params if p.is_constexpr}
    signature: dict[str, str] = {}
    constants: dict[str, str] = {}
    for name, value in bound.arguments.items():
        if name in constant or value is None:
            constants[name] = _written(value)
        else:
            signature[name] = _type(name, value)
    return {"kernel": kernel.__name__, "signature": signature, "constants": constants}


def _type(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "i1"
    if isinstance(value, int):
        return "i32" if -(2**31) <= value < 2**31 else "i64"
    if isinstance(value, float):
        return "fp32"
    dtype = _TYPES.get(str(getattr(value, "dtype", "")).removeprefix("torch."))
    if dtype is None:
        raise Unsupported(f"argument {name} is a {type(value).__name__}, which akgflow cannot name to triton-ascend")
    return f"*{dtype}"


def _written(value: Any) -> str:
    """A constant as an expression that the other environment evaluates."""
    import triton.language as tl

    value = value.value if isinstance(value, tl.constexpr) else value
    if isinstance(value, tl.dtype):
        return f"tl.dtype({value.name!r})"
    if value is None or isinstance(value, bool | int | float | str):
        return f"float({str(value)!r})" if isinstance(value, float) else repr(value)
    raise Unsupported(f"a constant is a {type(value).__name__}, which akgflow cannot name to triton-ascend")


def _module(kernel: Any) -> str:
    """A module of the kernel, the kernels that it calls, and the constants that they read."""
    lines: dict[str, None] = {"import triton": None, "import triton.language as tl": None}
    bodies: dict[str, str] = {}
    _collect(kernel, lines, bodies)
    return "\n".join(lines) + "\n\n\n" + "\n\n\n".join(reversed(bodies.values())) + "\n"


def _collect(kernel: Any, lines: dict[str, None], bodies: dict[str, str]) -> None:
    from triton.runtime.jit import JITFunction

    source = kernel.src[kernel.src.index("def ") :]
    bodies[kernel.__name__] = f"@triton.jit\n{source.strip()}"
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    for name in sorted(names & set(kernel.fn.__globals__)):
        value = kernel.fn.__globals__[name]
        if isinstance(value, JITFunction):
            if value.__name__ not in bodies:
                _collect(value, lines, bodies)
            if name != value.__name__:
                raise Unsupported(f"kernel {value.__name__} is called as {name}: call it by its own name")
        elif isinstance(value, ModuleType):
            if value.__name__.split(".")[0] == "triton":
                lines[f"import {value.__name__} as {name}"] = None
        else:
            with contextlib.suppress(Unsupported):
                lines[f"{name} = tl.constexpr({_written(value)})"] = None
