"""Train, export, verify, interrupt and go on: the whole of `lineward train` on a few dozen rendered parts."""

from __future__ import annotations

import json
import os
import random
import re
import signal
from pathlib import Path

import cv2
import pytest
from command_runs import Command, Done

from datasets.location import Location
from datasets.synthetic import PartRenderer
from models.bundle import load_bundle
from models.checks import Parity
from models.verify import verify_bundle
from training.errors import ReleaseRefusedError
from training.evaluation import evaluate_bundle
from training.gate import refuse_unless_same

pytestmark = pytest.mark.training

EPOCHS = 4


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good parts and parts in a wrong position, three photos a piece with the pieces named in groups.csv."""
    root = tmp_path_factory.mktemp("photos")
    line = PartRenderer(1, width=160, height=120)
    rows = ["file,group"]
    for kind in ("good", "wrong_position"):
        (root / kind).mkdir()
        for piece in range(12):
            pixels = line.render(piece, kind).pixels
            for exposure in range(3):
                name = f"{kind}/{piece}-{exposure}.png"
                cv2.imwrite(str(root / name), cv2.convertScaleAbs(pixels[:, :, ::-1], alpha=1 + 0.1 * exposure))
                rows.append(f"{name},{kind}{piece}")
    (root / "groups.csv").write_text("\n".join(rows) + "\n")
    return root


def command(photos: Path, out: Path, *more: str) -> list[str]:
    """The command line as a shell would run it."""
    options = [
        "--backbone",
        "compact",
        "--size",
        "64x48",
        "--epochs",
        str(EPOCHS),
        "--batch-size",
        "32",
        "--threads",
        "1",
    ]
    return ["train", "--data", str(photos), "--out", str(out), *options, *more]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands of this file write what they say."""
    return tmp_path_factory.mktemp("said")


def run(arguments: list[str], said: Path) -> Done:
    """Run to the end."""
    return Command(arguments, said).end()


@pytest.fixture(scope="module")
def whole(photos: Path, said: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """One uninterrupted run: its bundle and what it printed with --json."""
    out = tmp_path_factory.mktemp("whole") / "parts"
    done = run(command(photos, out, "--json"), said)
    assert done.returncode == 0, done.stderr
    assert "from scratch" in done.stderr
    assert re.search(r"about .* on 1 thread\(s\): 4 epoch\(s\)", done.stderr), done.stderr
    printed: dict[str, object] = json.loads(done.stdout)
    return out, printed


def test_training_gives_a_bundle_that_passes_every_check(whole: tuple[Path, dict[str, object]]) -> None:
    """Hashes, graph, golden vectors and batches hold; torch and ONNX agreed; the charts lie beside the bundle."""
    out, printed = whole
    assert all(check.passed for check in verify_bundle(out))
    card = load_bundle(out).card
    assert card.classes == ("good", "wrong_position")
    assert (card.input.width, card.input.height, card.input.channels) == (64, 48, 3)
    assert card.provenance.weights.startswith("from scratch")
    assert card.latency is not None
    assert "cannot support the target" in card.threshold.statement
    assert not card.threshold.target_met
    parity = printed["parity"]
    assert isinstance(parity, dict)
    assert parity["flips"] == 0
    assert parity["max_abs"] <= card.tolerance.score_abs
    assert parity["images"] == sum(card.data.counts["test"].values())
    for chart in ("curves.png", "confusion.png"):
        picture = cv2.imread(str(out.with_name("parts.run") / chart))
        assert picture is not None
        assert picture.std() > 5
    assert not (out.with_name("parts.run") / "checkpoint.pt").exists()


def test_evaluation_of_the_held_out_photos_gives_the_card_s_figures(
    photos: Path, whole: tuple[Path, dict[str, object]]
) -> None:
    """ONNX Runtime on the test split reads from the files what training stated, and names the misjudged ones."""
    out, _ = whole
    card = load_bundle(out).card
    result = evaluate_bundle(str(out), Location(photos), split="test")
    assert result.metrics.model_dump(exclude={"split"}) == card.metrics.model_dump(exclude={"split"})
    assert card.metrics.escape is not None
    assert card.metrics.overkill is not None
    assert len(result.missed) == card.metrics.escape.numerator
    assert len(result.false_alarms) == card.metrics.overkill.numerator
    everything_rejected = evaluate_bundle(str(out), Location(photos), threshold=0.0)
    assert everything_rejected.missed == ()
    assert len(everything_rejected.false_alarms) == 36
    assert all((photos / name).is_file() for name in everything_rejected.false_alarms)


def test_no_piece_is_in_two_parts_of_the_split(photos: Path, whole: tuple[Path, dict[str, object]]) -> None:
    """The three photos of a piece are on one side, so each side has a multiple of three of each class."""
    counts = load_bundle(whole[0]).card.data.counts
    assert sum(sum(part.values()) for part in counts.values()) == 72
    assert all(count % 3 == 0 for part in counts.values() for count in part.values())


def test_a_run_interrupted_and_killed_at_any_moment_ends_with_the_same_weights(
    photos: Path, whole: tuple[Path, dict[str, object]], said: Path, tmp_path: Path
) -> None:
    """SIGINT: 130, no bundle; other options are refused; SIGKILL at random moments; the same command ends alike."""
    out = tmp_path / "parts"
    first = Command(command(photos, out), said)
    assert first.wait_until(lambda: "epoch 1/" in first.said)
    assert first.process.pid is not None
    os.kill(first.process.pid, signal.SIGINT)
    told = first.end()
    assert told.returncode == 130, told.stderr
    assert "the same command" in told.stderr
    assert "Traceback" not in told.stderr
    assert not out.exists()
    other = run(command(photos, out, "--seed", "9"), said)
    assert other.returncode == 2
    assert "seed: 0 then, 9 now" in other.stderr

    moments = random.Random(5)
    state = out.with_name("parts.run") / "checkpoint.pt"
    inside = 0
    for _ in range(4):
        changes, last = moments.randint(1, 4), [state.stat().st_ino]
        going = Command(command(photos, out, "--checkpoint-seconds", "0"), said)

        def so_many(seen: list[int] = last, wanted: int = changes) -> bool:
            now = state.stat().st_ino if state.exists() else seen[-1]
            if now != seen[-1]:
                seen.append(now)
            return len(seen) > wanted

        assert going.wait_until(so_many), going.said
        for _ in range(moments.randint(0, 30_000)):
            pass  # somewhere in the next step, or in the writing of its state
        going.process.kill()
        assert going.end().returncode == -signal.SIGKILL
        inside += bool(re.search(r" of 4 and \d+ step", going.said))
    assert inside, "no start went on from within an epoch"
    resumed = run(command(photos, out), said)
    assert resumed.returncode == 0, resumed.stderr
    assert re.search(r"going on after epoch [1-3] of 4( and \d+ steps?)?, from", resumed.stderr)
    assert load_bundle(out).card.files["model.onnx"] == load_bundle(whole[0]).card.files["model.onnx"]
    assert logged(out)["loss/training"] == [1, 2, 3, 4]


def logged(out: Path) -> dict[str, list[int]]:
    """What TensorBoard reads from the logs of a run: the steps of each scalar, and of each picture."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(out.with_name(out.name + ".run") / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    steps = {name: [event.step for event in events.Scalars(name)] for name in tags["scalars"]}
    return steps | {name: [event.step for event in events.Images(name)] for name in tags["images"]}


def test_tensorboard_shows_the_run(whole: tuple[Path, dict[str, object]]) -> None:
    """Losses, AUROC, learning rate and speed of each epoch; of the model: figures, confusion, what it misjudged."""
    found = logged(whole[0])
    for name in ("loss/training", "loss/validation", "AUROC/validation", "learning rate", "images per second"):
        assert found[name] == [1, 2, 3, 4], name
    assert found["AUROC/test"] == found["confusion/test"] == [4]
    card = load_bundle(whole[0]).card
    assert card.metrics.escape is not None
    assert card.metrics.overkill is not None
    wrong = [name for name in found if name.startswith(("missed/", "false alarms/"))]
    assert len(wrong) == min(8, card.metrics.escape.numerator) + min(8, card.metrics.overkill.numerator)


def test_the_card_says_how_to_make_the_model_again(photos: Path, whole: tuple[Path, dict[str, object]]) -> None:
    """Command, seed, versions, digest of the images, device and processes are in the card."""
    card = load_bundle(whole[0]).card
    origin = card.provenance
    assert origin.command is not None
    assert origin.command.startswith(f"lineward train --data {photos} --out")
    assert "--backbone compact --size 64x48" in origin.command
    assert (origin.seed, origin.settings["device"], origin.settings["processes"]) == (0, "cpu", 1)
    assert {"python", "torch", "numpy"} <= set(origin.versions)
    assert len(card.data.digest) == 64


def test_a_finished_bundle_is_not_replaced_unasked(
    photos: Path, whole: tuple[Path, dict[str, object]], said: Path
) -> None:
    """The same command again is refused before anything is read, and the bundle stays as it is."""
    before = load_bundle(whole[0]).digest
    again = run(command(photos, whole[0]), said)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    assert load_bundle(whole[0]).digest == before


def test_what_is_no_bundle_is_left_alone(photos: Path, said: Path, tmp_path: Path) -> None:
    """A folder with other files at --out is refused before the training, even with --overwrite."""
    (tmp_path / "notes.txt").write_text("mine")
    refused = run(command(photos, tmp_path, "--overwrite"), said)
    assert refused.returncode == 2
    assert "is no bundle, it is left alone" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_release_that_misses_parity_is_refused(whole: tuple[Path, dict[str, object]]) -> None:
    """Scores beyond the tolerance, one changed verdict or NaN refuse the release; agreement passes."""
    from models.session import open_session

    bundle = load_bundle(whole[0])
    session = open_session(bundle)
    refuse_unless_same(session, bundle.golden(), Parity(10, 1e-6, 0))
    for parity in (Parity(10, 0.5, 0), Parity(10, 1e-6, 1), Parity(10, float("nan"), 0)):
        with pytest.raises(ReleaseRefusedError, match="not the trained one"):
            refuse_unless_same(session, bundle.golden(), parity)
