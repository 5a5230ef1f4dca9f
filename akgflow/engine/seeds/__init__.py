"""Sources of first candidates that no model writes: one module each, behind one protocol.

A new one is a module with ``seeds``, a line in `SEEDERS`, and its name in ``config/steps/seed.py`` and in the schema.
"""

from __future__ import annotations

from collections.abc import Mapping

from akgflow.engine.seeds import compiler, knowledge, source
from akgflow.engine.seeds.base import Seed, Seeder, Seeds

SEEDERS: Mapping[str, Seeder] = {"source": source.seeds, "knowledge": knowledge.seeds, "torch.compile": compiler.seeds}

__all__ = ["SEEDERS", "Seed", "Seeder", "Seeds"]
