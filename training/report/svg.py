"""Charts as inline SVG, drawn by hand so that a page needs no library, no font and no network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 30, 14, 46
_EDGE = 1e-5

Ticks = Sequence[tuple[float, str]]

PROBABILITY_TICKS: Ticks = (
    (1e-5, "0.001 %"), (1e-3, "0.1 %"), (1e-2, "1 %"), (0.1, "10 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"),
    (0.999, "99.9 %"), (1 - 1e-5, "99.999 %"),
)  # fmt: skip
SHARE_TICKS: Ticks = tuple((tenth / 5, f"{tenth * 20} %") for tenth in range(6))


def stretched(share: float) -> float:
    """Place a probability on an axis that shows both ends of 0..1 wide (logit), as 0..1; beyond 1e-5 it is cut off."""
    inside = min(max(share, _EDGE), 1.0 - _EDGE)
    span = math.log1p(-_EDGE) - math.log(_EDGE)
    place = 0.5 + (math.log(inside) - math.log1p(-inside)) / (2.0 * span)
    return min(1.0, max(0.0, place))


class Chart:
    """One chart being drawn, in data coordinates 0..1 both ways; whoever makes it owns it."""

    def __init__(self, title: str, x_label: str, y_label: str, *, width: int = 620, height: int = 300) -> None:
        self._width, self._height = width, height
        self._title = title
        self._parts: list[str] = []
        self._legend: list[tuple[str, str]] = []
        self._text(width / 2 + 20, height - 6, x_label, "middle")
        turned = f'transform="rotate(-90 14 {height / 2 - 12:.0f})"'
        self._text(14, height / 2 - 12, y_label, "middle", turned)

    def x_axis(self, ticks: Ticks) -> None:
        """Draw grid lines and labels at places 0..1."""
        for place, label in ticks:
            x = self._x(place)
            self._parts.append(f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{self._height - _BOTTOM}"/>')
            self._text(x, self._height - _BOTTOM + 16, label, "middle")

    def y_axis(self, ticks: Ticks) -> None:
        """Draw grid lines and labels at heights 0..1."""
        for place, label in ticks:
            y = self._y(place)
            self._parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{self._width - _RIGHT}" y2="{y}"/>')
            self._text(_LEFT - 6, y + 4, label, "end")

    def line(self, xs: Sequence[float], ys: Sequence[float], look: str, name: str = "", *, steps: bool = False) -> None:
        """Draw a line of class `look`; with `steps` each value holds back to the x before."""
        points: list[tuple[float, float]] = []
        for x, y in zip(xs, ys, strict=True):
            if steps and points:
                points.append((points[-1][0], self._y(y)))
            points.append((self._x(x), self._y(y)))
        path = " ".join(f"{x},{y}" for x, y in points)
        self._parts.append(f'<polyline class="{look}" points="{path}"/>')
        self._named(look, name)

    def band(self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], look: str, name: str) -> None:
        """Fill between two lines, in steps that hold back to the x before."""
        upper, lower = self._stairs(xs, highs), self._stairs(xs, lows)
        path = " ".join(f"{x},{y}" for x, y in [*upper, *reversed(lower)])
        self._parts.append(f'<polygon class="{look}" points="{path}"/>')
        self._named(look, name)

    def bar(self, x: float, width: float, height: float, look: str, name: str = "") -> None:
        """Draw a bar from the ground."""
        left, right, top = self._x(x), self._x(x + width), self._y(height)
        ground = self._y(0.0)
        self._parts.append(
            f'<rect class="{look}" x="{left}" y="{top}" width="{max(0.0, right - left - 0.6):.1f}" '
            f'height="{max(0.0, ground - top):.1f}"/>'
        )
        self._named(look, name)

    def dot(self, x: float, y: float, radius: float, look: str, name: str = "") -> None:
        """Draw a filled circle, radius in pixels."""
        self._parts.append(f'<circle class="{look}" cx="{self._x(x)}" cy="{self._y(y)}" r="{radius:.1f}"/>')
        self._named(look, name)

    def mark(self, x: float, label: str) -> None:
        """Draw an upright line with a word beside it."""
        place = self._x(x)
        self._parts.append(f'<line class="mark" x1="{place}" y1="{_TOP}" x2="{place}" y2="{self._height - _BOTTOM}"/>')
        late = x > 0.7
        self._text(place + (-5 if late else 5), _TOP + 11, label, "end" if late else "start", 'class="marked"')

    def render(self) -> str:
        """Give the figure with its legend, as HTML."""
        legend = "".join(
            f'<span><svg class="key" viewBox="0 0 18 10"><rect class="{look}" x="0.5" y="1.5" width="17" height="7"/>'
            f"</svg>{escape(name)}</span>"
            for look, name in self._legend
        )
        return (
            f'<figure><svg class="chart" viewBox="0 0 {self._width} {self._height}" role="img" '
            f'aria-label="{escape(self._title)}">{"".join(self._parts)}</svg>'
            f'<figcaption><b>{escape(self._title)}</b><div class="legend">{legend}</div></figcaption></figure>'
        )

    def _named(self, look: str, name: str) -> None:
        if name and (look, name) not in self._legend:
            self._legend.append((look, name))

    def _stairs(self, xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
        points: list[tuple[float, float]] = []
        for x, y in zip(xs, ys, strict=True):
            if points:
                points.append((points[-1][0], self._y(y)))
            points.append((self._x(x), self._y(y)))
        return points

    def _x(self, place: float) -> float:
        return round(_LEFT + place * (self._width - _LEFT - _RIGHT), 1)

    def _y(self, place: float) -> float:
        return round(self._height - _BOTTOM - place * (self._height - _TOP - _BOTTOM), 1)

    def _text(self, x: float, y: float, text: str, anchor: str, more: str = "") -> None:
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>')
