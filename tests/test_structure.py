"""The shape of the package, read from its source: direction of imports, cycles, weight, sizes, annotations."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "akgflow"

# From the bottom up. A part imports from itself and from the layers below it, never sideways or upwards.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "terms"}),
    frozenset({"base"}),
    frozenset({"clocks", "operators", "precision", "sanitized"}),
    frozenset({"formats"}),
    frozenset({"config.steps"}),
    frozenset({"config.types"}),
    frozenset({"budget", "features", "machine", "verdict", "verification.sandbox"}),
    frozenset({"config", "disturbances", "ranking", "reproduction", "speed"}),
    frozenset({"models", "sketch", "toolchains"}),
    frozenset({"agents", "knowledge", "verification"}),
    frozenset({"executors", "search", "torch_compile"}),
    frozenset({"planning"}),
    frozenset({"runs"}),
    frozenset({"engine"}),
    frozenset({"suites"}),
    frozenset({"doctor", "export", "reporting"}),
    frozenset({"api"}),
    frozenset({"mcp"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

# Who may name a heavy package at all, even inside a function.
HEAVY = {
    "litellm": ("akgflow.models._litellm",),
    "torch": ("akgflow.toolchains", "akgflow.verification", "akgflow.torch_compile"),
    "triton": ("akgflow.toolchains", "akgflow.verification"),
    "tvm_ffi": ("akgflow.toolchains", "akgflow.verification"),
    "tilelang": ("akgflow.toolchains",),
    "optuna": ("akgflow.search.tuner",),
    "ray": ("akgflow.executors.ray",),
    "vl_convert": ("akgflow.reporting.html.charts",),
    "mcp": ("akgflow.mcp",),
    "mcp_types": ("akgflow.mcp",),
}
# Which parts of verification may know of which. Judge and candidate meet in *shared* only; *sandbox* knows no kernels.
# *worker_protocol* is what the judge and its executor say to each other.
SIDES = {
    "judge": {"reference", "shared", "sandbox", "worker_protocol"},
    "reference": {"shared", "sandbox"},
    "candidate": {"shared", "sandbox"},
    "shared": {"sandbox"},
    "sandbox": set[str](),
}
MAX_FILE_LINES = 400
MAX_ENTRIES = {"akgflow/verification": 8, "akgflow/toolchains": 9, "akgflow/toolchains/cuda_c/include/cuda_on_cpu": 18}
"""Of a folder; 14 elsewhere. The root holds the parts themselves, knowledge is one document a topic, and headers that
stand in for CUDA's have CUDA's names."""
MAX_FUNCTION_LINES = 60


def _files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "dsls" not in path.parts)


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


MODULES = {_module(path): path for path in _files()}


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that the file names in an import, wherever it stands, with the line."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write the full name"
            base = node.module or ""
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield (full if full in MODULES else base), node.lineno


def _part(module: str) -> str:
    """The name under which a module stands in ``LAYERS``; empty for the root package, which holds the version."""
    inner = module.removeprefix("akgflow").removeprefix(".")
    first, second = (*inner.split("."), "")[:2]
    return next((name for name in (inner, f"{first}.{second}") if name in RANK), first)


def test_imports_point_down() -> None:
    parts = {module: part for module in MODULES if (part := _part(module))}
    without = [f"{module}: {part} has no layer in LAYERS" for module, part in parts.items() if part not in RANK]
    assert not without, "\n".join(without)
    wrong = [
        f"{MODULES[module]}:{line}: {module} imports {name}"
        for module, part in parts.items()
        for name, line in _imports(MODULES[module])
        if name.startswith("akgflow.") and (to := _part(name)) != part and RANK[to] >= RANK[part]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_cycles() -> None:
    graph = {
        module: {name for name, _ in _imports(path) if name in MODULES and name not in (module, "akgflow")}
        for module, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("import cycle: " + " <- ".join(error.args[1]))


def test_the_root_gives_its_own_modules_nothing_but_the_version() -> None:
    """It offers what is above them all: to take a function from it would close a circle that no import shows."""
    wrong = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for path in MODULES.values()
        for node in ast.walk(_tree(path))
        if (isinstance(node, ast.Import) and any(alias.name == "akgflow" for alias in node.names))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "akgflow"
            and any(f"akgflow.{alias.name}" not in MODULES and alias.name != "__version__" for alias in node.names)
        )
    ]
    assert not wrong, "\n".join(wrong)


# What commands and tools may know beside the API: how values are shown, and what a value is made of.
THIN = ("api", "base", "config.types", "errors", "reporting", "terms", "verdict")


@pytest.mark.parametrize("shell", ["cli", "mcp"])
def test_commands_and_tools_hold_no_logic(shell: str) -> None:
    allowed = tuple(f"akgflow.{part}" for part in (*THIN, shell, *(("mcp",) if shell == "cli" else ())))
    wrong = [
        f"{path}:{line}: {module} imports {name}; what it takes from there belongs into akgflow.api"
        for module, path in MODULES.items()
        if module == f"akgflow.{shell}" or module.startswith(f"akgflow.{shell}.")
        for name, line in _imports(path)
        if name.startswith("akgflow.") and not any(name == one or name.startswith(f"{one}.") for one in allowed)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("side", SIDES)
def test_judge_and_candidate_meet_in_shared_code_only(side: str) -> None:
    home = f"akgflow.verification.{side}"
    wrong = [
        f"{path}:{line}: {side} imports {name}"
        for module, path in MODULES.items()
        if module == home or module.startswith(home + ".")
        for name, line in _imports(path)
        if (name.startswith("akgflow.verification.") and name.split(".")[2] not in {side, *SIDES[side]})
        or (
            side == "sandbox"
            and name.startswith("akgflow.")
            and not name.startswith((home, "akgflow.errors", "akgflow.base.secrets"))
        )
    ]
    assert not wrong, "\n".join(wrong)


HEADERS = PACKAGE.glob("toolchains/**/*.h")
FOLDERS = sorted({path.parent for path in (*MODULES.values(), *HEADERS)} - {PACKAGE})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_folders_can_be_taken_in_at_a_glance(folder: Path) -> None:
    entries = [path for path in folder.iterdir() if path.name != "__pycache__"]
    most = MAX_ENTRIES.get(str(folder.relative_to(PACKAGE.parent)), 14)
    assert len(entries) <= most, f"{folder} has {len(entries)} entries; make a folder of what belongs together"


def _strings(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno


def test_modules_that_are_named_in_strings_exist() -> None:
    """Processes are started by a module's name, which no import checks."""
    named = [(text, f"{path}:{line}") for path in MODULES.values() for text, line in _strings(_tree(path))]
    started = {text: place for text, place in named if re.fullmatch(r"akgflow(\.\w+)+", text)}
    missing = [f"{place}: {text}" for text, place in started.items() if text not in MODULES]
    assert len(started) >= 5, "processes are started in another way: this test reads nothing any more"
    assert not missing, "\n".join(missing)


def test_the_self_test_attacks_functions_that_exist() -> None:
    """A canary replaces the judge's comparisons by name: under another name it would attack nothing."""
    from akgflow.verification.reference import output_form, tolerance
    from akgflow.verification.shared import memory

    text = MODULES["akgflow.verification.selftest"].read_text(encoding="utf-8")
    for name, home in (("compare", tolerance), ("same_bits", memory), ("check_structure", output_form)):
        assert callable(getattr(home, name)) and f'"{name}"' in text


def test_heavy_packages_stay_in_their_place() -> None:
    wrong = [
        f"{path}:{line}: {module} imports {name}; only {' and '.join(HEAVY[root])} may"
        for module, path in MODULES.items()
        for name, line in _imports(path)
        if (root := name.partition(".")[0]) in HEAVY
        and not any(module == home or module.startswith(home + ".") for home in HEAVY[root])
    ]
    assert not wrong, "\n".join(wrong)


# What would make a new DSL or a new platform an edit of code: comparing one's name with a literal.
AXES = {"dsl", "dsls", "platform", "toolchain", "arch"}


def _is_axis(node: ast.expr) -> bool:
    """True for what holds a DSL's or a platform's name: ``dsl``, ``job.platform``, ``pack.name``, ``spec["dsl"]``."""
    if isinstance(node, ast.Name):
        return node.id in AXES
    if isinstance(node, ast.Attribute):
        owner = node.value
        named = isinstance(owner, ast.Name | ast.Attribute) and node.attr == "name"
        held = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        return node.attr in AXES or (named and held in AXES | {"pack"})
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value in AXES
    return False


def _holds_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(_holds_text(one) for one in node.elts)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _asks_which(tree: ast.AST) -> Iterator[int]:
    """Lines that ask which DSL or platform this is: ``==``, ``in``, ``match``, ``startswith``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(_is_axis, sides)) and any(map(_holds_text, sides)):
                yield node.lineno
        elif isinstance(node, ast.Match):
            patterns = [part for case in node.cases for part in ast.walk(case.pattern)]
            if _is_axis(node.subject) and any(isinstance(part, ast.MatchValue) for part in patterns):
                yield node.lineno
        elif isinstance(node, ast.Attribute) and node.attr in ("startswith", "endswith") and _is_axis(node.value):
            yield node.lineno


def test_no_part_asks_which_dsl_or_platform_it_is() -> None:
    """What differs between compilers is in toolchains/, between platforms in their table; all else takes any."""
    others = [path for module, path in MODULES.items() if _part(module) not in ("toolchains", "platforms")]
    wrong = [f"{path}:{line}" for path in others for line in _asks_which(_tree(path))]
    assert not wrong, "asks for a DSL or a platform by name:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "if dsl == 'triton': pass",
        "if 'cuda' != target.platform: pass",
        "x = 1 if pack.name == 'cpp' else 2",
        "if job.dsl in ('triton', 'tilelang'): pass",
        "while spec['platform'] not in {'cpu'}: pass",
        "if target.arch.startswith('sm_'): pass",
        "match platform:\n  case 'hip': pass",
        "match job.dsl:\n  case 'cpp' | 'triton': pass",
    ],
)
def test_asking_is_noticed(line: str) -> None:
    assert list(_asks_which(ast.parse(line))) == [1]


def _functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in MODULES.values():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def test_sizes() -> None:
    long = [
        f"{path} has {lines} lines; split it at {MAX_FILE_LINES}"
        for path in MODULES.values()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_FILE_LINES
    ]
    long += [
        f"{path}:{node.lineno}: {node.name} has {length} lines; split it at {MAX_FUNCTION_LINES}"
        for path, node in _functions()
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_functions_are_annotated() -> None:
    bare: list[str] = []
    for path, node in _functions():
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        untyped = [a.arg for a in arguments if a and a.annotation is None and a.arg not in {"self", "cls"}]
        if untyped or node.returns is None:
            bare.append(f"{path}:{node.lineno}: {node.name} lacks {', '.join(untyped) or 'a return type'}")
    assert not bare, "\n".join(bare)


@pytest.mark.thorough
@pytest.mark.parametrize("part", ["toolchains", "verification", "executors"])
def test_judging_needs_neither_litellm_nor_jsonschema(part: str) -> None:
    """A machine that only judges has torch and a compiler, not what the rest of akgflow depends on."""
    names = [module for module in MODULES if _part(module) == part and ".ray" not in module]
    blocked = "import sys\nfor name in ('litellm', 'jsonschema', 'jinja2', 'rich', 'click'): sys.modules[name] = None\n"
    script = blocked + "import importlib\n" + "".join(f"importlib.import_module({name!r})\n" for name in names)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Each with the only parts that may use it, and what the others use instead.
ONE_PLACE: dict[str, tuple[frozenset[str], str]] = {
    "splitlines": (
        # Files of the system and of compilers; YAML's own notion of a line.
        frozenset(
            {
                "text",
                "machine",
                "toolchains",
                "torch_compile",
                "verification",
                "executors.ray",
                "executors.availability",
                "config._problems",
                "models._events",
            }
        ),
        "akgflow.base.text.lines: str.splitlines also splits at characters that end no line",
    ),
    "write_text": (
        frozenset({"toolchains", "verification"}),
        "akgflow.base.atomic.write_text: a kill must not leave half a file",
    ),
    "echo": (frozenset(), "akgflow.base.streams.echo: what others wrote must not steer the terminal"),
    "secho": (frozenset(), "akgflow.base.streams.echo: what others wrote must not steer the terminal"),
}


def test_text_is_split_written_and_printed_in_one_place() -> None:
    calls = [
        (module.removeprefix("akgflow."), node.func.attr, f"{path}:{node.lineno}")
        for module, path in MODULES.items()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ONE_PLACE
    ]
    wrong = [
        f"{place}: {name}: use {ONE_PLACE[name][1]}"
        for inner, name, place in calls
        if not any(inner == home or inner.startswith(f"{home}.") for home in ONE_PLACE[name][0])
    ]
    assert not wrong, "\n".join(wrong)
