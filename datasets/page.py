"""A contact sheet as one HTML file that needs nothing beside itself."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from datasets.contact import Section, Sheet, Tile

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 24px; max-width: 1400px; color: #1c2430; }
h1 { margin: 0 0 12px; } h2 { margin: 32px 0 4px; border-top: 1px solid #d5dae1; padding-top: 20px; }
nav a { margin-right: 14px; } p { margin: 0 0 12px; color: #4a5565; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0 0 20px; }
dt { color: #4a5565; } dd { margin: 0; }
table { border-collapse: collapse; margin-bottom: 20px; } th, td { padding: 3px 12px; text-align: right; }
th:first-child, td:first-child { text-align: left; } th { border-bottom: 1px solid #8a94a3; }
tr:last-child td { border-top: 1px solid #8a94a3; font-weight: 600; }
.troubles li { color: #9a2b10; } .tiles { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
.row { display: flex; flex-wrap: wrap; gap: 8px; padding: 8px; background: #f1f3f6; border-radius: 6px; }
figure { margin: 0; width: 164px; } figure img { display: block; max-width: 160px; margin: 0 auto; }
figcaption { font-size: 12px; line-height: 1.3; overflow-wrap: anywhere; margin-top: 4px; }
figcaption span { display: block; } figcaption span:first-child { font-weight: 600; }
i { display: inline-block; width: 12px; height: 12px; vertical-align: -1px; margin: 0 4px 0 12px; }
"""
_LEGEND = (
    '<p>Drawn over the images:<i style="background:#ff2828"></i>mask<i style="background:#ffaa00"></i>mark'
    '<i style="background:#288cff"></i>place</p>'
)


def render_page(sheet: Sheet) -> str:
    """Return the sheet as HTML; pictures are data addresses, names are escaped, nothing is loaded from elsewhere."""
    return "\n".join(_lines(sheet)) + "\n"


def _lines(sheet: Sheet) -> Iterator[str]:
    title = escape(sheet.title)
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{title}: contact sheet</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>"
    yield '<dl class="facts">'
    yield from (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in sheet.facts)
    yield "</dl>"
    yield from _table(sheet.table)
    if sheet.troubles:
        items = "".join(f"<li>{escape(text)}</li>" for text in sheet.troubles)
        yield f'<ul class="troubles">{items}</ul>'
    links = (f'<a href="#s{number}">{escape(part.heading)}</a>' for number, part in enumerate(sheet.sections))
    yield f"<nav>{' '.join(links)}</nav>"
    yield _LEGEND
    for number, section in enumerate(sheet.sections):
        yield from _section(number, section)
    yield "</body>\n</html>"


def _table(table: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    head, *rows = table
    yield "<table><thead><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"


def _section(number: int, section: Section) -> Iterator[str]:
    yield f'<section id="s{number}"><h2>{escape(section.heading)}</h2><p>{escape(section.note)}</p><div class="tiles">'
    for row in section.rows:
        tiles = "".join(map(_figure, row))
        yield f'<div class="row">{tiles}</div>' if len(row) > 1 else tiles
    yield "</div></section>"


def _figure(tile: Tile) -> str:
    height, width = tile.picture.pixels.shape[:2]
    data = base64.b64encode(tile.picture.jpeg()).decode("ascii")
    lines = "".join(f"<span>{escape(line)}</span>" for line in tile.lines)
    image = f'<img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}" alt="{escape(tile.lines[0])}">'
    return f"<figure>{image}<figcaption>{lines}</figcaption></figure>"
