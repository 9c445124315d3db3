"""Resume tokens: a place in one station's chain of records, valid for as long as the records exist.

A token carries the sequence, the beginning of that record's hash and of the store's first record's. Since each record's
hash covers everything before it, a token fits no other store, nor one that was put back and went another way. Opaque to
clients; the check sum finds typing errors, it is no signature.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass

import grpc

from inspection.api.errors import RefusedError
from inspection.api.feed import ResultFeed

_LAYOUT = struct.Struct(">BQ8s8s")
_CHECK = struct.Struct(">I")
_VERSION = 1
_HASH_BYTES = 8
_NO_HASH = bytes(_HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Place:
    """How far a client has come: everything up to and including `sequence` is handled; 0 is before the first."""

    sequence: int = 0
    store: bytes = _NO_HASH  # of the store's first record
    record: bytes = _NO_HASH  # of the record at `sequence`

    def after(self, sequence: int, record_hash: str) -> Place:
        """Return the place after one more record of the same store; `record_hash` in hex, as records carry it."""
        record = bytes.fromhex(record_hash)[:_HASH_BYTES]
        return Place(sequence, record if sequence == 1 else self.store, record)

    def token(self) -> str:
        """Return the place as clients keep it."""
        body = _LAYOUT.pack(_VERSION, self.sequence, self.store, self.record)
        return base64.urlsafe_b64encode(body + _CHECK.pack(zlib.crc32(body))).decode().rstrip("=")


def read_place(feed: ResultFeed, sequence: int) -> Place:
    """Return the place of a durable record, from the store; 0 gives the beginning."""
    if sequence < 1:
        return Place()
    first, here = feed.after(0, 1)[0], feed.after(sequence - 1, 1)[0]
    return Place().after(1, first.record_hash).after(here.sequence, here.record_hash)


def resume(feed: ResultFeed, token: str) -> Place:
    """Return the place that a token names. Raises RefusedError: INVALID_ARGUMENT or OUT_OF_RANGE, reason TOKEN."""
    place = _decode(token)
    last = feed.last_sequence()
    if place.sequence and last and read_place(feed, 1).store != place.store:
        raise _invalid("this resume token is of another station's records (or of records that were replaced)")
    if place.sequence > last:
        raise RefusedError(
            grpc.StatusCode.OUT_OF_RANGE,
            "TOKEN",
            f"the resume token is at record {place.sequence}, but the station's last record is {last} — records were "
            "lost or an older backup was put back — find out which, then begin again with an empty token",
            metadata={"sequence": str(place.sequence), "last_sequence": str(last)},
            field="resume_token",
        )
    if place.sequence and read_place(feed, place.sequence) != place:
        raise _invalid(f"record {place.sequence} is not the one that this resume token was given out for")
    return place


def _decode(token: str) -> Place:
    """Return what the token says; it must be letter for letter what `Place.token` writes."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        version, sequence, store, record = _LAYOUT.unpack(raw[: _LAYOUT.size])
        place = Place(sequence, store, record)
        is_ours = version == _VERSION and sequence < 2**63 and place.token() == token
    except (binascii.Error, struct.error, ValueError):
        is_ours = False
    if not is_ours:
        raise _invalid(f"{token[:80]!r} is no resume token")
    return place


def _invalid(what: str) -> RefusedError:
    return RefusedError(
        grpc.StatusCode.INVALID_ARGUMENT,
        "TOKEN",
        f"{what} — a token that this station gave out is needed — begin again with an empty token",
        field="resume_token",
    )
