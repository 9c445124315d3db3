"""Keeps the state of an unfinished run so that a kill, a full disk or a damaged file costs at most the last minute."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from training.errors import RunFolderFullError, UnfinishedRunError

_FILE = "checkpoint.pt"
_BEFORE = "checkpoint.before.pt"
_DRAFT = "checkpoint.pt.part"
_MAGIC = b"lineward checkpoint 1 "
_HEAD = len(_MAGIC) + 65  # and the sha256 in hex, and a line feed
_COST_SHARE = 20  # writing takes at most a twentieth of the time


class Checkpoints:
    """The newest state and the one before it, in two files; owned by one run, used from its thread.

    A file is complete or is not taken: it begins with the sha256 of what follows. It gets its name only when it is on
    the disk, and the one before it keeps a name of its own; a damaged one never takes the place of that.
    """

    def __init__(self, folder: Path, every_s: float) -> None:
        self._folder = folder
        self._every_s = every_s
        self._newest_is_whole = True
        self._next_host_ns = time.monotonic_ns() + int(every_s * 1e9)

    @property
    def exist(self) -> bool:
        """Tell whether there is a state to go on from, readable or not."""
        return any((self._folder / name).exists() for name in (_FILE, _BEFORE))

    def due(self) -> bool:
        """Tell whether it is time for a state inside an epoch: so many seconds after the last, at a twentieth at most.

        With 0 seconds it is always time, whatever it costs.
        """
        return time.monotonic_ns() >= self._next_host_ns

    def load(self) -> tuple[dict[str, object] | None, str]:
        """Return the newest state that can be read (None where there is none), and what was wrong with a newer one.

        Raises UnfinishedRunError when there are states and none of them can be read.
        """
        problems: list[str] = []
        for name in (_FILE, _BEFORE):
            file = self._folder / name
            if not file.exists():
                continue
            try:
                return _read(file), "; ".join(problems)
            except (OSError, ValueError) as error:
                self._newest_is_whole = False
                problems.append(f"{file}: {error}")
        if problems:
            raise UnfinishedRunError(
                f"the state of the unfinished run cannot be read ({'; '.join(problems)}) — it is needed to go on — "
                "begin anew with --restart"
            )
        return None, ""

    def save(self, state: Mapping[str, object]) -> None:
        """Write a state through to the disk, then let it take the place of the newest; raise RunFolderFullError."""
        begun_ns = time.monotonic_ns()
        held = io.BytesIO()
        torch.save(dict(state), held)
        data = held.getbuffer()
        draft, file = self._folder / _DRAFT, self._folder / _FILE
        try:
            with draft.open("wb") as out:
                out.write(_MAGIC + hashlib.sha256(data).hexdigest().encode() + b"\n")
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            if file.exists() and self._newest_is_whole:
                file.replace(self._folder / _BEFORE)
            draft.replace(file)
            _sync_folder(self._folder)
            self._newest_is_whole = True
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise RunFolderFullError(
                f"{file}: the state of the run cannot be written ({error.strerror or error}; it takes "
                f"{len(data) / 1e6:.1f} MB) — {self._kept()} — free some space and give the same command again"
            ) from error
        ended_ns = time.monotonic_ns()
        pause_ns = max(int(self._every_s * 1e9), _COST_SHARE * (ended_ns - begun_ns) if self._every_s else 0)
        self._next_host_ns = ended_ns + pause_ns

    def forget(self) -> None:
        """Remove all states."""
        for name in (_FILE, _BEFORE, _DRAFT):
            (self._folder / name).unlink(missing_ok=True)

    def _kept(self) -> str:
        return f"the state before is kept in {self._folder}" if self.exist else "none was written before"


def _read(file: Path) -> dict[str, object]:
    """Give the state in a file; raise OSError or ValueError where it is not what was written."""
    data = file.read_bytes()
    if not data.startswith(_MAGIC):
        raise ValueError("is no checkpoint of this version")
    if hashlib.sha256(data[_HEAD:]).hexdigest().encode() != data[len(_MAGIC) : _HEAD - 1]:
        raise ValueError("is damaged: its content is not what was written")
    try:
        state: dict[str, object] = torch.load(io.BytesIO(data[_HEAD:]), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, KeyError) as error:
        raise ValueError(f"cannot be read by torch {torch.__version__}") from error
    return state


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
