"""Ray Serve: one replica a core, its own batching, called through a handle of the same machine."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import onnxruntime as ort
import ray
from load import fit, measure, read_request
from ray import serve


@serve.deployment(ray_actor_options={"num_cpus": 1})
class Inspector:
    """A replica with a single-threaded session."""

    def __init__(self, model: str, side: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._side = side

    @serve.batch(max_batch_size=4, batch_wait_timeout_s=0.0)
    async def __call__(self, frames: list[Any]) -> list[Any]:
        """Score the frames that wait."""
        batch = np.stack([fit(frame, self._side) for frame in frames])
        (scores,) = self._session.run(["scores"], {"pixels": batch})
        return list(scores)


def main() -> None:
    """Start Ray on this machine alone, and call the deployment."""
    request = read_request()
    ray.init(num_cpus=request["workers"] + 1, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    application = Inspector.options(num_replicas=request["workers"]).bind(request["model"], request["side"])
    handle = serve.run(application)
    measure(lambda frame: handle.remote(frame).result(), request)
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
