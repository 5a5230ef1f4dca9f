"""Runs in triton-ascend's own environment, not in akgflow's: lowers one kernel to TTIR and to Linalg.

The folder that the command line names holds ``kernel.json`` and ``kernel_module.py``; ``kernel.ttir`` and
``kernel.linalg`` are written beside them. What goes wrong is said on standard error.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any


def lower(folder: Path) -> None:
    """Write both forms of the kernel; no compiler of the vendor's is needed for them."""
    import triton.language as tl
    from triton._C.libtriton import ir
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from triton.compiler.compiler import make_backend

    spec = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))
    found = importlib.util.spec_from_file_location("kernel_module", folder / "kernel_module.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    constants = {name: eval(text, {"tl": tl}) for name, text in spec["constants"].items()}
    source = ASTSource(getattr(module, spec["kernel"]), signature=spec["signature"], constants=constants)
    backend = make_backend(GPUTarget("npu", spec["arch"].upper().replace("ASCEND", "Ascend"), 0))
    # The 950 was called 910_95 when this was written.
    options = backend.parse_options({"compile_on_910_95": spec["arch"].startswith("ascend950")})
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    text = source.make_ir(options, backend.get_codegen_implementation(), backend.get_module_map(), context)
    stages: dict[str, Any] = {}
    backend.add_stages(stages, options)
    metadata = {"hash": spec["kernel"], "target": backend.target, **options.__dict__}
    for stage, name in (("ttir", "kernel.ttir"), ("ttadapter", "kernel.linalg")):
        text = stages[stage](text, metadata)
        (folder / name).write_text(str(text), encoding="utf-8")


if __name__ == "__main__":
    try:
        lower(Path(sys.argv[1]))
    except Exception as error:
        words = getattr(error, "stderr", None)
        said = words.decode(errors="replace") if isinstance(words, bytes) else f"{type(error).__name__}: {error}"
        cause = error.__cause__
        sys.exit(f"{said}\n{cause}" if cause else said)
