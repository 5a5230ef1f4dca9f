"""C++ sessions: built with tvm-ffi, called, and the compiler's words where they do not build."""

from pathlib import Path

import pytest

from akgflow.config.types import Target
from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains import cpp

TEXT = (Path(__file__).parent / "candidates" / "cpp_add.py").read_text(encoding="utf-8")
SHAPES = [[[1000], [1000]]]


def test_add_is_built_called_and_cached(drive, build_cache):
    seen = drive("cpp", "executed", "cpu", "cpp_add.py", SHAPES)
    assert seen["errors"][0] < 1e-6
    assert seen["kernels"] == ["add"], "a function that is built and never called does not count"
    assert seen["resources"] == []
    assert seen["home"] == []
    built = {path: path.stat().st_mtime_ns for path in build_cache.rglob("*.so")}
    assert drive("cpp", "executed", "cpu", "cpp_add.py", SHAPES)["errors"] == seen["errors"]
    assert {path: path.stat().st_mtime_ns for path in build_cache.rglob("*.so")} == built


def test_build_errors_are_the_compilers_at_the_candidates_lines(drive):
    text = TEXT.replace("const int64_t n = x.numel();", "const int64 n = x.numel();")
    seen = drive("cpp", "executed", "cpu", text, SHAPES)
    line = text[: text.index("const int64 n")].count("\n") + 1
    assert seen["error"] == "CompileFailure"
    assert seen["message"].startswith(f"candidate.py:{line}:9: error: ")
    assert "const int64 n = x.numel();" in seen["message"]
    assert "ninja" not in seen["message"]


def test_a_missing_symbol_is_a_compile_failure(drive):
    seen = drive("cpp", "executed", "cpu", TEXT.replace('["add", "unused"]', '["add", "absent"]'), SHAPES)
    assert seen["error"] == "CompileFailure"
    assert "absent" in seen["message"]


@pytest.mark.parametrize(
    ("evidence", "platform", "words"),
    [
        (Evidence.EXECUTED, "cpu", None),
        (Evidence.EXECUTED, "cuda", "run on CPUs"),
        (Evidence.COMPILED, "cpu", "executed here"),
    ],
)
def test_missing_gives_the_reason(evidence, platform, words):
    reason = cpp.missing(evidence, Target("t", platform, "native"), Machine("a cpu", 2))
    assert (reason is None) if words is None else (words in reason)


def test_a_machine_without_a_compiler_says_how_to_get_one(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CXX", raising=False)
    assert "apt-get install g++" in cpp.missing(Evidence.EXECUTED, Target("t", "cpu", "native"), Machine("a cpu", 2))
