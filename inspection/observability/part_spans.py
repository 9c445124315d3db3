"""The trace of one part, made after the fact from the moments in its durable record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from inspection.part import Reason, Verdict
from inspection.records.record import StoredRecord

_SCOPE = InstrumentationScope("lineward")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_NOT_INSPECTED = frozenset({Reason.NO_IMAGE, Reason.LATE, Reason.MISSING_VIEW, Reason.SYSTEM})
"""What ended without the model's verdict, by a fault: the trace says ERROR. A reject by the model is no error."""


def trace_id(run: str, part: int) -> int:
    """Return the number of a part's trace, which whoever has its record can find again: sha256 of "run/part"."""
    return int.from_bytes(hashlib.sha256(f"{run}/{part}".encode()).digest()[:16]) or 1


def is_traced(record: StoredRecord, sample_ratio: float, always_rejects: bool) -> bool:
    """Return whether a part belongs to the sample: by its trace's number, the same however often one asks."""
    if always_rejects and record.verdict is Verdict.REJECT:
        return True
    return (trace_id(record.run, record.part) & (2**64 - 1)) < round(sample_ratio * 2**64)


def part_spans(record: StoredRecord, durable_host_ns: int, resource: Resource) -> list[ReadableSpan]:
    """Return a part's spans: "part" from the trigger to the durable record, and one for each step that it reached.

    Times are wall-clock nanoseconds by the run's pair of clocks, so a clock that is set meanwhile bends no trace.
    """
    shift_ns = record.trigger_wall_ns - record.trigger_host_ns
    number = trace_id(record.run, record.part)
    contexts = (SpanContext(number, (number >> 64 ^ place) or 1, False, _SAMPLED) for place in range(8))
    root = next(contexts)

    def span(
        name: str, began_host_ns: int, ended_host_ns: int, context: SpanContext, parent: SpanContext | None
    ) -> ReadableSpan:
        return ReadableSpan(
            name, context, parent, resource,
            attributes=_attributes(record) if parent is None else _step_attributes(name, record),
            kind=SpanKind.INTERNAL,
            status=_status(record) if parent is None else Status(StatusCode.UNSET),
            start_time=began_host_ns + shift_ns,
            end_time=max(began_host_ns, ended_host_ns) + shift_ns,
            instrumentation_scope=_SCOPE,
        )  # fmt: skip

    steps = [
        span(name, began, ended, context, root)
        for (name, began, ended), context in zip(_steps(record, durable_host_ns), contexts, strict=False)
    ]
    return [span("part", record.trigger_host_ns, durable_host_ns, root, None), *steps]


def _steps(record: StoredRecord, durable_host_ns: int) -> Iterator[tuple[str, int, int]]:
    """Yield the name, begin and end of each step that the part reached."""
    trigger, frame, batch = record.trigger_host_ns, record.frame_host_ns, record.batch_host_ns
    scored, decided, written = record.scored_host_ns, record.decided_host_ns, record.written_host_ns or 0
    for name, began, ended in (
        ("frame", trigger, frame),
        ("queue", frame, batch),
        ("inference", batch, scored),
        ("decide", scored, decided),
    ):
        if began and ended:
            yield name, began, ended
    if written:
        yield "ejector", min(decided or record.due_host_ns, written), written
    yield "record", max(trigger, decided, written), durable_host_ns


def _attributes(record: StoredRecord) -> dict[str, str | int | float | bool]:
    found: dict[str, str | int | float | bool | None] = {
        "lineward.part": record.part,
        "lineward.run": record.run,
        "lineward.lot": record.lot,
        "lineward.serial": record.serial,
        "lineward.sequence": record.sequence,
        "lineward.verdict": str(record.verdict),
        "lineward.reason": str(record.reason),
        "lineward.score": record.score,
        "lineward.threshold": record.threshold,
        "lineward.defect_class": record.defect_class,
        "lineward.model": record.model,
    }
    return {name: value for name, value in found.items() if value not in ("", None)}


def _step_attributes(name: str, record: StoredRecord) -> dict[str, str | int | float | bool]:
    if name != "ejector":
        return {}
    lateness = {} if record.lateness_us is None else {"lineward.lateness_us": record.lateness_us}
    return {"lineward.ejector_action": str(record.ejector_action), **lateness}


def _status(record: StoredRecord) -> Status:
    return Status(StatusCode.ERROR, str(record.reason)) if record.reason in _NOT_INSPECTED else Status(StatusCode.UNSET)
