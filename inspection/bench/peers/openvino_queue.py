"""OpenVINO's own AsyncInferQueue on the same model: frames are brought to size, queued, and answered by callback."""

from __future__ import annotations

import threading
from typing import Any

import openvino
from load import fit, measure, read_request


def main() -> None:
    """Compile for throughput and call; a caller waits for its own answer."""
    request = read_request()
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(request["model"]), "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
    queue = openvino.AsyncInferQueue(compiled)
    queue.set_callback(lambda _request, answered: answered.set())
    starting = threading.Lock()

    def call(frame: Any) -> None:
        answered = threading.Event()
        pixels = fit(frame, request["side"])[None]
        with starting:
            queue.start_async({"pixels": pixels}, answered)
        answered.wait()

    measure(call, request)


if __name__ == "__main__":
    main()
