"""Looks at the machine: each finding says what was found and, where something is wrong, the next step."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from inspection.doctor.finding import Finding, look_at
from inspection.ejector.realtime import PRIORITY

_RUNTIME = ("numpy", "onnxruntime", "opencv-python-headless", "pyserial", "grpcio", "nicegui", "pydantic")
_TRAINING = ("torch", "torchvision", "albumentations", "onnx", "scikit-learn", "matplotlib")
_MIN_FREE_GB = 5.0


def examine(folder: Path) -> list[Finding]:
    """Look at everything but the cameras."""
    return look_at(
        (
            _python,
            _runtime_packages,
            _training_packages,
            _providers,
            _serial_ports,
            lambda: _disk(folder),
            _clock,
            _cores,
            _real_time,
        )
    )


def _python() -> Iterator[Finding]:
    yield Finding("Python", "ok", sys.version.split()[0])
    yield Finding("Lineward", "ok", metadata.version("lineward"))


def _runtime_packages() -> Iterator[Finding]:
    missing = [name for name in _RUNTIME if not _installed(name)]
    listed = ", ".join(f"{name} {metadata.version(name)}" for name in _RUNTIME if name not in missing)
    yield Finding("runtime packages", "ok" if not missing else "problem", listed, _install(missing, "lineward"))
    if _installed("opencv-python"):
        yield Finding(
            "OpenCV", "note", "opencv-python and opencv-python-headless are both installed",
            "pip uninstall opencv-python opencv-python-headless && pip install opencv-python-headless",
        )  # fmt: skip


def _training_packages() -> Iterator[Finding]:
    missing = [name for name in _TRAINING if not _installed(name)]
    if missing:
        yield Finding("training extra", "note", "not installed: models run, training does not",
                      "pip install 'lineward[train]' to train")  # fmt: skip
    else:
        yield Finding("training extra", "ok", f"torch {metadata.version('torch')}")


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _install(missing: list[str], package: str) -> str:
    return f"missing: {', '.join(missing)}; pip install {package}" if missing else ""


def _providers() -> Iterator[Finding]:
    """Load a real model on each execution provider: what is listed does not always load."""
    from models.bundle import load_bundle  # first: it keeps ONNX Runtime from reporting home
    from models.references import resolve_bundle, zoo_names
    from models.session import open_session

    import onnxruntime  # isort: skip

    listed = onnxruntime.get_available_providers()
    for name in zoo_names()[:1]:
        bundle = load_bundle(resolve_bundle(f"zoo:{name}"))
        for provider in listed:
            started_ns = time.monotonic_ns()
            try:
                open_session(bundle, providers=(provider,))
            except Exception as error:  # noqa: BLE001 - whatever a provider does not do is what we want to know
                yield Finding(
                    provider, "note", f"listed, but does not work: {str(error)[:120]}", "use another provider"
                )
            else:
                taken_ms = (time.monotonic_ns() - started_ns) / 1e6
                yield Finding(provider, "ok", f"loads zoo:{name} and gives its golden scores ({taken_ms:.0f} ms)")


def _serial_ports() -> Iterator[Finding]:
    from serial.tools.list_ports import comports

    ports = sorted(comports(), key=lambda port: port.device)
    if not ports:
        yield Finding("serial ports", "note", "none: no ejector can be connected (the simulated one needs none)",
                      "plug the relay board in, then look at: ls /dev/serial/by-id")  # fmt: skip
    for port in ports:
        usable = os.access(port.device, os.R_OK | os.W_OK)
        yield Finding(
            port.device, "ok" if usable else "problem", f"{port.description}" + ("" if usable else " (no permission)"),
            "" if usable else "sudo usermod -aG dialout $USER, then log in again",
        )  # fmt: skip


def _disk(folder: Path) -> Iterator[Finding]:
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    free_gb = shutil.disk_usage(place).free / 1e9
    writable = os.access(place, os.W_OK)
    level = "problem" if free_gb < 0.5 or not writable else "note" if free_gb < _MIN_FREE_GB else "ok"
    found = f"{free_gb:.1f} GB free at {place}" + ("" if writable else ", which cannot be written")
    yield Finding(
        "disk", level, found, "" if level == "ok" else f"keep {_MIN_FREE_GB:.0f} GB free for records and images"
    )


def _clock() -> Iterator[Finding]:
    resolution_ns = time.get_clock_info("monotonic").resolution * 1e9
    synchronised = Path("/run/systemd/timesync/synchronized").exists()
    yield Finding("monotonic clock", "ok" if resolution_ns <= 1000 else "problem", f"resolution {resolution_ns:.0f} ns")
    yield Finding(
        "wall clock", "ok" if synchronised else "note",
        "synchronised" if synchronised else "not known to be synchronised: the times in records may be off",
        "" if synchronised else "timedatectl set-ntp true, or a time server of the plant",
    )  # fmt: skip


def _cores() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    busy = load > cores
    yield Finding("cores", "note" if cores < 2 or busy else "ok", f"{cores} usable, load {load:.1f}",
                  "end what else runs here: late verdicts are rejects" if busy else "")  # fmt: skip


def _real_time() -> Iterator[Finding]:
    permitted = os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_RTPRIO)[0] >= PRIORITY
    if permitted:
        yield Finding("real-time priority", "ok", "permitted: reject pulses keep their time under load")
    else:
        yield Finding("real-time priority", "note", "not permitted: pulses may be milliseconds late under load",
                      f"add to /etc/security/limits.conf: @dialout - rtprio {PRIORITY}")  # fmt: skip
