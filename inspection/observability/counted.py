"""The table of what the station counts: under which name and unit each figure of its status is shown to Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, UnknownMetricFamily
from prometheus_client.metrics_core import Metric


class Row(NamedTuple):
    """One figure: its name in `StationStatus.counters`, and what it is called here. factor: to the unit of the name."""

    key: str
    name: str
    about: str
    kind: Literal["counter", "gauge"] = "counter"
    factor: float = 1.0


ROWS = (
    Row("in_flight", "lineward_parts_in_flight", "Parts between the photo-eye and the ejector.", "gauge"),
    Row("frames", "lineward_frames", "Frames that came from the cameras."),
    Row("lost_frames", "lineward_frames_lost", "Frames that were made or triggered and never came."),
    Row("late_frames", "lineward_frames_late", "Frames that came after their part was decided."),
    Row("spurious_frames", "lineward_frames_spurious", "Frames of no part."),
    Row("doubled_triggers", "lineward_triggers_doubled", "Triggers with the number of a part that was there already."),
    Row("taken_along", "lineward_parts_taken_along", "Parts ejected by the pulse for the one before."),
    Row("batches", "lineward_inference_batches", "Batches that the model scored."),
    Row("queue_refused", "lineward_inference_refused", "Parts refused as the queue for the model was full."),
    Row("no_time_left", "lineward_inference_hopeless", "Parts given up as the model could not end in time."),
    Row("queue_peak", "lineward_inference_queue_peak_parts", "Most parts that ever waited for the model.", "gauge"),
    Row("ejector_pulses", "lineward_ejector_pulses", "Pulses that the ejector's process wrote."),
    Row("ejector_reconnects", "lineward_ejector_reconnects", "Times that the ejector's port was opened again."),
    Row("previews_dropped", "lineward_previews_dropped", "Previews that a newer one replaced."),
    Row("alarms_raised", "lineward_alarms_raised", "Alarms that came up."),
    Row("clock_steps", "lineward_clock_steps", "Times that the wall clock was set while the station ran."),
    Row("records_waiting", "lineward_records_waiting", "Parts whose record is not durable yet.", "gauge"),
    Row("records_refused", "lineward_records_refused", "Parts refused as too many records waited."),
    Row("records_recovered", "lineward_records_recovered", "Parts that the journal gave back after a crash."),
    Row("record_commits", "lineward_record_commits", "Transactions that made records durable."),
    Row("record_commit_failures", "lineward_record_commit_failures", "Transactions that the disk refused."),
    Row("images_kept", "lineward_images_kept", "Images that were stored."),
    Row("images_given_up", "lineward_images_given_up", "Images that should have been stored and were not."),
    Row("images_removed", "lineward_images_removed", "Images that the budget took."),
    Row("plant_records_waiting", "lineward_plant_records_waiting", "Rows that the plant's copy lacks.", "gauge"),
    Row("plant_records_copied", "lineward_plant_records_copied", "Rows that went to the plant's database."),
    Row("plant_records_failures", "lineward_plant_records_failures", "Attempts to reach that database that failed."),
    Row("plant_records_connected", "lineward_plant_records_connected", "1 while the last attempt worked.", "gauge"),
    Row("plant_images_waiting", "lineward_plant_images_waiting", "Images that the plant's copy lacks.", "gauge"),
    Row("plant_images_copied", "lineward_plant_images_copied", "Images that went to the plant's store."),
    Row("plant_images_failures", "lineward_plant_images_failures", "Attempts to reach that store that failed."),
    Row("plant_images_connected", "lineward_plant_images_connected", "1 while the last attempt worked.", "gauge"),
    Row("plant_records_vanished", "lineward_plant_records_vanished", "Copied rows that were at the plant no more."),
    Row("plant_images_lost", "lineward_plant_images_lost", "Images removed or changed before they were copied."),
    Row("images_mb", "lineward_images_bytes", "What the stored images take.", "gauge", 1e6),
)
_NAMED = frozenset(row.key for row in ROWS)


def counted_metrics(counters: Mapping[str, int]) -> Iterator[Metric]:
    """Return a metric for each figure of the table that is there, and one for all that the table does not name."""
    for row in ROWS:
        if row.key in counters:
            family = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
            yield family(row.name, row.about, value=counters[row.key] * row.factor)
    others = UnknownMetricFamily("lineward_counted", "Whatever else the station counts, by its name.", labels=("name",))
    for name, value in counters.items():
        if name not in _NAMED:
            others.add_metric((name,), value)
    yield others
