"""What MkDocs makes of ``docs/`` beside its pages: references from click and the schemas, links to files as they are.

``repo_url`` in ``mkdocs.yml`` (or in the environment, ``REPOSITORY_URL``) says where links to files of the repository
lead; without it they are the names of these files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from akgflow import api
from akgflow.cli._main import cli

_OUTSIDE = re.compile(r"\[([^\]]+)\]\((\.\./|ci/)([^)#]+)(#[^)]*)?\)")
_DEEPEST = 5
"""Levels of a schema that are shown; what refers to itself would have no end."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code."""
    for name, text in (("options", _options()), ("files", _files()), ("documents", _documents())):
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Let links to files that are not in the site lead to the repository."""
    url = os.environ.get("REPOSITORY_URL", config.repo_url or "").rstrip("/")

    def changed(link: re.Match[str]) -> str:
        folder = "docs/ci/" if link[2] == "ci/" else ""
        return f"[{link[1]}]({url}/blob/main/{folder}{link[3]}{link[4] or ''})" if url else link[1]

    return _OUTSIDE.sub(changed, markdown)


def _options() -> str:
    texts = ["# Commands and their options", "As `akgflow COMMAND --help` prints them."]
    for name, command in _commands(cli, click.Context(cli, info_name="akgflow")):
        texts += [f"## {name}", f"```text\n{command}\n```"]
    return "\n\n".join(texts)


def _commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, name
            yield from _commands(inner, click.Context(inner, info_name=name, parent=context))


def _files() -> str:
    texts = ["# Keys of the files", "From the JSON Schemas that the files are checked against (`akgflow schema KIND`)."]
    for kind in api.KINDS:
        schema = json.loads(api.schema_text(kind))
        texts += [f"## {kind}", schema.get("description", ""), "\n".join(_keys(schema, schema))]
    return "\n\n".join(texts)


def _documents() -> str:
    texts = ["# What --json prints", "Beside `document` and `version`; `akgflow schema NAME` prints the whole."]
    for name in api.DOCUMENTS:
        schema = api.document_schema(name)
        own = {key: one for key, one in schema["properties"].items() if key not in ("document", "version")}
        texts += [f"## {name}", schema["description"], "\n".join(_keys(schema | {"properties": own}, schema))]
    return "\n\n".join(texts)


def _keys(part: Any, whole: Any, depth: int = 0, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """A nested list of what an object may hold; ``whole`` is the schema that the part refers to."""
    for name, given in part.get("properties", {}).items():
        one, reference, of = _resolved(given, whole)
        said = given.get("description") or one.get("description", "")
        yield f"{'    ' * depth}- `{name}` ({_type(one)}){': ' if said else ''}{' '.join(said.split())}"
        if depth + 1 < _DEEPEST and reference not in seen:
            yield from _keys(*_inner(one, of), depth + 1, (*seen, *filter(None, [reference])))


def _resolved(part: Any, whole: Any) -> tuple[Any, str, Any]:
    """What a schema refers to, by which name, and in which schema. What may also come from the environment is left out.

    Of several, the one that is not null.
    """
    if "else" in part:
        own = {key: one for key, one in part.items() if key not in ("if", "else")}
        return _resolved(own | part["else"], whole)
    options = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    if len(options) == 1:
        return _resolved(options[0], whole)
    file, _, at = str(part.get("$ref", "")).partition("#")
    if not at:
        return part, "", whole
    of = json.loads(api.schema_text(file.partition(".")[0])) if file else whole
    found = of
    for step in at.strip("/").split("/"):
        found = found[step]
    found, _, of = _resolved(found, of)
    return found, part["$ref"], of


def _inner(part: Any, whole: Any) -> tuple[Any, Any]:
    """The object within a list or a mapping, or the object itself; and the schema that it refers to."""
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), dict):
            inner, _, of = _resolved(part[key], whole)
            return _inner(inner, of)
    return part, whole


def _type(part: Any) -> str:
    if "enum" in part:
        return ", ".join(str(one) for one in part["enum"])
    if "const" in part:
        return str(part["const"])
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_type(one) for one in part["anyOf"] if one.get("type") != "null"))
    kinds = part.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
