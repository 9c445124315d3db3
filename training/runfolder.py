"""The folder beside the bundle: what an interrupted run goes on from, and the charts of a finished one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.publish import publish_file
from training.checkpoint import Checkpoints
from training.errors import RunFolderFullError, SettingsError, UnfinishedRunError
from training.ledger import Ledger

_RUN_FILE = "run.json"
_CANDIDATE = "candidate"
_STUDY = "sweep.db"
_TRIALS = "trials"
CHECKPOINT_S = 60.0


class RunFolder:
    """`BUNDLE.run/`: owned by one training run at a time, used from its thread.

    every_s: seconds between two states inside an epoch. say: takes a line for the person. writes: False in a process
    that only computes for the one that writes. logs: whether the run is logged for TensorBoard.
    """

    def __init__(
        self,
        out: Path,
        *,
        every_s: float = CHECKPOINT_S,
        say: Callable[[str], None] = lambda _: None,
        writes: bool = True,
        logs: bool = False,
    ) -> None:
        self.path = out.with_name(out.name + ".run")
        self.every_s = every_s
        self.say = say
        self._writes = writes
        self._logs = logs
        self._checkpoints = Checkpoints(self.path, every_s)

    @property
    def candidate(self) -> Path:
        """Give where the bundle stands until it has passed its checks."""
        return self.path / _CANDIDATE

    @property
    def report(self) -> Path:
        """Give the page that tells what the finished run came to."""
        return self.path / "report.html"

    @property
    def study(self) -> Path:
        """Give the file in which a sweep keeps its trials while it is unfinished."""
        return self.path / _STUDY

    @property
    def logs(self) -> Path | None:
        """Give where TensorBoard finds the run, None where it is not logged."""
        return self.path / "tensorboard" if self._logs and self._writes else None

    def inner(self, name: str) -> RunFolder:
        """Give the folder of a run inside this one; it goes with what an unfinished run needs."""
        return RunFolder(self.path / _TRIALS / name, every_s=self.every_s, say=self.say)

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
            publish_file(self.path / _RUN_FILE, text.encode())
        except OSError as error:
            raise SettingsError(
                f"{self.path}: cannot be written ({error.strerror or error}) — a folder beside the bundle keeps the "
                "run — choose another --out"
            ) from error

    def load(self) -> dict[str, object] | None:
        """Give the last state that was kept, None when there is none; raise UnfinishedRunError where none is readable.

        A newest state that is damaged is told of, and the one before it taken.
        """
        state, trouble = self._checkpoints.load()
        if trouble:
            self.say(f"{trouble} — going on from the state before it")
        return state

    def due(self) -> bool:
        """Tell whether the run should save its state now, inside an epoch; the cost is bounded."""
        return self._writes and self._checkpoints.due()

    def save(self, state: Mapping[str, object]) -> None:
        """Keep a state; the one before stays until this one is on the disk. Raises RunFolderFullError."""
        if self._writes:
            self._checkpoints.save(state)

    def pixels(self, shape: tuple[int, ...], name: str = "pixels") -> NDArray[np.uint8]:
        """Make an array on disk, uint8 (n, h, w, c), so that the images need not fit into memory.

        One of the same shape, which a run that was interrupted left there, is opened as it is: `ledger` tells which of
        its rows are complete. All of its room is taken at once: raises RunFolderFullError where there is too little.
        """
        file = self.path / f"{name}.npy"
        if (kept := _reopen(file, shape)) is not None:
            return kept
        draft = file.with_suffix(".npy.part")
        self._ledger_file(name).unlink(missing_ok=True)
        try:
            made = np.lib.format.open_memmap(draft, mode="w+", dtype=np.uint8, shape=shape)
            with draft.open("r+b") as taken:
                # A write into a mapped file on a full disk would end the process without a word.
                os.posix_fallocate(taken.fileno(), 0, os.fstat(taken.fileno()).st_size)
            draft.replace(file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise RunFolderFullError(
                f"{file}: cannot be written ({error.strerror or error}; the images at the input size take "
                f"{np.prod(shape, dtype=np.int64) / 1e6:.1f} MB) — nothing was trained yet — free some space, or "
                "choose a smaller --size or another --out"
            ) from error
        return made

    def ledger(self, rows: int, name: str = "pixels") -> Ledger:
        """Give the notes of which rows of an array are complete, as far as an earlier start came."""
        return Ledger(self._ledger_file(name), rows)

    def forget(self) -> None:
        """Remove what only an unfinished run needs; charts and history stay."""
        self._checkpoints.forget()
        for pattern in ("*.npy", "*.npy.part", "*.rows", _STUDY + "*"):
            for file in self.path.glob(pattern):
                file.unlink()
        for folder in (self.candidate, self.path / _TRIALS):
            shutil.rmtree(folder, ignore_errors=True)
        (self.path / _RUN_FILE).unlink(missing_ok=True)

    def _ledger_file(self, name: str) -> Path:
        return self.path / f"{name}.rows"

    def _refuse_other(self, identity: Mapping[str, object]) -> None:
        """Raise UnfinishedRunError for work of another identity; clear what is of another identity and no work."""
        file = self.path / _RUN_FILE
        try:
            before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        except ValueError:
            before = {}
        now = json.loads(json.dumps(identity))
        changed = sorted(key for key in set(before) | set(now) if before.get(key) != now.get(key))
        if changed and (self._checkpoints.exist or self.study.exists()):
            differences = "; ".join(f"{key}: {before.get(key)} then, {now.get(key)} now" for key in changed)
            raise UnfinishedRunError(
                f"{self.path}: holds an unfinished run of something else ({differences}) — it goes on only with the "
                "same images and options — give these again, or begin anew with --restart"
            )
        if changed:
            self.forget()


def _reopen(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Open the array in a file for reading and writing; None where there is none of this shape."""
    try:
        kept = np.lib.format.open_memmap(file, mode="r+")
    except (OSError, ValueError):
        return None
    return kept if kept.shape == shape and kept.dtype == np.uint8 else None
