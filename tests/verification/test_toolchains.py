"""The judge with a real toolchain: C++ built by the real compiler, timed against eager."""

from akgflow.terms import Evidence

OPERATOR = """
    import torch

    class Model(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(n))

        def forward(self, x):
            return torch.relu(x) * self.scale

    def get_inputs(rows=37, n=65):
        return [torch.randn(rows, n)]

    def get_init_inputs(n=65):
        return [n]
    """
CPP = '''
    import torch
    import tvm_ffi.cpp

    SOURCE = r"""
    void scaled_relu(tvm::ffi::TensorView x, tvm::ffi::TensorView scale, tvm::ffi::TensorView y) {
        const float *in = static_cast<const float *>(x.data_ptr()), *s = static_cast<const float *>(scale.data_ptr());
        float *out = static_cast<float *>(y.data_ptr());
        const long rows = x.size(0), n = x.size(1);
        #pragma omp parallel for
        for (long i = 0; i < rows; ++i)
            for (long j = 0; j < n; ++j) out[i * n + j] = (in[i * n + j] > 0 ? in[i * n + j] : 0.0f) * s[j];
    }
    """
    library = tvm_ffi.cpp.load_inline(name="scaled_relu", cpp_sources=SOURCE, functions=["scaled_relu"])

    class ModelNew(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(n))

        def forward(self, x):
            y = torch.empty_like(x)
            library.scaled_relu(x, self.scale, y)
            return y
    '''
CASES = ({"rows": 1, "n": 1}, {"rows": 512, "n": 700})


def test_cpp_is_executed_and_timed(bench):
    verdict = bench.judge(CPP, OPERATOR, toolchain="cpp", cases=CASES, time=True)
    assert verdict.passed, verdict.message
    assert verdict.evidence == (Evidence.EXECUTED,)
    assert verdict.timing or "timing" in verdict.absent
    assert verdict.environment.libs["apache-tvm-ffi"]


def test_cpp_that_does_not_compile_shows_the_compilers_words(bench):
    verdict = bench.judge(CPP.replace("x.size(1);", "x.size(1)"), OPERATOR, toolchain="cpp", cases=CASES)
    assert verdict.status == "COMPILE_ERROR"
    assert verdict.message.startswith("candidate.py:10:")
    assert verdict.log.count("error") >= 1


def test_cpp_that_writes_out_of_bounds_is_a_verdict(bench):
    body = CPP.replace("out[i * n + j] =", "out[(i * n + j) * 1000000] =")
    verdict = bench.judge(body, OPERATOR, toolchain="cpp", cases=CASES)
    assert verdict.status == "RUNTIME_ERROR"
    assert "SIGSEGV" in verdict.message
