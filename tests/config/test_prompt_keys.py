"""Keys whose effect is what prompts hold: facts of targets, titles, documents of a DSL, what a task says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from akgflow.agents import PromptContext, render
from akgflow.config import schema_text
from akgflow.machine import Machine

if TYPE_CHECKING:
    from conftest import Place

DOCUMENTS = {
    "always=[x.md]": "{{ dsl.knowledge | join }}",
    "by_operator={gemm: [x.md]}": "{{ dsl.knowledge | join }}",
    "by_platform={cpu: [x.md]}": "{{ dsl.knowledge | join }}",
    "by_platform_and_operator={cpu: {gemm: [x.md]}}": "{{ dsl.knowledge | join }}",
    "repair=[x.md]": "{{ dsl.repair | join }}",
    "improve=[x.md]": "{{ dsl.improve | join }}",
}
VALUES = {
    "targets.cpu.title=THE VALUE": "{{ target.title }}",
    "dsls.triton.title=THE VALUE": "{{ dsl.title }}",
    "description=THE VALUE": "{{ task.description }}",
    "agents.coder.system=THE VALUE": "",
}


def _facts() -> Iterator[str]:
    """Every fact of the schema, below ``facts``."""
    schema = json.loads(schema_text("hardware"))["definitions"]["target"]["properties"]["facts"]

    def below(part: Any, path: str) -> Iterator[str]:
        for name, child in part.get("properties", {}).items():
            if "properties" in child:
                yield from below(child, f"{path}{name}.")
            elif name != "extra":
                yield f"{path}{name}"

    yield from below(schema, "")


def prompt(place: Place, template: str, *overrides: str) -> str:
    """All that the coder of the task's first job is sent, where ``template`` is its prompt."""
    changed = [f"agents.coder.prompt='{template or 'hi'}'", *overrides]
    loaded = place.load(overrides=changed)
    task, space = loaded.task, loaded.workspace
    target = space.targets[task.targets[0]]
    context = PromptContext.of(task, space.dsls[task.dsls[0]], target, Machine("a cpu", 2))
    return "\n".join(message.content for message in render(space.agents["coder"], context).messages)


def test_every_fact_is_read_by_prompts(place: Place) -> None:
    facts = list(_facts())
    assert len(facts) > 20
    template = " ".join(f"{name}={{{{ target.facts.{name} }}}};" for name in facts)
    wanted = {name: 1000 + number for number, name in enumerate(facts)}
    said = prompt(place, template, *(f"targets.cpu.facts.{name}={value}" for name, value in wanted.items()))
    assert [name for name, value in wanted.items() if f"{name}={value};" not in said] == []


@pytest.mark.parametrize("override", DOCUMENTS)
def test_documents_of_a_dsl(place: Place, override: str) -> None:
    place.write("dsls/x.md", "THE DOCUMENT")
    place.write(
        "dsls/triton.yaml",
        "version: 1\ndsl: triton\ntitle: Triton\ntoolchain: triton\nplatforms: {cpu: [interpreted]}\n",
    )
    before = prompt(place, DOCUMENTS[override])
    assert "THE DOCUMENT" not in before
    assert "THE DOCUMENT" in prompt(place, DOCUMENTS[override], f"dsls.triton.knowledge.{override}")


@pytest.mark.parametrize("override", VALUES)
def test_values_of_files(place: Place, override: str) -> None:
    assert "THE VALUE" not in prompt(place, VALUES[override])
    assert "THE VALUE" in prompt(place, VALUES[override], override)
