"""Candidates in KernelBench's form, built with torch's ``load_inline``, where there is no device: a stand-in for the
part of PyTorch's C++ interface that host code uses lets them be interpreted and compiled in a second or two."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count, takewhile
from typing import Any

from akgflow.toolchains.cuda_c import faults
from akgflow.toolchains.cuda_c.backends import Backend, Flags, Source, listed
from akgflow.toolchains.cuda_c.faults import Failure, failure
from akgflow.toolchains.cuda_c.tensors import ASKED, Keyword, Tensors, Value

_ARCH_FLAG = re.compile(r"-arch\b|-gencode\b|--gpu-|arch=|code=")
_ABSENT = -2


class Extension:
    """The functions of an extension as attributes: what PyTorch's own builder would make of the sources."""

    def __init__(self, sources: Sequence[Source], backend: Backend, flags: Flags) -> None:
        self._built = backend.build(sources, flags)
        library = self._built.library
        if library is None:
            raise faults.of_loading(OSError(getattr(self._built, "unresolved", "")), "\n".join(s.text for s in sources))
        self._tensors = Tensors(backend.device, self._built.placed, backend.values)
        self._asked = ASKED(self._tensors.ask)
        library.akgflow_python(self._asked)
        library.akgflow_meant.argtypes = (ctypes.c_int64,)
        library.akgflow_function.restype = ctypes.c_char_p
        self._names: dict[str, int] = {}
        while (name := library.akgflow_function(len(self._names))) is not None:
            self._names[name.decode()] = len(self._names)
        self._operators = list(self._registered(library, backend.values))

    def _registered(self, library: ctypes.CDLL, values: bool) -> Iterator[Any]:
        """Register with PyTorch what TORCH_LIBRARY names, each function for the tensors of this session.

        Those without ``values`` are no GPU's for PyTorch: their functions are registered for any.
        """
        import torch

        library.akgflow_registered.restype = ctypes.c_char_p
        lines = (library.akgflow_registered(place) for place in count())
        found = [line.decode().split("\n") for line in takewhile(lambda line: line is not None, lines)]
        for space, schema, key, function in sorted(found, key=lambda one: bool(one[2])):
            if key in ("Meta", "CPU") or key.startswith("Autograd"):
                continue
            one = torch.library.Library(space, "FRAGMENT")
            if key:
                one.impl(schema, getattr(self, function), key if values else "CompositeExplicitAutograd")
            else:
                one.define(schema)
            yield one

    def __getattr__(self, name: str) -> Callable[..., Any]:
        place = self.__dict__.get("_names", {}).get(name)
        if place is None:
            known = ", ".join(self.__dict__.get("_names", {}))
            raise AttributeError(f"the extension has no function {name!r}; it has {known}")

        def call(*args: Any, **options: Any) -> Any:
            named = tuple(options)
            return self._built.run(
                name, [*args, *options.values()], lambda given: self._invoke(place, name, given, named)
            )

        self.__dict__[name] = call
        return call

    def _invoke(self, place: int, name: str, given: Sequence[Any], named: Sequence[str]) -> Any:
        library, tensors = self._built.library, self._tensors
        assert library is not None, "the constructor refuses to be without one"
        positions = len(given) - len(named)
        words = [value for one in given[:positions] for value in tensors.write(one)]
        for keyword, one in zip(named, given[positions:], strict=True):
            words += [*tensors.write(Keyword(keyword)), *tensors.write(one)]
        values = (Value * max(len(words), 1))(*words)
        tensors.failed = None
        results, error = ctypes.POINTER(Value)(), ctypes.create_string_buffer(2000)
        try:
            count = library.akgflow_call(place, values, len(words), ctypes.byref(results), error, len(error))
            if tensors.failed is not None:
                raise tensors.failed
            if count < 0:
                kind = Failure.HOST_ABSENT if count == _ABSENT else Failure.HOST
                raise failure(kind, f"{name}: {error.value.decode(errors='replace')}")
            return tensors.read(iter(results[:count])) if count else None
        finally:
            tensors.forget(library.akgflow_meant)


def inline_sources(cpp: Any, cuda: Any, functions: Any, line_of: Callable[[str], int], file: str) -> list[Source]:
    """What PyTorch's ``load_inline`` compiles: one text of all C++ sources with the bindings, one of all CUDA sources.

    ``functions`` are the names to bind (text, a list, or names with their docstrings); None where the sources bind
    them themselves.
    """
    head = "#include <torch/extension.h>"
    texts = []
    for given in (listed(cpp), listed(cuda)):
        texts.append("\n".join([head, *(f'#line {line_of(one)} "{file}"\n{one}' for one in given)]))
    if functions is not None:
        names = [functions] if isinstance(functions, str) else list(functions)
        bound = "\n".join(f'  m.def("{name}", &{name});' for name in names)
        texts[0] += f'\n#line 1 "{file}"\nPYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {{\n{bound}\n}}\n'
    sources = [Source(texts[0], file, host=True)]
    return [*sources, Source(texts[1], file)] if listed(cuda) else sources


def nvcc_flags(given: Any) -> list[str]:
    """Those of a candidate's own flags for nvcc that do not choose the architecture, which is the target's."""
    flags, skip = [], False
    for flag in listed(given):
        if flag and not skip and not _ARCH_FLAG.search(flag):
            flags.append(flag)
        skip = flag in ("-gencode", "-arch", "--generate-code", "--gpu-architecture")
    return flags
