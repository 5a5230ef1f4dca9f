"""Names of packages and operands from names of tasks, jobs, arguments and parameters, whatever those hold."""

from __future__ import annotations

import hashlib
import keyword
import re
import sys
import unicodedata
from collections.abc import Iterable

from akgflow.errors import ConfigError

_PACKAGE = re.compile("[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_KEEPS = re.compile("[A-Za-z0-9_ .-]+")
"""Texts that a name spells in full."""
_STEM, _LONGEST = 40, 60
_TAKEN = frozenset(
    {"akgflow", "build", "kernel", "kernels", "ninja", "numpy", "tests", "tilelang", "torch", "triton", "tvm_ffi"}
)
_OF_SCHEMAS = frozenset(
    [
        "self",
        "settings",
        "Tensor",
        "Scalar",
        "Device",
        "Dim",
        "Generator",
        "Layout",
        "ScalarType",
        "Storage",
        "SymInt",
        "Stream",
        "Dimname",
        "MemoryFormat",
        "QScheme",
        "bool",
        "complex",
        "float",
        "int",
        "str",
        "number",
        "t",
        "any",
    ]
)
"""What the parser of operator schemas may read as something else than an operand's name."""


def package_name(*words: str) -> str:
    """A name that can be imported, be a distribution and be a kernel on a hub: ``gemm_migrate_cpp_cpu``."""
    text = "_".join(words)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    found = "_".join(re.findall("[a-z0-9]+", plain))
    if not _KEEPS.fullmatch(text) or not found or len(found) > _STEM:
        # Something was lost: the digest keeps apart what was spelled differently.
        found = f"{found[:_STEM].strip('_') or 'op'}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    if not found[0].isalpha():
        found = f"op_{found}"
    return f"{found}_kernel" if _is_taken(found) or len(found) < 2 else found


def check_package_name(name: str) -> str:
    """The name that a user chose; raises `ConfigError` where it cannot be a package's."""
    if not _PACKAGE.fullmatch(name) or not 2 <= len(name) <= _LONGEST:
        example = package_name(name)
        raise ConfigError(
            f"{name!r} is no name of a package: use up to {_LONGEST} small letters, digits and single underscores, "
            f"such as {example}"
        )
    if _is_taken(name):
        raise ConfigError(f"a module {name} exists already: choose another name, such as {name}_kernel")
    return name


def _is_taken(name: str) -> bool:
    return keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in sys.stdlib_module_names or name in _TAKEN


def operand_names(names: Iterable[str]) -> dict[str, str]:
    """Names of operands in an operator's schema by the names of arguments and of state (``linear.weight``)."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub("[^A-Za-z0-9]+", "_", name).strip("_")
        if not plain or not plain[0].isalpha():
            plain = f"t_{plain}".rstrip("_")
        if keyword.iskeyword(plain) or plain in _OF_SCHEMAS:
            plain += "_"
        one, count = plain, 2
        while one in found.values():
            one, count = f"{plain}_{count}", count + 1
        found[name] = one
    return found
