"""What a record is: the columns that are hashed, how a part becomes one, and what a reader gets back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeVar

from inspection.part import EjectorAction, Evaluation, PartResult, Reason, Verdict


class ImageState(StrEnum):
    """What became of a part's image when its record was written."""

    KEPT = "KEPT"  # in a file that was durable before the record was
    NOT_SAMPLED = "NOT_SAMPLED"  # a passed part outside the sample
    NO_IMAGE = "NO_IMAGE"  # there never was one
    GIVEN_UP = "GIVEN_UP"  # it should have been kept, but disk or time did not allow it


RESULT_COLUMNS: tuple[tuple[str, str], ...] = (
    ("part", "INTEGER NOT NULL"),
    ("verdict", "TEXT NOT NULL"),
    ("evaluation", "TEXT NOT NULL"),
    ("reason", "TEXT NOT NULL"),
    ("score", "REAL"),
    ("threshold", "REAL"),
    ("defect_class", "TEXT NOT NULL"),
    ("raw_scores", "TEXT NOT NULL"),
    ("ejector_action", "TEXT NOT NULL"),
    ("by_default", "INTEGER NOT NULL"),
    ("written_host_ns", "INTEGER"),
    ("lateness_us", "INTEGER"),
    ("trigger_host_ns", "INTEGER NOT NULL"),
    ("frame_host_ns", "INTEGER NOT NULL"),
    ("batch_host_ns", "INTEGER NOT NULL"),
    ("scored_host_ns", "INTEGER NOT NULL"),
    ("decided_host_ns", "INTEGER NOT NULL"),
    ("due_host_ns", "INTEGER NOT NULL"),
    ("deadline_host_ns", "INTEGER NOT NULL"),
    ("trigger_wall_ns", "INTEGER NOT NULL"),
    ("latency_us", "INTEGER"),
    ("frame_counter", "INTEGER"),
    ("device_ns", "INTEGER"),
    ("lost_before", "INTEGER NOT NULL"),
    ("pixel_format", "TEXT NOT NULL"),
    ("truth", "TEXT NOT NULL"),
    ("extra", "TEXT NOT NULL"),
)
ADDED_COLUMNS: tuple[tuple[str, str], ...] = (  # since format 2
    ("lot", "TEXT NOT NULL"),
    ("serial", "TEXT NOT NULL"),
    ("ejector_command", "TEXT NOT NULL"),
    ("ejector_due_host_ns", "INTEGER"),
    ("batches", "TEXT NOT NULL"),
)
IMAGE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("image_state", "TEXT NOT NULL"),
    ("image_file", "TEXT NOT NULL"),
    ("image_sha256", "TEXT NOT NULL"),
    ("image_bytes", "INTEGER NOT NULL"),
)
CONTENT_COLUMNS = RESULT_COLUMNS + ADDED_COLUMNS + IMAGE_COLUMNS
CONTENT_NAMES = tuple(name for name, _ in CONTENT_COLUMNS)
FORMAT = 2
"""Which content the hash of a record covers; each run says its own: 1 has no `ADDED_COLUMNS`."""

CONTENT_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".tiff": "image/tiff"}
Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Run:
    """One start of the line, and what every record of it shares.

    The pair (`started_wall_ns`, `started_host_ns`) is taken once, at one moment: from it each trigger's wall time is
    derived, so that a clock that is set during the run does not reorder its parts.
    """

    run: str
    station: str
    model: str
    bundle_digest: str
    config_hash: str
    started_wall_ns: int
    started_host_ns: int
    recipe: str = ""
    recipe_hash: str = ""
    thresholds_hash: str = ""  # of every limit that decides
    camera_settings_hash: str = ""  # at the start; a part's own is in its `extra`
    provider: str = ""  # what ran the model: a replay on the same gives the same scores
    format: int = FORMAT

    def wall_ns(self, host_ns: int) -> int:
        """Return the wall time (UTC nanoseconds since 1970) of a moment on the host's monotonic clock."""
        return self.started_wall_ns + host_ns - self.started_host_ns


@dataclass(frozen=True, slots=True)
class KeptImage:
    """A row's last four columns: the state, the file relative to the store ('' when none), its sha256 and size."""

    state: ImageState
    file: str = ""
    sha256: str = ""
    size_bytes: int = 0

    def values(self) -> tuple[Cell, ...]:
        """Return the four cells in the order of `IMAGE_COLUMNS`."""
        return (self.state.value, self.file, self.sha256, self.size_bytes)


class StoredRecord(NamedTuple):
    """One durable record, as the API and the page see it; immutable, safe in any thread, and cheap to make.

    `image_removed` is the one thing that may change later: the disk budget took the file, the record stays.
    """

    sequence: int
    run: str
    station: str
    model: str
    bundle_digest: str
    config_hash: str
    part: int
    verdict: Verdict
    evaluation: Evaluation
    reason: Reason
    score: float | None
    threshold: float | None
    defect_class: str
    raw_scores: tuple[float, ...]
    ejector_action: EjectorAction
    by_default: bool
    written_host_ns: int | None
    lateness_us: int | None
    trigger_host_ns: int
    frame_host_ns: int
    batch_host_ns: int
    scored_host_ns: int
    decided_host_ns: int
    due_host_ns: int
    deadline_host_ns: int
    trigger_wall_ns: int
    latency_us: int | None
    frame_counter: int | None
    device_ns: int | None
    lost_before: int
    pixel_format: str
    truth: str
    extra: Mapping[str, Any]
    image_state: ImageState
    image_file: str
    image_sha256: str
    image_bytes: int
    record_hash: str
    image_removed: bool = False
    lot: str = ""
    serial: str = ""
    ejector_command: str = ""  # what the ejector was told: PASS or REJECT; '' for nothing, which rejects
    ejector_due_host_ns: int | None = None  # when the ejector held the part to be due
    batches: tuple[tuple[int, int] | None, ...] = ()  # of each view: images in the model's call, and which one it was
    recipe: str = ""
    recipe_hash: str = ""
    thresholds_hash: str = ""
    camera_settings_hash: str = ""
    provider: str = ""

    @property
    def has_image(self) -> bool:
        """Return whether the image was kept and the disk budget has not taken it since."""
        return self.image_state is ImageState.KEPT and not self.image_removed

    @property
    def missing_views(self) -> tuple[str, ...]:
        """Return the cameras that gave no picture of a part with several views; of one that makes several, which."""
        return missing_views(self.extra)


def missing_views(extra: Mapping[str, Any]) -> tuple[str, ...]:
    """Return by what a record says beside the verdict the cameras that gave no picture of its part."""
    views = extra.get("views", ())
    cameras = [view.get("camera", f"#{place}") for place, view in enumerate(views, 1)]
    return tuple(_exposure(cameras, place) for place, view in enumerate(views) if view["missing"])


def _exposure(cameras: Sequence[str], place: int) -> str:
    """Return what a view is called: "side", or "side (2/3)" where that camera makes three pictures of each part."""
    camera, made = cameras[place], cameras.count(cameras[place])
    return f"{camera} ({cameras[: place + 1].count(camera)}/{made})" if made > 1 else camera


def result_values(result: PartResult, run: Run) -> tuple[Cell, ...]:
    """Return the cells of `RESULT_COLUMNS` and `ADDED_COLUMNS` for one part, in the types and values that SQLite gives.

    Latency is verdict minus trigger in µs, None without a verdict. NaN becomes None (SQLite has none), numbers beyond
    64 bits become None, text that is not UTF-8 is escaped: nothing about a part can make its record impossible.
    """
    decision, actuation, stages = result.decision, result.actuation, result.stages
    decided = stages.decided_host_ns
    return (
        result.part,
        decision.verdict._value_,
        decision.evaluation._value_,
        decision.reason._value_,
        _real(decision.score),
        _real(decision.threshold),
        storable_text(decision.defect_class),
        _scores(decision.raw_scores),
        actuation.action._value_,
        int(actuation.by_default),
        actuation.written_host_ns,
        actuation.lateness_us,
        stages.trigger_host_ns,
        stages.frame_host_ns,
        stages.batch_host_ns,
        stages.scored_host_ns,
        decided,
        result.due_host_ns,
        result.deadline_host_ns,
        run.wall_ns(stages.trigger_host_ns),
        (decided - stages.trigger_host_ns) // 1000 if decided else None,
        _integer(result.frame_counter),
        _integer(result.device_ns),
        result.lost_before,
        storable_text(result.pixel_format),
        storable_text(result.truth),
        _encode(result.extra) if result.extra else "{}",
        storable_text(result.lot),
        storable_text(result.serial),
        "" if result.told is None else result.told._value_,
        actuation.due_host_ns,
        _batches(result.batches),
    )


def stored_record(
    sequence: int, run: Run, content: Sequence[Any], record_hash: bytes, *, image_removed: bool = False
) -> StoredRecord:
    """Return the record of one row; `content` is in the order of `CONTENT_COLUMNS`. Raises ValueError on bad cells."""
    (part, verdict, evaluation, reason, score, threshold, defect_class, raw_scores, action, by_default, *rest) = content
    *numbers, extra, lot, serial, command, ejector_due, batches, state, image_file, image_sha256, image_bytes = rest
    cells: tuple[Any, ...] = (
        sequence,
        run.run,
        run.station,
        run.model,
        run.bundle_digest,
        run.config_hash,
        part,
        _member(_VERDICTS, verdict),
        _member(_EVALUATIONS, evaluation),
        _member(_REASONS, reason),
        score,
        threshold,
        defect_class,
        () if raw_scores == "[]" else tuple(_decode(raw_scores)),
        _member(_ACTIONS, action),
        bool(by_default),
        *numbers,
        {} if extra == "{}" else _decode(extra),
        _member(_IMAGE_STATES, state),
        image_file,
        image_sha256,
        image_bytes,
        record_hash.hex(),
        image_removed,
        lot,
        serial,
        command,
        ejector_due,
        () if batches == "[]" else tuple(batch and (batch[0], batch[1]) for batch in _decode(batches)),
        run.recipe,
        run.recipe_hash,
        run.thresholds_hash,
        run.camera_settings_hash,
        run.provider,
    )
    return StoredRecord(*cells)


def hashed_content(content: Sequence[Any], record_format: int) -> Sequence[Any]:
    """Return what the hash covers of a record's content, by the format of its run."""
    if record_format >= FORMAT:
        return content
    return (*content[: len(RESULT_COLUMNS)], *content[-len(IMAGE_COLUMNS) :])


def image_path(run: str, part: int, suffix: str) -> str:
    """Return where a part's image goes, relative to the store: at most 1,000 files a folder."""
    folder = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in run)
    return str(PurePosixPath("images", folder, f"{part // 1000:06d}", f"{part:09d}{suffix}"))


def storable_text(value: str) -> str:
    """Return text as every database takes it: what is not UTF-8, and the null character, are escaped."""
    if "\0" in value:
        value = value.replace("\0", "\\x00")
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")


_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
_decode = json.JSONDecoder().decode
_Member = TypeVar("_Member", bound=StrEnum)


def _by_value(kind: type[_Member]) -> dict[str, _Member]:
    return {str(member): member for member in kind}


_VERDICTS, _EVALUATIONS, _REASONS = _by_value(Verdict), _by_value(Evaluation), _by_value(Reason)
_ACTIONS, _IMAGE_STATES = _by_value(EjectorAction), _by_value(ImageState)


def _member(members: Mapping[str, _Member], value: Any) -> _Member:
    """Return the member of a cell: a third of what asking the enumeration costs. Raises ValueError."""
    try:
        return members[value]
    except (KeyError, TypeError):
        raise ValueError(f"{value!r} — {', '.join(members)} are allowed — run `lineward records verify`") from None


def _scores(scores: Sequence[float]) -> str:
    """Return scores as a JSON list; numbers that are not finite as the library writes them."""
    text = f"[{','.join([repr(float(score)) for score in scores])}]"
    return _encode([float(score) for score in scores]) if "n" in text else text


def _batches(batches: Sequence[tuple[int, int] | None]) -> str:
    if len(batches) == 1 and (batch := batches[0]) is not None:  # nearly every part: twice as quick as the encoder
        return f"[[{batch[0]},{batch[1]}]]"
    return _encode(batches) if any(batches) else "[]"


def _real(value: float | None) -> float | None:
    if value is None:
        return None
    number = float(value) + 0.0  # -0.0 becomes 0.0: SQLite stores it so
    return None if number != number else number


def _integer(value: int | None) -> int | None:
    return int(value) if value is not None and -(2**63) <= value < 2**63 else None
