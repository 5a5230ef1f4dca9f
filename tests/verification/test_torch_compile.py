"""C++ that torch.compile generates, as candidates: the judge finds them right, and what cannot be had says why."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from known import operator
from sampling import sampled

from akgflow.config.types import Target
from akgflow.features import FeatureRequest
from akgflow.operators.text import whole
from akgflow.search import declared
from akgflow.terms import Status

# Torch's own compiler warns about torch's own habits, at its import already.
pytestmark = pytest.mark.filterwarnings("ignore")
OPERATORS = Path(__file__).parents[2] / "benchmarks" / "operators"
# What differs in kind, at sizes that cost little: two shapes each, so that the module must choose.
SMALL = {
    "attention": (
        {"batch": 1, "heads": 2, "length": 17, "width": 8},
        {"batch": 2, "heads": 1, "length": 5, "width": 3},
    ),
    "conv_relu": ({"batch": 2, "inner": 3, "side": 9, "outer": 5}, {"batch": 1, "inner": 1, "side": 4, "outer": 1}),
    "cumsum": ({"rows": 5, "columns": 77}, {"rows": 1, "columns": 1}),
    "huber_loss": ({"rows": 90, "columns": 101}, {"rows": 1, "columns": 3}),
    "matmul_gelu": ({"m": 9, "k": 33, "n": 37}, {"m": 1, "k": 300, "n": 5}),
    # Long rows, many of them: torch declares what helps with their sums as static.
    "group_norm": ({"batch": 4, "channels": 32, "side": 28}, {"batch": 2, "channels": 8, "side": 2}),
    # Means of few digits are numbers of narrower formats by themselves.
    "moments": ({"rows": 100, "columns": 64}, {"rows": 1, "columns": 3}),
    # Threads that add to one element.
    "scatter_add": ({"rows": 300, "width": 33}, {"rows": 1, "width": 1}),
    "layernorm": ({"rows": 7, "columns": 33}, {"rows": 1, "columns": 5}),
}


def file_of(name: str) -> Path:
    (path,) = OPERATORS.rglob(f"{name}.py")
    return path


def generated(text: str, *cases: dict[str, int], file: str = "/operator.py") -> str:
    from akgflow.torch_compile.module import module_of

    return module_of(FeatureRequest(file, text, cases))


@pytest.mark.thorough
@pytest.mark.parametrize("name", sampled(SMALL, "layernorm"))
def test_it_is_right_for_every_shape_of_the_task(bench, name: str) -> None:  # type: ignore[no-untyped-def]
    path = file_of(name)
    source = generated(path.read_text(), *SMALL[name], file=str(path))
    verdict = bench.judge(source, path, toolchain="cpp", target=Target("cpu", "cpu", "native"), cases=SMALL[name])
    assert verdict.status is Status.PASSED, f"{verdict.message}\n{verdict.log}"


def test_it_holds_no_header_of_torch_and_declares_what_can_be_tuned() -> None:
    source = generated(file_of("matmul_gelu").read_text(), *SMALL["matmul_gelu"])
    assert "torch/" not in source and "at::" not in source and "extern_kernels" not in source
    tunables = declared(source)
    assert tunables is not None
    assert set(tunables.space) == {"THREADS", "GEMM_ROWS", "GEMM_COLUMNS", "GEMM_DEPTH"}
    assert all(value in tunables.space[name] for name, value in tunables.first.items())
    assert "GEMM_ROWS" not in (declared(generated(operator("return x.exp()"))) or tunables).space


def test_nothing_is_left_of_what_helps_torch_with_long_sums() -> None:
    assert "Helper" not in generated(file_of("group_norm").read_text(), SMALL["group_norm"][0])


def test_what_the_operator_imports_and_its_mode_come_along(bench) -> None:  # type: ignore[no-untyped-def]
    text = operator("return F.dropout(torch.exp(x * SIZE), 0.5, self.training)")
    text = text.replace("class Model", "from helpers import SIZE\n\n\nclass Model", 1)
    asked = whole(text, {"helpers.py": "SIZE = 0.5\n"}, "eval")
    verdict = bench.judge(generated(asked), asked, toolchain="cpp", target=Target("cpu", "cpu", "native"))
    assert verdict.status is Status.PASSED, f"{verdict.message}\n{verdict.log}"


def test_one_function_serves_the_cases_that_need_the_same() -> None:
    """Two shapes whose flattened loops are equal share them, and a shape that comes twice is generated once."""
    text = operator("return torch.relu(x)", "n, 6").replace("class Model", "n = 4\n\n\nclass Model", 1)
    source = generated(text, {"n": 4}, {"n": 4}, {"n": 5})
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    assert names == ["_view", "_case_0", "_case_1"]


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        ("return x.sort(1)[0]", "aten.sort"),
        ("return torch.linalg.qr(x)[0]", "aten.linalg_qr"),
        ("return F.conv_transpose2d(x[None, None], x[None, None, :2, :2])", "transposed=True"),
        ("return x.view(-1)", "returns one of its inputs"),
        ("return x.add_(1)", "forward changes"),
        ("return x.bfloat16() * 2", "vector types"),
    ],
)
def test_what_stands_in_the_way_is_named(forward: str, words: str) -> None:
    from akgflow.torch_compile.capture import Obstacle

    with pytest.raises(Obstacle, match=words):
        generated(operator(forward, "4, 6"))
