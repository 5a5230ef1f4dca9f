"""What users get wrong: each mistake is one sentence at its place, and all of them come at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from akgflow.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from conftest import Place


def _targets(entry: str) -> str:
    return f"version: 1\ntargets:\n  mine: {entry}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            _targets("{platform: cuda, arhc: sm_90}"),
            "3:26: 'mine' knows no key 'arhc': did you mean 'arch'?",
        ),
        (_targets("{platform: cuda}"), "3:3: 'mine' lacks 'arch': add it"),
        (
            _targets("{platform: cudda, arch: sm_90}"),
            "3:20: 'platform' cannot be the text 'cudda': did you mean 'cuda'?",
        ),
        (_targets("{platform: cuda, arch: 90}"), "3:32: 'arch' must be text, not the number 90: quote it"),
        (_targets("{platform: cuda, arch: {a: 1}}"), "3:32: 'arch' must be text, not a mapping"),
        (
            _targets("{platform: cuda, arch: hopper}"),
            "3:32: 'hopper' is no architecture of platform cuda (target 'mine'): write it as sm_NN, sm_NNa or sm_NNf",
        ),
        (_targets("{platform: hip, arch: gfx9999}"), "'gfx9999' is no architecture of platform hip (target 'mine')"),
        (_targets("{platform: hip, arch: gfx943}"), "3:31: 'gfx943' is no architecture of platform hip"),
        (_targets("{platform: cuda, arch: sm_91}"), "3:32: 'sm_91' is no architecture of platform cuda"),
        (_targets("{platform: cuda, arch: sm_80a}"), "did you mean 'sm_80'?"),
        (_targets("{platform: cuda, arch: sm_999}"), "'sm_999' is no architecture of platform cuda"),
        (_targets("{platform: ascend, arch: ascend911}"), "'ascend911' is no architecture of platform ascend"),
        (_targets("{platform: cpu, arch: zen4}"), "(target 'mine'): write it as native, x86_64 or aarch64"),
        (_targets("{platform: cpu, arch: arm64}"), "did you mean 'aarch64'?"),
        (_targets("{platform: rocm, arch: gfx942}"), "'platform' cannot be the text 'rocm': did you mean 'hip'?"),
        (_targets("{platform: nvidia, arch: sm_90}"), "'platform' cannot be the text 'nvidia': did you mean 'cuda'?"),
        (_targets("{platform: gpu, arch: sm_90}"), "say whose: platform cuda for NVIDIA's, hip for AMD's"),
        (_targets("{platform: NPU, arch: ascend910b4}"), "did you mean 'ascend'?"),
        (_targets("{platform: xpu, arch: pvc}"), "akgflow has no platform for Intel's GPUs: its platforms are cpu,"),
        (_targets("{platform: mps, arch: m3}"), "akgflow has no platform for Apple's GPUs"),
        (_targets("{extends: nvidia_h200, arch: h200}"), "'h200' is no architecture of platform cuda (target 'mine')"),
        (_targets("{platform: cuda, arch: ''}"), "3:32: 'arch' needs 1 or more characters, and has 0"),
        (_targets("{platform: cuda, arch: sm_90, facts: {sms: lots}}"), "'sms' must be a number, not the text 'lots'"),
        (_targets("{platform: cuda, arch: sm_90, facts: {tflops: {fp23: 1}}}"), "did you mean 'fp32'?"),
        (_targets("{platform: cuda, arch: sm_90, sources: a}"), "'sources' must be a list, not the text 'a'"),
        (_targets("{extends: nvidia_h20}"), "3:19: there is no target 'nvidia_h20' to extend: did you mean"),
        (_targets("{extends: mine}"), "3:19: target 'mine' extends itself and shadows no shipped one"),
        (_targets("{extends: cpu, platfrom: cpu}"), "3:24: 'mine' knows no key 'platfrom': did you mean 'platform'?"),
        (_targets("[]"), "3:9: 'mine' must be a mapping, not a list"),
        (
            "version: 1\ntargets:\n  my target: {extends: cpu}\n",
            "3:3: 'my target' is no name for an entry of 'targets'",
        ),
        ("targets: {}\n", "1:1: the file lacks 'version': add it"),
        ("version: 2\ntargets: {}\n", "1:10: 'version' must be 1, not the number 2"),
        ("version: 1\ntargtes: {}\n", "2:1: the file knows no key 'targtes': did you mean 'targets'?"),
        ("", "1:1: the file is empty: start it with 'version: 1'"),
        ("- a\n", "1:1: the file must be a mapping, not a list"),
        ("just text\n", "1:1: the file must be a mapping, not the text 'just text'"),
        ("version: 1\ntargets: {a: {extends: b}, b: {extends: a}}\n", "'extends' goes in a circle: a → b → a"),
    ],
)
def test_hardware(place: Place, text: str, said: str) -> None:
    place.write("hardware.yaml", text)
    lines = place.said()
    assert len(lines) == 1
    assert lines[0].startswith("hardware.yaml:")
    assert said in lines[0]


def _agents(section: str, entry: str) -> str:
    return f"version: 1\n{section}:\n  mine: {entry}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_agents("agents", "{model: defalut, prompt: hi}"), "there is no model 'defalut': did you mean 'default'?"),
        (_agents("models", "{model: x, fallbacks: [defualt]}"), "there is no model 'defualt': did you mean 'default'?"),
        (_agents("models", "{model: x, fallbacks: [mine]}"), "the model 'mine' falls back on itself"),
        (_agents("models", "{model: x, api_base: localhost}"), "'api_base' cannot be the text 'localhost': Base URL"),
        (_agents("models", "{model: x, params: {temprature: 1}}"), "did you mean 'temperature'?"),
        (
            _agents("models", "{model: x, params: {temperature: 9}}"),
            "'temperature' must be at most 2, not the number 9",
        ),
        (_agents("models", "{model: x, limits: {timeout: soon}}"), "'timeout' cannot be the text 'soon': Time for one"),
        (_agents("models", "{model: x, limits: {timeout: 0}}"), "'timeout' must be more than 0, not the number 0"),
        (_agents("models", "{model: x, limits: {retries: 2.5}}"), "'retries' must be a whole number"),
        (_agents("models", "{model: x, price: {input: 1}}"), "'price' lacks 'output'"),
        (
            _agents("models", "{model: x, price: cheap}"),
            "'price' cannot be the text 'cheap': choose from free, unknown",
        ),
        (_agents("models", "{model: x, price: 3}"), "'price' must be a mapping or text or null, not the number 3"),
        (_agents("models", "{model: x, price: {usd_per_million_tokens: {in: 3}}}"), "lacks 'out'"),
        (_agents("models", "{model: x, price: {usd_per_call: -1}}"), "'usd_per_call' must be at least 0"),
        (
            _agents("models", "{model: x, price: {usd_per_million_tokens: {in: 3, out: -1}}}"),
            "'out' must be at least 0",
        ),
        (_agents("models", "{model: x, price: {usd_per_million_tokens: {in: 1, outt: 1}}}"), "did you mean 'out'?"),
        (_agents("models", "{model: {env: NOPE}}"), "3:23: the environment variable NOPE is not set: set NOPE, or add"),
        (_agents("models", "{model: {env: NOPE, defualt: x}}"), "knows no key 'defualt': did you mean 'default'?"),
        (_agents("models", "{model: {env: NO-PE}}"), "'NO-PE' is no name of an environment variable"),
        (_agents("models", "{model: {env: OPENAI_API_KEY}}"), "OPENAI_API_KEY looks like a key"),
        (_agents("agents", "{model: default}"), "'mine' lacks 'prompt'"),
        (_agents("agents", "{model: default, prompt: hi, reply: {format: json}}"), "'reply' lacks 'fields'"),
        (_agents("agents", "{model: default, prompt: hi, reply: {format: cod}}"), "did you mean 'code'?"),
        (_agents("workflows", "{steps: {}}"), "'steps' needs 1 or more entries, and has 0"),
        (_agents("workflows", "{steps: {a: {agent: codr}}}"), "there is no agent 'codr': did you mean 'coder'?"),
        (_agents("workflows", "{steps: {a: {agent: coder, sample: 2}}}"), "did you mean 'samples'?"),
        (_agents("workflows", "{steps: {a: {agent: coder, max_attempts: 2}}}"), "'a' knows no key 'max_attempts'"),
        (
            _agents("workflows", "{steps: {a: {agent: coder}, b: {repair: a, agent: coder}}}"),
            "'b' lacks 'max_attempts': add it",
        ),
        (
            _agents("workflows", "{steps: {a: {agent: coder}, b: {repair: c, agent: coder, max_attempts: 1}}}"),
            "no step 'c' comes before 'b': choose from a",
        ),
        (
            _agents("workflows", "{steps: {b: {repair: a, agent: coder, max_attempts: 1}, a: {agent: coder}}}"),
            "no step 'a' comes before 'b': put the step that it takes from before it",
        ),
        (
            _agents("workflows", "{steps: {a: {agent: coder}, b: {repair: a, agent: coder, max_attempts: 999}}}"),
            "'max_attempts' must be at most 50",
        ),
        (
            _agents("workflows", "{steps: {a: {evlove: b, agent: coder}}}"),
            "'a' knows no key 'evlove': did you mean 'evolve'?",
        ),
        (
            _agents("workflows", "{steps: {a: {agent: coder}, b: {evolve: [a, c], agent: coder, generations: 1}}}"),
            "no step 'c' comes before 'b': choose from a",
        ),
        (_agents("workflows", "{steps: {a: {agent: coder}, b: {tune: a}}}"), "'b' lacks 'trials': add it"),
        (_agents("workflows", "{steps: {a: {seed: nowhere}}}"), "'seed' cannot be the text 'nowhere'"),
        (
            _agents("workflows", "{steps: {a: {best_of: 2, agent: coder, repairs: many}}}"),
            "'repairs' must be a whole number",
        ),
        (
            _agents("workflows", "{steps: {a: {agent: coder}, b: {tune: a, trials: 4, headroom: 1.2}}}"),
            "'headroom' must be at most 1",
        ),
        (
            _agents("workflows", "{extends: design_code_repair, steps: {fix: {advisor: nobody}}}"),
            "there is no agent 'nobody'",
        ),
    ],
)
def test_agents(place: Place, text: str, said: str) -> None:
    place.write("agents.yaml", text)
    lines = place.said()
    assert len(lines) == 1, lines
    assert lines[0].startswith("agents.yaml:3:")
    assert said in lines[0]


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
def test_a_price_that_is_no_number_is_refused(place: Place, number: str) -> None:
    place.write("agents.yaml", _agents("models", f"{{model: x, price: {{usd_per_million_tokens: {{in: {number}}}}}}}"))
    assert any("agents.yaml:3:" in line and number in line and "number" in line for line in place.said())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("budget:", "bugdet:", "10:1: the file knows no key 'bugdet': did you mean 'budget'?"),
        ("kind: generate", "kind: genrate", "3:7: 'kind' cannot be the text 'genrate': did you mean 'generate'?"),
        ("kind: generate", "kind: migrate", "1:1: the file lacks 'source': add it"),
        ("dsl: [triton]", "dsl: [tritn]", "8:9: there is no DSL 'tritn': did you mean 'triton'?"),
        ("dsl: [triton]", "dsl: []", "8:8: 'dsl' needs 1 or more items, and has 0"),
        ("dsl: [triton]", "dsl: [triton, triton]", "8:17: 'dsl' names 'triton' twice: keep one"),
        ("target: [cpu]", "target: [nvidia_h2oo]", "9:12: there is no target 'nvidia_h2oo': did you mean"),
        (
            "target: [cpu]",
            "target: [rocm]",
            "no target 'rocm': no target here is of platform hip: add one",
        ),
        (
            "target: [cpu]",
            "target: [nvidia]",
            "no target 'nvidia': the targets of platform cuda are nvidia_h200",
        ),
        ("target: [cpu]", "target: [mps]", "9:12: there is no target 'mps': akgflow has no platform for Apple's GPUs"),
        (
            "version: 1",
            "version: 1\nworkflow: design_repair",
            "2:11: there is no workflow 'design_repair': did you mean",
        ),
        (
            "small.py",
            "smal.py",
            "4:18: the operator 'tasks/operators/smal.py' does not exist: did you mean 'small.py'?",
        ),
        ("operators/small.py", "operators", "4:18: the operator 'tasks/operators' cannot be read: is a directory"),
        ("n: 256", "N: 256", "6:14: the operator takes no 'N': no argument of get_inputs"),
        ("n: 256", "n: [1]", "6:17: 'n' must be a number or text or true or false, not a list"),
        ("n: 256", "dtype: int7", "6:21: 'dtype' cannot be the text 'int7'"),
        ("tokens: 400k", "tokens: 400 k", "'tokens' cannot be the text '400 k': Tokens in and out: a number, or text"),
        ("usd: 2.0", "usd: -1", "10:15: 'usd' must be at least 0, not the number -1"),
        ("usd: 2.0", "usd: {env: CAP}", "10:21: the environment variable CAP is not set"),
        ("minutes: 30", "minutes: on", "'minutes' must be a number, not the text 'on'"),
        ("name: small", "name: ../up", "2:7: 'name' cannot be the text '../up'"),
        ("name: small\n", "", "1:1: the file lacks 'name'"),
        ("version: 1", "version: 1\ngates: {fast: {}}", "'fast' lacks 'at_least'"),
        ("version: 1", "version: 1\nprepare: {calls: 0}", "'calls' must be at least 1, not the number 0"),
        ("version: 1", "version: 1\nbackward: {overwrites: []}", "'overwrites' needs 1 or more items, and has 0"),
        (
            "version: 1",
            "version: 1\ngates: {evidence: run}",
            "'evidence' cannot be the text 'run': choose from executed",
        ),
    ],
)
def test_task(place: Place, old: str, new: str, said: str) -> None:
    assert old in place.task
    place.write("tasks/small.yaml", place.task.replace(old, new))
    lines = place.said()
    assert len(lines) == 1, lines
    assert lines[0].startswith("tasks/small.yaml:")
    assert said in lines[0]


@pytest.mark.parametrize(("name", "hint"), [("upstraem", "upstream"), ("xs", "x")])
def test_only_what_forward_takes_may_be_overwritten(place: Place, name: str, hint: str) -> None:
    operator = "class Model:\n    def forward(self, x, target): ...\n\ndef get_inputs(m=4, n=4): ...\n\n"
    place.write("tasks/operators/small.py", f"{operator}def get_init_inputs(): ...\n")
    place.write("tasks/small.yaml", place.task.replace("version: 1", f"version: 1\nbackward: {{overwrites: [{name}]}}"))
    (line,) = place.said()
    assert line == f"tasks/small.yaml:2:25: forward of the operator takes no {name!r}: did you mean {hint!r}?"


def test_a_workflow_that_starts_from_a_source_kernel_needs_one(place: Place) -> None:
    steps = "{a: {seed: source}, b: {tune: a, trials: 2}}"
    place.write("agents.yaml", f"version: 1\nworkflows:\n  mine: {{steps: {steps}}}\n")
    place.write("tasks/small.yaml", place.task.replace("version: 1", "version: 1\nworkflow: mine"))
    (line,) = place.said()
    assert line.startswith("tasks/small.yaml:2:11: the workflow 'mine' starts from the task's source kernel, and")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{dsl: triton, file: k.cu}", ["lacks 'call': say how", "lacks 'out': give the shape"]),
        ("{dsl: triton, file: k.cu, call: f(x), out: [4]}", []),
        ("{dsl: triton, file: k.cu, call: f(x) + 1, out: [4]}", ["'call' cannot be read: write function(argument"]),
        ("{dsl: triton, file: k.cu, call: 'f(x, y=1)', out: [4]}", ["'call' cannot be read"]),
        ("{dsl: triton, file: k.cu, call: 'f(x.sahpe[0])', out: [4]}", ["'x.sahpe[0]' is not a name, NAME.shape[i]"]),
        ("{dsl: triton, file: k.cu, call: 'f(x * 2)', out: [4]}", ["'x * 2' is not a name"]),
        ("{dsl: triton, file: k.cu, call: 'f(', out: [4]}", ["'call' cannot be read"]),
        ("{dsl: triton, file: k.cu, call: f(x), out: [x y]}", ["this dimension cannot be read: 'x y' is not"]),
        ("{dsl: triton, file: none.cu, call: f(x), out: [4]}", ["the source kernel 'tasks/none.cu' does not exist"]),
        ("{dsl: cuda, file: k.cu, call: f(x), out: [4]}", ["there is no DSL 'cuda'"]),
        ("{dsl: triton, file: m.py}", ["the source kernel 'tasks/m.py' has no ModelNew"]),
        ("{dsl: triton, file: good.py}", []),
    ],
)
def test_source(place: Place, source: str, said: list[str]) -> None:
    place.write("tasks/k.cu", "void f() {}")
    place.write("tasks/m.py", "class Model: ...")
    place.write("tasks/good.py", "class ModelNew: ...")
    place.write("tasks/small.yaml", place.task.replace("generate", "migrate") + f"source: {source}\n")
    if not said:
        assert place.load().task.source is not None
        return
    lines = place.said()
    assert [wanted in line for wanted, line in zip(said, lines, strict=True)] == [True] * len(said), lines


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "class Model: ...\nm = n = 1\n",
            ["has no get_init_inputs: define", "has no get_inputs: define the function get_inputs"],
        ),
        (
            "class model: ...\ndef get_inputs(m, n): ...\ndef get_init_inputs(): ...\n",
            ["tasks/small.yaml:4:18: the operator 'tasks/operators/small.py' has no Model: did you mean 'model'?"],
        ),
        (
            "class Model: ...\ndef get_inputs(m, n, k): ...\ndef get_init_inputs(*, j, z=1): ...\n",
            ["6:5: this case gives no 'j', which the operator needs: add 'j: …'", "gives no 'k'"],
        ),
        ("class Model:\n  def\n", ["tasks/operators/small.py:2:6: not valid Python: invalid syntax"]),
        ("class Model: ...\0", ["tasks/operators/small.py:1:1: not valid Python"]),
        ("x = 1 +" + "(" * 300, ["tasks/operators/small.py:1:"]),
    ],
)
def test_operator(place: Place, code: str, said: list[str]) -> None:
    place.write("tasks/operators/small.py", code)
    lines = place.said()
    assert [wanted in line for wanted, line in zip(said, lines, strict=True)] == [True] * len(said), lines


@pytest.mark.parametrize(
    "code",
    [
        "import torch\nm, n = 1, 2\nclass Model: ...\ndef get_inputs(): ...\ndef get_init_inputs(): ...\n",
        "m: int = 1\nif True:\n    n = 2\nclass Model: ...\ndef get_inputs(): ...\ndef get_init_inputs(): ...\n",
        "class Model: ...\ndef get_inputs(**names): ...\ndef get_init_inputs(): ...\n",
        "from x import Model\nget_inputs = lambda m, n: []\nm = n = 1\ndef get_init_inputs(): ...\n",
        "'\\d'\ntry:\n    m = n = 1\nexcept E: ...\nclass Model: ...\nget_inputs = get_init_inputs = list\n",
    ],
)
def test_operators_that_are_fine(place: Place, code: str) -> None:
    place.write("tasks/operators/small.py", code)
    assert place.load().task.operator.source == code


@pytest.mark.parametrize(
    ("template", "line", "said"),
    [
        ("a\n{{ sketh }}", 7, "prompts have no variable 'sketh': did you mean 'sketch'?"),
        ("{% for x in history %}\n{{ x }} {{ y }}\n{% endfor %}", 7, "prompts have no variable 'y'"),
        ("a\nb\n{% if task %}", 8, "the template cannot be read: unexpected end of template"),
        ("a\n{{ task | nope }}", 7, "no filter named 'nope'"),
        ("a\n{% include 'x' %}", 7, "a prompt cannot take in other templates"),
        ("{{ task. }}", 6, "the template cannot be read: expected name or number"),
    ],
)
def test_prompts(place: Place, template: str, line: int, said: str) -> None:
    block = "\n".join("      " + row for row in template.splitlines())
    place.write("agents.yaml", f"version: 1\nagents:\n  mine:\n    model: default\n    prompt: |\n{block}\n")
    problems = place.problems()
    assert len(problems) == 1
    assert said in problems[0].message + ": " + problems[0].hint
    assert problems[0].mark is not None
    assert problems[0].mark.line == line


@pytest.mark.parametrize("name", ["prompt", "system", "repair"])
def test_a_sketchs_prompt_names_nothing_of_one_job(place: Place, name: str) -> None:
    other = "" if name == "prompt" else "    prompt: write\n"
    place.write(
        "agents.yaml",
        "version: 1\nagents:\n  mine:\n    model: default\n    reply: {format: sketch}\n"
        f"{other}    {name}: '{{{{ targets }}}} {{{{ sketch }}}} {{{{ target.arch }}}}'\n",
    )
    (problem,) = place.problems()
    assert "belongs to the whole task, so its prompt has no variable 'target'" in problem.message


def test_an_unknown_prompt_variable_has_its_column(place: Place) -> None:
    place.write(
        "agents.yaml", "version: 1\nagents:\n  mine:\n    model: default\n    prompt: |\n      See {{ oops }}.\n"
    )
    assert place.said()[0].startswith("agents.yaml:6:14: prompts have no variable 'oops'")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("budget.usd=x", "--set budget.usd=x:1:12: 'usd' must be a number, not the text 'x'"),
        ("budgt.usd=1", "--set budgt.usd=1:1:1: the file knows no key 'budgt': did you mean 'budget'?"),
        ("budget.uds=1", "--set budget.uds=1:1:8: 'budget' knows no key 'uds': did you mean 'usd'?"),
        ("matrix.target=[cpu, gpu]", ":1:21: there is no target 'gpu'"),
        ("budget.usd", "--set budget.usd:1:1: an override is PATH=VALUE: write for example"),
        ("budget..usd=1", ":1:8: a name is missing in the path"),
        ("budget.usd=[1", "not valid YAML"),
        ("budget.usd=*x", ":1:12: the alias *x is not allowed"),
        ("name=a\udcffb", ":1:7: not valid YAML: a byte that is no UTF-8"),
        ("budget.usd=", "'usd' must be a number, not empty"),
        ("cases.7.m=1", ":1:7: the list here has no item '7': items count from 0 to 0"),
        ("name.x=1", ":1:6: 'x' cannot be set inside a single value"),
        ("models.default.limits.retris=1", "did you mean 'retries'?"),
        ("dsls.tritn.title=x", ":1:6: an override of a DSL is dsls.NAME.KEY=VALUE: did you mean 'triton'?"),
        ("targets.mine.arch=sm_90", ":1:9: 'mine' lacks 'platform'"),
    ],
)
def test_overrides(place: Place, override: str, said: str) -> None:
    lines = place.said(overrides=[override])
    assert len(lines) == 1, lines
    assert lines[0].startswith("--set ")
    assert said in lines[0]


def test_dsl_packs(place: Place) -> None:
    pack = "version: 1\ndsl: mine\ntitle: M\ntoolchain: triton\n"
    place.write("dsls/a.yaml", pack + "platforms: {cpu: [executed, guessed], tpu: [executed]}\n")
    place.write("dsls/b.yaml", pack + "platforms: {cpu: [executed]}\nknowledge: {always: [none.md]}\n")
    place.write("dsls/c.yaml", pack.replace("mine", "Not-a-name") + "platforms: {}\n")
    said = place.said()
    assert [line.split(": ")[0] for line in said] == [
        "dsls/a.yaml:5:29",
        "dsls/a.yaml:5:39",
        "dsls/b.yaml:2:6",
        "dsls/c.yaml:2:6",
        "dsls/c.yaml:5:1",
    ]
    assert "the DSL 'mine' is described twice: dsls/a.yaml has it too" in said[2]
    place.write("dsls/a.yaml", "not: [")
    assert "dsls/b.yaml:6:22: the document 'dsls/none.md' does not exist" in "\n".join(place.said())


def test_everything_wrong_in_all_files_comes_at_once_in_order(place: Place) -> None:
    place.write(
        "agents.yaml", "version: 1\nmodels:\n  a: {modle: x}\nagents:\n  b: {model: nope, prompt: '{{ nope }}'}\n"
    )
    place.write("hardware.yaml", "version: 1\ntargets:\n  c: {platform: cuda, arhc: x}\n  d: {platform: x, arch: y}\n")
    place.write("dsls/e.yaml", "version: 1\ndsl: e\na: 1\na: 2\n")
    place.write("tasks/small.yaml", place.task.replace("[triton]", "[tritn]").replace("usd", "udd"))
    place.write("tasks/operators/small.py", "class Model: ...\n")
    with pytest.raises(ConfigError) as caught:
        place.load(overrides=["nope=1"])
    assert caught.value.exit_code is ExitCode.CONFIG
    places = [str(problem.mark) for problem in caught.value.problems]
    assert places == sorted(places, key=lambda p: (p.rsplit(":", 2)[0], *map(int, p.rsplit(":", 2)[1:])))
    assert {place.rsplit(":", 2)[0] for place in places} == {
        "--set nope=1",
        "agents.yaml",
        "hardware.yaml",
        "dsls/e.yaml",
        "tasks/small.yaml",
    }
    assert len(places) >= 14


def test_files_that_cannot_be_read(place: Place) -> None:
    (place.root / "hardware.yaml").write_bytes("version: 1\n# é\n# ".encode() + b"\xff\n")
    place.write("agents.yaml", "version: 1\n# " + "x" * (1 << 20))
    assert place.said() == [
        "agents.yaml:1:1: the file 'agents.yaml' is larger than 1 MiB: split it, or shorten it",
        "hardware.yaml:3:3: the file is not UTF-8 text (the byte 0xff): save it as UTF-8",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        "{model: x, api_key: SECRET}",
        "{model: x, params: {api_key: SECRET}}",
        "{model: x, params: {extra_headers: {Authorization: Bearer SECRET}}}",
        "{model: x, params: {extra_body: {auth: {access_token: SECRET}}}}",
        "{model: x, params: {stop: SECRET}}",
        "{model: SECRET, limits: 3}",
        "{model: x, api_key_env: SECRET}",
        "{model: x, api_key: [SECRET]}",
    ],
)
def test_keys_are_refused_and_never_shown(place: Place, entry: str) -> None:
    secret = "sk-abcdefghijklmnopqrstuvwxyz123456"
    place.write("agents.yaml", _agents("models", entry.replace("SECRET", secret)))
    problems = place.problems()
    assert any("looks like a key" in problem.message and "api_key_env: NAME" in problem.hint for problem in problems)
    assert secret not in "".join(map(repr, problems))


def test_a_key_in_an_override_is_never_shown(place: Place) -> None:
    problems = place.problems(overrides=["models.default.api_key=hunter2hunter2"])
    assert "looks like a key" in problems[0].message
    assert "hunter2" not in repr(problems)


def test_what_the_environment_holds_is_never_shown(place: Place) -> None:
    place.write("tasks/small.yaml", place.task.replace("usd: 2.0", "usd: {env: CAP}"))
    problems = place.problems(env={"CAP": "hush-hush"})
    assert "'usd' must be a number, not the value of the environment variable CAP" in str(problems[0])
    assert "hush" not in repr(problems)


def test_what_the_environment_holds_must_be_text(place: Place) -> None:
    said = place.said(env={"AKGFLOW_MODEL": "a\udcff"})
    assert len(said) == 1
    assert "the environment variable AKGFLOW_MODEL holds unprintable characters" in said[0]


def test_names_that_only_sound_like_keys_are_fine(place: Place) -> None:
    place.write("agents.yaml", _agents("models", "{model: x, params: {max_tokens: 5}, api_key_env: OPENAI_API_KEY}"))
    assert place.load().workspace.models["mine"].api_key_env == "OPENAI_API_KEY"


def test_without_cases_the_operator_needs_defaults(place: Place) -> None:
    place.write("tasks/small.yaml", place.task.replace("cases:\n  - {m: 256, n: 256}\n", ""))
    place.write("tasks/operators/small.py", "class Model: ...\ndef get_inputs(m): ...\ndef get_init_inputs(): ...\n")
    said = "tasks/small.yaml:4:18: the operator needs values for m: give 'cases', or defaults in the operator"
    assert place.said() == [said]


@pytest.mark.parametrize("text", ["version: 1\ntargets: {mine: [\n", "version: 1\ntargets: []\n", "- a\n"])
def test_a_broken_file_makes_no_further_noise(place: Place, text: str) -> None:
    place.write("hardware.yaml", text)
    place.write("tasks/small.yaml", place.task.replace("[cpu]", "[mine]"))
    said = place.said()
    assert len(said) == 1
    assert said[0].startswith("hardware.yaml:")
