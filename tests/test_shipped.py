"""The shipped targets: every fact says where it comes from, and every citation is for a fact that is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
TARGETS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "hardware.yaml").read_text(encoding="utf-8"))["targets"]


@pytest.mark.parametrize("name", TARGETS)
def test_every_fact_is_cited(name: str) -> None:
    facts = set(TARGETS[name].get("facts", {}))
    cited: set[str] = set()
    for source in TARGETS[name].get("sources", []):
        keys, _, where = source.partition(": ")
        assert where, f"{name}: {source!r} does not say where"
        cited |= set(re.findall(r"\w+", re.sub(r"\(.*?\)", "", keys)))
    assert cited == facts


def test_the_documented_targets_are_there() -> None:
    arch = {name: (target["platform"], target["arch"]) for name, target in TARGETS.items()}
    assert arch == {
        "cpu": ("cpu", "native"),
        "nvidia_a100": ("cuda", "sm_80"),
        "nvidia_h100": ("cuda", "sm_90a"),
        "nvidia_h200": ("cuda", "sm_90a"),
        "nvidia_b200": ("cuda", "sm_100a"),
        "nvidia_rtx4090": ("cuda", "sm_89"),
        "amd_mi300x": ("hip", "gfx942"),
        "ascend_910b4": ("ascend", "ascend910b4"),
        "ascend_950": ("ascend", "ascend950"),
    }
