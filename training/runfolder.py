"""The folder beside the bundle: what an interrupted run goes on from, and the charts of a finished one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.errors import SettingsError, UnfinishedRunError

_RUN_FILE = "run.json"
_CHECKPOINT = "checkpoint.pt"
_PIXELS = "pixels"
_CANDIDATE = "candidate"


class RunFolder:
    """`BUNDLE.run/`: owned by one training run at a time, used from its thread."""

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(out.name + ".run")

    @property
    def candidate(self) -> Path:
        """Give where the bundle stands until it has passed its checks."""
        return self.path / _CANDIDATE

    @property
    def report(self) -> Path:
        """Give the page that tells what the finished run came to."""
        return self.path / "report.html"

    def open(self, identity: Mapping[str, object], *, restart: bool) -> None:
        """Make the folder for a run with this identity, or take up the unfinished one of the same identity.

        Raises UnfinishedRunError when the unfinished run there is another one and `restart` is not asked for, and
        SettingsError when the folder cannot be written.
        """
        text = json.dumps(identity, indent=2, sort_keys=True) + "\n"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if restart:
                self.forget()
            self._refuse_other(identity)
            (self.path / _RUN_FILE).write_text(text, encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"{self.path}: cannot be written ({error.strerror or error}) — a folder beside the bundle keeps the "
                "run — choose another --out"
            ) from error

    def load(self) -> dict[str, object] | None:
        """Give the state after the last finished epoch, None when there is none."""
        file = self.path / _CHECKPOINT
        if not file.exists():
            return None
        try:
            state: dict[str, object] = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:
            raise UnfinishedRunError(
                f"{file}: cannot be read ({str(error).splitlines()[0] if str(error) else type(error).__name__}) — the "
                "state of the unfinished run is needed to go on — begin anew with --restart"
            ) from error
        return state

    def save(self, state: Mapping[str, object]) -> None:
        """Write the state after an epoch; the one before stays until this one is complete."""
        draft = self.path / (_CHECKPOINT + ".part")
        torch.save(dict(state), draft)
        draft.replace(self.path / _CHECKPOINT)

    def pixels(self, shape: tuple[int, int, int, int], name: str = _PIXELS) -> NDArray[np.uint8]:
        """Make an array on disk, uint8 (n, h, w, c), so that the images need not fit into memory."""
        return np.lib.format.open_memmap(self.path / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape)

    def forget(self) -> None:
        """Remove what only an unfinished run needs; charts and history stay."""
        for name in (_RUN_FILE, _CHECKPOINT, _CHECKPOINT + ".part"):
            (self.path / name).unlink(missing_ok=True)
        for file in self.path.glob("*.npy"):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.candidate, ignore_errors=True)

    def _refuse_other(self, identity: Mapping[str, object]) -> None:
        file = self.path / _RUN_FILE
        if not file.exists() or not (self.path / _CHECKPOINT).exists():
            return
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            before = {}
        now = json.loads(json.dumps(identity))
        changed = sorted(key for key in set(before) | set(now) if before.get(key) != now.get(key))
        if changed:
            differences = "; ".join(f"{key}: {before.get(key)} then, {now.get(key)} now" for key in changed)
            raise UnfinishedRunError(
                f"{self.path}: holds an unfinished run of something else ({differences}) — it goes on only with the "
                "same images and options — give these again, or begin anew with --restart"
            )
