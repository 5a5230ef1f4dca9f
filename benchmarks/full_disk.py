"""Runs on disks that fill on the way: no kernel is blamed, no paid call is lost, and the end is the same.

    python benchmarks/full_disk.py [--count 3] [--seed 1]

Two ways, a run of several C++ cells (that of `kills.py`) each, and the same command given again for as long as it ends
with exit code 7:

* *every tenth write*: a library that is loaded before the C library makes every tenth write, opening for writing and
  flush of the command below its runs' folder fail with "No space left on device", whatever process does it;
* *a small disk*: the workspace, its scratch and its runs are on a tmpfs of 40 MiB, which is filled at random moments,
  while kernels are compiled too, and has room again once the command has ended.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import kills
from openai_server import OpenAIServer
from small_disk import SmallDisk, small_disk

TENTH = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int below(const char* path) {
  const char* folder = getenv("FULL_BELOW");
  return folder && !strncmp(path, folder, strlen(folder));
}
static int full(void) {
  static unsigned* count;
  if (!count) {
    static int (*plain)(const char*, int, ...);
    plain = dlsym(RTLD_NEXT, "open");
    int fd = plain(getenv("FULL_COUNT"), O_RDWR);
    if (fd < 0) return 0;
    count = mmap(0, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
  }
  if (__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST) % 10) return 0;
  errno = ENOSPC;
  return 1;
}
static int full_fd(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  return below(path) && full();
}
#define HOOK(type, name, parameters, arguments, failing)                   \
  type name parameters {                                                   \
    static type(*next) parameters;                                         \
    if (!next) next = dlsym(RTLD_NEXT, #name);                             \
    return (failing) ? -1 : next arguments;                                \
  }
HOOK(ssize_t, write, (int fd, const void* data, size_t size), (fd, data, size), full_fd(fd))
HOOK(ssize_t, pwrite, (int fd, const void* data, size_t size, off_t at), (fd, data, size, at), full_fd(fd))
HOOK(ssize_t, pwrite64, (int fd, const void* data, size_t size, off64_t at), (fd, data, size, at), full_fd(fd))
HOOK(int, fsync, (int fd), (fd), full_fd(fd))
#define OPEN(name)                                                         \
  int name(const char* path, int flags, ...) {                             \
    static int (*next)(const char*, int, ...);                             \
    if (!next) next = dlsym(RTLD_NEXT, #name);                             \
    va_list rest;                                                          \
    va_start(rest, flags);                                                 \
    int mode = va_arg(rest, int);                                          \
    va_end(rest);                                                          \
    return (flags & O_CREAT) && below(path) && full() ? -1 : next(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
"""
MOST_STARTS = 200


def main(arguments: list[str] | None = None) -> int:
    """Run, check, print; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3, help="runs of each way")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    dice, wrong = random.Random(asked.seed), list[str]()
    undisturbed = kills.one_run(False, 0, dice, kills.Report())
    for number in range(1, asked.count + 1):
        for way in (every_tenth_write, on_a_small_disk):
            started = time.monotonic()
            found, codes, calls = way(dice)
            where = f"{way.__name__.replace('_', ' ')} {number}"
            complaints = kills.differences({name: undisturbed[name] for name in found}, found, where)
            complaints += [f"{where}: {call} was asked {times} times" for call, times in calls.items() if times > 1]
            print(f"{where}: exit codes {dict(codes)}, {time.monotonic() - started:.0f} s", *complaints, sep="\n  ")
            wrong += complaints
    print("no wrong verdict, no lost call, the same end" if not wrong else f"{len(wrong)} complaints")
    return 1 if wrong else 0


Outcome = tuple[dict[str, Any], Counter[int], Counter[str]]
"""What can be compared of a run; the exit codes of its starts; how often each call was asked."""


def every_tenth_write(dice: random.Random) -> Outcome:  # noqa: ARG001
    """The run of a command whose tenth write fails, its twentieth, and so on, from one start to the next."""
    with tempfile.TemporaryDirectory(prefix="full-") as folder:
        workspace = Path(folder)
        library, count = workspace / "tenth.so", workspace / "count"
        compiler = ["cc", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", str(library), "-ldl"]
        subprocess.run(compiler, input=TENTH, text=True, check=True)
        count.write_bytes(bytes(4))
        own = {"LD_PRELOAD": str(library), "FULL_BELOW": str(workspace / "runs"), "FULL_COUNT": str(count)}

        def once() -> tuple[int, str]:
            command = [sys.executable, "-m", "akgflow", "run", "scale", "--json"]
            done = subprocess.run(
                command,
                cwd=workspace,
                env={**os.environ, **environment(workspace / "runs"), **own},
                capture_output=True,
                text=True,
            )
            return done.returncode, done.stdout if done.returncode in (0, 7) else done.stderr

        return repeated(workspace, once)


def on_a_small_disk(dice: random.Random) -> Outcome:
    """The run of a command whose disk is filled after a random while, and has room again when it has ended."""
    with tempfile.TemporaryDirectory(prefix="full-") as folder, small_disk(Path(folder) / "disk", "40m") as disk:

        def once() -> tuple[int, str]:
            process = start(disk)
            if dice.random() < 0.7:
                try:
                    process.wait(dice.uniform(1.0, 25.0))
                except subprocess.TimeoutExpired:
                    disk.fill(dice.choice((0, 0, 64 << 10, 512 << 10)))
            out, err = process.communicate()
            disk.free()
            return process.returncode, out if process.returncode in (0, 7) else err

        return repeated(disk.seen, once)


def start(disk: SmallDisk) -> subprocess.Popen[str]:
    """The command, in the workspace on the small disk."""
    command = (sys.executable, "-m", "akgflow", "run", "scale", "--json")
    return disk.start(*command, cwd=disk.folder, env={**environment(disk.folder), "TMPDIR": str(disk.folder / "tmp")})


def environment(folder: Path) -> dict[str, str]:
    """The key, and a knowledge store that is on the disk that fills."""
    return {"TEST_KEY": "k", "AKGFLOW_KNOWLEDGE": str(folder / "knowledge.sqlite")}


def repeated(workspace: Path, once: Any) -> Outcome:
    """Give the command until it ends with another code than 7."""
    server, codes = OpenAIServer(), Counter[int]()
    seam = kills.Seam(workspace)
    server.default = seam.answer
    try:
        kills.write_workspace(workspace, server.url, timed=False)
        for _ in range(MOST_STARTS):
            code, said = once()
            codes[code] += 1
            if code != 7:
                break
    finally:
        server.close()
    if code != 0:
        raise SystemExit(f"exit code {code}: {said[-3000:]}")
    jobs = kills.outcomes(json.loads(said))
    return {"jobs": jobs, "journal": sorted(kills.keys(workspace)), "asked again": seam.repeated}, codes, seam.calls


if __name__ == "__main__":
    sys.exit(main())
