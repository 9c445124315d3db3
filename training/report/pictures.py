"""The worst misses and false alarms as pictures inside the page, with the map of the model where it has one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from models.session import Session
from training.metrics import Scored

COUNT = 8
_SIDE = 320
_JPEG_QUALITY = 85
_LINE = (255, 220, 0)

Load = Callable[[Sequence[int]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Worst:
    """Which images to show: misses and false alarms, the worst first, and the closest calls where there are none."""

    missed: tuple[int, ...]
    false_alarms: tuple[int, ...]
    closest_bad: tuple[int, ...]
    closest_good: tuple[int, ...]


def choose_worst(scored: Scored, threshold: float, count: int = COUNT) -> Worst:
    """Choose the misses with the lowest and the false alarms with the highest probability, and rightly judged ones."""
    share, bad = scored.rejected_up_to, scored.defective
    upwards = np.argsort(share, kind="stable").tolist()
    lowest = [index for index in upwards if bad[index]]
    highest = [index for index in reversed(upwards) if not bad[index]]
    missed = [index for index in lowest if share[index] < threshold]
    alarms = [index for index in highest if share[index] >= threshold]
    return Worst(
        missed=tuple(missed[:count]),
        false_alarms=tuple(alarms[:count]),
        closest_bad=() if missed else tuple(lowest[: count // 2]),
        closest_good=() if alarms else tuple(highest[: count // 2]),
    )


def gallery(
    chosen: Sequence[int], names: Sequence[str], labels: Sequence[str], scored: Scored, session: Session, load: Load
) -> str:
    """Give the chosen images as HTML figures, as the model sees them, each with its map where it has one."""
    if not chosen:
        return ""
    pixels = load(chosen)
    # Only there the score is the highest value of the map, so that one threshold is meant for both.
    limit = session.card.threshold.value if session.card.task == "anomaly" else None
    maps = session.run_with_map(pixels)[1] if session.card.map is not None else None
    cards = []
    for row, index in enumerate(chosen):
        pictures = [_embedded(pixels[row], f"{names[index]}")]
        if maps is not None:
            pictures.append(
                _embedded(_heated(pixels[row], maps[row], limit), f"{names[index]}: where the model sees a defect")
            )
        cards.append(
            f'<figure class="photo">{"".join(pictures)}<figcaption>{escape(names[index])}<br>'
            f"{escape(labels[index])}, said: {_told(float(scored.probability[index]))} defective</figcaption></figure>"
        )
    return f'<div class="gallery">{"".join(cards)}</div>'


def _told(share: float) -> str:
    return "more than 99.9 %" if share > 0.9995 else f"{100 * share:.3g} %"


def _heated(pixels: NDArray[np.uint8], places: NDArray[np.float32], threshold: float | None) -> NDArray[np.uint8]:
    """Lay a map 0..1 over an image (h, w, c): the redder, the likelier a defect; a line around what is rejected."""
    height, width = pixels.shape[:2]
    heat = cv2.resize(np.clip(places, 0.0, 1.0), (width, height), interpolation=cv2.INTER_LINEAR)[:, :, np.newaxis]
    ground = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    red = np.array([235.0, 30.0, 20.0])
    mixed = ground * (1.0 - 0.7 * heat) + red * 0.7 * heat
    drawn = np.ascontiguousarray(mixed.round().astype(np.uint8))
    if threshold is None:
        return drawn
    # The cells of the map as they are, not their levelled heat: what the threshold rejects is inside the line.
    beyond = cv2.resize((places >= threshold).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(beyond, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(drawn, outlines, -1, _LINE, max(1, max(height, width) // 160)), np.uint8)


def _embedded(pixels: NDArray[np.uint8], told: str) -> str:
    """Give an image (h, w, 1 or 3) as a data URL, its longer side at most 320 pixels."""
    scale = min(1.0, _SIDE / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else pixels
    drawn = small[:, :, ::-1] if small.ndim == 3 and small.shape[2] == 3 else small
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(drawn), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ValueError(f"{told}: an image of {pixels.shape} cannot be encoded as JPEG")
    return f'<img alt="{escape(told)}" src="data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}">'
