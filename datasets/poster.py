"""A contact sheet as one PNG picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.contact import Section, Sheet, Tile
from datasets.errors import DatasetError

WIDTH_PX = 1600
_MARGIN_PX, _GAP_PX, _TEXT_PX, _LINE_PX = 24, 12, 13, 17
_CELL_PX = 184
_PAPER, _INK, _DIM, _TROUBLE, _SHADE = (255, 255, 255), (28, 36, 48), (74, 85, 101), (154, 43, 16), (241, 243, 246)
_MAX_HEIGHT_PX = 60_000  # PNG and viewers go on to 65,535


class Poster:
    """A picture that grows downwards as it is written on; owned by one call, used from its thread."""

    def __init__(self) -> None:
        self._bands: list[NDArray[np.uint8]] = [self._band(_MARGIN_PX)]
        self._fonts = cv2.FontFace("sans")

    def write(self, text: str, *, size: int = _TEXT_PX, colour: tuple[int, int, int] = _INK) -> None:
        """Write a line, cut off where the picture ends."""
        band = self._band(round(size * 1.5))
        self._text(band, text, _MARGIN_PX, round(size * 1.15), size, colour, WIDTH_PX - 2 * _MARGIN_PX)
        self._bands.append(band)

    def space(self, height: int) -> None:
        """Leave `height` pixels free."""
        self._bands.append(self._band(height))

    def rows(self, section: Section) -> None:
        """Put down the tiles of a section, as many beside each other as fit; what belongs together is shaded as one."""
        line: list[tuple[Tile, int]] = []
        fit = (WIDTH_PX - 2 * _MARGIN_PX) // _CELL_PX
        for row in section.rows:
            if line and len(line) + len(row) > fit:
                self._tiles(line)
                line = []
            # The width of the shade below each reaches the next one where that belongs to it.
            alone = 0 if len(row) == 1 else _CELL_PX - _GAP_PX
            line += [(tile, _CELL_PX if number < len(row) - 1 else alone) for number, tile in enumerate(row)]
        if line:
            self._tiles(line)

    def png(self) -> bytes:
        """Return the picture as a PNG file; raise DatasetError where it would be too high."""
        canvas = np.concatenate([*self._bands, self._band(_MARGIN_PX)])
        if len(canvas) > _MAX_HEIGHT_PX:
            raise DatasetError(
                f"the picture would be {len(canvas)} pixels high; at most {_MAX_HEIGHT_PX} are allowed; "
                "choose a smaller --per-class or write .html"
            )
        _, data = cv2.imencode(".png", cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))
        return data.tobytes()

    def _tiles(self, tiles: list[tuple[Tile, int]]) -> None:
        high = max(tile.picture.pixels.shape[0] for tile, _ in tiles)
        band = self._band(high + _LINE_PX * max(len(tile.lines) for tile, _ in tiles) + 2 * _GAP_PX)
        for number, (tile, shade) in enumerate(tiles):
            x, picture = _MARGIN_PX + number * _CELL_PX, tile.picture.pixels
            band[2:-2, x - 4 : x - 4 + shade] = _SHADE
            band[6 : 6 + picture.shape[0], x : x + picture.shape[1]] = picture
            for line, text in enumerate(tile.lines):
                y = 6 + high + _LINE_PX * (line + 1)
                self._text(band, text, x, y, _TEXT_PX - 1, _INK if line == 0 else _DIM, _CELL_PX - _GAP_PX)
        self._bands.append(band)

    def _text(
        self, band: NDArray[np.uint8], text: str, x: int, y: int, size: int, colour: tuple[int, int, int], width: int
    ) -> None:
        shown = "".join(character if character.isprintable() else "?" for character in text)
        if self._length(shown, size) > width:
            # The end of a path tells more than its beginning.
            while len(shown) > 1 and self._length("…" + shown, size) > width:
                shown = shown[1:]
            shown = "…" + shown
        cv2.putText(band, shown, (x, y), colour, self._fonts, size)

    def _length(self, text: str, size: int) -> int:
        return int(cv2.getTextSize((WIDTH_PX, 100), text, (0, 0), self._fonts, size)[2])

    @staticmethod
    def _band(height: int) -> NDArray[np.uint8]:
        return np.full((height, WIDTH_PX, 3), _PAPER, np.uint8)


def render_poster(sheet: Sheet) -> bytes:
    """Return the sheet as a PNG file of 1,600 pixels width. Raises DatasetError where it would be too high."""
    poster = Poster()
    poster.write(sheet.title, size=30)
    for name, value in sheet.facts:
        poster.write(f"{name}: {value}", colour=_DIM)
    poster.space(_GAP_PX)
    head, *rows = sheet.table
    for row in rows:
        poster.write(", ".join([row[0], *(f"{what} {value}" for what, value in zip(head[1:], row[1:], strict=True))]))
    for text in sheet.troubles:
        poster.write(text, colour=_TROUBLE)
    for section in sheet.sections:
        poster.space(_GAP_PX)
        poster.write(section.heading, size=20)
        poster.write(section.note, colour=_DIM)
        poster.rows(section)
    return poster.png()
