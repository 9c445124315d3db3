"""One consistent look at a station, put together from its parts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from inspection.control import StationStatus

if TYPE_CHECKING:
    from inspection.station_view import StationView


def station_status(station: StationView) -> StationStatus:
    """Return the status of an open station; its counters come from durable records alone."""
    counters, engine, health = station.counters, station.engine, station.ejector.health()
    median_ms, p99_ms = counters.latency_ms()
    return StationStatus(
        station=station.config.station.name,
        state=station.state,
        run=counters.run,
        alarms=station.alarms.active(),
        triggers=station.triggers,
        records=counters.records,
        passed=counters.passed,
        rejected_by_reason=dict(counters.rejected_by_reason),
        late=counters.late(),
        wrong_pulses=counters.wrong_pulses,
        parts_per_minute=counters.parts_per_minute() if station.wants_to_run else 0.0,
        latency_p50_ms=median_ms,
        latency_p99_ms=p99_ms,
        model=engine.bundle.card.name,
        bundle_digest=engine.bundle.digest,
        threshold=engine.judge.threshold,
        provider=engine.provider,
        camera=", ".join(f"{camera.name} ({camera.backend})" for camera in station.config.cameras),
        ejector=f"{health.driver} {health.port}",
        ejector_connected=health.connected,
        heartbeat_running=health.heartbeat_running,
        uptime_s=round((time.monotonic_ns() - station.opened_host_ns) * 1e-9, 1),
        counters=_everything_counted(station),
        cameras=station.camera_reports(),
        recipe=station.recipe,
        lot=station.admission.lot,
        last_change=station.states.last_change,
    )


def _everything_counted(station: StationView) -> Mapping[str, int]:
    seen, queue, health = station.tracker.counters, station.engine.queue, station.ejector.health()
    return {
        "in_flight": station.tracker.in_flight,
        "frames": seen.frames,
        "lost_frames": seen.lost_frames,
        "late_frames": seen.late_frames,
        "spurious_frames": seen.spurious_frames,
        "doubled_triggers": seen.doubled_triggers,
        "unknown_actuations": seen.unknown_actuations,
        "system_rejects": seen.system_rejects,
        "taken_along": seen.taken_along,
        **station.identification.counters(),
        "doubted_late": seen.doubted_late,
        "queue_peak": queue.peak,
        "queue_refused": queue.refused,
        "no_time_left": queue.hopeless,
        "batches": sum(worker.batches for worker in station.engine.workers),
        "camera_reopened": sum(line.history.reopened for line in station.lines),
        **station.flow.view_counters(),
        "ejector_pulses": health.pulses,
        "ejector_reconnects": health.reconnects,
        **{f"ejector_{name}": value for name, value in health.counters.items()},
        "failed_pulses": station.counters.failed_pulses,
        "previews_dropped": station.previews.dropped,
        "alarms_raised": station.alarms.raised,
        **({} if station.plc is None else station.plc.counters()),
        "clock_steps": station.clock_steps,
        **station.memory.counters(),
        **station.plant.counters(),
    }
