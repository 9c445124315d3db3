"""Generate the protobuf and gRPC stubs in `inspection/api/pb` from every proto in `proto/`.

`python -m inspection.api.generate`. The descriptors keep the names that integrators know
(`lineward/inspection/v1/inspection.proto`), while all Python modules lie in `inspection.api.pb`: there is no Python
package `lineward`. So the import lines that protoc derives from the descriptors' names are rewritten here. This module
needs the extra `dev`; the runtime never imports it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTO_ROOT = ROOT / "proto"
DEFAULT_OUT = ROOT / "inspection" / "api" / "pb"
OUR_PACKAGE = "inspection.api.pb"


def protos(root: Path) -> list[str]:
    """Return every proto below a folder, relative to it. Raises RuntimeError where two would give the same module."""
    found = sorted(path.relative_to(root) for path in root.rglob("*.proto"))
    stems = [path.stem for path in found]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise RuntimeError(
            f"several protos are named {', '.join(twice)} — all stubs lie in one folder — give each a name of its own"
        )
    return [path.as_posix() for path in found]


def generate(out: Path) -> list[Path]:
    """Write `NAME_pb2` and `NAME_pb2_grpc` (.py and .pyi) of every proto into `out` and return the files.

    Raises RuntimeError with protoc's own words when a proto does not compile or a plugin is missing.
    """
    sources = protos(PROTO_ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        _run_protoc(Path(scratch), sources)
        written = []
        out.mkdir(parents=True, exist_ok=True)
        for source in sorted(Path(scratch).rglob("*_pb2*"), key=lambda path: path.name):
            text = _with_our_imports(source.read_text(encoding="utf-8"), sources)
            target = out / source.name
            target.write_text(text, encoding="utf-8")
            written.append(target)
    return written


def _with_our_imports(text: str, sources: list[str]) -> str:
    """Let what one stub imports of another come from our package."""
    for folder in {Path(source).parent.as_posix() for source in sources}:
        module = re.escape(folder.replace("/", "."))
        text = re.sub(rf"^from {module} import (?=\w+_pb2)", f"from {OUR_PACKAGE} import ", text, flags=re.MULTILINE)
    return text


def _run_protoc(out: Path, sources: list[str]) -> None:
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
    finished = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(
            f"protoc ended with {finished.returncode} on {len(sources)} protos: {finished.stderr.strip()}. "
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
