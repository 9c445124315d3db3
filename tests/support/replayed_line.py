"""Photos from a list through a whole station: replay camera to serial bytes at a board on the far end of the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from station_runs import GOES_ON, far_end, run_to_the_end

from inspection.config import StationConfig
from inspection.ejector.simulated import SimulatedBoard
from inspection.records.record import StoredRecord
from inspection.simulation.account import Account, settle
from inspection.station import Station


@dataclass(frozen=True)
class Replayed:
    """A station that has run to its end: its records, and what they come to beside the pulses that the board saw."""

    station: Station
    records: Sequence[StoredRecord]
    account: Account


def replay(bundle: Path, images: Sequence[Path], folder: Path, *, rate_hz: float = 10) -> Replayed:
    """Run every image once, as the part of its number; records lie in the folder."""
    listing = folder / "parts.txt"
    listing.write_text("\n".join(map(str, images)))
    board = SimulatedBoard("lcus", channels=2)
    try:
        station = Station(replay_config(bundle, listing, board.port, folder / "records", rate_hz=rate_hz))
        records = run_to_the_end(station)
        account = settle(len(images), len(records), records, far_end(station, board))
    finally:
        board.close()
    return Replayed(station, records, account)


def replay_config(
    bundle: Path, listing: Path, port: str, records: Path, *, rate_hz: float = 10, **model: object
) -> StationConfig:
    """Give the configuration of such a station, with further values for its section `model`."""
    return StationConfig.model_validate(
        {
            "camera": {"backend": "replay", "path": str(listing), "rate_hz": rate_hz},
            "model": {"bundle": str(bundle), **model},
            "geometry": {"travel_time_s": 2.0},
            "ejector": {
                "driver": "lcus", "port": port, "pulse_ms": 10, "window_ms": 30, "heartbeat_channel": 2,
                "board": {"channels": 2},
            },
            "records": {"dir": str(records), "min_free_mb": 0},
            "reactions": GOES_ON,
        }
    )  # fmt: skip
