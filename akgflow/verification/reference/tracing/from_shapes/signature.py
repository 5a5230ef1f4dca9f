"""What an operator's model takes and gives in each case, read from one call without values. Judge's side only.

Run as a module it reads a `SignatureRequest` as JSON from standard input and writes `Signatures` to standard output.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from akgflow.base.serial import from_data, to_data
from akgflow.operators.arguments import split
from akgflow.operators.signature import Parameter, Signature, SignatureRequest, Signatures, TensorForm
from akgflow.verification.reference import inputs as drawing
from akgflow.verification.reference.operator import Case, OperatorError, cases_of, make_case
from akgflow.verification.reference.tracing.from_shapes.features import MOST_REAL
from akgflow.verification.shared import memory


class Unshippable(Exception):
    """The operator is sound, and its form is one that a package cannot have; the text says which."""


def signatures_of(request: SignatureRequest) -> Signatures:
    """The signature of every case; whatever goes wrong is said in ``why``."""
    try:
        text, file = request.operator, request.operator_file
        keys = cases_of(text, file, request.cases)
        cases = [make_case(text, file, one, request.dtype, 0) for one in keys]
        return Signatures(_parameters(cases[0]), tuple(_signature(case, text) for case in cases))
    except (OperatorError, Unshippable) as reason:
        return Signatures(why=str(reason))
    except Exception as error:
        return Signatures(why=f"the operator cannot be traced: {type(error).__name__}: {error}".partition("\n")[0])


def encoded(value: Any) -> Any:
    """A value that is no tensor, as JSON. Raises `Unshippable` for what has no such form."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, list):
        return [encoded(one) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [encoded(one) for one in value]}
    if isinstance(value, dict):
        return {"dict": {name: encoded(one) for name, one in value.items()}}
    if isinstance(value, torch.dtype):
        return {"dtype": memory.dtype_name(value)}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    raise Unshippable(f"a {type(value).__name__} is among its arguments, where a package takes numbers and text only")


def _parameters(case: Case) -> tuple[Parameter, ...]:
    found = list(inspect.signature(case.module.Model.forward).parameters.values())[1:]
    starred = [str(one) for one in found if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    if starred:
        raise Unshippable(f"forward takes {starred[0]}: name its parameters")
    return tuple(
        Parameter(p.name, p.kind.name, p.default is not p.empty, None if p.default is p.empty else encoded(p.default))
        for p in found
    )


def _signature(case: Case, text: str) -> Signature:
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            return _traced(case, text)
    except (Unshippable, OperatorError):
        raise
    except Exception:
        # It looks at values: then it needs some.
        with FakeTensorMode(allow_non_fake_inputs=True):
            held = [*memory.tensors(list(case.make_inputs())), *case.model().state_dict().values()]
        if sum(tensor.numel() for tensor in held) > MOST_REAL:
            raise
        return _traced(case, text)


def _traced(case: Case, text: str) -> Signature:
    model = case.model()
    state = {name: drawing.cast(t, case.dtype, str(t.device)) for name, t in model.state_dict().items()}
    made = memory.map_tensors(case.make_inputs(), lambda t: drawing.cast(t, case.dtype, str(t.device)))
    args, keywords = split(made)
    bound = inspect.signature(case.module.Model.forward).bind(model, *args, **keywords)
    names = list(bound.arguments)[1:]
    bound.apply_defaults()
    given = dict(list(bound.arguments.items())[1:])
    watched = [*memory.tensors(list(made)), *state.values()]
    before = [tensor._version for tensor in watched]
    after: dict[str, torch.Tensor] = {}
    model.register_forward_hook(lambda module, _args, _result: after.update(module.state_dict(keep_vars=True)))
    with torch.no_grad():
        result = torch.func.functional_call(model, dict(state), args, dict(keywords))
    replaced = any(after[name] is not tensor for name, tensor in state.items())
    if replaced or [tensor._version for tensor in watched] != before:
        raise Unshippable("forward changes its arguments or buffers in place; export takes functions without effects")
    tensors, lists, values = _sorted(given)
    outputs: list[torch.Tensor] = []
    tree = _tree(result, outputs)
    return Signature(
        case=case.keys,
        globals=case.globals,
        init=(encoded(list(case.init_args)), encoded(dict(case.init_kwargs))),
        bound=_constructor(case),
        tensors=tensors,
        lists=lists,
        values=values,
        positional=tuple(names[: len(args)]),
        keywords=tuple(keywords),
        state={name: _form(tensor) for name, tensor in state.items()},
        outputs=tuple(map(_form, outputs)),
        result=tree,
        training=model.training if case.mode is not None or "training" in text else None,
    )


def _constructor(case: Case) -> Mapping[str, Any]:
    bound = inspect.signature(case.module.Model).bind(*case.init_args, **case.init_kwargs)
    bound.apply_defaults()
    return {name: encoded(value) for name, value in bound.arguments.items()}


def _sorted(
    given: Mapping[str, Any],
) -> tuple[dict[str, TensorForm | None], dict[str, tuple[TensorForm, ...]], dict[str, Any]]:
    """Arguments that are tensors, those that are lists of tensors, and the others."""
    tensors: dict[str, TensorForm | None] = {}
    lists: dict[str, tuple[TensorForm, ...]] = {}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, torch.Tensor):
            tensors[name] = _form(value)
        elif _is_list(value):
            lists[name] = tuple(map(_form, value))
        elif any(True for _ in memory.tensors(value)):
            raise Unshippable(f"{name} is a nest of tensors: give tensors, or lists of tensors")
        else:
            values[name] = encoded(value)
    return tensors, lists, values


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, torch.Tensor) for one in value)


def _form(tensor: torch.Tensor) -> TensorForm:
    shape, stride = tuple(map(int, tensor.shape)), tuple(map(int, tensor.stride()))
    return TensorForm(shape, stride, memory.dtype_name(tensor.dtype))


def _tree(result: Any, outputs: list[torch.Tensor]) -> Any:
    """The form of a result, whose tensors go to ``outputs``."""
    if isinstance(result, torch.Tensor):
        outputs.append(result)
        return "tensor"
    if result is None:
        return None
    if isinstance(result, dict):
        return {"dict": [[name, _tree(one, outputs)] for name, one in result.items()]}
    if isinstance(result, Sequence) and not isinstance(result, str):
        return {"tuple" if isinstance(result, tuple) else "list": [_tree(one, outputs) for one in result]}
    raise Unshippable(f"forward returns a {type(result).__name__} beside tensors, which no compiled graph can hold")


def main() -> None:
    """Answer, whatever the operator prints meanwhile."""
    request = from_data(json.load(sys.stdin), SignatureRequest)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as sink:
        os.dup2(2, 1)
        json.dump(to_data(signatures_of(request)), sink)


if __name__ == "__main__":
    main()
