"""What a run keeps, and what it makes ahead: whole or not at all, and the same whoever asks when."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.errors import ImageError
from datasets.location import Location
from datasets.sample import Sample
from training.batches import Batches
from training.checkpoint import Checkpoints
from training.classify.lesson import ClassLesson
from training.combinations import refuse_foreign
from training.deployed import Deployed
from training.errors import DivergedError, RunFolderFullError, SettingsError, TrainingDataError, UnfinishedRunError
from training.fitting import Fitting
from training.hardware import Hardware, choose_device
from training.images import fill_pixels, open_source
from training.ledger import Ledger
from training.network import Start, build_network
from training.prefetch import prefetch
from training.runfolder import RunFolder
from training.settings import TrainSettings
from training.space import make_plan
from training.team import Team
from training.typed import typed_command


@contextmanager
def files_end_at(count: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes: what a write then meets is a real error of the kernel."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@settings(max_examples=30, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), cut=st.booleans())
def test_a_damaged_state_is_never_taken(tmp_path_factory: pytest.TempPathFactory, place: float, cut: bool) -> None:
    """Cut anywhere or with one byte changed anywhere, the newest is refused and told of; the one before is taken."""
    folder = tmp_path_factory.mktemp("run")
    states = Checkpoints(folder, 60.0)
    for number in (1, 2):
        states.save({"number": number, "weights": torch.full((40,), float(number))})
    assert (states.load()[0] or {})["number"] == 2
    file = folder / "checkpoint.pt"
    data = bytearray(file.read_bytes())
    index = int(place * len(data))
    data[index] ^= 0x40
    file.write_bytes(bytes(data[:index]) if cut else bytes(data))
    state, trouble = states.load()
    assert state is not None
    assert state["number"] == 1
    assert str(file) in trouble
    states.save({"number": 3})
    file.write_bytes(b"")
    assert (states.load()[0] or {})["number"] == 1, "the damaged one did not take the place of the one before"
    (folder / "checkpoint.before.pt").write_bytes(b"")
    with pytest.raises(UnfinishedRunError, match="--restart"):
        states.load()


def test_a_full_disk_leaves_the_state_before(tmp_path: Path) -> None:
    """A state that does not fit is refused with its size; the one before is there and whole."""
    states = Checkpoints(tmp_path, 0.0)
    states.save({"weights": torch.zeros(10)})
    with files_end_at(20_000), pytest.raises(RunFolderFullError, match=r"takes 0.4 MB.*state before is kept"):
        states.save({"weights": torch.zeros(100_000)})
    state, trouble = states.load()
    assert state is not None
    assert torch.equal(state["weights"], torch.zeros(10))  # type: ignore[arg-type]
    assert trouble == ""
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_images_that_do_not_fit_on_the_disk_are_refused_before_one_is_loaded(tmp_path: Path) -> None:
    """The room is taken at once, so that no write into the mapped file can end the process; nothing stays behind."""
    folder = RunFolder(tmp_path / "m")
    folder.open({}, restart=False)
    with files_end_at(50_000), pytest.raises(RunFolderFullError, match=r"take 1\.2 MB.*--size"):
        folder.pixels((100, 64, 64, 3))
    assert [file.name for file in folder.path.iterdir()] == ["run.json"]
    whole = folder.pixels((100, 64, 64, 3))
    file = folder.path / "pixels.npy"
    assert file.stat().st_blocks * 512 >= whole.nbytes


def write_photos(root: Path, count: int) -> list[Sample]:
    """Write grey noise as PNG files."""
    noise = np.random.default_rng(0)
    found = []
    for index in range(count):
        path = root / f"{index}.png"
        assert cv2.imwrite(str(path), noise.integers(0, 256, (40, 40), dtype=np.uint8))
        found.append(Sample(path, "good", path.name, None, None))
    return found


def test_images_that_were_loaded_are_not_loaded_again(tmp_path: Path) -> None:
    """Rows that an earlier start completed are kept without their files; one that was torn since is loaded again."""
    samples = write_photos(tmp_path, 8)
    folder = RunFolder(tmp_path / "m")
    folder.open({"seed": 1}, restart=False)
    pixels = folder.pixels((8, 32, 32, 1))
    samples[5].path.rename(tmp_path / "away")
    with pytest.raises(ImageError, match=r"5\.png"):
        fill_pixels(samples, pixels, 1, lambda: None, folder.ledger(8))
    (tmp_path / "away").rename(samples[5].path)
    loaded = np.array(pixels)
    del pixels

    again = RunFolder(tmp_path / "m")
    again.open({"seed": 1}, restart=False)
    rows, ledger = again.pixels((8, 32, 32, 1)), again.ledger(8)
    kept = [index for index in range(8) if ledger.holds(index, rows[index])]
    assert 0 in kept
    assert 5 not in kept
    for index in kept[1:]:
        samples[index].path.unlink()
    rows[0, 3, 3] ^= 1
    fill_pixels(samples, rows, 1, lambda: None, ledger)
    assert np.array_equal(rows[kept], loaded[kept])
    assert all(ledger.holds(index, rows[index]) for index in range(8))

    RunFolder(tmp_path / "m").open({"seed": 2}, restart=False)
    assert not (again.path / "pixels.npy").exists()


def test_a_row_of_zeros_counts_only_when_it_was_noted(tmp_path: Path) -> None:
    """A fresh array is all zeros, and so may a picture be."""
    ledger, black = Ledger(tmp_path / "rows", 2), np.zeros((4, 4, 1), np.uint8)
    assert not ledger.holds(0, black)
    ledger.note(0, black)
    assert Ledger(tmp_path / "rows", 2).holds(0, black)
    assert not Ledger(tmp_path / "rows", 2).holds(1, black)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(0, 30), ahead=st.integers(1, 5), threads=st.integers(1, 4), taken=st.integers(0, 30))
def test_batches_come_in_order_and_never_too_many_ahead(count: int, ahead: int, threads: int, taken: int) -> None:
    """Whatever the threads do, results are those of a plain loop, and at most `ahead` are begun beyond it."""
    begun, lock = [0], threading.Lock()

    def make(number: int) -> int:
        with lock:
            begun[0] += 1
        return number * number

    with closing(prefetch(make, range(count), ahead=ahead, threads=threads)) as results:
        got = []
        for result in results:
            got.append(result)
            assert begun[0] <= len(got) - 1 + ahead
            if len(got) == taken:
                break
    assert got == [number * number for number in range(count)][: taken or count]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_an_error_while_making_ahead_comes_where_its_batch_was_due() -> None:
    """What was made before the error is still given."""
    results = prefetch(lambda number: 1 // (3 - number), range(9))
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_processes_share_the_very_images_that_one_would_have_made() -> None:
    """The shares of two processes, in turn, are the batch of one; a step is the same in whatever order it is made."""
    pixels = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 1), dtype=np.uint8)
    truth = np.arange(10, dtype=np.intp)
    rows = [np.array([3, 1, 4, 1]), np.array([5, 9, 2, 6])]
    wanted = TrainSettings(seed=4)
    alone = Batches(pixels, truth, rows, wanted, 2, Team())
    images, labels = alone.make(1)
    first = alone.make(0)[0]
    shares = [Batches(pixels, truth, rows, wanted, 2, Team(rank, 2)).make(1) for rank in (0, 1)]
    assert torch.equal(images[0::2], shares[0][0])
    assert torch.equal(images[1::2], shares[1][0])
    assert labels[1::2].tolist() == shares[1][1].tolist() == [9, 6]
    assert torch.equal(first, Batches(pixels, truth, rows, wanted, 2, Team()).make(0)[0])
    assert not torch.equal(first[1], first[3]), "the same photo twice in a batch is changed twice"


def small_fit(**values: object) -> Fitting:
    """A fitting of the small network on a few pixels."""
    torch.manual_seed(0)
    wanted = TrainSettings.model_validate(
        {"backbone": "compact", "height": 32, "width": 32, "batch_size": 64, "epochs": 1, "threads": 1, **values}
    )
    model = Deployed(build_network(wanted.backbone, 2, Start(None, "")))
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 1), dtype=np.uint8)
    photos = (pixels, np.array([0, 1] * 3, dtype=np.intp))
    return Fitting(ClassLesson(model, wanted, photos, photos, pretrained=False, good_index=0), wanted)


def test_an_epoch_goes_on_from_any_step() -> None:
    """From the state after each of its steps, another process' fitting ends with the same weights, bit for bit."""
    fitting = small_fit(threads=2)
    states: list[dict[str, object]] = []
    fitting.run_epoch(lambda: None, lambda: states.append(copied(fitting.state())))
    assert [state["step"] for state in states] == [1, 2, 3, 4]
    for state in states:
        other = small_fit(threads=2)
        other.restore(state)
        other.run_epoch(lambda: None)
        for name, weights in fitting.model.state_dict().items():
            assert torch.equal(weights, other.model.state_dict()[name]), name


def copied(state: dict[str, object]) -> dict[str, object]:
    """A state as it would come back from its file."""
    import io

    held = io.BytesIO()
    torch.save(state, held)
    held.seek(0)
    loaded: dict[str, object] = torch.load(held, weights_only=True)
    return loaded


def test_the_state_of_another_network_is_refused() -> None:
    """A state dict of other tensors, and one without what a fitting needs: UnfinishedRunError with the reason."""
    fitting = small_fit()
    strange = build_network("compact", 3, Start(None, ""))
    for state in ({**fitting.state(), "model": Deployed(strange).state_dict()}, {"model": {}}, {}):
        with pytest.raises(UnfinishedRunError, match=r"not one of compact.*--restart"):
            small_fit().restore(state)


def test_weights_that_run_away_are_told_of() -> None:
    """A loss that is no number ends the fitting with the rate and what to do, before it is kept as a state."""
    fitting = small_fit(lr=1.0)
    with torch.no_grad():
        next(fitting.model.parameters()).fill_(float("nan"))
    kept: list[int] = []
    with pytest.raises(DivergedError, match=r"epoch 1, step 1: the loss is nan.*learning rate .1. .*lower --lr"):
        fitting.run_epoch(lambda: None, lambda: kept.append(1))
    assert kept == []


def test_the_processor_is_chosen_or_its_absence_told() -> None:
    """auto is the CPU where torch has no GPU, to ask for one is refused; mixed precision stays off on a CPU."""
    assert choose_device("cpu").type == "cpu"
    assert not Hardware("cpu", "auto").mixed
    if torch.cuda.is_available():
        assert choose_device("auto").type == "cuda"
        return
    assert choose_device("auto").type == "cpu"
    with pytest.raises(SettingsError, match=r"--device cuda: there is no GPU.*auto and cpu") as refused:
        choose_device("cuda")
    assert refused.value.exit_code == 2


def test_mixed_precision_learns_with_other_roundings() -> None:
    """With --amp on, an epoch runs in bfloat16 on the CPU: weights stay float32, the loss is near but not the same."""
    plain, mixed = small_fit(), small_fit(amp="on")
    losses = [fitting.run_epoch(lambda: None) for fitting in (plain, mixed)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    assert losses[0] != losses[1]
    assert all(weights.dtype == torch.float32 for weights in mixed.model.parameters())


def test_the_command_in_the_card_is_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's own path is left out, the home directory is ~ again, and the rest can be pasted into a shell."""
    monkeypatch.setenv("HOME", "/home/kim")
    typed = ["/opt/x/bin/lineward", "train", "--data", "/home/kim/my photos", "--out", "/srv/a", "--name", "kim"]
    assert typed_command(typed) == "lineward train --data ~'/my photos' --out /srv/a --name kim"


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ((0, None, None), "--sweep 0"),
        ((3, -1.0, None), "-1"),
        ((3, None, "lr,magic"), "magic"),
        ((None, 5.0, None), "N"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(given_: tuple[int | None, float | None, str | None], said: str) -> None:
    """The message has the value and what is allowed."""
    with pytest.raises(SettingsError, match=said):
        make_plan(*given_)


@pytest.mark.parametrize(("task", "over", "said"), [("anomaly", "lr", "no"), ("template", "lr,backbone", "allowed")])
def test_a_sweep_that_means_nothing_to_the_task_is_refused(task: str, over: str, said: str) -> None:
    """Where nothing is learned in epochs, and over a backbone where there is none; over the rest it goes."""
    settings = TrainSettings.model_validate({"task": task})
    with pytest.raises(SettingsError, match=f"--sweep.*task {task}.*{said}.*leave"):
        refuse_foreign(settings, Team(), make_plan(2, None, over), defects=True)
    refuse_foreign(TrainSettings(task="template"), Team(), make_plan(2, None, "lr,size"), defects=True)


def test_images_all_alike_are_refused_in_words(tmp_path: Path) -> None:
    """One photo under many names is one piece: it cannot train, validate and test, and the message says what to do."""
    same = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    for label in ("good", "dent"):
        (tmp_path / label).mkdir()
        for index in range(6):
            cv2.imwrite(str(tmp_path / label / f"{index}.png"), same)
    with pytest.raises(TrainingDataError, match="three groups") as refused:
        open_source(Location(tmp_path), find_groups=True, seed=0, task="classify")
    assert "would get no image" in str(refused.value)


def test_a_class_with_one_image_is_trained_and_said_to_be_unproved(tmp_path: Path) -> None:
    """The one image trains; the class is named with the parts that have none of it, and no other class is."""
    for label, count in (("good", 6), ("dent", 6), ("burr", 1)):
        (tmp_path / label).mkdir()
        write_photos(tmp_path / label, count)
    source = open_source(Location(tmp_path), find_groups=False, seed=0, task="classify")
    assert source.counts()["train"]["burr"] == 1
    assert source.unproved() == {"burr": ("validation", "test")}


def test_photos_that_change_while_they_are_loaded_are_named(tmp_path: Path) -> None:
    """One that was written to after its digest is refused by name; one that went after it was loaded is not missed."""
    for label in ("good", "dent"):
        (tmp_path / label).mkdir()
        write_photos(tmp_path / label, 6)
    source = open_source(Location(tmp_path), find_groups=False, seed=0, task="classify")
    (tmp_path / "good" / "1.png").unlink()
    source.refuse_changed()
    changed = tmp_path / "dent" / "2.png"
    changed.write_bytes(changed.read_bytes() + b"more")
    with pytest.raises(TrainingDataError, match=r"1 image\(s\) changed.*dent/2\.png"):
        source.refuse_changed()
