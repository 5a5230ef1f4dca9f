"""Secret seeds, inputs and parameters: what a candidate is asked, drawn for each judgement, and the answers to it."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import torch

from akgflow.verification.reference.distributions import InputInvariant, redraw
from akgflow.verification.reference.operator import Case, reseeded, seeded
from akgflow.verification.reference.tolerance import Comparison, Expected, compare
from akgflow.verification.reference.tracing.runner import Effects
from akgflow.verification.shared import dtypes, memory
from akgflow.verification.shared.gradients import Wanted
from akgflow.verification.shared.memory import Identity, identity, map_tensors


class Recipe(NamedTuple):
    """What inputs are made from: the same recipe gives the same ones again."""

    distribution: str
    way: str
    level: float
    seeds: tuple[int, int]


@dataclass(frozen=True)
class Draw:
    """Inputs of one distribution and what the outputs must be."""

    distribution: str
    way: str
    """How the distribution was fitted to the operator: one of `WAYS`."""
    inputs: tuple[Any, ...]
    layout: memory.Layout
    """Of the inputs."""
    tree: memory.Tree
    """Describes the result."""
    expected: tuple[Expected, ...]
    """The result's tensors, in order."""
    effects: Effects
    """The inputs and buffers that the operator changes."""
    after: tuple[Expected, ...]
    """These after the call; all others must stay as they were."""
    wanted: Wanted | None = None
    """The gradients among the result's tensors, which come last; None where none are asked for."""
    overwrites: tuple[int, ...] = ()
    """The inputs that a call may leave with any values, by number."""

    @property
    def outcome(self) -> tuple[Expected, ...]:
        """The result's tensors, then what the operator changes."""
        return self.expected + self.after

    @property
    def named(self) -> list[tuple[str, Expected]]:
        """What a call must give, by name: the outputs, and the inputs that it changes."""
        changed = [f"input {i} after the call" for i in self.effects.inputs]
        return list(zip([*self.names, *changed], self.outcome, strict=False))

    @property
    def names(self) -> list[str]:
        """What the result's tensors are called in messages."""
        gradients = self.wanted.labels if self.wanted is not None else []
        return [*(f"output {i}" for i in range(len(self.expected) - len(gradients))), *gradients]

    def input_name(self, number: int) -> str:
        """What a tensor among the inputs is called in messages."""
        if self.wanted is None:
            return f"input {number}"
        upstream = len(self.layout.placed) - len(self.wanted.outputs)
        return f"input {number}" if number < upstream else f"upstream gradient {number - upstream}"

    @property
    def mutates(self) -> bool:
        """True when the reference itself changes its inputs, or a call may."""
        return bool(self.effects.inputs or self.overwrites)

    @property
    def interleaves(self) -> bool:
        """True where ``forward`` may be called with other inputs before backward: it changes nothing."""
        return self.wanted is not None and not self.effects.inputs and not self.effects.buffers

    def outs(self) -> list[dict[str, Any]]:
        """Places for the output tensors, between guard bytes, in their own region."""
        return out_places(self.forms, memory.GUARD)

    @property
    def input_forms(self) -> list[Any]:
        """The inputs, their tensors without values."""
        return without_values(self.inputs)

    @property
    def forms(self) -> list[torch.Tensor]:
        """The output tensors without their values."""
        return [one.framework.to("meta") for one in self.expected]

    @property
    def framework_error(self) -> float:
        """The largest error of the framework's own kernel."""
        return max(one.framework_error for one in self.outcome)

    def compare(self, outputs: Sequence[torch.Tensor], tolerance: float) -> list[Comparison]:
        """Each output of a call against what it must be."""
        pairs = zip(outputs, self.expected, self.names, strict=True)
        return [compare(got, expected, i, tolerance, name) for i, (got, expected, name) in enumerate(pairs)]

    def remembered(self, outputs: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        """What of an answer is kept to tell whether the next one is the same bytes."""
        return outputs

    in_place: ClassVar[bool] = False
    """Whether answers are too large for a copy of the judge's."""

    @cached_property
    def at_page_ends(self) -> memory.Layout:
        """Places for the inputs that make a read past an end a crash; for a CPU."""
        return memory.lay_out(list(self.inputs), memory.at_page_end)

    @property
    def elements(self) -> int:
        """Elements of all inputs and outputs."""
        return int(sum(p.tensor.numel() for p in self.layout.placed) + sum(e.oracle.numel() for e in self.expected))


def without_values(inputs: Sequence[Any]) -> list[Any]:
    """Inputs whose tensors have the same form, and take no memory."""

    def form(tensor: torch.Tensor) -> torch.Tensor:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")

    return [map_tensors(one, form) for one in inputs]


def out_places(tensors: Sequence[torch.Tensor], guard: int = 0) -> list[dict[str, Any]]:
    """Contiguous places, by shape and dtype, for a sequence of tensors, ``guard`` bytes before and behind each."""
    places, offset = [], guard
    for tensor in tensors:
        places.append({"shape": list(tensor.shape), "dtype": memory.dtype_name(tensor.dtype), "offset": offset})
        offset += -(-tensor.numel() * tensor.element_size() // memory.ALIGN) * memory.ALIGN + 2 * guard
    return places


def places_size(places: Sequence[Mapping[str, Any]], guard: int = 0) -> int:
    """Bytes that `out_places` take."""
    if not places:
        return 0
    last = places[-1]
    return int(last["offset"] + -(-size_of(last) // memory.ALIGN) * memory.ALIGN + guard)


def size_of(place: Mapping[str, Any]) -> int:
    """Bytes of the tensor in a place."""
    return int(memory.dtype_of(place["dtype"]).itemsize * math.prod(place["shape"]))


def fresh_seed() -> int:
    """A seed that only the judge knows."""
    return int.from_bytes(os.urandom(8), "little") >> 1


class Seeds:
    """Seeds of one case by what is drawn with them, all from one ``secret``: the same secret gives the same ones."""

    def __init__(self, secret: str = "") -> None:
        self.secret = secret or os.urandom(16).hex()

    def of(self, *what: object) -> int:
        """A seed that tells nothing of the others."""
        return int.from_bytes(hashlib.sha256(repr((self.secret, *what)).encode()).digest()[:8], "little") >> 1


def cast(value: Any, dtype: torch.dtype | None, device: str) -> Any:
    """Tensors of 16-bit to 64-bit floats to ``dtype`` (None leaves them), all tensors to ``device``, detached."""

    def change(tensor: torch.Tensor) -> torch.Tensor:
        computed = tensor.dtype in dtypes.COMPUTED and dtype is not None
        return tensor.detach().to(device=device, dtype=dtype if computed else tensor.dtype)

    return map_tensors(value, change)


def draw(case: Case, device: str, seed: int) -> tuple[Any, ...]:
    """One set of the operator's own inputs at the case's dtype on ``device`` (``cpu`` or ``cuda``)."""
    with seeded(seed), reseeded(seed), torch.device(device):
        made: tuple[Any, ...] = cast(case.make_inputs(), case.dtype, device)
        if case.wanted is not None:
            made = (*made, [torch.randn(one.shape, dtype=one.dtype) for one in case.upstream])
    return made


def vary(
    made: tuple[Any, ...], invariants: Sequence[InputInvariant], distribution: str, way: str, level: float, seed: int
) -> tuple[Any, ...]:
    """The same inputs, their random tensors drawn from another distribution; ``invariants`` are in tensor order."""
    left = iter(invariants)
    with seeded(seed):
        redrawn: tuple[Any, ...] = map_tensors(made, lambda t: redraw(t, next(left), distribution, way, level))
    return redrawn


def draw_state(
    default: Mapping[str, torch.Tensor], parameters: Collection[str], seed: int, positive: bool
) -> Mapping[str, torch.Tensor]:
    """Values for the parameters and persistent buffers of a model, by name, none of them a default.

    Matrices and convolution kernels are normal with variance 1/fan_in (LeCun initialisation), so that outputs are O(1).
    What has at most one dimension larger than 1 (bias, norm weight, layer scale) is normal with a standard deviation of
    0.5, around the value that the model filled it with, or else around zero. Running variances are uniform in
    [0.5, 1.5]. Buffers that are no running statistics are constants of the model and keep their values. With
    ``positive`` only magnitudes are drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    for name, tensor in default.items():
        drawn = _drawn(name, tensor.cpu(), name in parameters, generator)
        drawn = drawn.abs() if positive and name in parameters and drawn.is_floating_point() else drawn
        state[name] = drawn.to(tensor.device) if drawn.dtype == tensor.dtype else dtypes.stored(drawn, tensor)
    return state


def tied(named: Mapping[str, torch.Tensor]) -> Mapping[str, str]:
    """Tied tensors of a model: each later name of a tensor, and its first name."""
    first: dict[Identity, str] = {}
    found = {}
    for name, tensor in named.items():
        earlier = first.setdefault(identity(tensor), name) if tensor.numel() else name
        if earlier != name:
            found[name] = earlier
    return found


def _drawn(name: str, tensor: torch.Tensor, is_parameter: bool, generator: torch.Generator) -> torch.Tensor:
    leaf = name.rpartition(".")[2]
    if leaf == "running_var":
        return torch.rand(tensor.shape, generator=generator) + 0.5
    if not (tensor.is_floating_point() or tensor.is_complex()) or (not is_parameter and leaf != "running_mean"):
        return tensor.clone()
    if not tensor.numel():
        return tensor.clone()
    if tensor.dtype == dtypes.FLOAT4:
        return torch.randint(0, 256, tensor.shape, dtype=torch.uint8, generator=generator).view(tensor.dtype)
    tensor = dtypes.parts(tensor)
    # What has the digits of float32 alone does not tell float64 from it.
    drawn = torch.float64 if tensor.dtype == torch.float64 else torch.float32
    normal = torch.randn(tensor.shape, generator=generator, dtype=drawn)
    counting = [size for size in tensor.shape if size > 1]
    if len(counting) >= 2:
        return normal / max(1.0, tensor.numel() / counting[0]) ** 0.5
    first = tensor.flatten()[0]
    return (first.to(drawn) if bool((tensor == first).all()) else 0.0) + 0.5 * normal
