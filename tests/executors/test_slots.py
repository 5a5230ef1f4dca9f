"""Which judge sees which device, and what goes on side by side."""

import asyncio

import pytest
from judging import Bench

from akgflow.config.types import Target
from akgflow.executors.slots import Slots
from akgflow.machine import Device, Machine, _left_by, visible

H200 = Target("nvidia_h200", "cuda", "sm_90a", device="H200")
MI300X = Target("amd_mi300x", "hip", "gfx942", device="MI300X")
CPU = Target("cpu", "cpu", "native")
TWO_KINDS = (
    Device("cuda", "sm_90", "NVIDIA H100 80GB HBM3", 0, "GPU-aaa"),
    Device("cuda", "sm_90", "NVIDIA H200", 1, "GPU-bbb"),
    Device("cuda", "sm_90", "NVIDIA H200", 2, "GPU-bcc"),
)
HIP = tuple(Device("hip", "gfx942", "MI300X", index) for index in range(4))


@pytest.mark.parametrize(
    ("environ", "devices", "left"),
    [
        ({}, TWO_KINDS, [0, 1, 2]),
        ({"CUDA_VISIBLE_DEVICES": "2,0"}, TWO_KINDS, [2, 0]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-bc"}, TWO_KINDS, [2]),
        ({"CUDA_VISIBLE_DEVICES": ""}, TWO_KINDS, []),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, TWO_KINDS, []),
        ({"CUDA_VISIBLE_DEVICES": "1,7,0"}, TWO_KINDS, [1]),
        ({"HIP_VISIBLE_DEVICES": "0"}, TWO_KINDS, [0, 1, 2]),
        ({"HIP_VISIBLE_DEVICES": "3"}, HIP, [3]),
        ({"ROCR_VISIBLE_DEVICES": "2,3", "HIP_VISIBLE_DEVICES": "1"}, HIP, [3]),
        ({}, (), []),
    ],
)
def test_devices_kept_from_this_process_are_not_there(environ, devices, left):
    assert [device.index for device in _left_by(environ, devices)] == left


@pytest.mark.parametrize(
    ("device", "set_to"),
    [
        (TWO_KINDS[2], {"CUDA_VISIBLE_DEVICES": "2", "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "HIP_VISIBLE_DEVICES": None}),
        (HIP[3], {"ROCR_VISIBLE_DEVICES": "3", "HIP_VISIBLE_DEVICES": None, "CUDA_VISIBLE_DEVICES": None}),
        (Device("ascend", "ascend910b4", "910B4", 5), {"ASCEND_RT_VISIBLE_DEVICES": "5", "CUDA_VISIBLE_DEVICES": None}),
        (None, {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1", "ASCEND_RT_VISIBLE_DEVICES": "-1"}),
    ],
)
def test_a_judge_is_told_of_its_own_device_alone(device, set_to):
    told = visible(device)
    assert {name: told[name] for name in set_to} == set_to
    assert [name for name, value in told.items() if value not in (None, "-1", "PCI_BUS_ID")] == (
        [next(iter(set_to))] if device else []
    )


def test_judgements_are_spread_over_the_devices_that_are_the_target():
    slots = Slots(Machine("a cpu", 8, TWO_KINDS))
    first = slots.choose(H200, executes=True)
    with first.used():
        second = slots.choose(H200, executes=True)
    assert [first.device.index, second.device.index] == [1, 2]
    assert first.machine.devices == (TWO_KINDS[1],)
    for target, executes in ((H200, False), (MI300X, True), (CPU, True)):
        chosen = slots.choose(target, executes=executes)
        assert chosen is slots.processor
        assert chosen.machine.devices == ()


@pytest.mark.parametrize(("devices", "side_by_side"), [(TWO_KINDS, True), (TWO_KINDS[1:2], False), ((), False)])
def test_a_timing_has_its_device_alone_and_the_machine_where_there_is_no_other(devices, side_by_side):
    async def timed_beside_a_judgement():
        slots = Slots(Machine("a cpu", 8, devices))
        own = slots.devices[-1] if devices else slots.processor
        async with slots.timing_lock.shared():
            try:
                async with asyncio.timeout(0.05), own.timing_lock.exclusive():
                    return True
            except TimeoutError:
                return False

    assert asyncio.run(timed_beside_a_judgement()) is side_by_side


LOOKS = """
    import os
    import torch

    class ModelNew(torch.nn.Module):
        def forward(self, x):
            raise ValueError(" ".join(f"{n}={v}" for n, v in sorted(os.environ.items()) if "VISIBLE" in n))
    """
OPERATOR = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return x + 1

    def get_inputs():
        return [torch.rand(40)]

    def get_init_inputs():
        return []
    """


def test_a_candidate_for_the_processor_sees_no_device(bench, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "0")
    said = bench.judge(LOOKS, OPERATOR).message
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES"):
        assert f"{name}=-1" in said


@pytest.mark.gpu
def test_a_candidate_for_a_device_sees_that_one(bench):
    from judging import target_of

    target = target_of("gpu")
    index = bench.machine.device_for(target).index
    said = bench.judge(LOOKS, OPERATOR, target=target).message
    assert f"CUDA_VISIBLE_DEVICES={index}" in said or f"ROCR_VISIBLE_DEVICES={index}" in said


def test_another_processor_is_not_the_one_that_was_asked_for(bench):
    elsewhere = Target("epyc", "cpu", "native", device="a processor that is not here")
    request = Bench.request(LOOKS, OPERATOR, target=elsewhere)
    verdict = bench.runner.run(bench.executor.judge(request))
    assert verdict.status == "NOT_RUN"
    assert "no epyc (native named 'a processor that is not here'): it is " in verdict.absent["executed"]
