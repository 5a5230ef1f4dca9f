"""Operators that translations are: what each kind of axis, input and config becomes when it runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign import EXAMPLES

from akgflow.config import check_operator
from akgflow.errors import ConfigError
from akgflow.operators.shapes.dimensions import sizes_of
from akgflow.verification.reference.operator import Case, cases_of, make_case, seeded


def definition(folder: Path, inputs: dict[str, Any], workloads: list[dict[str, Any]], **more: Any) -> Path:
    """A folder in SOL-ExecBench's form whose reference gives its inputs back."""
    arguments = ", ".join(inputs)
    data = {
        "name": "given",
        "axes": {
            "n": {"type": "var"},
            "four": {"type": "const", "value": 4},
            "half": {"type": "expr", "expression": "n // 2"},
        },
        "inputs": inputs,
        "outputs": {f"out_{name}": one for name, one in inputs.items()},
        "reference": f"def run({arguments}):\n    return ({arguments},)\n",
    }
    (folder / "definition.json").write_text(json.dumps({**data, **more}))
    lines = ({"uuid": f"w{number}", **one} for number, one in enumerate(workloads))
    (folder / "workload.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def made(path: Path, number: int = 0, **keys: Any) -> tuple[Case, tuple[Any, ...]]:
    """A case of the operator that a path is, and one draw of its inputs."""
    operator = check_operator(path, ())
    cases = operator.cases or cases_of(operator.whole, str(operator.file), ())
    case = make_case(operator.whole, str(operator.file), {**cases[number], **keys}, None, 1)
    with seeded(1):
        return case, case.make_inputs()


@pytest.mark.parametrize(
    ("dtype", "least", "most"),
    [
        ("float64", -math.inf, math.inf),
        ("float32", -math.inf, math.inf),
        ("float16", -math.inf, math.inf),
        ("bfloat16", -math.inf, math.inf),
        ("float8_e4m3fn", -2, 2),
        ("float8_e5m2", -2, 2),
        ("int64", -1024, 1023),
        ("int32", -1024, 1023),
        ("int16", -1024, 1023),
        ("int8", -128, 127),
        ("uint8", 0, 255),
        ("bool", 0, 1),
    ],
)
def test_random_inputs_have_their_dtype_and_shape(dtype: str, least: float, most: float, tmp_path: Path) -> None:
    shape = {"shape": ["n", "half", "four"], "dtype": dtype}
    path = definition(tmp_path, {"x": shape}, [{"axes": {"n": 6}, "inputs": {"x": {"type": "random"}}}])
    _, (x,) = made(path)
    assert (x.dtype, tuple(x.shape)) == (getattr(torch, dtype), (6, 3, 4))
    values = x.to(torch.float64)
    assert values.min() >= least and values.max() <= most and values.unique().numel() > 1


def test_sizes_can_be_varied_and_numbers_cannot(tmp_path: Path) -> None:
    inputs = {"x": {"shape": ["n"], "dtype": "float32"}, "top": {"shape": None, "dtype": "int32"}}
    given = {"x": {"type": "random"}, "top": {"type": "scalar", "value": 3}}
    path = definition(tmp_path, inputs, [{"axes": {"n": 6}, "inputs": given}])
    operator = check_operator(path, ())
    assert dict(sizes_of(operator.whole)) == {"n": 6}
    assert not operator.shapes.fixed
    _, (x, top) = made(path, n=9)
    assert (x.numel(), top) == (9, 3)


def test_numbers_that_are_not_finite_are_handed_on(tmp_path: Path) -> None:
    inputs = {"x": {"shape": ["n"], "dtype": "float32"}, "limit": {"shape": None, "dtype": "float32"}}
    given = {"x": {"type": "random"}, "limit": {"type": "scalar", "value": -math.inf}}
    _, (_, limit) = made(definition(tmp_path, inputs, [{"axes": {"n": 2}, "inputs": given}]))
    assert limit == -math.inf


def test_constraints_fix_the_shapes(tmp_path: Path) -> None:
    inputs = {"x": {"shape": ["n"], "dtype": "float32"}}
    listed = [{"axes": {"n": 6}, "inputs": {"x": {"type": "random"}}}]
    assert check_operator(definition(tmp_path, inputs, listed, constraints=["n % 2 == 0"]), ()).shapes.fixed


def test_workloads_choose_where_an_input_comes_from() -> None:
    path = EXAMPLES / "flashinfer/definitions/rowsum/rowsum_d32.json"
    operator = check_operator(path, ())
    assert operator.cases == ({"rows": 5, "workload": 0}, {"rows": 70, "workload": 1})
    case, (x, weight) = made(path)
    _, (_, again) = made(path)
    assert torch.equal(weight, again) and weight.shape == (32,)
    torch.testing.assert_close(case.model()(x, weight), (x * weight).sum(-1))
    _, (_, drawn) = made(path, 1)
    assert not torch.equal(drawn, weight)


def test_a_definition_without_sizes_needs_no_workloads(tmp_path: Path) -> None:
    axes = {"four": {"type": "const", "value": 4}}
    path = definition(tmp_path, {"x": {"shape": ["four"], "dtype": "float32"}}, [], axes=axes)
    (path / "workload.jsonl").unlink()
    _, (x,) = made(path)
    assert x.shape == (4,)


def test_sizes_that_no_workload_gives_are_those_of_a_case(tmp_path: Path) -> None:
    inputs = {"x": {"shape": ["n", 1], "dtype": "float32"}, "scale": {"shape": None, "dtype": "float32"}}
    path = definition(tmp_path, inputs, [])
    with pytest.raises(ConfigError, match=r"needs values for n, scale, .*: give --case n=…,scale=…"):
        check_operator(path, ())
    given = {"n": 3, "scale": 0.5}
    operator = check_operator(path, (given,))
    assert not operator.cases and dict(sizes_of(operator.whole)) == {"n": None}
    x, scale = make_case(operator.whole, str(operator.file), given, None, 1).make_inputs()
    assert (x.shape, scale) == ((3, 1), 0.5)


GENERATED = {
    # name: (the generator, dtype, what holds of the values)
    "normal": ({"type": "normal", "mean": 90.0, "std": 0.5}, "bfloat16", lambda x: (x > 80).all() and x.std() > 0.1),
    "uniform": ({"type": "uniform", "low": 2, "high": 3}, "float32", lambda x: (x >= 2).all() and (x < 3).all()),
    "integer": (
        {"type": "integer", "low": "four - 1", "high": "n + 1"},
        "int32",
        lambda x: {*x.tolist()} == {3, 4, 5, 6},
    ),
    "bernoulli": ({"type": "bernoulli", "probability": 0.5}, "bool", lambda x: 0 < x.sum() < 96),
    "constant": ({"type": "constant", "value": 7}, "float16", lambda x: (x == 7).all()),
    "simplex": (
        {"type": "simplex", "temperature": 0.5},
        "float32",
        lambda x: (x.view(6, 16).sum(-1) - 1).abs().max() < 1e-5,
    ),
}


@pytest.mark.parametrize("name", GENERATED)
def test_inputs_are_generated_by_a_distribution(name: str, tmp_path: Path) -> None:
    generator, dtype, holds = GENERATED[name]
    inputs = {"x": {"shape": ["n", "16"], "dtype": dtype}}
    listed = [{"axes": {"n": 6}, "inputs": {"x": {"type": "generated", "generator": generator}}}]
    _, (x,) = made(definition(tmp_path, inputs, listed))
    assert (x.dtype, tuple(x.shape)) == (getattr(torch, dtype), (6, 16))
    assert holds(x.flatten().float() if x.is_floating_point() else x.flatten())


def test_workloads_choose_how_an_input_is_generated(tmp_path: Path) -> None:
    inputs = {"x": {"shape": ["n"], "dtype": "float32"}, "top": {"shape": None, "dtype": "int32"}}

    def workload(value: float) -> dict[str, Any]:
        x, top = ({"type": "generated", "generator": {"type": "constant", "value": one}} for one in (value, int(value)))
        return {"axes": {"n": 2}, "inputs": {"x": x, "top": top}}

    path = definition(tmp_path, inputs, [workload(1.5), workload(4)])
    assert [made(path, number)[1][0].tolist() for number in (0, 1)] == [[1.5, 1.5], [4.0, 4.0]]
    assert made(path, 1)[1][1] == 4


@pytest.mark.parametrize(
    "ends", ["y.backward(x)\n    return w.grad", "return {'out_x': torch.autograd.grad(y, w, x)[0]}"]
)
def test_a_reference_that_differentiates_runs_without_autograd(ends: str, tmp_path: Path) -> None:
    reference = f"import torch\n\n\ndef run(x):\n    w = x.clone().requires_grad_()\n    y = w * w\n    {ends}\n"
    listed = [{"axes": {"n": 3}, "inputs": {"x": {"type": "random"}}}]
    inputs = {"x": {"shape": ["n"], "dtype": "float32"}}
    case, (x,) = made(definition(tmp_path, inputs, listed, reference=reference))
    with torch.no_grad():
        found = case.model()(x)
    torch.testing.assert_close(found, 2 * x * x)
    assert not found.requires_grad


def test_a_function_of_the_reference_may_have_the_name_of_one_that_is_added(tmp_path: Path) -> None:
    reference = (
        "import torch\n\n\ndef get_inputs(axes_and_scalars, device):\n"
        "    return {'x': torch.full((axes_and_scalars['n'],), 7.0, device=device)}\n\n\n"
        "class Model:\n    pass\n\n\ndef run(x):\n    return x + 1\n"
    )
    inputs = {"x": {"shape": ["n"], "dtype": "float32"}}
    listed = [{"axes": {"n": 2}, "inputs": {"x": {"type": "custom"}}}]
    path = definition(tmp_path, inputs, listed, reference=reference, custom_inputs_entrypoint="get_inputs")
    case, (x,) = made(path)
    assert x.tolist() == [7.0, 7.0]
    assert case.model()(x).tolist() == [8.0, 8.0]


MAKERS = {
    "a device by name": "torch.randn(n, device='cuda')",
    "a device with a number": "torch.randn(n, device='cuda:0')",
    "a device": "torch.randn(n, device=torch.device('cuda'))",
    "to": "torch.randn(n).to('cuda')",
    "to with a dtype": "torch.randn(n).to(device='cuda', dtype=torch.float32)",
    "cuda": "torch.randn(n).cuda()",
    "a generator": "torch.randn(n, device='cuda', generator=torch.Generator(device='cuda').manual_seed(seed))",
    "none": "torch.randn(n)",
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
@pytest.mark.skipif(torch.cuda.is_available(), reason="they are made on the GPU here")
def test_inputs_of_kernelbot_that_ask_for_a_gpu_are_made_without_one(maker: str, tmp_path: Path) -> None:
    (tmp_path / "task.yml").write_text("tests:\n  - {n: 5, seed: 3}\n")
    (tmp_path / "reference.py").write_text(
        f"import torch\n\n\ndef generate_input(n, seed):\n    torch.manual_seed(seed)\n    return {maker}\n\n\n"
        "def ref_kernel(data):\n    return data * 2\n"
    )
    kept = torch.Generator
    case, (data,) = made(tmp_path)
    assert data.device.type == "cpu" and data.shape == (5,)
    assert torch.Generator is kept
    assert torch.equal(case.model()(data), data * 2)


def test_seeds_of_kernelbot_are_the_judges_own() -> None:
    operator = check_operator(EXAMPLES / "kernelbot/square_sum", ())
    case = make_case(operator.whole, str(operator.file), operator.cases[0], None, 1)
    drawn = []
    for seed in (1, 2, 1):
        with seeded(seed):
            drawn.append(case.make_inputs()[0][0])
    assert torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])


def test_configs_of_robust_kbench_reach_inputs_and_constructor(tmp_path: Path) -> None:
    for name in ("func_forward.py", "config_forward.json"):
        (tmp_path / name).write_text((EXAMPLES / "robust/gated" / name).read_text())
    settings = json.loads((tmp_path / "config_forward.json").read_text())
    settings["single_init_configs"] = [{"slope": 0.25, "init_method": None}]
    (tmp_path / "config_forward.json").write_text(json.dumps(settings))
    case, (x,) = made(tmp_path / "func_forward.py")
    assert x.shape == (3, 40)
    model = case.model()
    assert model.slope == 0.25 and model.gate.shape == (40,)
    # The constructor has a value of its own for what is null in the config, and is told that it is null.
    assert "init_method" not in case.keys


BARE = """
import torch
from torch import nn

SIZE = 4

class Model({base}):
{body}

def get_inputs():
    return [torch.rand(SIZE)]
"""
FORWARD = "    def forward(self, x):\n        return x * 2"


@pytest.mark.parametrize(
    ("base", "init", "added"),
    [
        ("nn.Module", "", True),
        ("torch.nn.Module", "    def __init__(self):\n        super().__init__()", True),
        ("nn.Module", "    def __init__(self, n=3, *, bias=True):\n        super().__init__()", True),
        ("nn.Module", "    def __init__(self, n):\n        super().__init__()", False),
        ("nn.Module", "    def __init__(self, *, bias):\n        super().__init__()", False),
        # What it takes is written elsewhere.
        ("nn.Linear", "", False),
    ],
)
def test_a_model_that_needs_no_arguments_may_leave_out_who_gives_them(
    tmp_path: Path, base: str, init: str, added: bool
) -> None:
    file = tmp_path / "op.py"
    file.write_text(BARE.format(base=base, body=f"{init}\n{FORWARD}"))
    if not added:
        with pytest.raises(ConfigError, match="has no get_init_inputs: define the function"):
            check_operator(file, ())
        return
    case, (x,) = made(file)
    assert torch.equal(case.module.Model()(x), x * 2)
    assert not case.init_args and not case.init_kwargs
