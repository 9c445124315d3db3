"""How long one call of a session takes here, for the card."""

from __future__ import annotations

import platform
from pathlib import Path

from models.benchmark import measure_batch_times
from models.card import Latency
from models.checks import BATCHES
from models.session import CPU, Session

_REPEATS = 20
_WHOLE_S = 10.0


def latency_of(session: Session) -> Latency:
    """Time each batch size so often as takes about ten seconds, 3 to 20 times: a cut image may take one by itself."""
    once_s = measure_batch_times(session, sizes=(1,), repeats=1)[1]
    repeats = max(3, min(_REPEATS, int(_WHOLE_S / (sum(BATCHES) * once_s))))
    return Latency(
        provider=CPU,
        processor=_processor(),
        intra_op_threads=1,
        repeats=repeats,
        median_s=measure_batch_times(session, sizes=BATCHES, repeats=repeats),
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named and named[0] else platform.processor() or platform.machine() or "unknown"
