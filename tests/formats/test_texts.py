"""Texts that translations are made of: lines stay where they were, modules and headers come with them."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import pytest
from foreign import ALL, EXAMPLES, NAMES, Example

from akgflow import formats
from akgflow.config import check_operator
from akgflow.formats import native
from akgflow.formats.base import Refused
from akgflow.formats.python import with_modules

FILE = Path("kernel.py")


@pytest.mark.parametrize("example", ALL, ids=NAMES)
def test_the_lines_of_the_users_file_keep_their_numbers(example: Example) -> None:
    made = check_operator(EXAMPLES / example.problem, ()).translation
    assert made is not None
    if made.file.suffix == ".py":
        assert made.source.startswith(made.file.read_text(encoding="utf-8"))
    file = EXAMPLES / example.right
    if file.suffix == ".py":
        own = file.read_text(encoding="utf-8").splitlines()
        candidate = formats.candidate(file.read_text(encoding="utf-8"), file, made).text.splitlines()
        moved = [line for line in own if "from task import" in line]
        assert [one for one, other in zip(own, candidate, strict=False) if one != other] == moved


TEXTS = [
    "import helper\nvalue = helper.two()\n",
    "from helper import two\nvalue = two()\n",
    '"""A text."""\nfrom __future__ import annotations\n\nfrom helper import two as other\nvalue = other()\n',
    "try:\n    from helper import two\nexcept ImportError:\n    two = None\nvalue = two()\n",
    "x = 1; import helper\nvalue = helper.two()\n",
    "def late():\n    from helper import two\n    return two()\nvalue = late()\n",
    "value = 2\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_modules_come_with_a_candidate_on_the_line_of_their_import(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {
        "helper.py": "import inner\n\n\ndef two():\n    return inner.ONE * 2\n",
        "inner.py": "ONE = 1\n",
        "no.py": "(",
    }
    for name in ("helper", "inner"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    made = with_modules(text, modules, FILE)
    assert made.count("\n") == text.count("\n")
    space: dict[str, object] = {}
    exec(compile(made, "kernel.py", "exec"), space)
    assert space["value"] == 2
    if "helper" in sys.modules:
        # As Triton reads the text of a kernel.
        assert inspect.getsource(sys.modules["helper"].two) == "def two():\n    return inner.ONE * 2\n"
    for name in ("helper", "inner"):
        sys.modules.pop(name, None)


def test_headers_stand_where_they_are_included_with_their_places() -> None:
    sources = {
        "src/main.cpp": '#include "a.h"\n#include "b.h"\n#include <vector>\nTVM_FFI_DLL_EXPORT_TYPED_FUNC(f, f)\n',
        "src/a.h": '#pragma once\n#include "b.h"\nint a;\n',
        "b.h": "#pragma once\nint b;\n",
    }
    text = native.library(sources, "f", "tvm-ffi", {}, FILE)
    joined: dict[str, list[str]] = {}
    text = text.replace("from tvm_ffi.cpp import load_inline as _akgflow_load", "_akgflow_load = take")
    exec(text, {"take": lambda **given: joined.update(given)})
    (cpp,) = joined["cpp_sources"]
    assert cpp.count("int a;") == cpp.count("int b;") == 1
    assert '#line 1 "src/a.h"' in cpp and '#line 3 "src/a.h"\nint a;' in cpp
    assert '#line 3 "src/main.cpp"\n#include <vector>' in cpp
    assert "functions" not in joined


def test_a_source_that_is_empty_is_the_file_beside_its_solution(tmp_path: Path) -> None:
    about = check_operator(EXAMPLES / ALL[0].problem, ()).translation
    assert about is not None
    data = json.loads((EXAMPLES / ALL[0].right).read_text(encoding="utf-8"))
    whole = formats.candidate(json.dumps(data), tmp_path / "solution.json", about)
    for source in data["sources"]:
        file = tmp_path / "solved" / source["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source["content"], encoding="utf-8")
        source["content"] = ""
    assert formats.candidate(json.dumps(data), tmp_path / "solved" / "solution.json", about) == whole
    for name in ("path", "entry_point"):
        data = json.loads(json.dumps(data).replace(f'"{name}": "', f'"{name}": "../solved/'))
    left = formats.candidate(json.dumps(data), tmp_path / "solved" / "solution.json", about)
    assert "TensorView" in whole.text and "TensorView" not in left.text, "no file from above is read"


def test_a_module_in_a_folder_is_refused() -> None:
    with pytest.raises(Refused, match="a candidate carries plain modules only"):
        with_modules("import helper\n", {"parts/helper.py": ""}, FILE)


def test_a_module_with_an_error_names_its_own_file() -> None:
    with pytest.raises(Refused) as why:
        with_modules("import helper\n", {"helper.py": "\nx = (\n"}, FILE)
    assert (why.value.file.name, why.value.line) == ("helper.py", 2)


def test_the_source_of_a_reference_in_json_can_be_read(tmp_path: Path) -> None:
    """Triton reads it of a kernel, and a traceback of the line that failed."""
    from akgflow.verification.reference.operator import load

    operator = check_operator(EXAMPLES / "flashinfer/definitions/rowsum/rowsum_d32.json", ())
    module = load(operator.whole, str(operator.file))
    assert inspect.getsource(module.run).startswith("def run(x, weight):\n")
