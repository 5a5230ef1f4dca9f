"""Kernels that are right, however unlike the reference they go about it: none may be refused."""

import pytest

from akgflow.config.types import SourceKernel, Target
from akgflow.terms import Evidence

GEMM = """
    import torch

    M, K, N = 40, 512, 24

    class Model(torch.nn.Module):
        def forward(self, a, b):
            return torch.relu(a @ b)

    def get_inputs():
        return [torch.rand(M, K), torch.rand(K, N)]

    def get_init_inputs():
        return []
    """
NORMALISE = """
    import torch

    class Model(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm = torch.nn.LayerNorm(width)

        def forward(self, x):
            y = self.norm(x)
            return y, y.amax(-1), torch.argmax(x, -1)

    def get_inputs(rows=33, width=129):
        return [torch.randn(rows, width) * 3 + 1]

    def get_init_inputs(width=129):
        return [width]
    """
SPECIAL = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x, mask):
            return torch.softmax(x + mask, -1), torch.log(x)

    def get_inputs():
        mask = torch.zeros(16, 32)
        mask[:, 20:] = float("-inf")
        mask[3] = float("-inf")
        return [torch.rand(16, 32), mask]

    def get_init_inputs():
        return []
    """
BATCHNORM = """
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3, bias=False)
            self.bn = torch.nn.BatchNorm2d(8)

        def forward(self, x):
            return self.bn(self.conv(x))

    def get_inputs():
        return [torch.rand(4, 3, 12, 12)]

    def get_init_inputs():
        return []
    """
INPLACE = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return x.mul_(2)

    def get_inputs():
        return [torch.rand(100)]

    def get_init_inputs():
        return []
    """
HEAD = "import torch\n\nclass ModelNew(torch.nn.Module):\n"

HONEST = {
    "one by one in float32": (
        GEMM,
        """
    def forward(self, a, b):
        y = torch.zeros(a.shape[0], b.shape[1])
        for k in range(a.shape[1]):
            y += a[:, k : k + 1] * b[k : k + 1]
        return torch.relu(y)
""",
        {},
    ),
    "backwards, in blocks": (
        GEMM,
        """
    def forward(self, a, b):
        return torch.relu(sum(a[:, k : k + 37] @ b[k : k + 37] for k in reversed(range(0, a.shape[1], 37))))
""",
        {},
    ),
    "closer than the framework": (
        GEMM,
        "    def forward(self, a, b):\n        return torch.relu((a.double() @ b.double())).float()\n",
        {},
    ),
    "not contiguous": (GEMM, "    def forward(self, a, b):\n        return torch.relu(b.t() @ a.t()).t()\n", {}),
    "workspace by shape, answers copied out": (
        GEMM,
        """
    def forward(self, a, b):
        kept = self.__dict__.setdefault("kept", {})
        space = kept.setdefault((a.shape, b.shape), torch.empty(a.shape[0], b.shape[1]))
        torch.mm(a, b, out=space)
        return torch.relu(space)
""",
        {"cases": ({"M": 8, "N": 8}, {"M": 1, "N": 1}, {"M": 8, "N": 8})},
    ),
    "the same buffer each time": (
        GEMM,
        """
    def forward(self, a, b):
        if not hasattr(self, "out"):
            self.out = torch.empty(a.shape[0], b.shape[1])
        return torch.relu_(torch.mm(a, b, out=self.out))
""",
        {},
    ),
    "bfloat16 with one rounding": (
        GEMM,
        "    def forward(self, a, b):\n        return torch.relu(a.float() @ b.float()).bfloat16()\n",
        {"dtype": "bfloat16"},
    ),
    "float16": (GEMM, "    def forward(self, a, b):\n        return torch.relu(a @ b)\n", {"dtype": "float16"}),
    "float64": (GEMM, "    def forward(self, a, b):\n        return torch.relu(a @ b)\n", {"dtype": "float64"}),
    "many outputs, variance in two passes": (
        NORMALISE,
        """
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        square = (centred * centred).mean(-1, keepdim=True)
        y = centred * torch.rsqrt(square + 1e-5) * self.norm.weight + self.norm.bias
        return [y, y.amax(-1), x.argmax(-1)]
""",
        {"cases": ({"rows": 5, "width": 8}, {"rows": 1, "width": 257})},
    ),
    "masked rows": (
        SPECIAL,
        """
    def forward(self, x, mask):
        z = x + mask
        e = torch.exp(z - z.amax(-1, keepdim=True))
        return e / e.sum(-1, keepdim=True), torch.log(x)
""",
        {},
    ),
    "batch norm in training": (
        BATCHNORM,
        """
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, bias=False)
        self.bn = torch.nn.BatchNorm2d(8)

    def forward(self, x):
        y = self.conv(x)
        var, mean = torch.var_mean(y, (0, 2, 3), correction=0, keepdim=True)
        y = (y - mean) / torch.sqrt(var + 1e-5)
        return y * self.bn.weight[:, None, None] + self.bn.bias[:, None, None]
""",
        {},
    ),
    "in place, as the reference is": (INPLACE, "    def forward(self, x):\n        return x.mul_(2)\n", {}),
    "threads and optional imports": (
        GEMM,
        """
    def forward(self, a, b):
        try:
            import a_module_that_nobody_has
        except ImportError:
            pass
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(2) as pool:
            parts = list(pool.map(lambda r: torch.relu(r @ b), a.split(7)))
        return torch.cat(parts)
""",
        {},
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_kernel_passes(bench, name):
    operator, body, changes = HONEST[name]
    verdict = bench.judge(HEAD + body, operator, **changes)
    assert verdict.passed, verdict.message


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_still_tells_1_9_percent(bench, dtype):
    body = "    def forward(self, a, b):\n        return (torch.relu(a @ b) * 1.019)\n"
    assert bench.judge(HEAD + body, GEMM, dtype=dtype).status == "INCORRECT_NUMERICAL"


def test_accumulating_in_bfloat16_is_a_downgrade(bench):
    body = """
    def forward(self, a, b):
        y = torch.zeros(a.shape[0], b.shape[1], dtype=a.dtype)
        for k in range(a.shape[1]):
            y += a[:, k : k + 1] * b[k : k + 1]
        return torch.relu(y)
"""
    assert bench.judge(HEAD + body, GEMM, dtype="bfloat16").status == "INCORRECT_NUMERICAL"


def test_another_order_each_time_passes_and_is_said(bench):
    body = """
    def forward(self, a, b):
        parts = [a[:, k : k + 8] @ b[k : k + 8] for k in range(0, a.shape[1], 8)]
        return torch.relu(sum(parts[i] for i in torch.randperm(len(parts))))
"""
    verdict = bench.judge(HEAD + body, GEMM)
    assert verdict.passed, verdict.message
    assert verdict.correctness.deterministic is False


SCALED = "    def forward(self, a, b):\n        return torch.relu(a @ b) * (1 + {error})\n"
HALF = "    def forward(self, a, b):\n        return torch.relu(a @ b).bfloat16().float()\n"
TOLERANCES = {
    "without": (SCALED.format(error=1e-4), {}, "INCORRECT_NUMERICAL", "elements are wrong"),
    "loose": (SCALED.format(error=1e-4), {"tolerance": 1000.0}, "PASSED", "bounds multiplied by 1000"),
    "loose enough for bfloat16": (HALF, {"tolerance": 5000.0}, "PASSED", "bounds multiplied by 5000"),
    "not loose enough": (HALF, {"tolerance": 2.0}, "INCORRECT_NUMERICAL", "which is 2 times the judge's own bound"),
    "tight": ("    def forward(self, a, b):\n        return torch.relu((a @ b).double()).float() * (1 + 5e-7)\n",
              {"tolerance": 0.001}, "INCORRECT_NUMERICAL", "which is 0.001 times the judge's own bound"),
    "by case": (SCALED.format(error=1e-4), {"cases": ({"M": 9, "tolerance": 1000.0}, {"M": 5, "tolerance": 500.0})},
                "PASSED", "bounds multiplied by 500 to 1000"),
    "in one case": (SCALED.format(error=1e-4), {"cases": ({"M": 9, "tolerance": 1000.0}, {"M": 5})},
                    "INCORRECT_NUMERICAL", "case M=5"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLERANCES)
def test_a_tolerance_counts_and_is_said(bench, name):
    body, changes, status, words = TOLERANCES[name]
    verdict = bench.judge(HEAD + body, GEMM, **changes)
    assert verdict.status == status, verdict.message
    assert words in verdict.message
    assert verdict.tolerance == changes.get("tolerance", 1.0)


def test_compiling_alone_claims_no_numerics(bench):
    body = "    def forward(self, a, b):\n        return torch.zeros(a.shape[0], b.shape[1], device=a.device)\n"
    verdict = bench.judge(HEAD + body, GEMM, evidence=(Evidence.COMPILED,))
    assert verdict.passed
    assert verdict.evidence == (Evidence.COMPILED,)
    assert verdict.message == "compiled; numerics were not run"
    assert [r.kernel for r in verdict.resources] == ["artefact-compiled"]
    assert verdict.correctness is None


def test_all_evidence_is_gathered_and_what_cannot_be_is_named(bench):
    body = "    def forward(self, a, b):\n        return torch.relu(a @ b)\n"
    every = (Evidence.EXECUTED, Evidence.COMPILED, Evidence.INTERPRETED)
    verdict = bench.judge(HEAD + body, GEMM, evidence=every)
    assert verdict.passed
    assert verdict.evidence == (Evidence.EXECUTED, Evidence.COMPILED)
    assert verdict.absent == {"interpreted": "plain PyTorch has no interpreter"}


def test_what_fails_on_the_device_is_not_compiled_besides(bench):
    text = "raise __import__('akgflow.toolchains.base', fromlist=['x']).CompileFailure('line 3: expected ;')"
    verdict = bench.judge(text, GEMM, evidence=(Evidence.EXECUTED, Evidence.COMPILED))
    assert verdict.status == "COMPILE_ERROR"
    assert verdict.message == "line 3: expected ;"
    assert verdict.evidence == ()
    assert verdict.absent == {"compiled": "not gathered: the candidate failed before (executed)"}


def test_where_nothing_can_be_had_nothing_is_claimed(bench):
    verdict = bench.judge(HEAD + "    pass\n", GEMM, target=Target("far", "cuda", "sm_90a"))
    assert verdict.status == "NOT_RUN"
    assert verdict.message == "executed: no such device here"


def test_a_source_kernel_is_judged_as_the_module_that_stands_for_it(bench, tmp_path):
    body = HEAD + "    def forward(self, a, b):\n        return torch.relu(a @ b)\n"
    source = SourceKernel("plain", tmp_path / "kernel.py", body)
    assert bench.judge(source, GEMM).passed


BAD_OPERATORS = {
    "no get_inputs": (GEMM.replace("def get_inputs", "def get_input"), "defines no get_inputs"),
    "import fails": ("import nothing_such", "cannot be imported: ModuleNotFoundError"),
    "forward fails": (GEMM.replace("a @ b", "a @ a"), "forward fails"),
    "random": (
        GEMM.replace("torch.relu(a @ b)", "torch.nn.functional.dropout(a @ b)"),
        "another result on the same inputs",
    ),
}


@pytest.mark.parametrize("name", BAD_OPERATORS)
def test_an_operator_that_is_no_reference_is_not_the_candidates_fault(bench, name):
    operator, words = BAD_OPERATORS[name]
    verdict = bench.judge(HEAD + "    def forward(self, a, b):\n        return torch.relu(a @ b)\n", operator)
    assert verdict.status == "NOT_RUN"
    assert words in verdict.message


def test_a_case_key_that_the_operator_does_not_know_is_named(bench):
    verdict = bench.judge(HEAD + "    pass\n", GEMM, cases=({"Z": 3},))
    assert verdict.status == "NOT_RUN"
    assert "case key 'Z'" in verdict.message


def test_an_operator_may_import_the_files_beside_it(bench, tmp_path):
    (tmp_path / "beside_this_operator.py").write_text("SIZE = 12\n")
    file = tmp_path / "operator.py"
    file.write_text(
        "import torch\nfrom pathlib import Path\nfrom beside_this_operator import SIZE\n"
        "class Model(torch.nn.Module):\n    def forward(self, x):\n        return x * SIZE\n"
        "def get_inputs():\n    assert Path(__file__).with_name('beside_this_operator.py').exists()\n"
        "    return [torch.rand(SIZE)]\n"
        "def get_init_inputs():\n    return []\n"
    )
    assert bench.judge(HEAD + "    def forward(self, x):\n        return x * 12\n", file).passed


def test_dynamic_lists_are_cases(bench):
    operator = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return x.sum(-1)

    def get_inputs_dyn_list():
        return [[torch.rand(4, n)] for n in (1, 7, 64)]

    def get_init_inputs():
        return []
    """
    verdict = bench.judge(HEAD + "    def forward(self, x):\n        return x.sum(-1)\n", operator)
    assert verdict.passed, verdict.message
    assert {r.case["dyn"] for r in verdict.correctness.cases} == {0, 1, 2}
