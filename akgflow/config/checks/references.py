"""Names that must exist elsewhere, and the other rules that a schema cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice

from akgflow.base.platforms import meant_platform, not_supported
from akgflow.base.secrets import is_secret_name, is_secret_value
from akgflow.config._problems import Problems, quoted, suggest
from akgflow.config._yaml import Node
from akgflow.config.checks.models import check_models
from akgflow.config.steps import FROM_EARLIER

Names = Mapping[str, Mapping[str, object]]
"""For each of models, agents, workflows, targets and dsls, the names that there are; for a target with its platform.

A section whose file cannot be read is left out: what names something in it is then not checked.
"""

# The path of a name (None is any key or item) and the section that must have it.
_IN_AGENTS: tuple[tuple[tuple[str | None, ...], str], ...] = (
    (("models", None, "fallbacks", None), "models"),
    (("agents", None, "model"), "models"),
    (("workflows", None, "steps", None, "agent"), "agents"),
    (("workflows", None, "steps", None, "agentic"), "agents"),
    (("workflows", None, "steps", None, "advisor"), "agents"),
)
_IN_TASK: tuple[tuple[tuple[str | None, ...], str], ...] = (
    (("matrix", "dsl", None), "dsls"),
    (("matrix", "target", None), "targets"),
    (("source", "dsl"), "dsls"),
    (("workflow",), "workflows"),
)
_SINGULAR = {"models": "model", "agents": "agent", "workflows": "workflow", "targets": "target", "dsls": "DSL"}


def check_agents(root: Node, names: Names, problems: Problems) -> None:
    """Names within ``agents.yaml``, steps that repair earlier ones, and keys that must not be there."""
    _check(root, _IN_AGENTS, names, problems)
    for name, model in (root.at("models") or root).entries.items():
        for fallback in _reach(model, ("fallbacks", None)):
            if fallback.text == name:
                problems.add(fallback.mark, f"the model {name!r} falls back on itself", "name another model")
    for workflow in _reach(root, ("workflows", None)):
        _check_steps(workflow, problems)
    models = root.at("models")
    if models is not None:
        _check_secrets(models, problems)
        check_models(models, problems)


def check_task(root: Node, names: Names, problems: Problems) -> None:
    """DSLs, targets and the workflow that a task names."""
    _check(root, _IN_TASK, names, problems)


def check_start(task: Node, workflows: Node | None, defaults: Mapping[str, str], problems: Problems) -> None:
    """The workflow has what it starts from: the task's source kernel, and for ``optimize`` a kernel at all.

    ``defaults`` are the workflows of tasks that name none, by their kind.
    """
    kind, chosen = task.at("kind"), task.at("workflow")
    name = chosen.text if chosen else defaults.get((kind.text if kind else None) or "")
    steps = workflows.at(name, "steps") if workflows and name else None
    at = chosen or kind
    if at is None or steps is None:
        return
    seeds = [seed.text for step in steps.entries.values() if (seed := step.at("seed")) is not None]
    first = [step for step in steps.entries.values() if not any(key in step.entries for key in FROM_EARLIER)]
    if (
        first
        and all("seed" in step.entries for step in first)
        and set(seeds) == {"source"}
        and "source" not in task.entries
    ):
        what = f"the workflow {name!r} starts from the task's source kernel, and the task gives none"
        problems.add(at.mark, what, "add 'source: {dsl: NAME, file: FILE}', or choose another workflow")
    elif kind is not None and kind.text == "optimize" and not seeds:
        what = f"the workflow {name!r} starts from no kernel, and the task is to make one faster"
        problems.add(at.mark, what, "choose one with a step 'seed', such as improve, or write 'kind: generate'")


def _check(root: Node, rules: tuple[tuple[tuple[str | None, ...], str], ...], names: Names, problems: Problems) -> None:
    for pattern, section in rules:
        if section not in names:
            continue
        for node in _reach(root, pattern):
            if node.text is not None and node.text not in names[section]:
                what = f"there is no {_SINGULAR[section]} {quoted(node.text)}"
                hint = target_hint if section == "targets" else suggest
                problems.add(node.mark, what, partial(hint, node.text, dict(sorted(names[section].items()))))


def target_hint(name: str, targets: Mapping[str, object]) -> str:
    """What to do about an unknown target, by the platforms of those that there are: ``rocm`` means one of AMD's."""
    meant = meant_platform(name)
    found = [target for target, platform in targets.items() if platform == meant]
    if meant:
        those = f"the targets of platform {meant} are {', '.join(sorted(found))}"
        return those if found else f"no target here is of platform {meant}: add one to hardware.yaml"
    return not_supported(name) or suggest(name, sorted(targets))


def _reach(node: Node, pattern: tuple[str | None, ...]) -> Iterator[Node]:
    if not pattern:
        yield node
        return
    step, rest = pattern[0], pattern[1:]
    if step is None:
        children = [*node.entries.values(), *node.items]
    else:
        children = [node.entries[step]] if step in node.entries else []
    for child in children:
        yield from _reach(child, rest)


def _check_steps(workflow: Node, problems: Problems) -> None:
    steps = workflow.at("steps")
    earlier: set[str] = set()
    for name, step in steps.entries.items() if steps else ():
        for node in (found for key in FROM_EARLIER for found in _one_or_many(step.entries.get(key))):
            if steps is not None and node.text is not None and node.text not in earlier:
                what = f"no step {quoted(node.text)} comes before {quoted(name)}"
                problems.add(node.mark, what, partial(_earlier_hint, node.text, steps, len(earlier)))
        earlier.add(name)


def _earlier_hint(name: str, steps: Node, count: int) -> str:
    earlier = list(islice(steps.entries, count))
    return suggest(name, earlier) if earlier else "put the step that it takes from before it"


def _one_or_many(node: Node | None) -> list[Node]:
    return [] if node is None else node.items or [node]


def _check_secrets(node: Node, problems: Problems) -> None:
    hint = "write 'api_key_env: NAME' in the model, and set NAME in the environment"
    for name, child in node.entries.items():
        if is_secret_name(name) and not isinstance(child.value, dict):
            problems.add(child.place, f"{name!r} looks like a key, and keys are never written in a file", hint)
        else:
            _check_secrets(child, problems)
    for item in node.items:
        _check_secrets(item, problems)
    if node.text is not None and is_secret_value(node.text):
        problems.add(node.mark, "this text looks like a key, and keys are never written in a file", hint)
