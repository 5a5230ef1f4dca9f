"""Autotuning where there is no device: what it calls and how often, without its clock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from akgflow.toolchains.base import CompileFailure
from akgflow.toolchains.common.patching import patched
from akgflow.toolchains.triton.failures import is_compile_error, translate

_NEVER = float("inf")
_TRIED = 2
"""Configurations that run on the caller's own tensors before the one that counts, as they do on a device."""


class Tuning:
    """Whether an autotuner is trying configurations just now: it skips those that do not fit."""

    def __init__(self) -> None:
        self.active = False


def _once(call: Callable[[], Any], quantiles: Sequence[float] = (0.5,), **_: Any) -> list[float]:
    call()
    return [0.0] * len(quantiles or (0.5,))


@contextlib.contextmanager
def without_clock(tuning: Tuning, interprets: bool, launches: bool) -> Iterator[None]:
    """Autotuners do not measure: ``do_bench``, CUDA graphs and custom benchmarks call what they would time once.

    Where kernels are only compiled, each configuration is for an autotuner's first shape, and the first that fits for
    later ones. Where they are interpreted, two run on the caller's tensors before the one that counts, so that a kernel
    which adds to what is there and does not say ``reset_to_zero`` is found; which one counts changes from key to key.
    """
    from triton.runtime.autotuner import Autotuner

    original: Callable[..., Any] = Autotuner._bench

    def measured(self: Any, args: Any, config: Any, meta: Any) -> Any:
        tuning.active = True
        try:
            # In place of the benchmark that the kernel's author, or Triton's driver, would have measured with.
            self.__dict__["do_bench"] = _once if not launches else self.do_bench
            return original(self, *args, config=config, **meta)
        except CompileFailure:
            raise
        except Exception as error:
            if not is_compile_error(error, launches=launches):
                raise
            raise translate(self.base_fn, error) from error
        finally:
            tuning.active = False

    def compiled(self: Any, *args: Any, config: Any, **meta: Any) -> Any:
        fits: list[Any] = self.__dict__.setdefault("_fitting", [])
        if self.cache and not launches:
            return [0.0 if config is fits[0] else 1.0] * 3 if fits else [1.0] * 3
        times = measured(self, args, config, meta)
        if times[0] != _NEVER:
            fits.append(config)
        return times

    def interpreted(self: Any, *args: Any, config: Any, **meta: Any) -> Any:
        key, tried = len(self.cache), self.__dict__.setdefault("_tried", {})
        place = tried[key] = tried.get(key, 0) + 1
        times = measured(self, args, config, meta) if place <= _TRIED else [1.0] * 3
        if times[0] == _NEVER:
            return times
        return [0.0 if config is self.configs[key % len(self.configs)] else 1.0] * 3

    with patched((Autotuner, "_bench", interpreted if interprets else compiled)):
        yield
