"""Where the API's results come from: the durable records, and a way to wait for the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import grpc

from inspection.api.errors import RefusedError
from inspection.plant.errors import PlantAwayError
from inspection.plant.whereabouts import whereabouts
from inspection.records.holds import Hold
from inspection.records.reader import FoundPage, RecordReader
from inspection.records.record import StoredRecord
from inspection.records.search import Search
from inspection.records.verify import VerifyReport, verify

_ASK_AGAIN_S = 5.0


class ResultFeed(Protocol):
    """What the API may ask of the records; safe from any thread. Sequences count from 1 without gaps."""

    def after(self, sequence: int, limit: int) -> list[StoredRecord]:
        """Return the durable records after one, oldest first, at most `limit`."""

    def last_sequence(self) -> int:
        """Return the newest durable record's number, 0 when there is none."""

    def image(self, sequence: int) -> tuple[bytes, str] | None:
        """Return a record's image file and content type, None when none is kept. Raises RecordMissingError."""

    def whereabouts(self, record: StoredRecord) -> str:
        """Return why there is no image of a record, and where it was copied to."""

    def get(self, sequence: int) -> StoredRecord:
        """Return one record. Raises RecordMissingError."""

    def search_for(
        self, search: Search, *, within_s: float, limit: int, newest_first: bool, before_sequence: int | None
    ) -> FoundPage:
        """Return records that fit and were found in time; before_sequence: as the page before says."""

    def require_there(self, hold: Hold) -> None:
        """Raise HoldError for a hold that names a record or a lot that is not there."""

    def verify(self, progress: Callable[[int, int], None]) -> VerifyReport:
        """Check the whole store; progress: records checked, and in all. Takes minutes for millions of records."""

    def wait_beyond(self, sequence: int, timeout_s: float) -> bool:
        """Wait until there is a durable record after `sequence`; False when none came in time."""


class RecordFeed:
    """A record reader that can be waited on. Owned by the station, which calls `notify` after each commit."""

    def __init__(self, reader: RecordReader) -> None:
        self._reader = reader
        self.images: Callable[[int], tuple[bytes, str] | None] = reader.image
        """What reads an image: of this station's disk, or of the plant's store, too. Set before the API is started."""
        self._changed = threading.Condition()
        self._commits = 0

    def notify(self) -> None:
        """Wake those who wait: records became durable. Called by the record writer's thread; costs microseconds."""
        with self._changed:
            self._commits += 1
            self._changed.notify_all()

    def after(self, sequence: int, limit: int) -> list[StoredRecord]:
        """Return the durable records after one, oldest first, at most `limit`."""
        return self._reader.after(sequence, limit)

    def last_sequence(self) -> int:
        """Return the newest durable record's number, 0 when there is none."""
        return self._reader.last_sequence()

    def image(self, sequence: int) -> tuple[bytes, str] | None:
        """Return a record's image file and content type, None when none is kept.

        Raises RecordMissingError, and RefusedError while only the plant has it and is away.
        """
        try:
            return self.images(sequence)
        except PlantAwayError as error:
            text = f"record {sequence}: its image is at the plant alone, which does not give it now: {error}"
            raise RefusedError(grpc.StatusCode.UNAVAILABLE, "PLANT_AWAY", text, retry_after_s=_ASK_AGAIN_S) from error

    def whereabouts(self, record: StoredRecord) -> str:
        """Return why there is no image of a record, and where it was copied to."""
        return whereabouts(self._reader.directory, record)

    def get(self, sequence: int) -> StoredRecord:
        """Return one record. Raises RecordMissingError."""
        return self._reader.get(sequence)

    def search_for(
        self, search: Search, *, within_s: float, limit: int, newest_first: bool, before_sequence: int | None
    ) -> FoundPage:
        """Return records that fit and were found in time; before_sequence: as the page before says."""
        return self._reader.search_for(
            search, within_s=within_s, limit=limit, newest_first=newest_first, before_sequence=before_sequence
        )

    def require_there(self, hold: Hold) -> None:
        """Raise HoldError for a hold that names a record or a lot that is not there."""
        self._reader.require_there(hold)

    def verify(self, progress: Callable[[int, int], None]) -> VerifyReport:
        """Check the whole store; progress: records checked, and in all. Takes minutes for millions of records."""
        return verify(self._reader.directory, progress)

    def wait_beyond(self, sequence: int, timeout_s: float) -> bool:
        """Wait until there is a durable record after `sequence`; False when none came in time."""
        with self._changed:
            seen = self._commits
        if self._reader.last_sequence() > sequence:
            return True
        with self._changed:
            if not self._changed.wait_for(lambda: self._commits != seen, timeout_s):
                return False
        return self._reader.last_sequence() > sequence
