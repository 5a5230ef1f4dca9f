"""The files of a package, from templates and facts."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import keyword
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from akgflow import __version__
from akgflow.base import resources
from akgflow.base.serial import to_data, to_json
from akgflow.base.text import named_values, python_text, visible
from akgflow.errors import ConfigError
from akgflow.export.facts import Operands
from akgflow.export.subject import Subject
from akgflow.operators.shapes.dimensions import pinned
from akgflow.operators.signature import Parameter, Signatures
from akgflow.reproduction import Array
from akgflow.toolchains import Shipping

_TEMPLATES = Path(__file__).with_name("templates")
BUILDERS = {
    "tvm_ffi.cpp": ("tvm_ffi", "TVM_FFI_CACHE_DIR"),
    "torch.utils.cpp_extension": ("cpp_extension", "TORCH_EXTENSIONS_DIR"),
}
"""Modules with a ``load_inline``: a word of texts that use them, and the variable that names their cache."""
TORCH = "torch>=2.9"
CHECKSUMS = "checksums.json"


def rendered(name: str, values: Mapping[str, Any]) -> str:
    """A template below ``templates``, filled in."""
    return _environment().get_template(f"{name}.jinja").render(values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters.update(python=ascii, toml=toml, inline=inline, text=python_text, packed=packed)
    return environment


def packed(array: Array | None) -> str:
    """A tensor as a tuple of dtype, shape, stride and data."""
    if array is None:
        return "None"
    data = [array.data[at : at + 100] for at in range(0, len(array.data), 100)] or [""]
    shown = repr(data[0]) if len(data) == 1 else "(\n" + "\n".join(map(repr, data)) + "\n)"
    return f"({array.dtype!r}, {array.shape!r}, {array.stride!r}, {shown})"


def toml(value: Any) -> str:
    r"""A text, or a list of texts, as TOML; what cannot stand in a basic string is escaped as ``\uXXXX``."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + re.sub(r"[^ -~\xa0-\ud7ff\ue000-\U0010ffff]", _toml_escape, escaped) + '"'
    return "[" + ", ".join(map(toml, value)) + "]"


def _toml_escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "\\uFFFD" if 0xD800 <= code < 0xE000 else f"\\u{code:04X}"


def inline(text: str) -> str:
    """A text in one line of Markdown, none of which is read as markup."""
    line = " ".join(visible(str(text)).split())
    return re.sub(r"([\\`*_\[\]<>|#{}!])", r"\\\1", line)


def package_files(
    subject: Subject, found: Signatures, taken: Operands, shipping: Shipping, known: Mapping[str, Any], hub: bool
) -> dict[str, str]:
    """The texts of the package's own files by their paths below it, checksums included."""
    package = known["package"]
    op_name = _identifier(subject.task)
    values = {
        "package": package,
        "version": __version__,
        "hub": hub,
        "fallback": known["fallback"],
        "namespace": namespace(package, known),
        "op_name": op_name,
        "schema": taken.schema,
        "backend": "inductor" if shipping.loader != "triton_interpreter" else "aot_eager",
        "compile_flags": list(shipping.compile_flags),
        "link_flags": list(shipping.link_flags),
        "builders": {name: cache for name, (word, cache) in BUILDERS.items() if word in subject.source},
        **_forward(found.parameters, taken),
    }
    files = {name: rendered(f"package/{name}", values) for name in _modules()}
    files |= {
        "_loader.py": rendered(f"package/_loader_{shipping.loader}.py", values),
        "kernel.py": subject.source,
        "reference.py": subject.operator,
        "evidence/facts.json": to_json(known, indent=2) + "\n",
        "evidence/verdict.json": to_json(subject.verdict, indent=2) + "\n",
        "evidence/provenance.json": to_json(_provenance(subject), indent=2) + "\n",
    }
    if subject.dispatch is not None:
        files["evidence/dispatch.json"] = to_json(subject.dispatch, indent=2) + "\n"
    for number, case in enumerate(found.cases):
        if case.globals:
            files[f"evidence/cases/{number}.py"] = pinned(subject.operator, case.globals)
    if hub:
        files["_ops.py"] = rendered("hub/_ops.py", values)
    return files | {CHECKSUMS: checksums(files)}


def _modules() -> list[str]:
    """The files that every package has."""
    root = _TEMPLATES / "package"
    names = (path.relative_to(root).as_posix().removesuffix(".jinja") for path in root.rglob("*.jinja"))
    return sorted(name for name in names if not name.startswith("_loader_"))


def checksums(files: Mapping[str, str]) -> str:
    """sha256 of each file, as JSON. Builders of a hub write their own ``_ops.py``, so that it is left out."""
    found = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items() if name != "_ops.py"}
    return json.dumps(dict(sorted(found.items())), indent=2) + "\n"


def namespace(package: str, known: Mapping[str, Any]) -> str:
    """A namespace of operators that no other export has: kernels, facts and names differ."""
    return f"{package}_{hashlib.sha256(to_json(known).encode()).hexdigest()[:8]}"


def _identifier(name: str) -> str:
    plain = re.sub("[^A-Za-z0-9]+", "_", name).strip("_")
    plain = plain if plain[:1].isalpha() else f"op_{plain}".rstrip("_")
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def _provenance(subject: Subject) -> dict[str, Any]:
    environment = subject.verdict.environment
    return {
        **subject.provenance,
        "akgflow": __version__,
        "hardware": environment.hardware,
        "libraries": dict(environment.libs),
        "target": to_data(subject.target),
    }


def _forward(parameters: tuple[Parameter, ...], taken: Operands) -> dict[str, str]:
    """The pieces of ``forward``'s text: its signature, and how its arguments are passed on."""
    words = ["akgflow_self"]
    for at, one in enumerate(parameters):
        before = parameters[at - 1].kind if at else "POSITIONAL_ONLY"
        if one.kind == "KEYWORD_ONLY" and (not at or before != "KEYWORD_ONLY"):
            words.append("*")
        words.append(f"{one.name}=_akgflow_defaults[{one.name!r}]" if one.has_default else one.name)
        last = at + 1 == len(parameters) or parameters[at + 1].kind != "POSITIONAL_ONLY"
        if one.kind == "POSITIONAL_ONLY" and last:
            words.append("/")
    others = [one.name for one in parameters if one.name not in taken.arguments]
    named = [one.name for one in parameters if one.kind == "KEYWORD_ONLY"]
    return {
        "signature": ", ".join(words),
        "tensors": ", ".join(taken.arguments),
        "values": "{" + ", ".join(f"{name!r}: {name}" for name in others) + "}",
        "positional": ", ".join(one.name for one in parameters if one.kind != "KEYWORD_ONLY"),
        "keywords": "{" + ", ".join(f"{name!r}: {name}" for name in named) + "}",
    }


def requirements(subject: Subject, shipping: Shipping) -> list[str]:
    """What pip must install: PyTorch, and what kernel and operator import. Raises `ConfigError` for akgflow itself."""
    found = {"torch": TORCH}
    installed = importlib.metadata.packages_distributions()
    texts = (subject.source, subject.operator, *subject.members)
    for name in sorted(set[str]().union(*map(imported_by, texts))):
        if name == "akgflow":
            raise ConfigError(f"the kernel of {subject.job} imports akgflow, and a package must run without it")
        if name in sys.stdlib_module_names or name in found:
            continue
        found[name] = shipping.requires.get(name) or next(iter(installed.get(name, [])), name)
    return [*dict.fromkeys(found.values()), *shipping.besides]


def imported_by(text: str) -> set[str]:
    """Top-level names of all that a module imports, wherever that stands."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found


def license_text(distribution: str, license: str | None) -> str:
    """The text of LICENSE: the user's for kernel and operator, akgflow's for the rest."""
    words = f"under {license}." if license else "no licence was stated; their authors' rights are reserved."
    apache = (resources.defaults() / "LICENSE").read_text(encoding="utf-8")
    return rendered("project/LICENSE", {"distribution": distribution, "license_words": words, "apache": apache})


def readme(subject: Subject, taken: Operands, known: Mapping[str, Any], distribution: str, hub: bool) -> str:
    """The text of README.md."""
    cases = [named_values(one["case"]) for one in known["signatures"]]
    values = {
        "distribution": distribution,
        "package": known["package"],
        "title": f"{subject.task}: a kernel in {subject.dsl} for {subject.verdict.target}, exported by akgflow.",
        "hub": hub,
        "schema": taken.schema,
        "summary": known["summary"],
        "cases": [one or "the operator's own shapes" for one in cases],
        "fallback": known["fallback"],
        "warnings": subject.verdict.warnings,
    }
    return rendered("project/README.md", values)
