"""``akgflow import``: each problem becomes a task that can be planned, or is refused with its reason and place."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from foreign import ALL, EXAMPLES, NAMES, Example

from akgflow import api
from akgflow.errors import ConfigError

FOLDERS = {
    "sol-execbench": "sol",
    "flashinfer-trace": "flashinfer",
    "kernelbot": "kernelbot",
    "robust-kbench": "robust",
}


@pytest.fixture
def space(tmp_path: Path) -> Path:
    root = tmp_path / "space"
    (root / "tasks").mkdir(parents=True)
    return root


@pytest.mark.parametrize("example", ALL, ids=NAMES)
def test_a_problem_becomes_a_task_with_a_plan(example: Example, space: Path) -> None:
    found = api.import_problems(EXAMPLES / FOLDERS.get(example.format, "kernelbench/level1"), workspace=space)
    assert not found.refused
    (task,) = found.tasks
    loaded = api.load(task)
    assert loaded.task.operator.translation is not None
    assert loaded.task.operator.translation.format == example.format
    assert api.plan(task).jobs


def test_everything_below_a_folder_is_found_once(space: Path) -> None:
    found = api.import_problems(EXAMPLES, workspace=space, dsls=["cpp"], targets=["cpu"])
    assert not found.refused
    loaded = [api.load(task).task for task in found.tasks]
    assert sorted(one.operator.translation.format for one in loaded if one.operator.translation) == sorted(NAMES)
    assert {one.dsls for one in loaded} == {("cpp",)}
    again = api.import_problems(EXAMPLES, workspace=space, dsls=["cpp"], targets=["cpu"])
    assert again == found


def test_a_task_that_is_there_is_kept(space: Path) -> None:
    (space / "tasks/gated.yaml").write_text("mine\n")
    (task,) = api.import_problems(EXAMPLES / "robust", workspace=space).tasks
    assert task.stem == "robust_gated"
    assert (space / "tasks/gated.yaml").read_text() == "mine\n"
    task.write_text(task.read_text() + "workflow: no_model\n")
    found = api.import_problems(EXAMPLES / "robust", workspace=space)
    assert not found.tasks
    assert "is a task of this problem already, and differs" in str(found.refused[0])
    assert "no_model" in task.read_text()


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("a.b c", "a_b_c"),
        ("maker/model_" + "x" * 30 + "_fused_rms_norm_of_rows", "model_" + "x" * 30 + "_fused_rms_norm_of_rows"),
        ("x" * 70, "x" * 64),
        ("7up", "copy_7up"),
        ("7_" + "y" * 61, "p7_" + "y" * 61),
        ("…", "_"),
    ],
)
def test_names_of_tasks_are_made_of_the_problem_s(name: str, task: str, space: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(EXAMPLES / "sol/scaled_rows", copy)
    definition = copy / "definition.json"
    definition.write_text(definition.read_text().replace("scaled_rows_c8", name), encoding="utf-8")
    (made,) = api.import_problems(copy, workspace=space).tasks
    assert made.stem == task or made.stem.endswith(task)
    assert api.load(made).task.name == made.stem


def test_problems_of_one_name_get_the_folders_above(space: Path, tmp_path: Path) -> None:
    for level in ("one", "two"):
        shutil.copytree(EXAMPLES / "robust/gated", tmp_path / "many" / level / "task_1")
    found = api.import_problems(tmp_path / "many", workspace=space)
    assert [task.stem for task in found.tasks] == ["task_1", "two_task_1"]


def test_cases_of_a_task_come_before_those_of_the_problem(space: Path) -> None:
    (task,) = api.import_problems(EXAMPLES / "kernelbot", workspace=space).tasks
    assert api.load(task).task.cases == (
        {"rows": 8, "columns": 12},
        {"rows": 20, "columns": 64, "shift": 0.5},
        {"rows": 64, "columns": 64},
    )
    assert api.load(task).task.shapes.fixed
    task.write_text(task.read_text() + "cases: [{rows: 3, columns: 5}]\n")
    assert api.load(task).task.cases == ({"rows": 3, "columns": 5},)
    task.write_text(task.read_text().replace("rows: 3", "row: 3"))
    with pytest.raises(ConfigError, match="the operator takes no 'row'"):
        api.load(task)


def test_a_folder_without_problems_is_an_error(tmp_path: Path, space: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no problem"):
        api.import_problems(tmp_path / "empty", workspace=space)
    with pytest.raises(ConfigError, match="no format 'kernelbt': did you mean 'kernelbot'"):
        api.import_problems(EXAMPLES, form="kernelbt", workspace=space)


SOL = "definition.json"
REFUSED: list[tuple[str, str, str, str, str]] = [
    ("sol/scaled_rows", SOL, '"float32"', '"float4_e2m1fn_x2"', r"definition\.json:\d+:1: .* is of float4_e2m1fn_x2"),
    ("sol/scaled_rows", SOL, '"columns // 2"', '"columns.bit_length()"', "'pairs' is no arithmetic of axes"),
    ("sol/scaled_rows", SOL, '"columns // 2"', '"lines // 2"', "'pairs' cannot be computed"),
    ("sol/scaled_rows", SOL, "def run(", "def walk(", "the reference defines no function run"),
    ("sol/scaled_rows", SOL, r"return taken, ", r"return taken, )", "line 13 of the reference: not valid Python"),
    ("sol/scaled_rows", SOL, '"op_type"', "op_type", r"definition\.json:3:3: not valid JSON"),
    (
        "sol/scaled_rows",
        "workload.jsonl",
        '"rows": 33, ',
        "",
        r"workload\.jsonl:2:1: gives no size for the axis 'rows'",
    ),
    ("sol/scaled_rows", "workload.jsonl", '"type": "custom"', '"type": "dump"', r":1:1: the input 'index' is 'dump'"),
    (
        "sol/scaled_rows",
        "workload.jsonl",
        '"type": "random"',
        '"type": "generated", "generator": {"type": "gamma"}',
        r":1:1: the input 'x' is generated by 'gamma'; it can be normal, ",
    ),
    (
        "sol/scaled_rows",
        "workload.jsonl",
        '"type": "random"',
        '"type": "generated", "generator": {"type": "integer", "low": 0, "high": "len(rows)"}',
        "'high' is no whole number and no arithmetic of axes",
    ),
    ("sol/scaled_rows", "workload.jsonl", '"scalar", "value"', '"scalar", "is"', "has no number as its value"),
    ("flashinfer", "blob/weight.safetensors", "", "", r"the data file blob/weight\.safetensors is in no folder above"),
    ("kernelbot", "square_sum/task.yml", 'lang: "py"', 'lang: "cu"', r"task\.yml:8:1: the task is in 'cu'"),
    (
        "kernelbot",
        "square_sum/task.yml",
        "ranking_by",
        "multi_gpu: true\nranking_by",
        r"task\.yml:24:1: .*several GPUs",
    ),
    ("kernelbot", "square_sum/task.yml", '"rows": 8', '"rows": [8]', r"task\.yml:17:1: tests: 'rows' is list"),
    ("kernelbot", "square_sum/task.yml", "tests:", "tests: [", r"task\.yml:\d+:\d+: not valid YAML"),
    (
        "kernelbot",
        "square_sum/reference.py",
        "check_implementation = make_match_reference(ref_kernel, rtol=1e-4, atol=1e-4)",
        "def check_implementation(data, output):\n    return bool(output.isfinite().all()), ''",
        r"reference\.py:19:1: check_implementation does not compare with ref_kernel",
    ),
    (
        "kernelbot",
        "square_sum/reference.py",
        "def ref_kernel",
        "def kernel",
        r"reference\.py:1:1: defines no ref_kernel",
    ),
    ("robust", "gated/config_forward.json", '"features": 40', '"features": [40]', r"json:\d+:1: .*'features' is list"),
    (
        "robust",
        "gated/func_forward.py",
        "def forward_fn",
        "def forward",
        r"func_forward\.py:1:1: defines no forward_fn",
    ),
    (
        "robust",
        "gated/func_forward.py",
        "import torch\n",
        "import torch (\n",
        r"func_forward\.py:1:14: not valid Python",
    ),
]


@pytest.mark.parametrize(("folder", "file", "old", "new", "words"), REFUSED)
def test_what_cannot_be_expressed_is_refused_at_its_place(
    folder: str, file: str, old: str, new: str, words: str, tmp_path: Path, space: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(EXAMPLES / folder, copy)
    changed = copy / file
    if old:
        text = changed.read_text(encoding="utf-8")
        assert old in text
        changed.write_text(text.replace(old, new), encoding="utf-8")
    else:
        changed.unlink()
    found = api.import_problems(copy, workspace=space)
    assert not found.tasks
    assert re.search(words, str(found.refused[0])), found.refused


def test_a_backward_problem_is_refused(tmp_path: Path, space: Path) -> None:
    copy = tmp_path / "gated"
    shutil.copytree(EXAMPLES / "robust/gated", copy)
    shutil.copy(copy / "func_forward.py", copy / "func_backward.py")
    shutil.copy(copy / "config_forward.json", copy / "config_backward.json")
    found = api.import_problems(copy, workspace=space)
    assert len(found.tasks) == 1
    assert "gradients are not judged" in str(found.refused[0])


SOLUTIONS: list[tuple[str, str, str]] = [
    ('"cpp"', '"cute_dsl"', "is written in cute_dsl, which is no DSL that akgflow compiles"),
    ('"cpp"', '"triton"', "is written in triton, not in cpp: give it with --dsl"),
    ("rows.cpp::run", "rows.cu::run", "the entry point rows.cu::run is no FILE::FUNCTION"),
    ('"tvm-ffi"', '"torch"', "no source binds run"),
    ('"tvm-ffi"', '"pybind"', "neither torch nor tvm-ffi"),
    ("scaled_rows_c8", "scaled_rows_c9", "solves 'scaled_rows_c9', and the operator is 'scaled_rows_c8'"),
]


@pytest.mark.parametrize(("old", "new", "words"), SOLUTIONS)
def test_a_solution_that_cannot_be_expressed_is_refused(old: str, new: str, words: str, tmp_path: Path) -> None:
    text = (EXAMPLES / ALL[0].right).read_text(encoding="utf-8")
    file = tmp_path / "solution.json"
    file.write_text(text.replace(old, new))
    assert json.loads(file.read_text()) != json.loads(text)
    with pytest.raises(ConfigError, match=words):
        api.verify(file, operator=EXAMPLES / ALL[0].problem, dsl="cpp", target="cpu")


def test_a_gate_on_shapes_that_the_problem_does_not_have_is_an_error(space: Path) -> None:
    (task,) = api.import_problems(EXAMPLES / "kernelbot", workspace=space).tasks
    task.write_text(task.read_text() + "gates: {shapes: general}\n")
    with pytest.raises(ConfigError, match="this problem of kernelbot has none"):
        api.load(task)
    task.write_text(task.read_text() + "shapes: {rows: 1..64}\n")
    assert api.load(task).task.shapes.given


def test_links_in_a_circle_end(space: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(EXAMPLES / "robust", copy)
    (copy / "again").symlink_to(copy, target_is_directory=True)
    assert len(api.import_problems(copy, workspace=space).tasks) == 1


@pytest.mark.parametrize("file", ["9" * 400, "9" * 400 + ".py", "a/" * 3000, "..", "/dev/null", "no/such.json"])
def test_paths_of_every_kind_are_read_or_refused_in_the_task(file: str, space: Path) -> None:
    task = space / "tasks/odd.yaml"
    task.write_text(
        f"version: 1\nname: odd\nkind: generate\noperator: {{file: {json.dumps(file)}}}\n"
        "matrix: {dsl: [triton], target: [cpu]}\n"
    )
    with pytest.raises(ConfigError, match=r"odd\.yaml:4:18: the operator .* (cannot be read|does not exist)"):
        api.load(task)
