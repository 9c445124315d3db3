"""Generate the protobuf and gRPC stubs in `inspection/api/pb` from `proto/`: `python -m inspection.api.generate`.

The descriptor keeps the name that integrators know (`lineward/inspection/v1/inspection.proto`), while the Python module
lives in `inspection.api.pb`: there is no Python package `lineward`. So the one import line that protoc derives from the
descriptor's name is rewritten here. This module needs the extra `dev`; the runtime never imports it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTO_ROOT = ROOT / "proto"
PROTO = "lineward/inspection/v1/inspection.proto"
DEFAULT_OUT = ROOT / "inspection" / "api" / "pb"

PROTOC_IMPORT = "from lineward.inspection.v1 import inspection_pb2"
OUR_IMPORT = "from inspection.api.pb import inspection_pb2"


def generate(out: Path) -> list[Path]:
    """Write `inspection_pb2` and `inspection_pb2_grpc` (.py and .pyi) into `out` and return the files.

    Raises RuntimeError with protoc's own words when the proto does not compile or a plugin is missing.
    """
    with tempfile.TemporaryDirectory() as scratch:
        _run_protoc(Path(scratch))
        written = []
        out.mkdir(parents=True, exist_ok=True)
        for source in sorted(Path(scratch).rglob("inspection_pb2*")):
            text = source.read_text(encoding="utf-8").replace(PROTOC_IMPORT, OUR_IMPORT)
            target = out / source.name
            target.write_text(text, encoding="utf-8")
            written.append(target)
    return written


def _run_protoc(out: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"--proto_path={PROTO_ROOT}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out={out}",
        f"--mypy_grpc_out={out}",
    ]
    # The plugins lie beside the interpreter, which need not be on PATH.
    command += [
        f"--plugin={name}={Path(sys.executable).parent / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    ]
    finished = subprocess.run([*command, PROTO], capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(
            f"protoc ended with {finished.returncode} on {PROTO}: {finished.stderr.strip()}. "
            'Mend the proto, or install the generators: pip install -e ".[dev]".'
        )


def main() -> None:
    """Generate into the package, or into `--out DIR`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    for path in generate(parser.parse_args().out):
        print(path)


if __name__ == "__main__":
    main()
