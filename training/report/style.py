"""The look of the page: on a screen, in the dark, and on paper."""

from __future__ import annotations

CSS = """
:root { --ink: #1b2330; --soft: #5b6675; --line: #d7dde5; --paper: #ffffff; --box: #f4f6f9; --good: #1668b8;
  --bad: #c8471b; --mark: #111827; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #38424f; --paper: #12171e;
  --box: #1b222c; --good: #6db3f5; --bad: #f59a6e; --mark: #f3f4f6; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1080px; margin: 0 auto; padding: 24px; }
h1 { font-size: 1.7em; margin: 0 0 4px; } h2 { font-size: 1.2em; margin: 34px 0 8px; }
p { margin: 6px 0; } .soft { color: var(--soft); font-size: 0.9em; }
.box { background: var(--box); border-left: 5px solid var(--good); border-radius: 4px; padding: 12px 18px;
  margin: 14px 0; }
.box.warn { border-color: var(--bad); }
table { border-collapse: collapse; margin: 8px 0; font-size: 0.93em; display: block; overflow-x: auto; }
th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.cell { text-align: center; min-width: 3.2em; padding: 5px 8px; font-variant-numeric: tabular-nums; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 18px; }
figure { margin: 8px 0; } figcaption { font-size: 0.88em; color: var(--soft); }
figcaption b { color: var(--ink); }
svg.chart { width: 100%; max-width: 760px; height: auto; }
svg text { font: 11.5px system-ui, sans-serif; fill: var(--soft); }
svg text.marked { fill: var(--mark); font-weight: 600; }
svg .grid { stroke: var(--line); stroke-width: 0.7; } svg .mark { stroke: var(--mark); stroke-width: 1.6; }
svg .line { fill: none; stroke-width: 2.2; } svg .outer { fill: none; stroke-width: 1.1; stroke-dasharray: 4 3; }
svg .line.good, svg .outer.good { stroke: var(--good); } svg .line.bad, svg .outer.bad { stroke: var(--bad); }
svg .band { fill-opacity: 0.2; } svg .bars { fill-opacity: 0.65; }
svg .band.good, svg .bars.good, svg .dot.good { fill: var(--good); }
svg .band.bad, svg .bars.bad, svg .dot.bad { fill: var(--bad); } svg .dot { fill-opacity: 0.85; }
svg.key { width: 18px; height: 10px; margin-right: 5px; } svg.key .line.good { fill: var(--good); }
svg.key .line.bad { fill: var(--bad); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 14px; }
.photo { margin: 0; overflow-wrap: anywhere; } .photo img { width: 100%; border-radius: 3px; display: block;
  margin-bottom: 3px; image-rendering: auto; }
code { font-size: 0.88em; overflow-wrap: anywhere; }
@media print { :root { --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --box: #f4f6f9; --good: #1668b8;
  --bad: #c8471b; --mark: #000; color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } * { print-color-adjust: exact; }
  figure, .box, tr { break-inside: avoid; } h2 { break-after: avoid; }
  table { display: table; font-size: 8.5pt; } th, td { padding-right: 8px; } td.cell { min-width: 0; }
  th:not(:first-child) { overflow-wrap: anywhere; font-size: 8pt; } td:last-child { overflow-wrap: anywhere; }
  td:not(:first-child):not(:last-child) { white-space: nowrap; }
  .gallery { grid-template-columns: repeat(4, 1fr); } }
"""
