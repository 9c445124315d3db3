"""Lots as protobuf messages, and orders from them."""

from __future__ import annotations

import time

from inspection.api import v1 as pb
from inspection.lots.lot import Lot, LotOrder
from inspection.lots.states import LotState

LOT_STATES = {state: pb.LotState.Value(f"LOT_STATE_{state}") for state in LotState}


def lot_order(order: pb.LotOrder) -> LotOrder:
    """Return what is to be inspected."""
    return LotOrder(
        order.lot, order.recipe, order.recipe_version or None, order.planned, dict(sorted(order.parameters.items()))
    )


def lot_message(lot: Lot, *, with_steps: bool = True) -> pb.Lot:
    """Return a lot as it stands."""
    order, counters = lot.order, lot.counters
    return pb.Lot(
        order=pb.LotOrder(
            lot=order.lot,
            recipe=order.recipe,
            recipe_version=order.version or 0,
            planned=order.planned,
            parameters=dict(order.parameters),
        ),
        state=LOT_STATES[lot.state],
        steps=[
            pb.LotStep(
                step=step.step.value,
                state=LOT_STATES[step.state],
                wall_ns=step.wall_ns,
                record_sequence=step.record_sequence,
                who=step.who,
                detail=step.detail,
            )
            for step in (lot.steps if with_steps else ())
        ],
        counters=pb.LotCounters(
            triggered=counters.triggered,
            passed=counters.passed,
            rejected_by_reason={reason.value: count for reason, count in counters.rejected_by_reason.items()},
            first_wall_ns=counters.first_wall_ns,
            last_wall_ns=counters.last_wall_ns,
        ),
        running_s=lot.spent_ns(LotState.RUNNING, time.time_ns()) * 1e-9,
    )
