"""The Grafana dashboard, from a table of its panels; `python -m inspection.observability.dashboard` prints the file."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

_WIDTH, _HEIGHT = 24, 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_REJECTED = 'sum by (reason) (rate(lineward_parts_total{@,verdict="REJECT"}[10m]))'
_STAGE_SUM = "sum by (stage) (rate(lineward_part_stage_seconds_sum{@}[5m]))"
_OF = 'job=~"$job",instance=~"$station"'


class Panel(NamedTuple):
    """One panel. series: pairs of expression and legend; "@" in one stands for the chosen stations."""

    title: str
    series: tuple[tuple[str, str], ...]
    unit: str = "short"
    width: int = 8
    kind: str = "timeseries"
    about: str = ""


PANELS = (
    Panel("State", (("lineward_station_state{@} == 1", "{{state}}"),), kind="stat", width=4),
    Panel(
        "Alarms that stand", (('lineward_alarm_standing{@,severity!="INFO"} == 1', "{{alarm}}"),), kind="stat",
        width=12, about="What each means and how it is mended: docs/fail-safe.md.",
    ),
    Panel("Nothing passes", (("lineward_blocked{@}", "blocked"),), kind="stat", width=4),
    Panel("Up", (("lineward_uptime_seconds{@}", ""),), "s", 4, "stat"),
    Panel("Parts a minute", (("60 * sum(rate(lineward_parts_total{@}[2m]))", "parts"),)),
    Panel(
        "Rejected, by reason",
        (
            (
                _REJECTED + " / scalar(sum(rate(lineward_parts_total{@}[10m])))",
                "{{reason}}",
            ),
        ),
        "percentunit",
    ),
    Panel(
        "Trigger to verdict",
        tuple(
            (f"histogram_quantile({q}, sum by (le) (rate(lineward_verdict_latency_seconds_bucket{{@}}[5m])))", name)
            for q, name in ((0.5, "median"), (0.99, "p99"))
        ),
        "s",
    ),
    Panel(
        "Where the time goes (mean)",
        (
            (
                _STAGE_SUM + " / sum by (stage) (rate(lineward_part_stage_seconds_count{@}[5m]))",
                "{{stage}}",
            ),
        ),
        "s",
    ),
    Panel(
        "Late verdicts and wrong pulses",
        (
            ('increase(lineward_parts_total{@,reason="LATE"}[10m])', "late verdicts"),
            ('increase(lineward_ejector_actions_total{@,action="FIRED_LATE"}[10m])', "wrong pulses"),
            ('increase(lineward_ejector_actions_total{@,action="FAILED"}[10m])', "failed pulses"),
        ),
        about="In the last ten minutes. Each late verdict is a rejected part; each wrong pulse is a fault.",
    ),
    Panel(
        "Lateness of pulses",
        (
            (
                "histogram_quantile(0.99, sum by (le) (rate(lineward_pulse_lateness_seconds_bucket{@}[10m])))",
                "p99",
            ),
        ),
        "s",
    ),
    Panel(
        "Waiting",
        (
            ("lineward_inference_queue_parts{@}", "for the model"),
            ("lineward_parts_in_flight{@}", "in flight"),
            ("lineward_records_waiting{@}", "for their record"),
        ),
    ),
    Panel(
        "Cameras: frames a second",
        (("rate(lineward_camera_frames_total{@}[1m])", "{{camera}}"),),
    ),
    Panel(
        "Cameras: lost and broken frames, losses",
        (
            ("increase(lineward_camera_frames_lost_total{@}[10m])", "{{camera}} lost"),
            ("increase(lineward_camera_frames_broken_total{@}[10m])", "{{camera}} broken"),
            ("increase(lineward_camera_reopened_total{@}[10m])", "{{camera}} opened again"),
        ),
    ),
    Panel(
        "Disk",
        (
            ("lineward_disk_free_bytes{@}", "free"),
            ("lineward_disk_reserve_bytes{@}", "reserve"),
            ("lineward_images_bytes{@}", "images"),
            ("lineward_images_budget_bytes{@}", "budget of images"),
        ),
        "bytes",
    ),
    Panel(
        "The plant's copy",
        (
            ("lineward_plant_records_waiting{@}", "records that wait"),
            ("lineward_plant_images_waiting{@}", "images that wait"),
        ),
        about="They wait on the station's disk; see docs/plant-copy.md.",
    ),
    Panel("Processor", (("rate(process_cpu_seconds_total{@}[1m])", "cores"),)),
    Panel("Memory", (("process_resident_memory_bytes{@}", "resident"),), "bytes"),
    Panel(
        "Given up",
        (
            ("increase(lineward_images_given_up_total{@}[1h])", "images"),
            ("increase(lineward_previews_dropped_total{@}[1h])", "previews"),
            ("increase(lineward_log_lines_lost_total{@}[1h])", "log lines"),
        ),
        about="In the last hour. Never parts or records.",
    ),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """Return the whole dashboard; the data source, the job and the station are chosen in Grafana."""
    panels, x, y = [], 0, 0
    for number, panel in enumerate(PANELS, 1):
        if x + panel.width > _WIDTH:
            x, y = 0, y + _HEIGHT
        panels.append(_panel(number, panel, x, y))
        x += panel.width
    return {
        "title": "Lineward station",
        "uid": "lineward-station",
        "tags": ["lineward"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), _choice("job", "job"), _choice("station", "instance", '{job=~"$job"}')]},
        "panels": panels,
    }


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    is_stat = panel.kind == "stat"
    return {
        "id": number,
        "title": panel.title,
        "description": panel.about,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"textMode": "value_and_name"} if is_stat else {"tooltip": {"mode": "multi"}},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": expression.replace("@", _OF),
                "legendFormat": legend,
                "instant": is_stat,
            }
            for place, (expression, legend) in enumerate(panel.series)
        ],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _choice(name: str, label: str, within: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "query": f"label_values(lineward_build_info{within}, {label})",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {},
    }


if __name__ == "__main__":
    print(json.dumps(dashboard(), indent=1))
