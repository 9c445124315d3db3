"""When the station ends, every stream of every service says so, with when to come back, and keeps nobody waiting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from api_calls import Calls, belt_service
from station_runs import wait_until

from inspection.api import v1 as pb
from inspection.api.call_error import call_error


def streams(calls: Calls) -> dict[str, Any]:
    """Open one of each kind that lasts."""
    return {
        "state": calls.station.WatchState(pb.WatchStateRequest()),
        "preview": calls.station.WatchPreview(pb.WatchPreviewRequest()),
        "results": calls.results.WatchResults(pb.WatchResultsRequest()),
        "cameras": calls.cameras.WatchCameras(pb.WatchCamerasRequest()),
        "alarms": calls.alarms.WatchAlarms(pb.WatchAlarmsRequest()),
        "lot": calls.lots.WatchLot(pb.WatchLotRequest(lot="L-1")),
    }


def test_every_stream_says_that_the_station_ends(tmp_path: Path) -> None:
    """UNAVAILABLE, reason SHUTDOWN, with RetryInfo; a client knows that nothing is wrong with what it asked."""
    with belt_service(tmp_path) as (service, calls):
        calls.lots.StoreAndStartLot(pb.StoreAndStartLotRequest(order=pb.LotOrder(lot="L-1")))
        wait_until(lambda: service.station.counters.records > 1)
        opened = streams(calls)
        for stream in opened.values():
            next(stream)
        service.close()
        for name, stream in opened.items():
            with pytest.raises(grpc.RpcError) as failed:
                list(stream)
            error = call_error(failed.value, "")
            assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTDOWN"), name
            assert error.retry_after_s, name
