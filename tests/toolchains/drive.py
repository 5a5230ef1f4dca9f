"""Runs each session in a process of its own, forked where torch is loaded already, and writes what it saw.

Each line of standard input names a SPEC.json; ``seen.json`` is written beside it, and the child's exit status is
the answer. SPEC has toolchain, evidence, target, scratch, candidate (a module file),
inputs (shapes), and optionally dtype, parameters (name -> shape), init, repeat. Inputs and parameters are drawn
from a fixed seed; the reference is ``Model`` in the same module file as a function ``reference(inputs, parameters)``.
"""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

import torch

from akgflow import toolchains
from akgflow.base.serial import from_data, to_data
from akgflow.config.types import Target
from akgflow.terms import Evidence


def load(path):
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["candidate"] = module
    spec.loader.exec_module(module)
    return module


def observe(spec):
    dtype = getattr(torch, spec.get("dtype", "float32"))
    torch.manual_seed(7)
    parameters = {name: torch.randn(shape).to(dtype) for name, shape in spec.get("parameters", {}).items()}
    cases = [[torch.randn(shape).to(dtype) for shape in case] for case in spec["inputs"]]
    seen = {"errors": []}
    tools = toolchains.get(spec["toolchain"])
    target = from_data(spec["target"], Target)
    with tools.session(Evidence(spec["evidence"]), target, Path(spec["scratch"])) as session:
        module = load(spec["candidate"])
        model = module.ModelNew(*spec.get("init", []))
        model.load_state_dict(parameters)
        model.to(session.device, dtype)
        call = getattr(session, "call", lambda model, inputs: model(*inputs))
        for inputs in cases:
            output = call(model, [t.to(session.device) for t in inputs])
            if spec["evidence"] in ("interpreted", "executed") and hasattr(module, "reference"):
                wide = [t.double() for t in inputs]
                expected = module.reference(wide, {k: v.double() for k, v in parameters.items()})
                seen["errors"].append((output.cpu().double() - expected).abs().max().item())
                seen["dtype"] = str(output.dtype)
        seen["kernels"] = list(session.kernels())
    seen["resources"] = to_data(list(tools.resources(target, Path(spec["scratch"]))))
    return seen


def run(path):
    begun = time.monotonic()
    spec = json.loads(path.read_text())
    os.environ.update(spec["environment"])
    try:
        seen = observe(spec)
    except Exception as error:
        seen = {"error": type(error).__name__, "message": str(error)}
    seen["seconds"] = round(time.monotonic() - begun, 2)
    path.with_name("seen.json").write_text(json.dumps(seen))


def main():
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run(Path(line.strip()))
                code = 0
            finally:
                os._exit(code)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
