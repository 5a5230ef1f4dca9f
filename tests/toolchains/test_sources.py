"""Reading CUDA C++ and compilers' logs as text."""

import pytest

from akgflow.toolchains.base import Unsupported
from akgflow.toolchains.common.diagnostics import first_errors, quoting, says_an_error
from akgflow.toolchains.common.nvidia import plain_name, usage_of_report
from akgflow.toolchains.cuda_c.text import rewrite, source


@pytest.mark.parametrize(
    ("launch", "rewritten"),
    [
        ("k<<<1, 2>>>(a, b)", "CUDA_ON_CPU_LAUNCH(k)(1, 2)(a, b)"),
        ("k<float, (4 > 2)><<<g, b, 8>>>(a)", "CUDA_ON_CPU_LAUNCH(k<float, (4 > 2)>)(g, b, 8)(a)"),
        ("n::k <<< dim3(1, 2), f(3, 4), 0, s >>> ()", "CUDA_ON_CPU_LAUNCH(n::k )( dim3(1, 2), f(3, 4), 0, s ) ()"),
        ("k<<<1, 1>>>(\"<<<\", '(')", "CUDA_ON_CPU_LAUNCH(k)(1, 1)(\"<<<\", '(')"),
        ("(*p->kernels[i])<<<a >> 1, 2>>>(x)", "CUDA_ON_CPU_LAUNCH((*p->kernels[i]))(a >> 1, 2)(x)"),
        ("this->kernel<<<1, 2>>>(NULL)", "CUDA_ON_CPU_LAUNCH(this->kernel)(1, 2)(nullptr)"),
        ("cudaLaunchKernel((const void*)k<4>, g, b, args)", "cudaLaunchKernel(k<4>, g, b, args)"),
        ("#define GO(n) k<n>   \\\n  <<<n, 2>>>", "#define GO(n) CUDA_ON_CPU_LAUNCH(k<n>   \\\n  )(n, 2)"),
    ],
)
def test_launches_are_rewritten(launch, rewritten):
    assert rewrite.for_cpu(f"/* k<<<0>>> */ {launch};") == f"/* k<<<0>>> */ {rewritten};"


ONE = 'static thread_local auto& {0} = ::cuda_on_cpu::shared<{1}>("{0}", [] {{}});'
IN_FUNCTION = ONE + " ::cuda_on_cpu::touch({0});"


@pytest.mark.parametrize(
    ("declared", "rewritten"),
    [
        ("__shared__ float s[32];", IN_FUNCTION.format("s", "float[32]")),
        ("static __shared__ alignas(16) volatile T s[N][N + 1];", IN_FUNCTION.format("s", "volatile T[N][N + 1]")),
        ("__shared__ int a, b[2];", IN_FUNCTION.format("a", "int") + " " + IN_FUNCTION.format("b", "int[2]")),
        (
            "__shared__ typename cub::BlockReduce<float, 256>::TempStorage t;",
            IN_FUNCTION.format("t", "typename cub::BlockReduce<float, 256>::TempStorage"),
        ),
        (
            "extern __shared__ __align__(sizeof(float4)) unsigned char raw[];",
            "static thread_local auto* const raw = ::cuda_on_cpu::dynamic_shared<unsigned char>();",
        ),
        (
            "alignas(16) extern __shared__ float rows[][8];",
            "static thread_local auto* const rows = ::cuda_on_cpu::dynamic_shared<float[8]>();",
        ),
        ("__shared__ struct { int a; } s;", "__shared__ struct { int a; } s;"),
    ],
)
def test_shared_memory_is_rewritten(declared, rewritten):
    assert rewrite.for_cpu(f"void f() {{ {declared} }}") == f"void f() {{ {rewritten} }}"


def test_shared_memory_outside_functions_is_not_touched_there():
    assert rewrite.for_cpu("namespace a { __shared__ int s; }") == f"namespace a {{ {ONE.format('s', 'int')} }}"


def test_lines_keep_their_numbers():
    text = "void f() {\n  k<<<\n    1,\n    2>>>\n  (\n  a);\n  extern __shared__\n  float x[];\n  last\n}\n"
    rewritten = rewrite.for_cpu(text)
    assert rewritten.count("\n") == text.count("\n")
    assert rewritten.splitlines()[8] == "  last"
    assert "auto* const x = ::cuda_on_cpu::dynamic_shared<float>();" in rewritten


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));', "do { y = ::exp2f((x)); } while (0);"),
        ('asm volatile("bar.sync 0;" ::: "memory");', "do { __syncthreads(); } while (0);"),
        ('asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));', "do { lane = (::cuda_on_cpu::lane()); } while (0);"),
        ('asm volatile("" ::: "memory");', "do {  } while (0);"),
        (
            'asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" :: "r"(to), "l"(from), "n"(16));',
            "do { ::cuda_on_cpu::copy_async(::cuda_on_cpu::at_shared(to) + (0), (const void*)(from), 16, 16); } "
            "while (0);",
        ),
        (
            'asm volatile("red.release.gpu.global.add.s32 [%0], %1;" :: "l"(p), "r"(1) : "memory");',
            "do { ::atomicAdd(reinterpret_cast<int*>(reinterpret_cast<char*>(const_cast<void*>((const void*)(p))) + 0)"
            ", 1); } while (0);",
        ),
        ('asm volatile("cp.async.wait_group %0;" :: "n"(N));', "do { ::cuda_on_cpu::wait_for_copies(N); } while (0);"),
    ],
)
def test_simple_ptx_is_rewritten(text, wanted):
    assert rewrite.for_cpu(text) == wanted


@pytest.mark.parametrize(
    "load",
    ["ld.global.nc.L1::no_allocate.L2::128B.v2.f32 {%0, %1}, [%2];", "ld.acquire.gpu.global.v2.u32 {%0,%1}, [%2];"],
)
def test_loads_are_rewritten_whatever_they_ask_of_caches(load):
    made = rewrite.for_cpu(f'asm volatile("{load}" : "=f"(a), "=f"(b) : "l"(p));')
    assert "a = " in made and "b = " in made and ("looks()" in made) == ("acquire" in load)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "while (*(volatile int*)flag != n) { pause(); }",
            "while (::cuda_on_cpu::looks() && (*(volatile int*)flag != n)) { pause(); }",
        ),
        ("while (flag[0] == 0);", "while (::cuda_on_cpu::looks() && (flag[0] == 0));"),
        ("do { v = load(p); } while (v < n);", "do { v = load(p); } while (::cuda_on_cpu::looks() && (v < n));"),
        ("while (i < n) { i += 1; }", "while (i < n) { i += 1; }"),
    ],
)
def test_loops_that_wait_let_other_threads_run(text, wanted):
    assert rewrite.for_cpu(text) == wanted


@pytest.mark.parametrize("text", ["mma.sync.aligned.m16n8k8", "cp.async.bulk.shared.global [%0], [%1], 16;", "trap;"])
def test_other_ptx_is_named_with_its_line(text):
    with pytest.raises(Unsupported, match=r"inline PTX \(line 9\)"):
        rewrite.for_cpu(f'#line 7 "c.py"\n\n\nasm volatile("{text}" :: "l"(a), "l"(b));')


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cuda::ptx::mbarrier_arrive(b);", "mbarrier and TMA .cuda::ptx"),
        ("tex2D<float>(t, x, y);", "textures"),
        ("__nv_fp4_e2m1 h;", "fp4"),
    ],
)
def test_uncovered_features_are_named_with_their_line(text, name):
    with pytest.raises(Unsupported, match=rf"{name}.*line 3\)"):
        source.refuse_uninterpretable(f'// {text}\nconst char* s = "asm wmma::";\n{text}\n')
    source.refuse_uninterpretable(f"// {text}\n")


def test_host_functions_are_found_with_their_types():
    text = """
    // extern "C" void no(int) {}
    extern "C" void declared(int);
    extern "C" void one(const float* __restrict__ x, long long n, unsigned int m, float scale, size_t = 3) {}
    extern "C" {
    __global__ void kernel(float* x) {}
    int two(double* const x, bool flag) { if (flag) { return 1; } return 0; }
    }
    template <int N> __global__ void __launch_bounds__(N) other(int* p) {}
    """
    found = source.host_functions(text)
    assert {name: f.parameters for name, f in found.items()} == {
        "one": ("*", "long long", "unsigned int", "float", "size_t"),
        "two": ("*", "bool"),
    }
    assert source.kernels_in(text) == ("kernel", "other")


LOG = """ninja exited with status 1
[1/2] c++ -c main.cpp
FAILED: main.o
/a/b/main.cpp: In function ‘int main()’:
/a/b/main.cpp:2:1: warning: unused
    2 | foo
/a/b/main.cpp:3:5: error: ‘x’ was not declared
    3 |   x;
      |   ^
/a/b/main.cpp:1:1: note: here
/a/b/main.cpp:9:5: error: ‘y’ was not declared
ninja: build stopped: subcommand failed.
"""


def test_logs_are_cut_to_their_errors():
    assert first_errors(LOG) == (
        "main.cpp:3:5: error: ‘x’ was not declared\n    3 |   x;\n      |   ^\n"
        "main.cpp:9:5: error: ‘y’ was not declared"
    )
    assert first_errors(LOG, limit=1).endswith("… and 1 more errors")
    assert first_errors("killed by signal 9") == "killed by signal 9"


def test_an_assembler_s_words_are_about_the_text():
    log = "FAILED: main.o\ncandidate.py: Assembler messages:\ncandidate.py:15: Error: no such instruction: `vgelups'\n"
    assert says_an_error(log)
    assert first_errors(log) == "candidate.py:15: Error: no such instruction: `vgelups'"
    assert not says_an_error("RuntimeError: Error building extension 'x': ninja exited with status 1")


def test_lines_are_quoted_where_the_compiler_quotes_none(tmp_path):
    (tmp_path / "main.cpp").write_text("a\nb\nc\n")
    text = "main.cpp:2:1: error: one\nmain.cpp:3:1: error: two\n    3 | c"
    expected = "main.cpp:2:1: error: one\n    2 | b\nmain.cpp:3:1: error: two\n    3 | c"
    assert quoting(text, tmp_path / "main.cpp") == expected


def test_ptxas_reports_are_read():
    report = """ptxas info    : Compiling entry function '_Z4gemmPKfi' for 'sm_90a'
ptxas info    : Function properties for _Z4gemmPKfi
    48 bytes stack frame, 24 bytes spill stores, 32 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 8192 bytes smem
ptxas info    : Compiling entry function 'plain' for 'sm_90a'
ptxas info    : Used 8 registers, used 0 barriers
"""
    first, second = usage_of_report(report, "sm_90a")
    assert first == ("_Z4gemmPKfi", "sm_90a", 40, 8192, 48, 32, None)
    assert second == ("plain", "sm_90a", 8, 0, 0, 0, None)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("_Z4gemmPKfi", "gemm"), ("_ZN2ns4gemmEv", "gemm"), ("_Z7softmaxILi128EEvPKf", "softmax"), ("plain", "plain")],
)
def test_mangled_names_are_shortened(symbol, name):
    assert plain_name(symbol) == name
