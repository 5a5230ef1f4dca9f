"""One module with ``ModelNew`` from the programs of all cases: it chooses by shapes."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from akgflow.features import FeatureRequest
from akgflow.operators.python_text import definitions, parse_python
from akgflow.operators.text import parts_of, whole
from akgflow.torch_compile.capture import Obstacle, Program, capture
from akgflow.torch_compile.translate import Kernels, lines_of
from akgflow.verification.reference.operator import cases_of, make_case
from akgflow.verification.selftest import self_contained

_HERE = Path(__file__).parent
MOST_CONSTANTS = 4096
"""Elements of a constant that is written into the module."""
_ENTRIES = ("get_inputs", "get_init_inputs", "get_inputs_dyn_list")
_TUNABLES: dict[str, tuple[list[int], int]] = {
    "THREADS": ([0, 1, 2, 4, 8], 0),
    "GEMM_ROWS": ([4, 6, 8, 12], 6),
    "GEMM_COLUMNS": ([16, 32], 16),
    "GEMM_DEPTH": ([128, 256, 512], 256),
}
_VIEW = """
def _view(tensor, size, stride, offset):
    return torch.as_strided(tensor, size, stride, tensor.storage_offset() + offset)
"""
_SPREAD = """
def _spread(added, out):
    return added.expand(out.shape)
"""
_SCAN = """
def _scan(x, dim, product):
    x, out = x.contiguous(), torch.empty_like(x)
    made = out if out.is_contiguous() else torch.empty(x.shape, dtype=x.dtype)
    dim = dim % x.ndim
    outer, inner = x.shape[:dim].numel(), x.shape[dim + 1:].numel()
    library.scan(x, made, outer, x.shape[dim], inner, product)
    return made
"""


def module_of(request: FeatureRequest) -> str:
    """The candidate's text; raises `Obstacle`, or `OperatorError` where the operator itself fails."""
    text, file = request.operator, request.operator_file
    if not self_contained(text, Path(file)):
        raise Obstacle("the operator needs the files beside it, and a candidate stands alone")
    kernels = Kernels()
    functions: dict[str, str] = {}
    for keys in cases_of(text, file, request.cases):
        program = capture(make_case(text, file, keys, request.dtype, 0))
        key = _key(program)
        if key not in functions:
            functions[key] = _function(f"_case_{len(functions)}", program, kernels)
    return _assembled(request, kernels, functions)


def _key(program: Program) -> str:
    """What ``forward`` looks at to choose: shapes of tensors, the values of everything else."""
    return repr(tuple(tuple(one.shape) if isinstance(one, torch.Tensor) else one for one in program.inputs))


def _function(name: str, program: Program, kernels: Kernels) -> str:
    """A case's function of the model's state and its inputs."""
    names, statements = lines_of(program.code, kernels)
    lines = [f"def {name}(state, inputs):"]
    for local, origin in zip(names, program.arguments, strict=True):
        kind, _, which = origin.partition(" ")
        if kind == "constant":
            value = _constant(program.constants[int(which)])
        else:
            value = f"state[{which!r}]" if kind == "state" else f"inputs[{which}]"
        lines.append(f"    {local} = {value}")
    *body, result = statements
    lines += [f"    {line}" for statement in body for line in statement.splitlines()]
    lines.append(f"    return {_result(result, names, program.tree)}")
    return "\n".join(lines)


def _constant(tensor: torch.Tensor) -> str:
    if tensor.numel() > MOST_CONSTANTS:
        raise Obstacle(f"the operator holds a constant of {tensor.numel():,} elements that is no buffer")
    return f"torch.tensor({tensor.tolist()!r}, dtype={tensor.dtype})"


def _result(statement: str, names: Sequence[str], tree: Any) -> str:
    """The returned expression, with the structure that ``forward`` gives it."""
    node = ast.parse(statement).body[0]
    assert isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple), "Inductor returns a tuple"
    outputs = [ast.unparse(one) for one in node.value.elts]
    for output in outputs:
        if output.partition(",")[0].removeprefix("_view(") in names:
            raise Obstacle("forward returns one of its inputs, and a candidate returns new tensors")

    def shaped(part: Any) -> str:
        if isinstance(part, int):
            return outputs[part]
        if isinstance(part, dict):
            return "{" + ", ".join(f"{key!r}: {shaped(value)}" for key, value in part.items()) + "}"
        inner = ", ".join(shaped(one) for one in part)
        return f"[{inner}]" if isinstance(part, list) else f"({inner},)"

    return shaped(tree)


def _assembled(request: FeatureRequest, kernels: Kernels, functions: dict[str, str]) -> str:
    products = any(name.startswith("matrix") for name in kernels.uses)
    parts = ["prelude", *(["contraction"] if products else []), *(["scan"] if "scan" in kernels.uses else [])]
    source = "\n".join((_HERE / f"{part}.h").read_text(encoding="utf-8") for part in parts) + "\n" + kernels.source()
    exported = [*kernels.wrappers, *(["matrix_product", "matrix_product_added"] if products else [])]
    exported += ["scan"] if "scan" in kernels.uses else []
    tunables = {name: given for name, given in _TUNABLES.items() if products or not name.startswith("GEMM")}
    helpers = [_VIEW, *([_SPREAD] if "matrix_product_added" in kernels.uses else [])]
    helpers += [_SCAN] if "scan" in kernels.uses else []
    own = parts_of(request.operator)
    used, signature, names = _forward(own.source)
    chosen = "\n".join(f"    {key}: _case_{number}," for number, key in enumerate(functions))
    module = "\n".join(
        (
            '"""Generated by torch.compile for the shapes of a task; contractions and scans are loops of akgflow."""',
            "from tvm_ffi.cpp import load_inline",
            used,
            "import torch\n",
            "TUNABLES = {" + ", ".join(f'"{name}": {values}' for name, (values, _) in tunables.items()) + "}",
            *(f"{name} = {first}" for name, (_, first) in tunables.items()),
            f'\nSOURCE = r"""\n{source}\n"""',
            f'DEFINES = "".join(f"#define {{name}} {{value}}\\n" for name, value in {_pairs(tunables)})',
            f"library = load_inline(name='compiled', cpp_sources=DEFINES + SOURCE, functions={exported!r})\n",
            *helpers,
            *(f"\n{text}\n" for text in functions.values()),
            f"\n_CASES = {{\n{chosen}\n}}\n\n",
            "class ModelNew(Model):",
            f"    def forward(self, {signature}):",
            f"        inputs = [one.contiguous() if isinstance(one, torch.Tensor) else one for one in ({names},)]",
            "        key = tuple(tuple(one.shape) if isinstance(one, torch.Tensor) else one for one in inputs)",
            "        if key not in _CASES:",
            '            raise ValueError(f"generated for the shapes {list(_CASES)}, not for {key}")',
            "        state = {**dict(self.named_parameters()), **dict(self.named_buffers())}",
            "        return _CASES[key]({name: tensor.detach() for name, tensor in state.items()}, inputs)\n",
        )
    )
    return whole(module, own.beside, None)


def _pairs(tunables: dict[str, Any]) -> str:
    return "[" + ", ".join(f"({name!r}, {name})" for name in tunables) + "]"


def _forward(operator: str) -> tuple[str, str, str]:
    """The operator's text without its entries, and the parameters of ``forward``: with defaults, and their names."""
    tree = parse_python(operator)
    entries = [found for name, found in definitions(tree.body).items() if name in _ENTRIES]
    model = definitions(tree.body).get("Model")
    forward = definitions(model.body).get("forward") if isinstance(model, ast.ClassDef) else None
    if not isinstance(forward, ast.FunctionDef):
        raise Obstacle("the operator's text defines no class Model with its own forward")
    if forward.args.vararg or forward.args.kwarg or forward.args.kwonlyargs:
        raise Obstacle("forward takes *args or keywords, and they cannot be passed on")
    forward.args.args = forward.args.args[1:]
    signature = ast.unparse(forward.args)
    names = ", ".join(one.arg for one in forward.args.args)
    forward.args.args.insert(0, ast.arg("self"))
    rest = [node for node in tree.body if node not in entries]
    return ast.unparse(ast.Module(rest, [])), signature, names
