"""The inside of a Triton session: what was launched, what was kept, and calls that the interpreter must repeat."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from akgflow.operators.arguments import invoke
from akgflow.toolchains.base import Unsupported
from akgflow.toolchains.common.workdir import NOTE, artifacts_dir

_KEPT = ("cubin", "ptx", "hsaco", "amdgcn")


class HostReads(BaseException):
    """Host code asks for a value that a kernel was to compute; no ``except Exception`` of the candidate's stops it."""


class TritonSession:
    """Where tensors live, and the kernels that were launched so far, in order of their first launch."""

    def __init__(self, device: str, interpreter: Any = None, always: bool = True) -> None:
        self.device = device
        self.launched: dict[str, None] = {}
        self.silent = False
        self.interpreter = interpreter
        self.absent: str | None = None
        """Why this evidence cannot be had, whatever the candidate made of the exception that said so."""
        self._interprets, self._skipped = always, False

    def kernels(self) -> Sequence[str]:
        return tuple(self.launched)

    def silence(self) -> bool:
        self.silent = True
        return True

    def given(self, spans: list[tuple[int, int]]) -> None:
        """Tensors of the judge's that share one storage: first address and bytes of each."""
        if self.interpreter is not None:
            self.interpreter.spans = spans

    def call(self, model: Any, inputs: Sequence[Any]) -> Any:
        """Call the model. Kernels that were only compiled are interpreted too once host code asks what they compute."""
        try:
            return invoke(model, inputs)
        except HostReads:
            self._interprets = True
            try:
                return invoke(model, inputs)
            finally:
                self._interprets = False

    def host_reads(self) -> None:
        """Host code is about to look at a value."""
        if self._skipped and not self._interprets:
            raise HostReads

    def run(self, task: Any) -> None:
        """A launch."""
        self.launched[task.kernel.__name__] = None
        if self.silent:
            return
        if not self._interprets:
            self._skipped = True
            return
        try:
            self.interpreter.run(task)
        except Unsupported as reason:
            self.absent = self.absent or str(reason)
            raise


class ArtifactKeeper:
    """Copies what was compiled for each launched specialisation to ``scratch``, once each."""

    def __init__(self, scratch: Path) -> None:
        self._root = artifacts_dir(scratch)
        self._seen: set[str] = set()

    @cached_property
    def _kept_before(self) -> bool:
        """Whether another process has, when this one is first to: processes of a candidate launch the same kernels."""
        return any(self._root.iterdir())

    def keep(self, kernel: Any) -> None:
        """Copy the binary and the assembly of a compiled kernel, and note what no binary carries."""
        if self._kept_before or kernel.hash in self._seen:
            return
        folder = self._root / f"{len(self._seen):03d}-{kernel.name[:80]}"
        self._seen.add(kernel.hash)
        folder.mkdir()
        for name, path in kernel.metadata_group.items():
            extension = name.rsplit(".", 1)[-1]
            if extension in _KEPT:
                shutil.copyfile(path, folder / f"kernel.{extension}")
        metadata = kernel.metadata
        about = {key: getattr(metadata, key) for key in ("name", "shared", "num_warps", "num_stages")}
        (folder / NOTE).write_text(json.dumps(about), encoding="utf-8")
