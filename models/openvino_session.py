"""A bundle on OpenVINO's CPU plugin: the extra `lineward[openvino]`, imported only where it was chosen."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from models.bundle import Bundle
from models.errors import GraphError, SessionError
from models.session import WARM_BATCHES, Given, Session, outputs_of

_DEVICE = "CPU"


class OpenVinoSession:
    """A compiled model with one stream for each calling thread; `run` is safe from any number of threads at once.

    A stream has one core: two callers on two cores never wait for each other, as with single-threaded calls of ONNX
    Runtime. Each calling thread keeps one request. It computes in f32 on every machine (an int8 graph stays int8):
    left to itself, OpenVINO takes bf16 where the processor has it, and then a score depends on the PC that gave it.
    ONNX Runtime looks at the graph first, because its checks (the card, no weights outside the file) are those of the
    bundle.
    """

    def __init__(self, bundle: Bundle, *, callers: int = 1) -> None:
        """Raises GraphError when the graph does not fit, SessionError when OpenVINO cannot run it."""
        if callers < 1:
            raise SessionError(f"callers is {callers} — at least 1 is needed — mend the configuration")
        Session(bundle)
        self.card = bundle.card
        self._where = str(bundle.path)
        self._own = threading.local()
        core = ov.Core()
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": str(callers),
            "INFERENCE_NUM_THREADS": str(callers),
            "ENABLE_CPU_PINNING": "NO",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        try:
            self.compiled = core.compile_model(core.read_model(bundle.read("model.onnx")), _DEVICE, settings)
        except RuntimeError as error:
            raise GraphError(
                f"{self._where}: OpenVINO {ov.__version__} cannot load model.onnx: {_one_line(error)} — choose "
                "onnxruntime"
            ) from error
        self.provider = self._assert_in_use()

    def _assert_in_use(self) -> str:
        devices = list(self.compiled.get_property("EXECUTION_DEVICES"))
        if devices != [_DEVICE]:
            raise SessionError(
                f"{self._where}: OpenVINO runs on {', '.join(devices)}, not on {_DEVICE} — a silent fall-back is not "
                "accepted — check its installation"
            )
        precision = self.compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        return f"OpenVINO {_DEVICE} {precision}"

    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score a batch uint8 (n, height, width, channels), n >= 1: raw scores float32 (n, classes).

        Raises SessionError when the batch does not fit the card or the runtime fails.
        """
        (scores,) = self._computed(["scores"], batch)
        return scores

    def run_with_map(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score a batch as `run` does and give the map float32 (n, map height, map width), too. Raises SessionError."""
        if self.card.map is None:
            raise SessionError(f"{self._where}: the model has no map — its card would speak of one — call `run`")
        scores, places = self._computed(["scores", "map"], batch)
        return scores, places

    def run_all(self, batch: NDArray[np.uint8]) -> Given:
        """Score a batch as `run` does and give map and novelty where the model has them. Raises SessionError."""
        names = outputs_of(self.card)
        return Given(**dict(zip(names, self._computed(names, batch), strict=True)))

    def _computed(self, names: Sequence[str], batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        self._require_batch(batch)
        request = self._request()
        try:
            request.set_input_tensor(ov.Tensor(batch, shared_memory=batch.flags.writeable))
            request.infer()
            given: list[NDArray[np.float32]] = [np.array(request.get_tensor(name).data, np.float32) for name in names]
        except RuntimeError as error:
            raise SessionError(
                f"{self._where}: inference of {len(batch)} image(s) on {self.provider} failed: {_one_line(error)} — "
                "check memory, or choose onnxruntime"
            ) from error
        if given[0].shape != (len(batch), len(self.card.classes)):
            raise SessionError(
                f"{self._where}: scores are {given[0].shape} for {len(batch)} image(s) — "
                f"({len(batch)}, {len(self.card.classes)}) is needed — export the model again"
            )
        return given

    def _require_batch(self, batch: NDArray[np.uint8]) -> None:
        size = self.card.input
        if (
            batch.dtype != np.uint8
            or batch.ndim != 4
            or not len(batch)
            or batch.shape[1:] != (size.height, size.width, size.channels)
            or not batch.flags.c_contiguous
        ):
            raise SessionError(
                f"{self._where}: batch is {batch.dtype} {batch.shape} — the model takes contiguous uint8 "
                f"(n ≥ 1, {size.height}, {size.width}, {size.channels}) — bring images to size with models.resize.fit"
            )

    def _request(self) -> ov.InferRequest:
        request: ov.InferRequest | None = getattr(self._own, "request", None)
        if request is None:
            request = self._own.request = self.compiled.create_infer_request()
        return request

    def warm(self, sizes: Sequence[int] = WARM_BATCHES) -> None:
        """Run each batch size once on black pixels, so that no part pays for a first call."""
        size = self.card.input
        for count in sizes:
            self.run(np.zeros((count, size.height, size.width, size.channels), np.uint8))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
