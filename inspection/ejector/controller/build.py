"""Building the controller's core as a shared library, once for each state of its sources and each compiler."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from inspection.ejector.controller.errors import ControllerBuildError

SOURCES = Path(__file__).resolve().parent / "firmware"
COMPILERS = ("c++", "g++", "clang++")
_FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-fno-exceptions", "-fno-rtti", "-static-libgcc")
_BUILD_TIMEOUT_S = 120.0


def find_compiler() -> list[str] | None:
    """Return the C++ compiler's command: $CXX, else c++, g++ or clang++; None if there is none."""
    own = shlex.split(os.environ.get("CXX", ""))
    for command in ([own] if own else []) + [[name] for name in COMPILERS]:
        if shutil.which(command[0]) is not None:
            return command
    return None


def library() -> Path:
    """Return the path of the shared library, built now where that was not done before.

    Raises ControllerBuildError when there is no compiler, or it refuses.
    """
    sources = sorted(SOURCES.glob("*.cpp"))
    if not sources:
        raise ControllerBuildError(
            f"the controller's sources are not at {SOURCES} — they come with Lineward — install it again"
        )
    digest = hashlib.sha256(" ".join((*_FLAGS, platform.machine(), platform.libc_ver()[0])).encode())
    for file in sorted(SOURCES.glob("*.[ch]*")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    target = _cache_folder() / f"liblineward_controller-{digest.hexdigest()[:16]}.so"
    if not target.is_file():
        _build(sources, target)
    return target


def _cache_folder() -> Path:
    """Return the folder for built libraries: $XDG_CACHE_HOME/lineward, else ~/.cache/lineward, else a private one."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118
    for folder in (Path(home) / "lineward", Path(tempfile.gettempdir()) / f"lineward-{os.getuid()}"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        # A library is code: it is never loaded from a folder that somebody else may write to.
        told = folder.stat()
        if os.access(folder, os.W_OK) and told.st_uid == os.getuid() and not told.st_mode & 0o022:
            return folder
    raise ControllerBuildError(
        f"no folder for the built controller: neither {home} nor {tempfile.gettempdir()} can be written by us alone — "
        "set XDG_CACHE_HOME to a folder of your own"
    )


def _build(sources: list[Path], target: Path) -> None:
    compiler = find_compiler()
    if compiler is None:
        raise ControllerBuildError(
            f"no C++ compiler was found (looked for $CXX, {', '.join(COMPILERS)}) — the simulated controller is its "
            "firmware, compiled here — install one (`sudo apt-get install g++`), or choose another ejector driver"
        )
    with (target.parent / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two processes that start together build once
        if target.is_file():
            return
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            built = Path(folder) / target.name
            command = [*compiler, *_FLAGS, "-o", str(built), *map(str, sources)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise ControllerBuildError(
                    f"`{compiler[0]}` could not build the controller ({error}) — set CXX to another C++17 compiler"
                ) from error
            if done.returncode != 0:
                raise ControllerBuildError(
                    f"`{compiler[0]}` refused the controller's sources — a C++17 compiler is needed — "
                    f"set CXX to one; it said:\n{done.stderr[-2000:]}"
                )
            built.replace(target)
