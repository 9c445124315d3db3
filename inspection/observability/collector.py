"""What Prometheus gets at each scrape: a look at the station, beside what was counted from durable records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from inspection.observability.api_calls import ApiCalls
from inspection.observability.counted import counted_metrics
from inspection.observability.part_metrics import api_metrics, part_metrics
from inspection.observability.station_metrics import alarm_metrics, camera_metrics, limit_metrics, station_metrics
from inspection.observability.tally import PartTally

if TYPE_CHECKING:
    from inspection.station import Station

_MB = 1_000_000
_ABOUT_LOSSES = {
    "lineward_log_lines": "Lines of the log that were written.",
    "lineward_log_lines_lost": "Lines of the log that could not be written.",
    "lineward_traces_sent": "Parts whose trace the collector took.",
    "lineward_traces_dropped": "Parts whose trace was given up.",
}


class Losses(Protocol):
    """Something beside the line that may have to give up, and counts it."""

    def counters(self) -> dict[str, int]:
        """Return what was counted, by the name of a metric without its ending, such as "lineward_traces_dropped"."""


class StationCollector(Collector):
    """Looks at an open station when it is scraped, on the scraper's thread. Owned by the endpoint's registry."""

    def __init__(self, station: Station, tally: PartTally, calls: ApiCalls, losses: tuple[Losses, ...] = ()) -> None:
        self._station = station
        self._tally = tally
        self._calls = calls
        self._losses = losses

    def describe(self) -> Iterator[Metric]:
        """Return nothing: the names are known from the first scrape, and the station need not be asked before."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Return every metric of the station."""
        station = self._station
        status = station.status()
        yield from part_metrics(self._tally)
        yield from station_metrics(status, station.digest)
        yield from alarm_metrics(status.alarms)
        yield from camera_metrics(status.cameras)
        yield from counted_metrics(status.counters)
        yield from limit_metrics(self._limits())
        yield from api_metrics(self._calls)
        for one in self._losses:
            for name, count in one.counters().items():
                yield CounterMetricFamily(name, _ABOUT_LOSSES[name], value=count)

    def _limits(self) -> dict[str, float]:
        station, records = self._station, self._station.config.records
        figures = {
            "lineward_inference_queue_parts": float(len(station.engine.queue)),
            "lineward_inference_queue_capacity_parts": station.engine.queue.capacity,
            "lineward_records_waiting_capacity": records.queue_capacity,
            "lineward_images_budget_bytes": records.image_budget_mb * _MB,
            "lineward_disk_reserve_bytes": records.min_free_mb * _MB,
        }
        try:
            return figures | {"lineward_disk_free_bytes": station.memory.free_mb() * _MB}
        except OSError:  # the disk has gone; the alarms tell
            return figures
