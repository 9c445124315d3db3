"""The committed stubs are what the proto says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from inspection.api import generate, v1

PB = Path(generate.__file__).parent / "pb"


def test_committed_stubs_are_fresh(tmp_path: Path) -> None:
    """Generating again gives byte for byte the files in the package, and none beside them."""
    fresh = {path.name: path.read_text() for path in generate.generate(tmp_path)}
    committed = {path.name: path.read_text() for path in PB.glob("*_pb2*") if path.suffix in (".py", ".pyi")}
    assert committed == fresh, "run `make proto` and commit inspection/api/pb"


def test_descriptor_keeps_its_public_name() -> None:
    """Reflection and other languages see the file under the name that the proto tree gives it."""
    files = {
        path.relative_to(generate.PROTO_ROOT).as_posix() for path in generate.PROTO_ROOT.glob("lineward/**/*.proto")
    }
    assert {proto.name for proto in v1.PROTOS} == files
    assert {proto.package for proto in v1.PROTOS} == {"lineward.inspection.v1"}


def test_broken_proto_is_reported_in_protocs_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proto that does not compile ends in one error that shows the line, and writes nothing."""
    source = tmp_path / "proto" / "lineward" / "inspection" / "v1" / "inspection.proto"
    source.parent.mkdir(parents=True)
    source.write_text('syntax = "proto3";\nmessage Broken {\n  int32 x = ;\n}\n')
    monkeypatch.setattr(generate, "PROTO_ROOT", tmp_path / "proto")
    with pytest.raises(RuntimeError, match=r"inspection\.proto:3"):
        generate.generate(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_protos_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All stubs lie in one folder: the second would overwrite the first."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.proto").write_text('syntax = "proto3";\n')
    monkeypatch.setattr(generate, "PROTO_ROOT", tmp_path)
    with pytest.raises(RuntimeError, match="named same"):
        generate.generate(tmp_path / "out")


def test_runtime_needs_no_generator() -> None:
    """Server and client work where the generators are not installed; the client alone needs no OpenCV."""
    code = (
        "import sys; sys.modules['grpc_tools'] = None;"  # as on a panel PC, where importing it fails
        "import inspection.api.client; assert 'cv2' not in sys.modules, 'client loads OpenCV';"
        "import inspection.api.server; bad = {'torch', 'onnx'} & set(sys.modules); assert not bad, bad"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
