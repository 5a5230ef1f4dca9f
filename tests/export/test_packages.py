"""Exported packages as their users meet them: in a process without akgflow."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from exporting import exported_operator, python, uses

WAYS = """
model = package.ModelNew(16)
x = torch.randn(8, 16)
with torch.no_grad():
    wanted = torch.relu(x * model.scale)
    program = torch.export.export(model, (x,))
    found = [
        model(x),
        package.op(x, model.scale),
        torch.compile(model, fullgraph=True, backend="aot_eager")(x),
        program.module()(x),
    ]
    print([torch.allclose(one, wanted) for one in found])
    print([str(node.target) for node in program.graph.nodes if node.op == "call_function"])
    print(set(torch.library.opcheck(package.op, (x, model.scale)).values()))
print("akgflow" in str([name for name, module in sys.modules.items() if module is not None]))
"""


@pytest.mark.thorough
@pytest.mark.parametrize("dsl", ["cpp", "triton"])
def test_a_kernel_works_eagerly_compiled_and_exported_without_akgflow(dsl: str, request: pytest.FixtureRequest) -> None:
    package: Path = request.getfixturevalue(f"{dsl}_package")
    right, calls, checks, akgflow = uses(package, WAYS).strip().split("\n")
    assert right == "[True, True, True, True]"
    assert re.fullmatch(rf"\['{package.name}_[0-9a-f]{{8}}\.scale\.default'\]", calls)
    assert (checks, akgflow) == ("{'SUCCESS'}", "False")


LISTENERS = """
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch._subclasses.fake_tensor import FakeTensorMode

class Log(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        called.append(str(function))
        return function(*args, **(kwargs or {}))

called, x, model = [], torch.randn(8, 16), package.ModelNew(16)
with torch.no_grad():
    model(x)
    with Log():
        model(x)
    print([name for name in called if "scale" in name])
    print([str(node.target) for node in make_fx(model)(x).graph.nodes if "scale" in str(node.target)])
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        print(type(model(mode.from_tensor(x))).__name__)
    many = torch.randn(3, 8, 16)
    print(torch.equal(torch.vmap(model)(many), torch.stack([model(one) for one in many])))
"""


@pytest.mark.thorough
def test_who_listens_to_operators_hears_of_the_kernel(triton_package: Path) -> None:
    logged, traced, *others = uses(triton_package, LISTENERS).strip().split("\n")
    name = rf"{triton_package.name}_[0-9a-f]{{8}}\.scale\.default"
    assert all(re.fullmatch(rf"\['{name}'\]", one) for one in (logged, traced))
    assert others == ["FakeTensor", "True"]


REFUSED = {
    "torch.randn(9, 16)": "shape not verified: x [9, 16], scale [16]; verified: x [8, 16], scale [16]",
    "torch.randn(2, 8, 16)": "shape not verified",
    "x.double()": "dtype not verified: x float64, scale float32; verified: x float32",
    "torch.randn(16, 8).T": "layout (strides) not verified",
    "torch.randn(8, 32)[:, ::2]": "layout (strides) not verified",
    "torch.randn(1, 16).expand(8, 16)": "layout (strides) not verified",
    "torch.randn(129)[1:].view(8, 16)": "x starts at no multiple of 16 bytes",
    "x.to('meta')": "the tensors are on cpu and meta",
    "x.to_sparse()": "",
}


def test_what_was_not_verified_is_refused_and_the_evidence_named(cpp_package: Path) -> None:
    script = "x, model = torch.randn(8, 16), package.ModelNew(16)\n"
    # Calls that were taken are remembered: that must let nothing else in.
    script += "with torch.no_grad(): model(x), model(x)\n"
    for text in REFUSED:
        for call in (f"model({text})", f"package.op({text}, model.scale.detach())"):
            script += f"try:\n  with torch.no_grad(): print('took', {call})\n"
            script += "except Exception as error: print(type(error).__name__, error)\n"
    lines = uses(cpp_package, script).strip().split("\n")
    assert len(lines) == 2 * len(REFUSED)
    for words, line in zip([one for one in REFUSED.values() for _ in "12"], lines, strict=True):
        assert words in line and not line.startswith("took")
        if words and "starts at" not in words:
            assert line.startswith("Unverified") and "executed for cpu on" in line and "evidence/verdict.json" in line


OTHERS = """
def attempt(call):
    try:
        call()
        print("took")
    except Exception as error:
        print(type(error).__name__, str(error).replace(chr(10), " "))
x, model = torch.randn(8, 16), package.ModelNew(16)
attempt(lambda: package.ModelNew(17)(torch.randn(8, 17)))
attempt(lambda: model(x.clone().requires_grad_()))
attempt(lambda: package.op(x.clone().requires_grad_(), model.scale).sum().backward())
attempt(lambda: torch.compile(model, fullgraph=True, backend="aot_eager")(torch.randn(9, 16)))
attempt(lambda: torch.export.export(model, (x,), dynamic_shapes={"x": {0: torch.export.Dim("rows")}}))
"""


@pytest.mark.thorough
def test_constructors_gradients_and_dynamic_shapes_that_were_not_verified_are_refused(cpp_package: Path) -> None:
    init, grad, backward, compiled, dynamic = uses(cpp_package, OTHERS).strip().split("\n")
    assert init.startswith("Unverified arguments") and '"columns":17' in init
    assert grad.startswith("Unverified a tensor wants a gradient, and none was judged")
    assert backward.startswith("RuntimeError") and "autograd" in backward
    assert "shape not verified: x [9, 16]" in compiled
    assert "constant (8)" in dynamic


@pytest.mark.parametrize("dsl", [pytest.param("cpp", marks=pytest.mark.thorough), "triton"])
def test_a_package_passes_its_own_tests(dsl: str, request: pytest.FixtureRequest) -> None:
    package: Path = request.getfixturevalue(f"{dsl}_package")
    done = python(package, "-m", "unittest", f"{package.name}.tests.test_package")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Ran 9 tests[\s\S]*\nOK\n", done.stderr)


@pytest.mark.thorough
def test_its_tests_fail_for_a_kernel_that_is_wrong(triton_package: Path, tmp_path: Path) -> None:
    package = _copy(triton_package, tmp_path)
    kernel = package / "src" / package.name / "kernel.py"
    kernel.write_text(kernel.read_text().replace("tl.maximum(x * scale, 0.0)", "x * scale"))
    done = python(package, "-m", "unittest", f"{package.name}.tests.test_package")
    assert done.returncode == 1 and "not close" in done.stderr


@pytest.mark.thorough
def test_its_benchmark_prints_a_line_for_each_case(triton_package: Path) -> None:
    done = python(triton_package, "-m", f"{triton_package.name}.benchmark")
    assert done.returncode == 0, done.stderr
    facts = json.loads((triton_package / "src" / triton_package.name / "evidence" / "facts.json").read_text())
    assert len(done.stdout.strip().split("\n")) == len(facts["signatures"]) + 2
    assert "rows=8" in done.stdout


CACHING = """\
import torch


class ModelNew(torch.nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.empty(columns))
        self.doubled = None

    def forward(self, x):
        if self.doubled is None:
            self.doubled = 2 * self.scale.detach()
        return torch.relu(x * self.doubled) / 2
"""


PREPARING = CACHING.replace(
    """\
    def forward(self, x):
        if self.doubled is None:
            self.doubled = 2 * self.scale.detach()
""",
    """\
    def prepare(self):
        self.register_buffer("packed", 2 * self.scale)

    def forward(self, x):
        self.doubled = self.packed
""",
)


@pytest.mark.thorough
@pytest.mark.parametrize(("kernel", "prepare"), [(CACHING, None), (PREPARING, True)], ids=["first call", "prepare"])
def test_a_kernel_that_keeps_something_of_its_weights_sees_new_ones(
    kernel: str, prepare: bool | None, tmp_path: Path
) -> None:
    from small_task import OPERATOR

    package = exported_operator(tmp_path, OPERATOR, kernel, "rows=8,columns=16", prepare=prepare)
    script = """
x, model, other = torch.randn(8, 16), package.ModelNew(16), package.ModelNew(16)
def right(m): return torch.equal(m(x), torch.relu(x * m.scale))
with torch.no_grad():
    found = [right(model)]
    model.scale.mul_(3)
    found.append(right(model))
    model.load_state_dict({"scale": torch.randn(16)})
    found.append(right(model))
    other.scale.normal_()
    found += [right(other), right(model), right(other)]
    for _ in range(200):
        one = package.ModelNew(16)
        one.scale.normal_()
        found.append(right(one))
with torch.inference_mode():
    late = package.ModelNew(16)
    found.append(right(late))
    late.scale.mul_(5)
    found.append(right(late))
print(all(found), len(package._kernel._kept) <= package._kernel.MOST_KEPT)
"""
    assert uses(package, script) == "True True\n"


def _copy(package: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(package, to / package.name))


def test_importing_a_package_loads_nothing_yet(cpp_package: Path) -> None:
    done = python(
        cpp_package, "-c", f"import sys, {cpp_package.name} as p; print('torch' in sys.modules, len(p.EVIDENCE) > 40)"
    )
    assert done.stdout == "False True\n", done.stderr
