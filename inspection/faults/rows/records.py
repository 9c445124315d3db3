"""What can go wrong with records, images and the disk they are on."""

from __future__ import annotations

from inspection.alarms import Reaction
from inspection.faults.row import ANY, UNSAFE, Fault
from inspection.faults.rows import says

RECORDS_TROUBLE = Fault(
    name="records_trouble",
    what="records cannot be written: the disk is full, unplugged or read-only",
    alarm="RECORDS_TROUBLE",
    station="nothing passes; results wait in memory, parts in flight stay in a journal that needs no room",
    ejector=says.REJECTS,
    recovers="by itself when the disk takes them: every part gets its record",
    default=Reaction.REJECT_ALL,
    allowed=UNSAFE,
    test="tests/integration/test_fault_surroundings.py::test_fault_records_trouble",
)

DISK_LOW = Fault(
    name="disk_low",
    what="the disk has less room than `records.min_free_mb`",
    alarm="DISK_LOW",
    station="keeps no more images, so that the room is left for records",
    ejector=says.NOTHING,
    recovers="by itself when there is room again",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_surroundings.py::test_fault_records_trouble",
)

IMAGES_GIVEN_UP = Fault(
    name="images_given_up",
    what="images cannot be kept: no room, or they come faster than they can be encoded",
    alarm="IMAGES_GIVEN_UP",
    station="records without image; the record says so",
    ejector=says.NOTHING,
    recovers="by itself",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_fault_surroundings.py::test_fault_records_trouble",
)

RECORDS_UNSIGNED = Fault(
    name="records_unsigned",
    what="the records cannot be signed: the disk refuses, another program holds the database, or the signing ended",
    alarm="RECORDS_UNSIGNED",
    station="inspects and records, and tries to sign again every minute",
    ejector=says.NOTHING,
    recovers="by itself when a signature is stored; a signing that ended, at the next start",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_records_proof.py::test_fault_records_unsigned",
)

RECORDS_NOT_FORWARDED = Fault(
    name="records_not_forwarded",
    what="the plant's database is away, refuses, or holds another station's records: `[plant] postgresql`",
    alarm="RECORDS_NOT_FORWARDED",
    station="inspects and records on its own disk, and tries again until every record is copied, in order",
    ejector=says.NOTHING,
    recovers="by itself when the database takes them",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_plant_copy.py::test_fault_plant_away",
)

IMAGES_NOT_FORWARDED = Fault(
    name="images_not_forwarded",
    what="the plant's object store is away or refuses, or the disk budget took images first: `[plant] images`",
    alarm="IMAGES_NOT_FORWARDED",
    station="keeps images on its own disk within their budget, those that have no copy longest, and tries again",
    ejector=says.NOTHING,
    recovers="by itself when the store takes them",
    default=Reaction.WARN,
    allowed=ANY,
    test="tests/integration/test_plant_copy.py::test_fault_plant_away",
)
