"""The schemas are good schemas, describe everything, and say the same as the values that they describe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft7Validator

from akgflow.base.platforms import PLATFORMS
from akgflow.config import KINDS, schema_text
from akgflow.config._schema import wants_text
from akgflow.config.prompts.context import PROMPT_VARIABLES
from akgflow.terms import Evidence

# Where anything may stand, because what it is passed on to decides.
OPEN = {"extra_body", "response_format"}


def _schemas(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every schema below this one that describes a value, with its path."""
    if isinstance(schema, dict):
        yield path, schema
        for word in ("properties", "definitions"):
            for name, child in schema.get(word, {}).items():
                yield from _schemas(child, (*path, word, name))
        for word in ("additionalProperties", "items", "then", "else"):
            yield from _schemas(schema.get(word), (*path, word))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_draft_7(kind: str) -> None:
    schema = json.loads(schema_text(kind))
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_described_and_no_other_allowed(kind: str) -> None:
    schema = json.loads(schema_text(kind))
    for path, found in _schemas(schema):
        if len(path) > 1 and path[-2] == "properties" and "$ref" not in found:
            assert len(found.get("description", "")) > 3, path
        if found.get("type") == "object" and path[-1:] not in {(name,) for name in OPEN}:
            assert "additionalProperties" in found, path
            if found.get("properties") and path[-1:] not in {("case",)}:
                assert found["additionalProperties"] is False, path


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_no_one_of(kind: str) -> None:
    assert "oneOf" not in schema_text(kind)
    assert "anyOf" not in schema_text(kind)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("agents", {"version": 1, "models": {"a": {"model": {"env": "X", "default": "y"}}}}),
        ("agents", {"version": 1, "models": {"a": {"extends": "b", "api_base": {"env": "X", "default": None}}}}),
        ("hardware", {"version": 1, "targets": {"a": {"platform": "cuda", "arch": {"env": "X"}}}}),
        ("hardware", {"version": 1, "targets": {"a": {"extends": "b"}}}),
    ],
)
def test_an_editor_accepts_what_is_resolved_later(kind: str, data: object) -> None:
    assert list(Draft7Validator(json.loads(schema_text(kind))).iter_errors(data)) == []


@pytest.mark.parametrize(
    ("kind", "path", "text"),
    [
        ("agents", ("models", "x", "model"), True),
        ("agents", ("models", "x", "api_base"), True),
        ("agents", ("models", "x", "limits", "timeout"), False),
        ("agents", ("models", "x", "params", "extra_body", "y"), False),
        ("agents", ("models", "x", "fallbacks", 0), True),
        ("agents", ("workflows", "x", "steps", "y", "agent"), True),
        ("agents", ("workflows", "x", "steps", "y", "repair"), True),
        ("agents", ("workflows", "x", "steps", "y", "max_attempts"), False),
        ("hardware", ("targets", "x", "arch"), True),
        ("hardware", ("targets", "x", "facts", "sms"), False),
        ("task", ("cases", 0, "m"), False),
        ("task", ("nowhere", "y"), False),
    ],
)
def test_it_knows_where_text_is_wanted(kind: str, path: tuple[str | int, ...], text: bool) -> None:
    assert wants_text(kind, path) is text


@pytest.mark.parametrize("kind", ["dsl", "task"])
def test_each_schema_lists_the_evidence_once_and_in_order(kind: str) -> None:
    lists = re.findall(r"\[[^\[\]]*\"executed\"[^\[\]]*\]", schema_text(kind))
    words = [str(evidence) for evidence in Evidence]
    # A DSL that offers nothing on a platform leaves the platform out.
    assert [json.loads(found) for found in lists] == [words[:-1] if kind == "dsl" else words]


def test_the_schemas_know_the_platforms_of_the_table() -> None:
    target = json.loads(schema_text("hardware"))["definitions"]["target"]["properties"]
    assert target["platform"]["else"]["enum"] == list(PLATFORMS)
    assert list(json.loads(schema_text("dsl"))["properties"]["platforms"]["properties"]) == list(PLATFORMS)


def test_prompt_variables_are_names() -> None:
    assert all(name.isidentifier() for name in PROMPT_VARIABLES)
    assert len(set(PROMPT_VARIABLES)) == len(PROMPT_VARIABLES)
