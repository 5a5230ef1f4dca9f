"""What used to be found in a run only, after money was spent: each is an error of ``validate`` at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from akgflow.config.checks.vocabulary import KIND_NAMES, OPERATOR_KINDS, known_facts
from akgflow.errors import Problem

if TYPE_CHECKING:
    from conftest import Place


def _agent(part: str, template: str, more: str = "") -> str:
    """An ``agents.yaml`` whose agent ``coder`` says ``template``, which begins on line 10."""
    block = "\n".join("      " + row for row in template.splitlines())
    prompt = "    prompt: write\n" if part != "prompt" else "    description: none\n"
    return (
        "version: 1\nagents:\n  coder:\n    model: default\n    reply: {format: code}\n"
        f"{prompt}    system: hi\n{more}    # the template\n    {part}: |\n{block}\n"
    )


def _at(problem: Problem) -> tuple[int, int]:
    assert problem.mark is not None and problem.mark.file == "agents.yaml"
    return problem.mark.line, problem.mark.column


PARTS = ["prompt", "repair"]

MISTAKES = [
    ("{{ target.nme }}", (10, 17), "target has no attribute 'nme': did you mean 'name'?"),
    ("{{ target['nme'] }}", (10, 18), "target has no attribute 'nme': did you mean 'name'?"),
    ("{{ dsl.titel or dsl.name }}", (10, 14), "dsl has no attribute 'titel': did you mean 'title'?"),
    ("a\n{% if source %}{{ source.sorce }}{% endif %}", (11, 32), "source has no attribute 'sorce'"),
    ("{% if false %}{{ task.nam }}{% endif %}", (10, 29), "task has no attribute 'nam'"),
    ("{% if false %}{{ task.name | trmi }}{% endif %}", (10, 36), "no filter named 'trmi': did you mean 'trim'?"),
    ("{% if false and task.name is defned %}{% endif %}", (10, 36), "no test named 'defned': did you mean 'defined'?"),
    ("{% for one in targets %}{{ one.arhc }}{% endfor %}", (10, 38), "one has no attribute 'arhc'"),
    ("{% for one in targets[1:] %}{{ one.arhc }}{% endfor %}", (10, 42), "one has no attribute 'arhc'"),
    ("{{ targets[0].arhc }}", (10, 21), "this value has no attribute 'arhc'"),
    ("{{ (targets | first).arhc }}", (10, 28), "this value has no attribute 'arhc'"),
    (
        "{{ targets | map(attribute='arhc') | join }}",
        (10, 35),
        "'map' is given has no attribute 'arhc'",
    ),
    ("{{ history | selectattr('stauts') | list }}", (10, 32), "'selectattr' is given has no attribute 'stauts'"),
    ("{% for k in examples.kernels %}{{ k.souce }}{% endfor %}", (10, 43), "k has no attribute 'souce'"),
    ("{% set t = target %}{{ t.nme }}", (10, 32), "t has no attribute 'nme'"),
    ("{% with t = target %}{{ t.nme }}{% endwith %}", (10, 33), "t has no attribute 'nme'"),
    ("{% macro m() %}{{ dsl.nme }}{% endmacro %}", (10, 29), "dsl has no attribute 'nme'"),
    ("{{ operator.source.uper() }}", (10, 26), "operator.source has no attribute 'uper': did you mean 'upper'?"),
    ("{{ target.facts.smem_kb }}", (10, 23), "target.facts has no attribute 'smem_kb': did you mean 'smem_kib'?"),
    ("{{ machine.cors }}", (10, 18), "machine has no attribute 'cors': did you mean 'cores'?"),
    ("{% for name, value in target.facts.items() %}{{ value.x.y }}{{ name.z }}{% endfor %}", (10, 75), "name has no"),
    ("{{ dsl.name if dsl.nmae else 1 }}", (10, 26), "dsl has no attribute 'nmae'"),
    ("{{ target.name ~ target.nme }}", (10, 31), "target has no attribute 'nme'"),
    ("{{ nope | default('') }}", (10, 10), "prompts have no variable 'nope'"),
    ("{{ lipsum(100000) }}", (10, 10), "prompts have no variable 'lipsum'"),
    ("{{ target.__class__ }}", (10, 17), "target has no attribute '__class__'"),
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("template", "place_of", "said"), MISTAKES)
def test_a_slip_in_any_branch_of_a_template(
    part: str, template: str, place_of: tuple[int, int], said: str, place: Place
) -> None:
    place.write("agents.yaml", _agent(part, template))
    (problem,) = place.problems()
    assert _at(problem) == place_of
    assert said in f"{problem.message}: {problem.hint}"


FINE = [
    "{% for entry in history %}{{ entry.attempt }} {{ loop.index }}{% endfor %}",
    "{{ targets | map(attribute='name') | join(', ') | upper }} {{ cases | length }}",
    "{% if target.facts.smem_kib is defined %}{{ target.facts.smem_kib }}{% endif %}",
    "{{ target.facts.get('mine') }} {{ target.facts['sms'] | default(0) }}",
    "{% set ns = namespace(n=0) %}{% for c in cases %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "{% macro show(one) %}{{ one.title or one.name }}{% endmacro %}{{ show(target) }}",
    "{{ operator.source.splitlines()[0].strip() }} {{ dsl.knowledge | first | default('none') }}",
    "{% if parents %}{{ parents[0].source }}{% endif %}{% for p in parents[1:] %}{{ p.status }}{% endfor %}",
    "{% for name, value in target.facts.items() %}{{ name }}={{ value }}{% endfor %}",
    "{% for case in cases %}{% for n, v in case.items() %}{{ n.upper() }}{{ v }}{% endfor %}{% endfor %}",
    "{{ 'x' * 3 }} {{ 2 ** 8 }} {{ attempt * 2.5 }}",
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("template", FINE)
def test_a_template_that_is_right_is_let_pass(part: str, template: str, place: Place) -> None:
    place.write("agents.yaml", _agent(part, template))
    assert place.load().task.name == "small"


@pytest.mark.parametrize(
    ("part", "template", "said"),
    [
        ("prompt", "{{ target.facts.smem_kib }}", "for triton on cpu: 'dict object' has no attribute 'smem_kib'"),
        ("prompt", "{{ history[0].status }}", "for triton on cpu: "),
        ("repair", "{{ parents[0].source }}", "cannot be rendered for triton on cpu at attempt 2"),
        ("repair", "{{ history[0].status }}", "the repair of agent coder cannot be rendered"),
        ("prompt", "{{ cases[5].m }}", "for triton on cpu: "),
        ("prompt", "{{ cases[0].nope }}", "'dict object' has no attribute 'nope'"),
        ("prompt", "{{ machine.devices[0].name }}", "for triton on cpu: "),
        ("prompt", "{{ 1 / 0 }}", "division by zero"),
        ("prompt", "{{ 'x' * 10 ** 10 }}", "a text is repeated 10000000000 times"),
        ("prompt", "{{ 10 ** 10000 }}", "the exponent 10000 is too large"),
        ("prompt", "{{ source.dsl }}", "'None' has no attribute 'dsl'"),
        ("repair", "{% if not history %}{{ advice.nope.nope }}{% endif %}", "advice has no attribute 'nope'"),
        ("prompt", "{{ target.facts.update({}) }}", "target.facts has no attribute 'update'"),
        ("prompt", "{% for a in targets %}{{ a.facts.sms }}{% endfor %}", "'dict object' has no attribute 'sms'"),
    ],
)
def test_a_template_that_fails_in_a_cell_or_at_a_stage(part: str, template: str, said: str, place: Place) -> None:
    place.write("agents.yaml", _agent(part, template))
    (problem,) = place.problems()
    assert said in problem.message
    assert _at(problem)[0] == 10


def test_every_cell_is_tried(place: Place) -> None:
    place.write("tasks/small.yaml", place.task.replace("[cpu]", "[nvidia_h200, cpu]"))
    place.write("agents.yaml", _agent("prompt", "{% if target.platform == 'cpu' %}{{ target.facts.sms }}{% endif %}"))
    (problem,) = place.problems()
    assert "for triton on cpu" in problem.message


def test_a_cell_among_many_is_tried(place: Place) -> None:
    """Beyond the cells that are tried at all stages, one that holds nothing new is still rendered once."""
    targets = "".join(f"  t{i}: {{platform: cuda, arch: sm_90, facts: {{sms: {i}}}}}\n" for i in range(10))
    place.write("hardware.yaml", f"version: 1\ntargets:\n{targets}")
    pack = "version: 1\ndsl: NAME\ntitle: T\ntoolchain: triton\nplatforms: {cuda: [executed]}\n"
    for i in range(10):
        place.write(f"dsls/d{i}.yaml", pack.replace("NAME", f"d{i}"))
    names = [", ".join(f"{axis}{i}" for i in range(10)) for axis in "dt"]
    text = place.task.replace("[triton]", f"[{names[0]}]").replace("[cpu]", f"[{names[1]}]")
    place.write("tasks/small.yaml", text)
    wrong = "{% if dsl.name == 'd9' and target.name == 't8' %}{{ target.facts.hbm_gib }}{% endif %}"
    place.write("agents.yaml", _agent("prompt", wrong))
    (problem,) = place.problems()
    assert "for d9 on t8" in problem.message


def _workflow(steps: str, agents: str = "") -> str:
    return f"version: 1\nagents:\n{AGENTS}{agents}workflows:\n  mine:\n    steps: {{{steps}}}\n"


AGENTS = """\
  critic: {model: default, prompt: say, reply: {format: text}}
  judge: {model: default, prompt: say, reply: {format: json, fields: {verdict: {type: string}}}}
  reader: {model: default, prompt: "{{ steps.idea }}", reply: {format: code}}
  asker: {model: default, prompt: "{{ steps.idea | default('') }}", reply: {format: code}}
  lead:
    model: default
    prompt: say
    reply: {format: json, fields: {decision: {type: string, enum: [recode, stop]}, advice: {type: string}}}
  loose: {model: default, prompt: say, reply: {format: json, fields: {decision: {type: string}, advice: {}}}}
  odd: {extends: lead, reply: {fields: {decision: {enum: [recode, redo]}}}}
"""


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("a: {agent: coder}, b: {repair: a, agent: critic, max_attempts: 1}", "agent 'critic' answers with text"),
        ("a: {best_of: 2, agent: judge}", "agent 'judge' answers with json, and this step needs code"),
        ("a: {agent: coder}, b: {evolve: a, agent: designer, generations: 1}", "agent 'designer' answers with text"),
        ("a: {agent: critic}, b: {repair: a, agent: coder, max_attempts: 1}", "step 'a' makes no code that 'b' could"),
        ("a: {agent: critic}, b: {tune: a, trials: 2}", "step 'a' makes no code"),
        ("a: {agent: critic, samples: 2}", "a text is read once: the other samples would be paid for"),
        (
            "a: {agent: coder}, b: {repair: a, agent: coder, advisor: critic, max_attempts: 1}",
            "agent 'critic' is no advisor: its reply has no decision and no advice: give it 'format: json'",
        ),
        (
            "a: {agent: coder}, b: {repair: a, agent: coder, advisor: judge, max_attempts: 1}",
            "agent 'judge' is no advisor: its reply has no decision and no advice",
        ),
        (
            "a: {agent: coder}, b: {repair: a, agent: coder, advisor: loose, max_attempts: 1}",
            "the decision of agent 'loose', an advisor, may be anything: add 'enum: [redesign, recode, stop]'",
        ),
        (
            "a: {agent: coder}, b: {repair: a, agent: coder, advisor: odd, max_attempts: 1}",
            "agent 'odd' may decide 'redo', which no workflow knows: did you mean 'recode'?",
        ),
        (
            "a: {agent: coder}, b: {evolve: a, agent: coder, generations: 1, population: 3, elites: 4}",
            "4 elites do not fit into a population of 3: 'elites' is at most 3",
        ),
        (
            "a: {agent: coder}, b: {evolve: a, agent: coder, generations: 1, population: 1}",
            "2 elites do not fit into a population of 1",
        ),
        (
            "a: {agent: coder}, b: {evolve: a, agent: coder, generations: 1, tiers: [0, 0, 0]}",
            "the weights of all tiers are 0",
        ),
        ("a: {agent: reader}", "workflow 'mine': step 'idea' is not there: ask an agent for text"),
        ("b: {agent: reader}, idea: {agent: critic}", "step 'idea' gives no text before this agent is asked"),
        ("idea: {agent: coder}, b: {agent: reader}", "step 'idea' gives no text before this agent is asked"),
        ("ide: {agent: critic}, b: {agent: reader}", "step 'idea' is not there: did you mean 'ide'?"),
        ("idea: {agent: critic}, b: {agent: reader}", ""),
        ("idea: {agent: judge}, b: {agent: reader}", ""),
        ("a: {agent: asker}", ""),
        ("a: {agent: coder}, b: {repair: a, agent: coder, advisor: lead, max_attempts: 1}", ""),
        ("a: {agentic: coder, judgements: 2, minutes: 1}, b: {repair: a, agent: coder, max_attempts: 1}", ""),
        ("a: {agentic: coder, judgements: 2, minutes: 1}", ""),
        ("a: {agentic: codr, judgements: 2, minutes: 1}", "there is no agent 'codr': did you mean 'coder'?"),
        ("a: {agentic: coder, judgements: 2}", "'a' lacks 'minutes': add it"),
        ("a: {agentic: coder, judgements: 2, minutes: 1, start: b}", "no step 'b' comes before 'a'"),
        (
            "a: {agentic: critic, judgements: 2, minutes: 1}",
            "agent 'critic' answers with text, and this step needs code",
        ),
    ],
)
def test_agents_fit_their_roles(steps: str, said: str, place: Place) -> None:
    place.write("agents.yaml", _workflow(steps))
    place.write("tasks/small.yaml", place.task + "workflow: mine\n")
    if not said:
        assert place.load().task.workflow == "mine"
        return
    (line,) = place.said()
    assert line.startswith("agents.yaml:")
    assert said in line


@pytest.mark.parametrize(
    "models",
    [
        "{mine: {model: openai/gpt-5}}",
        "{mine: {command: [x], fallbacks: [other]}, other: {model: openai/gpt-5}}",
    ],
)
def test_who_works_in_a_folder_is_a_command(models: str, place: Place) -> None:
    steps = "{a: {agentic: worker, judgements: 1, minutes: 1}}"
    agents = "{worker: {extends: coder, model: mine}}"
    place.write(
        "agents.yaml", f"version: 1\nmodels: {models}\nagents: {agents}\nworkflows: {{mine: {{steps: {steps}}}}}\n"
    )
    place.write("tasks/small.yaml", place.task + "workflow: mine\n")
    (line,) = place.said()
    assert "agent 'worker' may ask the model" in line and "which cannot work in a folder" in line


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("{format: text, must_define: [X]}", "'must_define' does nothing for a reply of the format text"),
        ("{format: json, fields: {a: {}}, edits: true}", "'edits' does nothing for a reply of the format json"),
        ("{format: code, fields: {a: {}}}", "'fields' does nothing for a reply of the format code"),
        ("{format: code, language_of: dsl}", "'reply' knows no key 'language_of'"),
    ],
)
def test_a_form_has_no_key_that_does_nothing(reply: str, said: str, place: Place) -> None:
    place.write("agents.yaml", f"version: 1\nagents:\n  a: {{model: default, prompt: hi, reply: {reply}}}\n")
    (line,) = place.said()
    assert said in line


CUDA = "version: 1\ntargets: {a: {platform: cuda, arch: sm_90, "
CPU = "version: 1\ntargets: {cpu: {platform: cpu, arch: native, "


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "hardware.yaml",
            "version: 1\ntargets: {a: {platform: cuda, arch: sm_90, facts: {smem_kb: 1}}}\n",
            "'smem_kib'",
        ),
        (
            "hardware.yaml",
            CUDA + "facts: {extra: {sms: 1}}}}\n",
            "'sms' is no fact of your own",
        ),
        ("dsls/a.yaml", "knowledge: {by_operator: {gemmm: []}}\n", "no kind of operator 'gemmm': did you mean 'gemm'?"),
        ("dsls/a.yaml", "knowledge: {by_operator: {fft: []}}\n", "or write your own as x-NAME"),
        (
            "dsls/a.yaml",
            "knowledge: {by_operator: {gemm: [], matmul: []}}\n",
            "are names of one kind of operator",
        ),
        ("dsls/a.yaml", "file: {suffix: .py}\n", "the file knows no key 'file'"),
        ("dsls/a.yaml", "#toolchain: tritn\n", "no toolchain 'tritn' is installed: did you mean 'triton'?"),
        ("dsls/a.yaml", "#toolchain: framework\n", "no toolchain 'framework' is installed"),
    ],
)
def test_names_that_nothing_would_read(file: str, text: str, said: str, place: Place) -> None:
    pack = "version: 1\ndsl: a\ntitle: A\ntoolchain: triton\nplatforms: {cpu: [executed]}\n"
    if text.startswith("#"):
        pack, text = pack.replace("toolchain: triton", text[1:].strip()), ""
    place.write(file, (pack if file.startswith("dsls") else "") + text)
    (line,) = place.said()
    assert line.startswith(file)
    assert said in line


@pytest.mark.parametrize("name", KIND_NAMES)
def test_every_name_of_a_kind_finds_its_documents(name: str, place: Place) -> None:
    kind = next(kind for kind, others in OPERATOR_KINDS.items() if name in (kind, *others))
    pack = "version: 1\ndsl: triton\ntitle: T\ntoolchain: triton\nplatforms: {cpu: [interpreted]}\n"
    place.write("dsls/x.md", "DOCUMENT")
    place.write("dsls/triton.yaml", pack + f"knowledge: {{by_operator: {{{kind}: [x.md]}}}}\n")
    place.write("tasks/small.yaml", place.task.replace("kind: gemm", f"kind: {name}"))
    place.write("agents.yaml", _agent("prompt", "{{ dsl.knowledge[0] }}"))
    assert place.load().task.operator.kind == name


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("gemmm", "there is no kind of operator 'gemmm': did you mean 'gemm'?"),
        ("fft", "or write your own as x-NAME"),
        ("x-fft", "no DSL pack has documents for operators of the kind 'x-fft'"),
    ],
)
def test_a_kind_of_operator_that_chooses_nothing(kind: str, said: str, place: Place) -> None:
    place.write("tasks/small.yaml", place.task.replace("kind: gemm", f"kind: {kind}"))
    (line,) = place.said()
    assert line.startswith("tasks/small.yaml:4:")
    assert said in line


def test_a_kind_of_ones_own(place: Place) -> None:
    pack = "version: 1\ndsl: triton\ntitle: T\ntoolchain: triton\nplatforms: {cpu: [interpreted]}\n"
    place.write("dsls/x.md", "DOCUMENT")
    place.write("dsls/triton.yaml", pack + "knowledge: {by_operator: {x-fft: [x.md]}}\n")
    place.write("tasks/small.yaml", place.task.replace("kind: gemm", "kind: x-fft"))
    assert place.load().workspace.dsls["triton"].by_operator == {"x-fft": ("DOCUMENT",)}


def test_a_fact_of_ones_own_is_read_like_the_others(place: Place) -> None:
    place.write("hardware.yaml", CPU + "facts: {extra: {mine: 3}}}}\n")
    place.write("agents.yaml", _agent("prompt", "{{ target.facts.mine }}"))
    assert place.load().workspace.targets["cpu"].facts == {"mine": 3}
    place.write("agents.yaml", _agent("prompt", "{{ target.facts.mien }}"))
    assert "did you mean 'mine'?" in place.said()[0]
    assert "mine" not in known_facts()


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("{m: 2.0, n: 1}", "wants a whole number for 'm', not a number: 2.0"),
        ("{m: 1e2, n: 1}", ""),
        ("{m: 2.5, n: 1}", ""),  # a default that is a whole number does not say that it must be one
        ("{k: 2.5}", "wants a whole number for 'k', not a number: 2.5"),
        ("{k: true}", "wants a whole number for 'k', not true or false: True"),
        ("{s: 3}", "wants text for 's', not a whole number: 3"),
        ("{f: 3, g: x}", ""),
    ],
)
def test_a_cases_value_is_what_the_operator_says(case: str, said: str, place: Place) -> None:
    place.write(
        "tasks/operators/small.py",
        "class Model: ...\ndef get_inputs(m=4, n=4, k: int = 4, s: str = '', f: float = 1.0, g=None): ...\n"
        "def get_init_inputs(): ...\n",
    )
    place.write("tasks/small.yaml", place.task.replace("{m: 256, n: 256}", case))
    if not said:
        assert place.load().task.cases
        return
    (line,) = place.said()
    assert said in line


STEPS = "{given: {seed: source}, search: {adaptive: given, agent: coder, trials: 2}}"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("source: {dsl: triton, file: k.py}\n", ""),
        ("", "3:7: the workflow 'improve' starts from the task's source kernel, and the task gives none"),
        (
            "source: {dsl: triton, file: k.py}\nworkflow: design_code_repair\n",
            "the workflow 'design_code_repair' starts from no kernel, and the task is to make one faster",
        ),
    ],
)
def test_optimize_starts_from_a_kernel(more: str, said: str, place: Place) -> None:
    place.write("agents.yaml", f"version: 1\nworkflows:\n  improve: {{steps: {STEPS}}}\n")
    place.write("tasks/k.py", "class ModelNew: ...\n")
    place.write("tasks/small.yaml", place.task.replace("kind: generate", "kind: optimize") + more)
    if not said:
        assert place.load().task.workflow == "improve"
        return
    (line,) = place.said()
    assert said in line
