"""The layers that a process can put on itself, where tools such as profilers work through no namespaces."""

from __future__ import annotations

import os
from pathlib import Path

from akgflow.verification.sandbox import landlock, libc, limits, seccomp
from akgflow.verification.sandbox.rootfs import devices, view


def confine(scratch: Path, *, on_gpu: bool) -> None:
    """Bound this process for good: it may write below ``scratch``. Raises `OSError` where a layer is missing."""
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    libc.drop_capabilities()
    seen = view()
    linked = tuple(link for link, _ in seen.links)
    writable = (str(scratch), os.path.realpath("/proc/self"))
    readable = (*seen.folders, *linked, "/sys", "/proc")
    limits.bound(None, own_user_namespace=False)
    landlock.restrict(landlock.Grants(readable, writable, devices()))
    seccomp.install(unix_sockets=on_gpu, peers_visible=True)
