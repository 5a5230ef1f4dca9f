"""From Inductor's module to C++ functions and the Python lines that call them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from akgflow.torch_compile.capture import Obstacle

_PRODUCTS = {"mm": "matrix_product", "bmm": "matrix_product"}
_ADDED = ("addmm", "baddbmm")
_PARALLEL = r"#pragma omp parallel(?: num_threads\(\d+\))?(?=\s*\n)"
_REDUCTIONS = (("{} + ", "+"), ("max_propagate_nan({}, ", "maxnan"), ("min_propagate_nan({}, ", "minnan"))
_SCANS = {"cumsum": False, "cumprod": True}


@dataclass
class Kernels:
    """The C++ functions so far: equal texts of several cases are one. ``uses`` names our own that are called."""

    names: dict[str, str] = field(default_factory=dict)
    wrappers: dict[str, str] = field(default_factory=dict)
    uses: set[str] = field(default_factory=set)

    def add(self, text: str) -> str:
        """The name of the function with this text."""
        if text not in self.names:
            name = f"fused_{len(self.names)}"
            self.names[text] = name
            self.wrappers[name] = _wrapper(name, text)
        return self.names[text]

    def source(self) -> str:
        """All functions and what makes them callable."""
        functions = [text.replace("void  kernel(", f"static void {name}_loops(") for text, name in self.names.items()]
        return "\n\n".join((*functions, *self.wrappers.values()))


def lines_of(code: str, kernels: Kernels) -> tuple[list[str], list[str]]:
    """The names of ``call``'s arguments, and its statements for a module that has ``library`` and ``_view``.

    Raises `Obstacle` for the first call that would be the framework's.
    """
    tree = ast.parse(code)
    local = {name: kernels.add(text) for name, text in _kernels(tree).items()}
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "call")
    first, *rest = call.body
    if isinstance(first, ast.Assign) and isinstance(first.targets[0], ast.Tuple | ast.List):
        names = [ast.unparse(one) for one in first.targets[0].elts]
    elif isinstance(first, ast.Assign):
        names = [ast.unparse(first.targets[0])]
    else:
        names = []
    rewrite = _Rewrite(local, kernels)
    statements = [rewrite.visit(node) for node in rest if not _is_bookkeeping(node)]
    return names, [ast.unparse(ast.fix_missing_locations(node)) for node in statements]


def _kernels(tree: ast.Module) -> dict[str, str]:
    """The C++ of each kernel, by the name that ``call`` knows it by."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if ast.unparse(node.value.func) != "async_compile.cpp_pybinding":
                continue
            text = ast.literal_eval(node.value.args[1])
            found[ast.unparse(node.targets[0])] = _plain(text)
    return found


def _plain(text: str) -> str:
    """A kernel's text without its include, with functions and reductions that can run in vectors."""
    text = re.sub(r"#include [^\n]*\n", "", text).strip().replace('extern "C" ', "").strip()
    if "at::vec" in text or "at::Half" in text or "at::BFloat16" in text:
        raise Obstacle("the generated loops use torch's own vector types")
    text = text.replace("std::exp(", "fast::exp(").replace("std::tanh(", "fast::tanh(")
    text = _without_cascades(text)
    text = re.sub(_PARALLEL, "#pragma omp parallel num_threads(team())", text)
    text = text.replace("omp_get_max_threads()", "team()")
    return _with_reductions(text)


def _without_cascades(text: str) -> str:
    """Long sums in one accumulator of double precision instead of a cascade of float ones; variances without one."""
    names = re.findall(r"(tmp_acc\d+)\w* = cascade_sum_combine\(", text)
    text = re.sub(r"(\w+) = cascade_sum_combine\((\w+), &\w+\);", r"\1 = \1 + \2;", text)
    text = re.sub(r"\n *(?:(?:static )?CascadeSumHelper<[^\n]*|\w+ = cascade_sum_final\([^\n]*);", "", text)
    text = re.sub(r"\n *(?:(?:static )?WelfordHelper<[^\n]*|\w+ = welford_combine\(\w+, &\w+\));", "", text)
    text = re.sub(r"welford_combine\((\w+), (\w+), &\w+\)", r"welford_combine(\1, \2)", text)
    for name in set(names):
        text = re.sub(rf"\bfloat ({name}(?:_local|_arr)?\b)", r"double \1", text)
    return text


def _with_reductions(text: str) -> str:
    """Put a pragma before each innermost loop that only sums or looks for an extreme: it may run in vectors then."""
    lines = text.split("\n")
    marked: dict[int, str] = {}
    for at, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if not line.lstrip().startswith("for(") or "#pragma" in lines[at - 1]:
            continue
        end = next(i for i in range(at + 1, len(lines)) if lines[i] == " " * indent + "}")
        pragma = _pragma("\n".join(lines[at + 1 : end]))
        if pragma:
            marked[at] = " " * indent + pragma
    return "\n".join(part for at, line in enumerate(lines) for part in (*([marked[at]] if at in marked else []), line))


def _pragma(body: str) -> str:
    updates = re.findall(r"\b(tmp_acc\d+)(?:_arr\[[^]]*\]|_local)? = ([^;]*);", body)
    plain = dict(re.findall(r"\b(tmp_acc\d+(?:_local)?) = ([^;]*);", body))
    if not plain or len(updates) != len(plain) or "for(" in body or "TORCH_CHECK" in body:
        return ""
    clauses = []
    for name, value in plain.items():
        kind = next((word for start, word in _REDUCTIONS if value.startswith(start.format(name))), "")
        if not kind:
            return ""
        clauses.append(f"reduction({kind}:{name})")
    return "#pragma omp simd " + " ".join(clauses)


def _wrapper(name: str, text: str) -> str:
    """A function for tensors that calls a kernel's loops for pointers."""
    head = re.search(r"void\s+kernel\((.*?)\)\s*\{", text, re.S)
    assert head is not None, "a kernel is a function of that name"
    parameters = [one.strip().rsplit(maxsplit=1) for one in head[1].split(",")]
    taken = ", ".join(f"tvm::ffi::TensorView {parameter}" for _, parameter in parameters)
    passed = ", ".join(f"static_cast<{kind}>({parameter}.data_ptr())" for kind, parameter in parameters)
    return f"void {name}({taken}) {{ {name}_loops({passed}); }}"


def _is_bookkeeping(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    return ast.unparse(node.value.func) in ("args.clear", "assert_size_stride", "assert_alignment")


class _Rewrite(ast.NodeTransformer):
    """Names of the module for what Inductor's wrapper calls; no other call is let through."""

    def __init__(self, local: dict[str, str], kernels: Kernels) -> None:
        self.local, self.kernels = local, kernels

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = ast.unparse(node.func)
        if name in self.local:
            return _call(f"library.{self.local[name]}", node.args)
        if name == "empty_strided_cpu":
            size, stride, dtype = node.args
            return _call("torch.empty_strided", [size, stride], dtype=dtype)
        if name == "reinterpret_tensor":
            return _call("_view", node.args)
        owner, _, method = name.rpartition(".")
        if owner == "extern_kernels":
            return self._product(method, node)
        if owner.startswith("torch.ops.aten.") and owner.rpartition(".")[2] in _SCANS:
            return self._scan(owner.rpartition(".")[2], node)
        raise Obstacle(f"{_called(name)} is the framework's kernel, and no loops were generated for it")

    def _product(self, method: str, node: ast.Call) -> ast.expr:
        given = {one.arg or "": one.value for one in node.keywords}
        out = given.get("out")
        if out is not None and method in _PRODUCTS:
            self.kernels.uses.add("matrix_product")
            return _call("library.matrix_product", [*node.args, out])
        if out is not None and method in _ADDED:
            self.kernels.uses.add("matrix_product_added")
            one = ast.Constant(1.0)
            factors = [_as_float(given.get("alpha", one)), _as_float(given.get("beta", one))]
            added, left, right = node.args
            return _call("library.matrix_product_added", [_call("_spread", [added, out]), left, right, *factors, out])
        raise Obstacle(f"aten.{method} is the framework's kernel, and no loops were generated for it")

    def _scan(self, method: str, node: ast.Call) -> ast.expr:
        given = {one.arg or "": one.value for one in node.keywords}
        dim = given.get("dim", node.args[1] if len(node.args) > 1 else None)
        if dim is None or not isinstance(given.get("dtype", ast.Constant(None)), ast.Constant):
            raise Obstacle(f"aten.{method} in another type than its input's has no loops of its own here")
        self.kernels.uses.add("scan")
        return _call("_scan", [node.args[0], dim, ast.Constant(_SCANS[method])])


def _as_float(node: ast.expr) -> ast.expr:
    return ast.Constant(float(ast.literal_eval(node)))


def _call(name: str, arguments: list[ast.expr], **keywords: ast.expr) -> ast.Call:
    function = ast.parse(name, mode="eval").body
    return ast.Call(function, arguments, [ast.keyword(key, value) for key, value in keywords.items()])


def _called(name: str) -> str:
    """``torch.ops.aten.sort.stable`` as ``aten.sort``."""
    found = re.match(r"(?:torch\.ops\.)?(\w+\.\w+)", name)
    return found[1] if found else name
