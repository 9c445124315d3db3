"""One connection to a server with a model: it asks, and believes no answer that cannot be one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import grpc
import numpy as np
from numpy.typing import NDArray

from inspection.api.kserve.tensors import FP32, INPUT, UINT8, output_shapes
from inspection.api.pb import open_inference_pb2 as oip
from inspection.api.pb import open_inference_pb2_grpc as oip_grpc
from inspection.remote_model.options import RemoteOptions
from models.card import Card
from models.errors import SessionAwayError, SessionError

_In = oip.ModelInferRequest.InferInputTensor
_Out = oip.ModelInferRequest.InferRequestedOutputTensor
_NEVER_IDLE_MS = 2**31 - 1


class Connection:
    """One channel, from its opening to its first trouble; after that it is not used again. Safe in any thread.

    on_broken is told once, on grpc's thread, when the connection that was there has gone: what answers on the next one
    may be another server.
    """

    RETIRING_S = 0.3
    """How long grpc's own thread may still watch a channel, which must be open as long."""

    def __init__(self, card: Card, options: RemoteOptions, on_broken: Callable[[Connection], None]) -> None:
        """Raises SessionError for TLS files that cannot be read."""
        self._card = card
        self._options = options
        self._on_broken = on_broken
        self._name = options.model or card.name
        self._timeout_s = options.timeout_ms * 1e-3
        self._shapes = output_shapes(card)
        self._lock = threading.Lock()
        self._was_ready = False
        self._is_retired = False
        self.is_broken = False
        self.version = ""
        """The version that gave the first answer; every later one must be of the same."""
        self._channel = _channel(options)
        self._stub = oip_grpc.GRPCInferenceServiceStub(self._channel)
        self._channel.subscribe(self._on_state, try_to_connect=True)

    def infer(
        self, batch: NDArray[np.uint8], names: Sequence[str], timeout_s: float | None = None
    ) -> list[NDArray[np.float32]]:
        """Return outputs of a batch, each float32 (n, …), in the order of their names. Raises SessionAwayError."""
        request = oip.ModelInferRequest(
            model_name=self._name,
            model_version=self._options.version,
            inputs=[_In(name=INPUT, datatype=UINT8, shape=batch.shape)],
            outputs=[_Out(name=name) for name in names],
            raw_input_contents=[np.ascontiguousarray(batch).tobytes()],
        )
        try:
            answer = self._stub.ModelInfer(request, timeout=timeout_s or self._timeout_s)
        except grpc.RpcError as error:
            raise SessionAwayError(self._told(error)) from error
        except ValueError as error:  # grpc's word for a channel that was closed meanwhile
            raise SessionAwayError(f"the connection to {self._options.address} was closed") from error
        self._hold_to_version(answer)
        return [self._output(answer, name, len(batch)) for name in names]

    def retire(self) -> None:
        """Watch the connection no more; `close` may follow after `RETIRING_S`. Safe to repeat."""
        with self._lock:
            if self._is_retired:
                return
            self._is_retired = True
        self._channel.unsubscribe(self._on_state)

    def close(self) -> None:
        """Release the channel; calls under way end. Safe to repeat."""
        self._channel.close()

    def _on_state(self, state: grpc.ChannelConnectivity) -> None:
        with self._lock:
            if state is grpc.ChannelConnectivity.READY:
                self._was_ready = True
                return
            if not self._was_ready or self.is_broken or self._is_retired:
                return
            self.is_broken = True
        self._on_broken(self)

    def _hold_to_version(self, answer: oip.ModelInferResponse) -> None:
        with self._lock:
            self.version = self.version or answer.model_version
            expected = self.version
        if answer.model_name != self._name or answer.model_version != expected:
            raise self._unsound(
                f"model {answer.model_name[:100]!r} version {answer.model_version[:100]!r} answered, not "
                f"{self._name!r} version {expected!r}"
            )

    def _output(self, answer: oip.ModelInferResponse, name: str, count: int) -> NDArray[np.float32]:
        shape = [count, *self._shapes[name][1:]]
        places = [place for place, tensor in enumerate(answer.outputs) if tensor.name == name]
        if len(places) != 1:
            raise self._unsound(f"{len(places)} outputs are named {name!r}")
        tensor = answer.outputs[places[0]]
        if tensor.datatype != FP32 or list(tensor.shape) != shape:
            raise self._unsound(
                f"{name!r} is {tensor.datatype[:20]!r} {list(tensor.shape)[:6]} — {FP32} {shape} is needed"
            )
        values = self._values(answer, places[0])
        if values.size != int(np.prod(shape)):
            raise self._unsound(f"{name!r} has {values.size} values for shape {shape}")
        if not np.isfinite(values).all():
            raise self._unsound(f"{name!r} has values that are no numbers")
        return values.reshape(shape)

    def _values(self, answer: oip.ModelInferResponse, place: int) -> NDArray[np.float32]:
        if not answer.raw_output_contents:
            return np.array(answer.outputs[place].contents.fp32_contents, np.float32)
        raw = answer.raw_output_contents[place] if place < len(answer.raw_output_contents) else b""
        if len(raw) % 4:
            raise self._unsound(f"output {place} has {len(raw)} raw bytes, no multiple of 4")
        return np.frombuffer(raw, "<f4").astype(np.float32, copy=False)

    def _unsound(self, what: str) -> SessionAwayError:
        return SessionAwayError(f"the server {self._options.address} gave an unsound answer: {what}")

    def _told(self, error: grpc.RpcError) -> str:
        call = cast(grpc.Call, error)  # every error that a call raises is the call itself, too
        code = call.code()
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"the server {self._options.address} gave no answer within {self._options.timeout_ms:g} ms"
        details = " ".join((call.details() or "").split())[:200]
        return f"the server {self._options.address} gave no answer: {code.name} {details}"


def _channel(options: RemoteOptions) -> grpc.Channel:
    settings = [
        ("grpc.client_idle_timeout_ms", _NEVER_IDLE_MS),
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),  # a new channel is a new connection, never one that was there before
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", 512_000_000),
    ]
    if not options.tls:
        return grpc.insecure_channel(options.address, settings)
    credentials = grpc.ssl_channel_credentials(
        _read(options.ca_file), _read(options.key_file), _read(options.cert_file)
    )
    return grpc.secure_channel(options.address, credentials, settings)


def _read(file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes()
    except OSError as error:
        raise SessionError(f"{file}: cannot be read ({error.strerror}) — a PEM file is needed — mend it") from error
