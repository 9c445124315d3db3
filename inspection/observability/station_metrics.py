"""Metrics of the station as it is now: its state, alarms, cameras, ejector, queue and disk."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from inspection.alarms import ALARMS
from inspection.camera_history import CameraReport, CameraState
from inspection.control import ActiveAlarm, State, StationStatus

_CAMERA_COUNTERS = {
    "frames": ("lineward_camera_frames", "Frames that came from a camera."),
    "broken_frames": ("lineward_camera_frames_broken", "Frames that came incomplete from a camera."),
    "lost_frames": ("lineward_camera_frames_lost", "Frames of a camera that never came."),
    "reopened": ("lineward_camera_reopened", "Times that a camera was opened again."),
}


def station_metrics(status: StationStatus, config_digest: str) -> Iterator[Metric]:
    """Return what the station is and does."""
    yield _gauge("lineward_build_info", "Version of the program.", {"version": _version(), "python": _python()})
    about = {
        "station": status.station,
        "run": status.run,
        "model": status.model,
        "bundle_digest": status.bundle_digest,
        "config_digest": config_digest,
        "provider": status.provider,
        "recipe": "" if status.recipe is None else status.recipe.name,
        "recipe_version": "" if status.recipe is None else str(status.recipe.version),
    }
    yield _gauge("lineward_station_info", "Names and digests of what runs.", about)
    states = GaugeMetricFamily("lineward_station_state", "1 for the state that the station is in.", labels=("state",))
    for state in State:
        states.add_metric((state,), status.state is state)
    yield states
    yield GaugeMetricFamily("lineward_uptime_seconds", "Since the station was opened.", value=status.uptime_s)
    yield CounterMetricFamily("lineward_triggers", "Parts that triggered in this run.", value=status.triggers)
    yield GaugeMetricFamily(
        "lineward_model_threshold_ratio", "Defect probability from which a part is rejected.", value=status.threshold
    )
    yield GaugeMetricFamily(
        "lineward_ejector_connected", "1 while the ejector's port is open.", value=status.ejector_connected
    )
    yield GaugeMetricFamily(
        "lineward_ejector_heartbeat_running", "1 while the heartbeat goes out.", value=status.heartbeat_running
    )


def alarm_metrics(standing: tuple[ActiveAlarm, ...]) -> Iterator[Metric]:
    """Return each alarm of the table: 1 while it stands, 0 while it does not, so that a rule never lacks its series."""
    names = {alarm.name for alarm in standing}
    family = GaugeMetricFamily(
        "lineward_alarm_standing", "1 while an alarm stands; see docs/fail-safe.md.", labels=("alarm", "severity")
    )
    for name, alarm in ALARMS.items():
        family.add_metric((name, alarm.severity.name), name in names)
    yield family
    blocking = any(alarm.blocks for alarm in standing)
    yield GaugeMetricFamily("lineward_blocked", "1 while an alarm lets nothing pass.", value=blocking)


def camera_metrics(cameras: tuple[CameraReport, ...]) -> Iterator[Metric]:
    """Return what each camera does and has been through."""
    states = GaugeMetricFamily(
        "lineward_camera_state", "1 for the state that a camera is in.", labels=("camera", "state")
    )
    ages = GaugeMetricFamily(
        "lineward_camera_last_exposure_age_seconds", "Since a camera's last exposure.", labels=("camera",)
    )
    drifts = GaugeMetricFamily(
        "lineward_camera_clock_drift_ratio", "How much faster a camera's clock runs than this PC's.", labels=("camera",)
    )
    losses = CounterMetricFamily("lineward_camera_losses", "Times that a camera was lost.", labels=("camera", "cause"))
    counted = {key: CounterMetricFamily(*row, labels=("camera",)) for key, row in _CAMERA_COUNTERS.items()}
    for camera in cameras:
        for state in CameraState:
            states.add_metric((camera.name, state), camera.state is state)
        if camera.last_exposure_s is not None:
            ages.add_metric((camera.name,), camera.last_exposure_s)
        if camera.clock_drift_ppm is not None:
            drifts.add_metric((camera.name,), camera.clock_drift_ppm * 1e-6)
        for key, family in counted.items():
            family.add_metric((camera.name,), camera.counters.get(key, 0))
        for key, count in camera.counters.items():
            if key.startswith("lost_") and key != "lost_frames":
                losses.add_metric((camera.name, key.removeprefix("lost_")), count)
    yield from (states, ages, drifts, losses, *counted.values())


def limit_metrics(figures: Mapping[str, float]) -> Iterator[Metric]:
    """Return lengths and limits that the status does not hold, by name."""
    about = {
        "lineward_inference_queue_parts": "Parts that wait for the model now.",
        "lineward_inference_queue_capacity_parts": "Parts that may wait for the model.",
        "lineward_records_waiting_capacity": "Parts that may wait for their record.",
        "lineward_images_budget_bytes": "What the stored images may take.",
        "lineward_disk_free_bytes": "Free space of the records' disk.",
        "lineward_disk_reserve_bytes": "Free space that images never use.",
    }
    for name, value in figures.items():
        yield GaugeMetricFamily(name, about[name], value=value)


def _gauge(name: str, about: str, labels: Mapping[str, str]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=tuple(labels))
    family.add_metric(tuple(labels.values()), 1)
    return family


@cache
def _version() -> str:
    return version("lineward")


@cache
def _python() -> str:
    return platform.python_version()
