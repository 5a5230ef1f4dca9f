"""The memory that the judge shares with one candidate process: what is asked, what is answered, the model's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from akgflow.verification import sandbox
from akgflow.verification.judge.answers.side_effects import Placement
from akgflow.verification.reference.inputs import Draw, places_size
from akgflow.verification.shared import memory
from akgflow.verification.shared.protocol import Call

SHIFT_BYTES = 64 * memory.ALIGN
"""Bytes by which the same inputs are shifted, to ask about them at other addresses."""


class Regions:
    """Regions by name, and which of them the process has attached. ``device`` is where its tensors are."""

    def __init__(self) -> None:
        self.device = "cpu"
        self._made: dict[str, memory.Region] = {}
        self._attached: dict[str, memory.Region] = {}
        self._outgrown: list[memory.Region] = []

    def __getitem__(self, name: str) -> memory.Region:
        return self._made[name]

    def get(self, name: str) -> memory.Region | None:
        """The region of that name; None where there is none."""
        return self._made.get(name)

    def replaced(self) -> None:
        """The process has attached other memory for calls: the next call attaches this one again."""
        self._attached.clear()

    def give(self, name: str, layout: memory.Layout, fds: list[int]) -> Mapping[str, Any] | None:
        """The handle of new memory that holds what is laid out; None where tensors have no memory."""
        if self.device == "meta":
            return None
        region = self._made[name] = memory.create(layout.size, self.device, layout.holes)
        layout.write(region)
        found: Mapping[str, Any] = handle_of(region, fds)
        return found

    def for_call(
        self, draw: Draw, base: int, fds: list[int], between: Draw | None = None
    ) -> tuple[Placement, memory.Region, Call]:
        """Memory with a draw's inputs, ``base`` bytes further on, poisoned room for the answers, and the request.

        ``between``: inputs for which forward is called before backward.
        """
        outs = draw.outs()
        # On a CPU the other addresses are where a read past the end of an input is a crash.
        closed = base > 0 and self.device == "cpu"
        base = 0 if closed else base
        region, layout, handle = self._inputs(draw, closed, fds)
        out_region, out_handle = self._region("outputs", places_size(outs, memory.GUARD), fds)
        layout.write(region, base)
        out_region.bytes.fill_(sandbox.POISON)
        call = Call(handle, layout.tree, base, out_handle, outs, draw.effects.inputs, draw.effects.buffers)
        if between is not None:
            others, other_handle = self._region("between", between.layout.size, fds)
            between.layout.write(others)
            call = replace(call, between=between.layout.tree, between_region=other_handle)
        return Placement(layout, region, base), out_region, call

    def scratch(self, layout: memory.Layout, fds: list[int], *, sparsely: bool = False) -> Any:
        """The handle of memory with inputs for one call whose answers nobody looks at; None where there is none."""
        if self.device == "meta":
            return None
        # Held here: its descriptor is sent later.
        region = self._made["scratch"] = memory.create(layout.size, self.device)
        (layout.write_sparsely if sparsely else layout.write)(region)
        return handle_of(region, fds)

    def _inputs(self, draw: Draw, closed: bool, fds: list[int]) -> tuple[memory.Region, memory.Layout, Any]:
        """Memory for a draw's inputs, their layout in it, and the handle; ``closed``: between pages that end a process.

        Inputs too large to be there twice have the same memory in both layouts, attached again.
        """
        layout = draw.at_page_ends if closed else draw.layout
        if not draw.in_place or self.device != "cpu":
            name = "closed inputs" if closed else "inputs"
            region, handle = self._region(name, layout.size + SHIFT_BYTES, fds, layout.holes)
            return region, layout, handle
        size = max(layout.size, (draw.layout if closed else draw.at_page_ends).size) + SHIFT_BYTES
        made = self._made.get("inputs")
        if made is None or made.bytes.numel() < size:
            self._attached.pop("inputs", None)
            made = self._made["inputs"] = memory.create(size, self.device)
        attached = self._attached.get("inputs")
        if attached is not None and attached.bytes is made.bytes and attached.holes == layout.holes:
            return attached, layout, "same"
        region = self._attached["inputs"] = memory.with_holes(made, layout.holes)
        return region, layout, handle_of(region, fds)

    def _region(
        self, name: str, size: int, fds: list[int], holes: tuple[tuple[int, int], ...] = ()
    ) -> tuple[memory.Region, Any]:
        """Memory for a call: the same addresses from call to call, so that answers cannot depend on them."""
        region = self._made.get(name)
        if holes or region is None or region.bytes.numel() < size:
            if region is not None and self.device == "cuda":
                # The candidate has it open: it must not be freed before that ends.
                self._outgrown.append(region)
            region = self._made[name] = memory.create(size, self.device, holes)
        role = name.removeprefix("closed ")
        same, self._attached[role] = self._attached.get(role) is region, region
        return region, "same" if same else handle_of(region, fds)


def handle_of(region: memory.Region | None, fds: list[int]) -> Any:
    """The region's handle; its descriptor, if it has one, is appended to ``fds``."""
    if region is None:
        return None
    if region.fd is not None:
        fds.append(region.fd)
    return dict(region.handle)
