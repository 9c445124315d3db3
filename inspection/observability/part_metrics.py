"""Metrics of the parts: how they ended, how long each step took, what the ejector did."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from inspection.observability.api_calls import ApiCalls
from inspection.observability.tally import PartTally


def part_metrics(tally: PartTally) -> Iterator[Metric]:
    """Return what was counted from durable records since the process began."""
    parts = CounterMetricFamily("lineward_parts", "Parts with a durable record.", labels=("verdict", "reason"))
    for (verdict, reason), count in list(tally.parts.items()):
        parts.add_metric((verdict, reason), count)
    yield parts
    actions = CounterMetricFamily(
        "lineward_ejector_actions", "What the ejector did for parts; FIRED_LATE is a wrong pulse.", labels=("action",)
    )
    for action, count in list(tally.actions.items()):
        actions.add_metric((action,), count)
    yield actions
    yield CounterMetricFamily(
        "lineward_parts_by_default", "Parts whose verdict had not arrived by the deadline.", value=tally.by_default
    )
    yield HistogramMetricFamily(
        "lineward_verdict_latency_seconds", "From the trigger to the verdict.", *tally.latency.state()
    )
    yield HistogramMetricFamily(
        "lineward_pulse_lateness_seconds",
        "How long after its due time a pulse was written; an early one counts as 0.",
        *tally.lateness.state(),
    )
    stages = HistogramMetricFamily(
        "lineward_part_stage_seconds",
        "Trigger to frame, frame to batch (queue), batch to scores (inference), scores to verdict (decide).",
        labels=("stage",),
    )
    for stage, histogram in tally.stages.items():
        buckets, sum_s = histogram.state()
        stages.add_metric((stage,), buckets, sum_s)
    yield stages


def api_metrics(calls: ApiCalls) -> Iterator[Metric]:
    """Return what was counted about calls of the API."""
    counted = CounterMetricFamily("lineward_api_calls", "Calls of the API that ended.", labels=("method", "code"))
    for (method, code), count in calls.counts():
        counted.add_metric((method, code), count)
    yield counted
    taken = HistogramMetricFamily(
        "lineward_api_call_seconds",
        "How long calls of the API took; streams as long as they lived.",
        labels=("method",),
    )
    for method, (buckets, sum_s) in calls.durations():
        taken.add_metric((method,), buckets, sum_s)
    yield taken
