"""The status of a running station in a terminal: one table that is drawn again, or one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from inspection.camera_history import CameraReport
from inspection.control import State, StationStatus
from inspection.service import Service
from inspection.texts.catalogue import load_catalogue

_COLOURS = {State.CONTINUOUS_EXECUTION: "bold green", State.SINGLE_EXECUTION: "bold green", State.ERROR: "bold red"}


class StatusView:
    """Shows statuses on stdout, or none when `quiet`; notes go to stderr, so that `--json` stays one object a line."""

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._console = Console()
        self._notes = Console(stderr=True, highlight=False)
        self._texts = load_catalogue("en")
        self._live: Live | None = None
        self._printed: tuple[State, tuple[str, ...]] | None = None

    def __enter__(self) -> Self:
        if not self._as_json and not self._quiet and self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, at)
            self._live = None

    def note(self, sentence: str) -> None:
        """Print one remark."""
        self._notes.print(f"[yellow]note:[/] {escape(sentence)}")

    def opened(self, service: Service) -> None:
        """Say where the page and the API are."""
        if service.page_url:
            self._notes.print(f"page  {service.page_url}", markup=False)
        if service.api_address:
            self._notes.print(f"API   {service.api_address} (gRPC, lineward.inspection.v1)", markup=False)
        if service.metrics_url:
            self._notes.print(f"metrics {service.metrics_url}", markup=False)

    def show(self, status: StationStatus) -> None:
        """Show one status."""
        if self._as_json:
            print(json.dumps(_plain(status)), flush=True)
        elif self._live is not None:
            self._live.update(self.table(status))
        elif not self._quiet and self._is_news(status):
            self._console.print(self.table(status))

    def _is_news(self, status: StationStatus) -> bool:
        """Tell whether the state or the alarms differ from what was printed last."""
        seen = (status.state, tuple(alarm.name for alarm in status.alarms))
        is_news, self._printed = seen != self._printed, seen
        return is_news

    def table(self, status: StationStatus) -> Table:
        """Return a status as a table of two columns."""
        table = Table(box=None, show_header=False, pad_edge=False)
        colour = _COLOURS.get(status.state, "bold yellow")
        table.add_row("state", f"[{colour}]{self._texts.text(f'state.{status.state}')}[/]")
        for alarm in status.alarms:
            text, remedy = self._texts.alarm(alarm.name, alarm.values)
            table.add_row("", f"[red]{escape(text)}[/] {escape(remedy)}")
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(status.rejected_by_reason.items()))
        rejected = sum(status.rejected_by_reason.values())
        table.add_row(
            "parts", f"{status.records} of {status.triggers} triggered, {status.parts_per_minute:.0f} a minute"
        )
        table.add_row("passed", str(status.passed))
        table.add_row("rejected", f"{rejected}" + (f" ({reasons})" if reasons else ""))
        table.add_row("faults", f"{status.late} late, {status.wrong_pulses} wrong pulses")
        table.add_row("verdict after", f"{status.latency_p50_ms:.1f} ms median, {status.latency_p99_ms:.1f} ms p99")
        for camera in status.cameras:
            table.add_row(f"camera {escape(camera.name)}", escape(_told(camera)))
        return table


def _told(camera: CameraReport) -> str:
    """Return a camera's state in one line, with whatever went wrong."""
    counters = camera.counters
    parts = [f"{camera.state}, {counters.get('frames', 0)} pictures"]
    parts += [
        f"{counters[name]} {words}"
        for name, words in (("broken_frames", "broken"), ("lost_frames", "lost"), ("reopened", "times opened again"))
        if counters.get(name)
    ]
    if camera.last_recovery_ms is not None:
        parts.append(f"last back after {camera.last_recovery_ms / 1000:.1f} s ({camera.cause})")
    if camera.ptp:
        parts.append(f"PTP {camera.ptp}")
    if camera.clock_drift_ppm is not None:
        parts.append(f"clock {camera.clock_drift_ppm:+.1f} ppm")
    return ", ".join(parts)


def _plain(status: StationStatus) -> dict[str, object]:
    plain = asdict(status)
    plain["alarms"] = [alarm.name for alarm in status.alarms]
    return plain
