"""Operators of every form: a package computes what they do, or is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from exporting import exported_operator, python, uses

from akgflow.errors import ConfigError

HEAD = "import torch\nfrom torch import nn\n\n\n"
FORMS = {
    "keywords, text, defaults and a tuple": (
        """\
class Model(nn.Module):
    def __init__(self, width, mode="a'b\\n\\"{{ x }}", *, eps=1e-5):
        super().__init__()
        self.lin = nn.Sequential(nn.Linear(width, 3), nn.Identity())
        self.register_buffer("mask", torch.ones(3))
        self.eps = eps

    def forward(self, self_, /, settings, op, scale=2.0, *, given=None, lambda_=(1, 2), torch_=torch.float32):
        y = self.lin(self_) * self.mask * scale + settings + op + self.eps
        return y, y.sum(-1)


def get_inputs(rows=4, width=5):
    return [[torch.randn(rows, width), torch.randn(3), torch.randn(3)], {"lambda_": [1, 2]}]


def get_init_inputs(width=5):
    return [[width], {"eps": 0.5}]
""",
        ("rows=4,width=5", "rows=2,width=7"),
        "package.ModelNew(5, eps=0.5)",
        "torch.randn(4, 5), torch.randn(3), torch.randn(3), lambda_=[1, 2]",
    ),
    "lists of tensors and a dict": (
        """\
class Model(nn.Module):
    def forward(self, parts, weight=None):
        return {"b": torch.cat(parts) * 2, "a": [parts[0] + 1, None]}


def get_inputs():
    return [[torch.randn(2, 3), torch.randn(4, 3)]]


def get_init_inputs():
    return []
""",
        (),
        "package.ModelNew()",
        "[torch.randn(2, 3), torch.randn(4, 3)]",
    ),
    "globals that a case sets": (
        """\
batch = 4
dim = 8


class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x, dim=1) * x.shape[0]


def get_inputs():
    return [torch.randn(batch, dim)]


def get_init_inputs():
    return []
""",
        ("batch=3,dim=5", "batch=2,dim=8"),
        "package.ModelNew()",
        "torch.randn(3, 5)",
    ),
    "a narrow dtype by case": (
        """\
class Model(nn.Module):
    def forward(self, x, mask):
        return torch.relu(x) * mask


def get_inputs(rows=3):
    return [torch.randn(rows, 4), torch.rand(rows, 4) > 0.5]


def get_init_inputs():
    return []
""",
        ("rows=3,dtype=bfloat16", "rows=3"),
        "package.ModelNew()",
        "torch.randn(3, 4, dtype=torch.bfloat16), torch.rand(3, 4) > 0.5",
    ),
}
_COMPARE = """
torch.manual_seed(0)
model = {model}
args, keywords = (lambda *args, **keywords: (args, keywords))({call})
reference = package.reference.Model.forward(model, *args, **keywords)
def leaves(one):
    if isinstance(one, dict): return [x for k in one for x in [k, *leaves(one[k])]]
    return [x for y in one for x in leaves(y)] if isinstance(one, (list, tuple)) else [one]
with torch.no_grad():
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for way in (model, compiled, torch.export.export(model, args, keywords).module()):
        for got, want in zip(leaves(way(*args, **keywords)), leaves(reference), strict=True):
            torch.testing.assert_close(got, want) if isinstance(want, torch.Tensor) else None
            assert type(got) is type(want) or isinstance(want, torch.Tensor), (got, want)
print("same")
"""


@pytest.mark.thorough
@pytest.mark.parametrize("name", FORMS)
def test_an_operator_of_any_form_is_what_its_package_computes(name: str, tmp_path: Path) -> None:
    text, cases, model, call = FORMS[name]
    operator = HEAD + text
    package = exported_operator(tmp_path, operator, operator.replace("class Model(", "class ModelNew("), *cases)
    compare = "import strange_kernel.reference\n" + _COMPARE.format(model=model, call=call)
    assert uses(package, compare) == "same\n"
    done = python(package, "-m", "unittest", f"{package.name}.tests.test_package")
    assert done.returncode == 0, done.stderr


REFUSED = {
    "forward changes its arguments": ("x.mul_(2)\n        return x + 1", "in place"),
    "a number": ("return x + 1, 2", "returns a int beside tensors"),
    "starred": ("return x + 1", "forward takes \\*rest"),
    "nest": ("return x['a'] + 1", "nest of tensors"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", REFUSED)
def test_an_operator_that_no_package_can_have_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    body, words = REFUSED[name]
    parameter = "x, *rest" if name == "starred" else "x"
    made = "{'a': torch.randn(4, 4)}" if name == "nest" else "torch.randn(4, 4)"
    text = f"{HEAD}class Model(nn.Module):\n    def forward(self, {parameter}):\n        {body}\n\n\n"
    text += f"def get_inputs():\n    return [{made}]\n\n\ndef get_init_inputs():\n    return []\n"
    with pytest.raises(ConfigError, match=words):
        exported_operator(tmp_path, text, text.replace("class Model(", "class ModelNew("))
    assert not (tmp_path / "out").exists()


MODE = """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(x) + 1


def get_inputs():
    return [torch.randn(4, 4)]


def get_init_inputs():
    return []
"""


@pytest.mark.thorough
def test_a_kernel_that_was_verified_in_eval_mode_refuses_the_other(tmp_path: Path) -> None:
    operator = HEAD + MODE
    kernel = operator.replace("class Model(", "class ModelNew(")
    package = exported_operator(tmp_path, operator, kernel, mode="eval")
    script = """
x, model = torch.randn(4, 4), package.ModelNew()
print(torch.equal(model(x), x + 1))
try: model.train()(x)
except package.Unverified as error: print(error)
"""
    right, words = uses(package, script).strip().split("\n")
    assert right == "True" and "verified in eval mode" in words


@pytest.mark.thorough
def test_with_a_fallback_the_operator_computes_what_was_not_verified(tmp_path: Path) -> None:
    from small_task import OPERATOR

    kernel = OPERATOR.replace("class Model(", "class ModelNew(").replace("x * self.scale", "x * self.scale.detach()")
    package = exported_operator(tmp_path, OPERATOR, kernel, "rows=8,columns=16", fallback=True)
    script = """
model = package.ModelNew(16)
other = package.ModelNew(5)
def right(m, x, way): return torch.equal(way(x), torch.relu(x * m.scale))
compiled = torch.compile(model, fullgraph=True, backend="aot_eager", dynamic=False)
print(all(
    right(m, x, way)
    for m, way in ((model, model), (model, compiled))
    for x in (torch.randn(8, 16), torch.randn(9, 16), torch.randn(16, 8).T, torch.randn(8, 16).double())
), right(other, torch.randn(3, 5), other))
model(torch.randn(8, 16)).sum().backward()
print(model.scale.grad is not None)
calls = []
package._kernel.run, run = lambda *a: calls.append(1) or run(*a), package._kernel.run
with torch.no_grad():
    model(torch.randn(8, 16)); model(torch.randn(9, 16))
print(len(calls))
"""
    assert uses(package, script) == "True True\nTrue\n1\n"
    done = python(package, "-m", "unittest", f"{package.name}.tests.test_package")
    assert done.returncode == 0, done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("stem", ['a"""; raise SystemExit', "{{ 7777 * 7 }} \\", "class", "软件\n# x"])
def test_a_file_of_any_name_gives_a_package_that_works(stem: str, tmp_path: Path) -> None:
    operator = HEAD + MODE.replace("self.drop(x)", "x")
    package = exported_operator(tmp_path, operator, operator.replace("class Model(", "class ModelNew("), stem=stem)
    script = "x = torch.randn(4, 4)\nprint(torch.equal(package.ModelNew()(x), x + 1), package.EVIDENCE.count('PASSED'))"
    assert uses(package, script) == "True 1\n"
    assert "54439" not in (package / "README.md").read_text().partition("## Files")[0]
