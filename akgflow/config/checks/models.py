"""Entries of ``models``: what a schema cannot say about a server's address and about what a request may hold."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from akgflow.base.secrets import is_secret_name, is_secret_value
from akgflow.budget.request import LENGTHS, refusals
from akgflow.config._problems import Problems
from akgflow.config._yaml import Node

_ADDRESS_HINT = (
    "write https://HOST[:PORT]/PATH and nothing else; a key goes into the environment variable that 'api_key_env' names"
)
_OF_SERVERS = ("model", "api_base", "api_key_env")
_OF_COMMANDS = ("output", "env", "writes")


def check_models(models: Node, problems: Problems) -> None:
    """Each model's ``api_base`` is an address, and its ``params`` hold nothing that passes beside the reservation."""
    for model in models.entries.values():
        address, params = model.at("api_base"), model.at("params")
        _check_command(model, problems)
        if address is not None and address.text is not None and (wrong := _wrong_address(address.text)):
            problems.add(address.mark, f"'api_base' {wrong}", _ADDRESS_HINT)
        if params is not None and params.entries:
            for setting, what, hint in refusals(params.data()):
                # What the schema does not know at the top it refuses itself.
                if len(setting.path) > 1:
                    place = params.at(*setting.path) or params
                    problems.add(place.place, what, hint)


def _check_command(model: Node, problems: Problems) -> None:
    """A command has none of the settings of a server, and a server none of a command's."""
    others = _OF_SERVERS if "command" in model.entries else _OF_COMMANDS
    what = "a model that is a command" if "command" in model.entries else "a model without 'command'"
    for key in others:
        node = model.at(key)
        if node is not None and (node.text is not None or node.entries or node.items):
            problems.add(node.place, f"'{key}' does nothing for {what}", "take it out")
    params = model.at("params") if "command" in model.entries else None
    for key, node in params.entries.items() if params else ():
        if key not in LENGTHS:
            hint = "write it as an argument of the command; params.max_tokens is what is reserved for a reply"
            problems.add(node.place, f"'params.{key}' does nothing for {what}", hint)


def _wrong_address(text: str) -> str:
    """What is wrong with an ``http(s)://`` address; empty where nothing is, or where another check says it already.

    Never repeats the text, which may hold a secret.
    """
    if not re.match("https?://", text) or is_secret_value(text):
        return ""
    if not text.isprintable() or re.search(r"\s", text):
        return "holds blanks or control characters"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "is no address: its host or its port cannot be read"
    if "@" in parts.netloc:
        return "holds a user or a password"
    if not parts.hostname or port == 0 or not _is_host(parts.hostname):
        return "names no host"
    if any(is_secret_name(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        return "holds a key in its query"
    return ""


def _is_host(name: str) -> bool:
    return ":" in name or re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", name) is not None
