"""A toolchain for candidates in plain PyTorch on a CPU or a CUDA device: tests look at the judge without a compiler."""

import contextlib
import os


class PlainSession:
    device = "cpu"

    def kernels(self):
        return []


def missing(evidence, target, machine):
    if evidence == "interpreted":
        return "plain PyTorch has no interpreter"
    here = target.platform == "cpu" or (target.platform == "cuda" and machine.device_for(target) is not None)
    return None if here else "no such device here"


@contextlib.contextmanager
def session(evidence, target, scratch):
    (scratch / f"artefact-{evidence}").write_text(str(os.getpid()))
    session = PlainSession()
    session.device = "meta" if evidence == "compiled" else target.platform
    yield session


def resources(target, scratch):
    from akgflow.verdict import KernelResources

    return [KernelResources(path.name, target.arch) for path in sorted(scratch.glob("artefact-*"))]


def source_module(source):
    return source.source


def shipping(evidence, target):
    """Plain PyTorch needs nothing else."""
    from akgflow.toolchains import Shipping

    return Shipping("plain")
