"""Golden vectors: a few inputs with the scores that any execution of the model must give again."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.card import CardDraft
from models.errors import BundleFormatError

MAX_GOLDEN_BYTES = 256 * 1024 * 1024
MAX_GOLDEN_VECTORS = 256


@dataclass(frozen=True, slots=True)
class Golden:
    """Inputs uint8 (K, height, width, channels) and their raw scores float32 (K, classes); read only.

    novelty: float32 (K,), of a model that gives it.
    """

    inputs: NDArray[np.uint8]
    scores: NDArray[np.float32]
    novelty: NDArray[np.float32] | None = None

    def problems(self, card: CardDraft) -> list[str]:
        """List what does not fit the card; empty when all does."""
        shape = (card.input.height, card.input.width, card.input.channels)
        found = []
        if self.inputs.dtype != np.uint8 or self.inputs.shape[1:] != shape:
            found.append(f"inputs are {self.inputs.dtype} {self.inputs.shape}, the card says uint8 (K, {shape})")
        if self.scores.dtype != np.float32 or self.scores.shape[1:] != (len(card.classes),):
            found.append(
                f"scores are {self.scores.dtype} {self.scores.shape}, the card says float32 (K, {len(card.classes)})"
            )
        count = self.inputs.shape[0] if self.inputs.ndim else 0
        if not 1 <= count <= MAX_GOLDEN_VECTORS or self.scores.ndim == 0 or self.scores.shape[0] != count:
            found.append(f"K must be the same in both and 1..{MAX_GOLDEN_VECTORS}")
        if not np.isfinite(self.scores).all():
            found.append("scores must be finite")
        if (self.novelty is None) != (card.novelty is None):
            found.append(f"novelty is {'missing' if self.novelty is None else 'there'}, the card says otherwise")
        elif self.novelty is not None and not self._is_novelty(self.novelty, count):
            found.append(f"novelty must be {count} finite float32 numbers")
        return found

    @staticmethod
    def _is_novelty(values: NDArray[np.float32], count: int) -> bool:
        return values.dtype == np.float32 and values.shape == (count,) and bool(np.isfinite(values).all())

    def encode(self) -> bytes:
        """Write the arrays as one compressed npz; the same arrays give the same bytes."""
        buffer = io.BytesIO()
        if self.novelty is None:
            np.savez_compressed(buffer, inputs=self.inputs, scores=self.scores)
        else:
            np.savez_compressed(buffer, inputs=self.inputs, scores=self.scores, novelty=self.novelty)
        return buffer.getvalue()


def decode_golden(data: bytes, where: str) -> Golden:
    """Read the bytes of a golden.npz without ever unpickling; raise BundleFormatError naming `where`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inputs = _array(archive, "inputs.npy")
            scores = _array(archive, "scores.npy")
            novelty = _array(archive, "novelty.npy") if "novelty.npy" in archive.namelist() else None
    except (KeyError, ValueError, EOFError, OSError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise BundleFormatError(
            f"{where}: not readable golden vectors ({error}) — needed are the arrays 'inputs' and 'scores' in an npz "
            f"of at most {MAX_GOLDEN_BYTES} bytes — export the model again"
        ) from error
    return Golden(inputs=inputs, scores=scores, novelty=novelty)


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    info = archive.getinfo(name)
    if info.file_size > MAX_GOLDEN_BYTES:
        raise ValueError(f"{name} unpacks to {info.file_size} bytes")
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(archive.read(info)), allow_pickle=False)
    array.flags.writeable = False
    return array
