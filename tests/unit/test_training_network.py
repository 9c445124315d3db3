"""Networks, weights, export: what starts pretrained, what is refused, and that the graph is the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from training.augment import Augmentation
from training.classify.lesson import ClassLesson
from training.deployed import Deployed
from training.draws import draw_shares
from training.errors import WeightsError
from training.export import export_onnx
from training.fitting import Fitting
from training.network import ARCHITECTURES, Start, build_network, choose_start, head_of
from training.settings import TrainSettings


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("backbone", ["compact", "mobilenet_v3_small", "resnet18"])
def test_exported_graph_is_the_network_for_any_batch(backbone: str, channels: int) -> None:
    """Raw uint8 in, the scores of torch out, batch free, everything in one file."""
    torch.manual_seed(1)
    model = Deployed(build_network(backbone, 3, Start(None, "")))
    model.temperature.fill_(1.7)
    data = export_onnx(model, 64, 48, channels)
    assert not any(tensor.external_data for tensor in onnx.load_model_from_string(data).graph.initializer)
    session = ort.InferenceSession(data)
    assert [(i.name, i.type, i.shape[1:]) for i in session.get_inputs()] == [
        ("pixels", "tensor(uint8)", [64, 48, channels])
    ]
    pixels = np.random.default_rng(0).integers(0, 256, (8, 64, 48, channels), dtype=np.uint8)
    with torch.inference_mode():
        wanted = model(torch.from_numpy(pixels)).numpy()
    for batch in (1, 2, 4, 8):
        parts = [session.run(["scores"], {"pixels": pixels[i : i + batch]})[0] for i in range(0, 8, batch)]
        assert np.abs(np.concatenate(parts) - wanted).max() < 1e-4


def test_grey_is_the_same_as_its_three_equal_channels() -> None:
    """A grey image and its RGB repetition have the same scores."""
    model = Deployed(build_network("compact", 2, Start(None, ""))).eval()
    grey = torch.randint(0, 256, (2, 64, 64, 1), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(model(grey), model(grey.repeat(1, 1, 1, 3)))


def test_half_precision_weights_are_loaded_and_the_head_is_new(tmp_path: Path) -> None:
    """A float16 state dict of another number of classes fills everything but the head, in float32."""
    torch.manual_seed(2)
    donor = build_network("mobilenet_v3_small", 1000, Start(None, ""))
    state = {k: v.half() if v.is_floating_point() else v for k, v in donor.state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    start = choose_start("mobilenet_v3_small", tmp_path / "w.pt")
    network = build_network("mobilenet_v3_small", 4, start)
    assert "sha256" in start.told
    assert head_of(network, "mobilenet_v3_small").out_features == 4
    first = next(network.parameters())
    assert first.dtype == torch.float32
    assert torch.equal(first, next(donor.parameters()).half().float())
    assert not first.requires_grad


def test_weights_of_another_network_are_refused_by_tensor_names(tmp_path: Path) -> None:
    """The message counts and names what does not fit."""
    torch.save(build_network("compact", 2, Start(None, "")).state_dict(), tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"do not fit resnet18: tensors \d+ missing \(bn1"):
        build_network("resnet18", 2, choose_start("resnet18", tmp_path / "w.pt"))


def test_files_that_are_no_weights_are_refused_without_running_them(tmp_path: Path) -> None:
    """Text, nothing, a pickle with code and a missing file: each a WeightsError with the path; no code is run."""
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "empty.pt").write_bytes(b"")
    trap = tmp_path / "ran"
    (tmp_path / "code.pt").write_bytes(f"cos\nsystem\n(S'touch {trap}'\ntR.".encode())
    torch.save([1, 2], tmp_path / "list.pt")
    for name in ("text.pt", "empty.pt", "code.pt", "list.pt", "absent.pt"):
        with pytest.raises(WeightsError, match=name):
            choose_start("mobilenet_v2", tmp_path / name)
    assert not trap.exists()


def test_from_scratch_is_said_plainly() -> None:
    """Without weights the text says so, and the own network refuses a download that does not exist."""
    assert "from scratch" in choose_start("resnet18", None).told
    with pytest.raises(WeightsError, match="no pretrained weights"):
        choose_start("compact", "download")


def test_pretrained_batch_statistics_stay_as_they_came(tmp_path: Path) -> None:
    """An epoch of fine-tuning leaves running means alone; from scratch they move."""
    torch.manual_seed(3)
    start = Start(build_network("mobilenet_v3_small", 2, Start(None, "")).state_dict(), "pretrained: test")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 1), dtype=np.uint8)
    truth = np.array([0, 0, 0, 1, 1, 1], dtype=np.intp)
    settings = TrainSettings(backbone="mobilenet_v3_small", height=32, width=32, batch_size=64, epochs=1)
    for pretrained, begin in ((True, start), (False, Start(None, ""))):
        model = Deployed(build_network("mobilenet_v3_small", 2, begin))
        before = {k: v.clone() for k, v in model.state_dict().items() if k.endswith("running_mean")}
        lesson = ClassLesson(model, settings, (pixels, truth), (pixels, truth), pretrained=pretrained, good_index=0)
        Fitting(lesson, settings).run_epoch(lambda: None)
        same = [torch.equal(v, before[k]) for k, v in model.state_dict().items() if k in before]
        assert len(same) > 10
        assert all(same) if pretrained else not any(same)


def test_every_architecture_has_its_head_and_its_frozen_layers() -> None:
    """The table names modules that exist, and each network still learns something when they are frozen."""
    for backbone, architecture in ARCHITECTURES.items():
        network = build_network(backbone, 2, Start(None, ""))
        assert head_of(network, backbone).out_features == 2
        for name in architecture.frozen:
            assert list(network.get_submodule(name).parameters())


def test_augmentation_repeats_itself_for_the_same_seed() -> None:
    """The same seed gives the same changes, another seed others; shape and type stay."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 1), dtype=np.uint8)
    change = Augmentation(flips=True, moves=True)
    rounds = []
    for seed in (4, 4, 5):
        change.seed(seed)
        rounds.append(np.stack([change(pixels) for _ in range(6)]))
    assert rounds[0].shape == (6, 48, 64, 1)
    assert rounds[0].dtype == np.uint8
    assert np.array_equal(rounds[0], rounds[1])
    assert not np.array_equal(rounds[0], rounds[2])


def test_each_kind_of_change_has_its_switch() -> None:
    """With all switches off an image stays as it is; with light alone its rows stay in order, and its level moves."""
    pixels = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64, 1).astype(np.uint8) // 2 + 60
    assert np.array_equal(Augmentation(flips=False, moves=False, light=False)(pixels), pixels)
    change = Augmentation(flips=False, moves=False)
    change.seed(0)
    means = [float(change(pixels).mean()) for _ in range(8)]
    assert max(means) - min(means) > 5


def test_rare_classes_are_drawn_more_often_than_they_occur() -> None:
    """Of 100 good and 4 bad images the bad ones are each drawn five times as often as a good one."""
    truth = np.array([0] * 100 + [1] * 4, dtype=np.intp)
    shares = draw_shares(truth)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[-1] / shares[0] == pytest.approx(5.0)
