"""Sets of photos on which a new bundle may be no worse than the one in use, or it is not released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.files import sha256_of_each
from datasets.location import Location
from datasets.sample import Sample
from models.bundle import Bundle
from models.card import GuardRow
from models.score import defect_probability
from models.session import open_session
from training.choosing import choose_images
from training.comparison import ALPHA, pair_up
from training.errors import ReleaseRefusedError
from training.gathering import read_like
from training.images import group_by_look
from training.intervals import at_least, worse_test
from training.placewise import whole_parts
from training.scoring import score_samples
from training.statements import percent
from training.threshold import DEFAULT_ESCAPE

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Guarded:
    """One guarded set, read before the training: a plain value. contents: sha256 of each sample's file."""

    name: str
    digest: str
    samples: tuple[Sample, ...]
    defective: Flags
    contents: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Give the piece that each image shows."""
        return tuple(sample.group for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Guard:
    """The bundle in use and the sets that it is compared on: a plain value."""

    before: Bundle
    sets: tuple[Guarded, ...]
    threads: int

    def compare(self, bundle: Bundle, trained: frozenset[str]) -> tuple[GuardRow, ...]:
        """Judge every set with both bundles, each at its card's threshold. trained: contents the new one learned."""
        return tuple(self._row(one, bundle, trained) for one in self.sets)

    def _row(self, one: Guarded, bundle: Bundle, trained: frozenset[str]) -> GuardRow:
        bad = one.defective
        old, new = (self._rejected(each, one.samples) != bad for each in (self.before, bundle))
        escape, overkill = (pair_up(one.groups, chosen, old, new) for chosen in (bad, ~bad))
        found, lost = _lost(one.groups, bad, old, new)
        promised = bundle.card.threshold.target_escape or DEFAULT_ESCAPE
        p_escape, p_overkill = (None if p is None else worse_test(p.a_only, p.b_only) for p in (escape, overkill))
        p_lost = at_least(lost, found, promised) if found else None
        return GuardRow(
            name=one.name,
            digest=one.digest,
            images=len(one.samples),
            trained_on=sum(content in trained for content in one.contents),
            defect_pieces=escape.pieces if escape else 0,
            good_pieces=overkill.pieces if overkill else 0,
            escapes_before=escape.a_wrong if escape else 0,
            escapes=escape.b_wrong if escape else 0,
            overkills_before=overkill.a_wrong if overkill else 0,
            overkills=overkill.b_wrong if overkill else 0,
            found_before=found,
            lost=lost,
            p_escape=p_escape,
            p_overkill=p_overkill,
            p_lost=p_lost,
            passed=all(p is None or p >= ALPHA for p in (p_escape, p_overkill, p_lost)),
        )

    def _rejected(self, bundle: Bundle, samples: Sequence[Sample]) -> Flags:
        raw, novel, _ = score_samples(open_session(bundle, intra_op_threads=self.threads), samples, self.threads)
        card = bundle.card
        rejected = np.asarray(defect_probability(raw, card.classes.index(card.good_class)) >= card.threshold.value)
        return rejected if novel is None else rejected | novel


def open_guard(before: Bundle, folders: Sequence[Path], *, find_groups: bool, threads: int) -> Guard:
    """Read the guarded sets, before anything is trained. Raises DatasetError and TrainingError."""
    sets = []
    for folder in folders:
        dataset = group_by_look(read_like(Location(folder), before.card), find_groups=find_groups)
        samples = tuple(choose_images(dataset, before, "all", None))
        if (parts := whole_parts(samples, before.card)) is not None:
            samples = parts.samples
        sets.append(
            Guarded(
                name=dataset.root.name,
                digest=dataset.digest(),
                samples=samples,
                defective=np.array([sample.label != dataset.good for sample in samples]),
                contents=tuple(sha256_of_each([sample.path for sample in samples])),
            )
        )
    return Guard(before, tuple(sets), threads)


def refuse_worse(rows: Sequence[GuardRow], before: Bundle) -> None:
    """Raise ReleaseRefusedError where a guarded set is judged worse than before."""
    worse = [f"{row.name}: {guard_words(row)}" for row in rows if not row.passed]
    if worse:
        raise ReleaseRefusedError(
            f"the new model is worse than '{before.card.name}' on {'; '.join(worse)} — on a guarded set it may be no "
            f"worse (p ≥ {ALPHA:g}) — nothing was written and the run is kept: look at those images with `lineward "
            "model compare`, add photos of them with --add, or train longer"
        )


def guard_words(row: GuardRow) -> str:
    """Say in one sentence what came out on a guarded set."""
    told = f"{row.escapes_before} → {row.escapes} escapes of {row.defect_pieces} defective piece(s)"
    told += f", {row.lost} of {row.found_before} found before now pass" if row.found_before else ""
    told += f", {row.overkills_before} → {row.overkills} overkill of {row.good_pieces} good piece(s)"
    tests = {"escapes": row.p_escape, "lost": row.p_lost, "overkill": row.p_overkill}
    shown = ", ".join(f"{name} p = {value:.2g}" for name, value in tests.items() if value is not None)
    seen = f"; {percent(row.trained_on / row.images)} of the images were trained on" if row.trained_on else ""
    return f"{told} ({shown}){seen}"


def _lost(groups: Sequence[str], bad: Flags, old_wrong: Flags, new_wrong: Flags) -> tuple[int, int]:
    """Count the defective pieces of which the old bundle rejects every image, and of these the ones that now pass."""
    wrong: Mapping[str, list[bool]] = {groups[index]: [False, False] for index in np.flatnonzero(bad).tolist()}
    for index in np.flatnonzero(bad).tolist():
        wrong[groups[index]][0] |= bool(old_wrong[index])
        wrong[groups[index]][1] |= bool(new_wrong[index])
    found = [after for before, after in wrong.values() if not before]
    return len(found), sum(found)
