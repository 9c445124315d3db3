"""Legal holds as protobuf messages, and from them."""

from __future__ import annotations

from inspection.api import v1 as pb
from inspection.records.holds import Hold, hold_of


def asked_hold(asked: pb.Hold) -> Hold:
    """Return what is to be held. Raises HoldError for what would hold nothing, or has no reason."""
    cells = {
        "reason": asked.reason.strip(),
        "lot": asked.lot or None,
        "serial": asked.serial or None,
        "since_wall_ns": asked.since_wall_ns if asked.HasField("since_wall_ns") else None,
        "until_wall_ns": asked.until_wall_ns if asked.HasField("until_wall_ns") else None,
        "records": list(asked.sequences),
    }
    return hold_of(asked.name.strip(), cells)


def hold_message(hold: Hold) -> pb.Hold:
    """Return a hold as clients see it."""
    return pb.Hold(
        name=hold.name,
        reason=hold.reason,
        lot=hold.lot or "",
        serial=hold.serial or "",
        since_wall_ns=hold.since_wall_ns,
        until_wall_ns=hold.until_wall_ns,
        sequences=hold.records,
    )
