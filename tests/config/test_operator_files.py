"""What an operator imports from its folder is part of its text: it is found without running anything."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from akgflow.config import check_operator
from akgflow.errors import ConfigError
from akgflow.operators.backward import Backward
from akgflow.operators.importer import Importer
from akgflow.operators.preparation import Preparation
from akgflow.operators.text import parts_of, shown, whole

OPERATOR = """\
from __future__ import annotations

{imports}


def get_inputs(n: int = 4):
    return []


def get_init_inputs():
    return []


class Model:
    pass
"""


def folder(root: Path, imports: str, files: dict[str, str]) -> Path:
    """An operator with files beside it, by their paths without the suffix."""
    for name, text in files.items():
        path = root / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    operator = root / "op.py"
    operator.write_text(OPERATOR.format(imports=imports))
    return operator


FOUND = [
    ("import helper", {"helper": ""}, ["helper.py"]),
    ("from helper import shapes", {"helper": ""}, ["helper.py"]),
    ("from .helper import shapes", {"helper": ""}, ["helper.py"]),
    ("from . import helper", {"helper": ""}, ["helper.py"]),
    ("import helper", {"helper": "import other", "other": "", "third": ""}, ["helper.py", "other.py"]),
    ("import helper", {"helper": "import other", "other": "import helper"}, ["helper.py", "other.py"]),
    ("import parts.rope", {"parts/rope": "", "parts/other": ""}, ["parts/rope.py"]),
    ("from parts import rope", {"parts/rope": "from .other import x", "parts/other": ""},
     ["parts/other.py", "parts/rope.py"]),
    ("import parts.rope", {"parts/__init__": "from . import other", "parts/rope": "", "parts/other": ""},
     ["parts/__init__.py", "parts/other.py", "parts/rope.py"]),
    ("def later():\n    import helper", {"helper": ""}, ["helper.py"]),
    ("import math, json, torch", {"math": "", "json": "", "torch": ""}, []),
    ("import nothing_such", {"helper": ""}, []),
]  # fmt: skip


@pytest.mark.parametrize(("imports", "files", "found"), FOUND)
def test_what_is_imported_from_beside_is_found(
    tmp_path: Path, imports: str, files: dict[str, str], found: list[str]
) -> None:
    operator = check_operator(folder(tmp_path, imports, files), [])
    assert list(operator.beside) == found


@pytest.mark.parametrize(
    ("imports", "files", "said"),
    [
        ("from ..other import x", {}, "op.py:3:1: this import leaves the operator's folder"),
        ("import helper", {"helper": "def f(:\n"}, "helper.py:1:7: not valid Python"),
    ],
)
def test_what_cannot_be_carried_is_an_error_at_its_place(
    tmp_path: Path, imports: str, files: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as error:
        check_operator(folder(tmp_path, imports, files), [])
    assert said in str(error.value)


def test_a_whole_text_depends_on_all_of_it(tmp_path: Path) -> None:
    operator = check_operator(folder(tmp_path, "import helper", {"helper": "SIZE = 3\n"}), [])
    (tmp_path / "helper.py").write_text("SIZE = 4\n")
    other = check_operator(tmp_path / "op.py", [])
    assert operator.source == other.source
    assert operator.whole != other.whole
    assert parts_of(operator.whole) == (operator.source, {"helper.py": "SIZE = 3\n"}, None, None, None)
    assert operator.whole.startswith(operator.source)
    assert "# helper.py, beside it:\n\nSIZE = 3\n" in shown(operator.whole)
    assert "__beside__" not in shown(operator.whole)


def test_a_text_alone_is_whole() -> None:
    text = "x = 1\n"
    assert whole(text, {}, None) == shown(text) == text
    assert parts_of(text) == (text, {}, None, None, None)
    assert parts_of(whole(text, {}, "eval")).mode == "eval"
    assert "model.eval() is called first" in shown(whole(text, {}, "eval"))
    asked = whole(text, {}, None, Backward(("x",)))
    assert parts_of(asked + "\n\nclass ModelNew: ...\n") == (text, {}, None, Backward(("x",)), None)
    assert "Its gradients are judged" in shown(asked) and "may overwrite x" in shown(asked)
    for backward in (None, Backward()):
        asked = whole(text, {}, None, backward, Preparation(7))
        assert parts_of(asked + "\n\nclass ModelNew: ...\n") == (text, {}, None, backward, Preparation(7))
        assert parts_of(asked).around("y = 2\n") == whole("y = 2\n", {}, None, backward, Preparation(7))
        assert "prepare them once for 7 calls" in shown(asked)


def test_modules_of_one_operator_are_not_those_of_another() -> None:
    text = "import helper\nfrom parts import rope\nfrom parts.rope import SIZE as S\nHERE = helper.SIZE, rope.SIZE, S\n"
    text += "def later():\n    from helper import LATE\n    return LATE\n"
    made = []
    for number in (1, 2):
        files = {
            "helper.py": f"SIZE = {number}\nLATE = SIZE * 10\n",
            "parts/rope.py": "from .base import SIZE\n",
            "parts/base.py": f"import helper\nSIZE = helper.SIZE + {number}",
        }
        module = ModuleType(f"one_{number}")
        Importer(module.__name__, "/nowhere", files).install(module)
        exec(compile(text, "op.py", "exec"), vars(module))
        made.append(module)
    assert [module.HERE for module in made] == [(1, 2, 2), (2, 4, 4)]
    assert [module.later() for module in made] == [10, 20]


def test_a_module_that_is_not_carried_is_missing_as_usual() -> None:
    module = ModuleType("two")
    Importer("two", "/nowhere", {"parts/rope.py": "import nothing_such\n"}).install(module)
    with pytest.raises(ModuleNotFoundError, match=r"parts\.other"):
        exec("import parts.other", vars(module))
    with pytest.raises(ImportError, match="cannot import name 'other'"):
        exec("from parts import other", vars(module))
    with pytest.raises(ModuleNotFoundError, match="nothing_such"):
        exec("import parts.rope", vars(module))
    exec("import math\nfrom os import path", vars(module))


LISTED = OPERATOR.replace("get_inputs(n: int = 4)", "get_inputs_dyn_list(n: int = 4)")


@pytest.mark.parametrize(
    ("text", "cases", "said"),
    [
        (LISTED.format(imports=""), [], ""),
        (LISTED.format(imports=""), [{"dyn": 1}, {"n": 3}], ""),
        (LISTED.format(imports=""), [{"m": 3}], "the operator takes no 'm'"),
        (OPERATOR.format(imports=""), [{"dyn": 1}], "the operator takes no 'dyn'"),
        ("from helper import Model, get_inputs, get_init_inputs\n", [{"n": 3}], ""),
        ("from helper import Model, get_init_inputs\nget_inputs = make(4)\n", [{"n": 3}], ""),
        ("from helper import Model, get_init_inputs\n", [], "has no get_inputs"),
    ],
)
def test_what_an_operator_may_define(tmp_path: Path, text: str, cases: list[dict[str, int]], said: str) -> None:
    (tmp_path / "op.py").write_text(text)
    (tmp_path / "helper.py").write_text("")
    if not said:
        assert check_operator(tmp_path / "op.py", cases).source == text
        return
    with pytest.raises(ConfigError, match=said):
        check_operator(tmp_path / "op.py", cases)
