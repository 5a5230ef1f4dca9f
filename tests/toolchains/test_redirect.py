"""Host code written for a GPU runs on a machine without one, and is told what it would be told there."""

QUESTIONS = """
import torch
import triton
import triton.language as tl


@triton.jit
def copy_kernel(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n), mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        assert x.is_cuda and x.device.type == "cuda", x.device
        assert torch.cuda.is_available() and torch.cuda.device_count() == 1
        assert torch.cuda.get_device_capability() == CAPABILITY
        assert torch.cuda.get_device_properties(x.device).multi_processor_count == UNITS
        assert (torch.version.hip is not None) is HIP
        active = triton.runtime.driver.active
        assert active.get_current_target().backend == BACKEND
        units = active.utils.get_device_properties(x.device.index)["multiprocessor_count"]
        assert units == UNITS
        stream = torch.cuda.current_stream()
        with torch.cuda.device(x.device), torch.cuda.stream(stream):
            out = torch.empty(x.shape, device="cuda:0")
            more = [torch.zeros(3, device=x.device), torch.ones(3).cuda(), torch.ones(3).to("cuda", torch.float32)]
            assert all(t.is_cuda for t in more)
            copy_kernel[(units,)](x, out, x.numel(), BLOCK=triton.next_power_of_2(triton.cdiv(x.numel(), units)))
        torch.cuda.synchronize()
        return out


def reference(inputs, parameters):
    return inputs[0]
"""


def ask(drive, evidence, target, **answers):
    text = QUESTIONS
    for name, value in answers.items():
        text = text.replace(name, repr(value))
    return drive("triton", evidence, target, text, [[[1000]]])


def test_nvidia(drive):
    answers = {"CAPABILITY": (9, 0), "UNITS": 132, "HIP": False, "BACKEND": "cuda"}
    assert ask(drive, "interpreted", "nvidia_h200", **answers).get("errors") == [0.0]
    assert ask(drive, "compiled", "nvidia_h200", **answers).get("kernels") == ["copy_kernel"]


def test_amd(drive):
    answers = {"CAPABILITY": (9, 4), "UNITS": 304, "HIP": True, "BACKEND": "hip"}
    assert ask(drive, "interpreted", "amd_mi300x", **answers).get("errors") == [0.0]
    assert ask(drive, "compiled", "amd_mi300x", **answers).get("kernels") == ["copy_kernel"]


GRAPH = """
import torch
import triton
import triton.language as tl


@triton.jit
def copy_kernel(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=at < n), mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        held, out, side = x.clone(), torch.empty_like(x), torch.cuda.Stream()
        out.record_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            copy_kernel[(triton.cdiv(x.numel(), 256),)](held, out, x.numel(), BLOCK=256)
        graph.replay()
        return out


def reference(inputs, parameters):
    return inputs[0]
"""


def test_a_graph_is_compiled_and_never_interpreted(drive):
    assert drive("triton", "compiled", "nvidia_h200", GRAPH, [[[1000]]]).get("kernels") == ["copy_kernel"]
    assert "cannot be interpreted" in str(drive("triton", "interpreted", "nvidia_h200", GRAPH, [[[1000]]]))
