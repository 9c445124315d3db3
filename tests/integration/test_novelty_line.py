"""A model that tells what it never saw, in a whole station: an unknown object is rejected, whatever its score says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from blob_photos import SIDE, blob, train_blobs, write_blobs
from numpy.typing import NDArray
from replayed_line import replay, replay_config
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.engine import Engine
from inspection.errors import ConfigError
from inspection.part import Evaluation, Reason, Verdict
from models.bundle import Bundle, load_bundle
from models.card import Card
from models.engines import ONNXRUNTIME, OPENVINO, assert_parity
from models.errors import ParityError
from models.parity import Reference, Way, measure_parity
from models.score import defect_probability
from models.session import Given, Session, open_session

pytestmark = pytest.mark.training


def stranger(seed: int) -> NDArray[np.uint8]:
    """Draw what is no part at all in the light of the parts: stripes of another pitch and slant each time."""
    random = np.random.default_rng([77, seed])
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    pitch, slant = random.uniform(2.0, 5.0), random.uniform(0.0, np.pi)
    waves = 100.0 + 40.0 * np.sign(np.sin((x * np.cos(slant) + y * np.sin(slant)) * 2 * np.pi / pitch))
    return np.clip(waves + random.normal(0, 6, waves.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle without limits of the pictures themselves, so that every picture reaches the model."""
    folder = tmp_path_factory.mktemp("novelty")
    photos = write_blobs(folder / "photos", good=110, spot=40, hole=40)
    return train_blobs(photos, folder / "bundle", picture_limits=False).bundle


def engine(bundle: Bundle, folder: Path, **model: object) -> Engine:
    """Open the engine of a station that has no camera and no board yet."""
    return Engine(replay_config(bundle.path, folder, "/dev/ttyS99", folder, **model), pytest.fail)


def test_the_card_tells_the_limit_and_what_it_costs(bundle: Bundle) -> None:
    """Laid out from the held-out pieces; every engine was compared with it, and it stops hardly any test part."""
    spec, counts = bundle.card.novelty, bundle.card.data.counts
    assert spec is not None
    assert spec.pieces == sum(counts["validation"].values()) >= 20
    assert spec.bound == pytest.approx(1 / (spec.pieces + 1))
    assert spec.good_beyond is not None
    assert spec.defects_beyond is not None
    assert spec.good_beyond.denominator == counts["test"]["good"]
    assert spec.good_beyond.numerator + spec.defects_beyond.numerator <= 3
    assert all(row.novelty_max_abs is not None and row.novelty_max_abs <= 1e-3 for row in bundle.card.parity)


def test_an_unknown_object_never_passes_and_known_parts_do(bundle: Bundle, tmp_path: Path) -> None:
    """Rejected for OUT_OF_DISTRIBUTION with score and novelty in the record, and the board sees its pulse."""
    photos = [blob("good", seed) for seed in range(5000, 5012)] + [blob("hole", seed) for seed in range(5000, 5004)]
    photos += [stranger(seed) for seed in range(12)]
    files = [tmp_path / f"{number:02d}.png" for number in range(len(photos))]
    for file, pixels in zip(files, photos, strict=True):
        cv2.imwrite(str(file), pixels)
    done = replay(bundle.path, files, tmp_path)
    assert "UNKNOWN_LOOK" in {alarm.name for alarm in done.station.alarms.active()}
    assert done.account.promises_broken == []
    assert done.account.pulses == sum(record.verdict is Verdict.REJECT for record in done.records)
    ordered = sorted(done.records, key=lambda record: record.part)
    in_time = [record for record in ordered if record.reason is not Reason.LATE]
    for record in in_time:
        told = record.extra["novelty"][0]
        strange = record.part > 16
        assert (told > 1.0) == (record.reason is Reason.OUT_OF_DISTRIBUTION)
        assert record.score is not None
        if strange:
            assert record.reason is Reason.OUT_OF_DISTRIBUTION
            assert (record.verdict, record.evaluation) == (Verdict.REJECT, Evaluation.NOT_DECIDABLE)
    known = [record for record in in_time if record.part <= 12]
    assert sum(record.verdict is Verdict.PASS for record in known) >= 0.8 * len(known)
    holes = [record for record in in_time if 12 < record.part <= 16]
    assert all(record.verdict is Verdict.REJECT for record in holes)


def test_without_the_limit_some_would_pass(bundle: Bundle) -> None:
    """The score alone lets unknown objects through: what the limit is there for."""
    pixels = np.stack([stranger(seed)[..., None] for seed in range(60)])
    size = bundle.card.input
    small = np.stack([cv2.resize(one, (size.width, size.height), interpolation=cv2.INTER_AREA) for one in pixels])
    given = open_session(bundle).run_all(np.ascontiguousarray(small[..., None]))
    assert given.novelty is not None
    assert (given.novelty > 1.0).all()
    assert (defect_probability(given.scores, bundle.card.good_index) < bundle.card.threshold.value).any()


def test_a_call_of_the_api_is_answered_alike(bundle: Bundle, tmp_path: Path) -> None:
    """Engine.inspect, which answers Inspect, rejects for the same reason; the file may widen the limit."""
    opened = engine(bundle, tmp_path)
    try:
        answer, good = opened.inspect(stranger(3), 30.0), opened.inspect(blob("good", 7000), 30.0)
    finally:
        opened.close()
    assert (answer.reason, answer.verdict) == (Reason.OUT_OF_DISTRIBUTION, Verdict.REJECT)
    assert answer.score is not None
    assert answer.novelty is not None
    assert good.verdict is Verdict.PASS
    wide = engine(bundle, tmp_path, novelty_limit=1000.0)
    try:
        assert wide.inspect(stranger(3), 30.0).reason is not Reason.OUT_OF_DISTRIBUTION
    finally:
        wide.close()


def test_a_model_that_does_not_tell_takes_no_limit(tmp_path: Path) -> None:
    """A limit in the file of a model without novelty would say something that nobody holds."""
    plain = load_bundle(Path("models/zoo/parts"))
    with pytest.raises(ConfigError, match=r"novelty_limit 1: 'parts' does not tell"):
        engine(plain, tmp_path, novelty_limit=1.0)


def test_evaluate_counts_the_unknown_as_rejected(bundle: Bundle, tmp_path: Path) -> None:
    """Strangers that are labelled as defects do not escape, those labelled good are overkill."""
    for kind in ("good", "spot"):
        (tmp_path / kind).mkdir()
        for seed in range(20):
            cv2.imwrite(str(tmp_path / kind / f"{seed}.png"), stranger(seed + 100 * (kind == "spot")))
    done = CliRunner().invoke(app, ["evaluate", str(bundle.path), "--data", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert '"missed": []' in done.stdout
    assert '"numerator": 20, "denominator": 20' in done.stdout


@dataclass
class Shifted:
    """ONNX Runtime, with its novelty changed on the way out."""

    session: Session
    factor: float
    provider: str = "a changed engine"

    @property
    def card(self) -> Card:
        return self.session.card

    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.session.run(batch)

    def run_all(self, batch: NDArray[np.uint8]) -> Given:
        given = self.session.run_all(batch)
        assert given.novelty is not None
        return given._replace(novelty=given.novelty * np.float32(self.factor))

    def warm(self, sizes: object = ()) -> None:
        """Nothing to warm."""


@pytest.mark.parametrize(("factor", "why"), [(1.01, "the novelty differs by up to 0.0"), (40.0, "verdicts change"),
                                             (np.nan, "the novelty differs by up to nan")])  # fmt: skip
def test_an_engine_of_another_novelty_is_refused(bundle: Bundle, factor: float, why: str) -> None:
    """By the gate before the release, and by a station that opens it; the engine itself is taken."""
    session = open_session(bundle)
    pixels = np.concatenate([bundle.golden().inputs] * 3)
    said = session.run_all(pixels)
    own = Way(ONNXRUNTIME, 1, 1, lambda: Shifted(session, 1.0))
    other = Way(OPENVINO, 1, 1, lambda: Shifted(session, factor))
    reference = Reference(pixels, said.scores, None, said.novelty)
    rows = measure_parity(bundle, reference, budget_s=60.0, ways=[own, other])
    assert all(row.usable == (row.engine == ONNXRUNTIME) for row in rows)
    assert any(why in row.why for row in rows if not row.usable)
    assert_parity(Shifted(session, 1.0), bundle)
    with pytest.raises(ParityError, match="above the limit"):
        assert_parity(Shifted(session, factor), bundle)
