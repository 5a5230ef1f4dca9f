"""Whether an operator's result depends on the order of writes to the same place: then kernels may differ in it."""

from __future__ import annotations

from typing import Any

import torch

from akgflow.verification.reference.tracing.op_count import Tracer, arguments_of
from akgflow.verification.shared.op_classes import base


class Overwriting(Tracer):
    """Notes in ``found`` whether several values were written to one place, of which only one stays."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:  # noqa: ARG002
        name = base(func._schema.name)
        if self.found or name not in ("scatter", "index_copy", "index_put", "_index_put_impl", "put"):
            return
        given = arguments_of(func, args, kwargs)
        source = given.get("src", given.get("source", given.get("values")))
        target = given.get("self")
        adds = bool(given.get("accumulate")) or given.get("reduce") is not None
        if not isinstance(source, torch.Tensor) or not isinstance(target, torch.Tensor) or adds or source.numel() < 2:
            return
        times = torch.zeros(target.shape, dtype=torch.int32, device=target.device)
        if name == "scatter":
            times.scatter_add_(given["dim"], given["index"], torch.ones_like(given["index"], dtype=torch.int32))
        elif name == "index_copy":
            index = given["index"].flatten()
            self.found = index.unique().numel() < index.numel()
            return
        elif name == "put":
            times.put_(given["index"], torch.ones_like(given["index"], dtype=torch.int32), accumulate=True)
        else:
            torch.ops.aten.index_put_.default(times, given["indices"], times.new_ones(()), True)
        self.found = bool((times > 1).any())
