"""What keeps a station from starting: a model that is broken on the disk."""

from __future__ import annotations

from pathlib import Path

from pipe_camera import CameraDevice
from real_run import HEARTBEAT, REJECT, RealRun, relay_board, station_values
from tiny_bundle import write_tiny_bundle


def test_fault_model_refused(tmp_path: Path) -> None:
    """One byte of the model is wrong: one sentence that names the file, exit status 1, and not one byte of a release or
    a heartbeat on the serial line."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    model = bundle / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    device = CameraDevice(tmp_path / "camera")
    with relay_board() as board:
        values = station_values(tmp_path, bundle, board, camera={"backend": "pipe", "path": device.path})
        with RealRun(tmp_path, values, with_pipe_camera=True) as station:
            assert station.process.wait(60) == 1
            assert "model.onnx has sha256" in station.said
            assert "Traceback" not in station.said
        assert board.edges(HEARTBEAT) == []
        assert not any(edge.on for edge in board.edges(REJECT))
    assert not (tmp_path / "records").exists()
