"""A plain grpcio server around ONNX Runtime: one unary call a frame, raw pixels in the message, one process each."""

from __future__ import annotations

import subprocess
import sys
from concurrent import futures

import grpc
import numpy as np
import onnxruntime as ort
from load import fit, measure, read_request

_METHOD = "/peer.Inspect/Inspect"
_OPTIONS = [("grpc.max_receive_message_length", 1 << 27), ("grpc.max_send_message_length", 1 << 27)]


def serve(model: str, shape: tuple[int, ...], side: int, workers: int) -> None:
    """Serve on a free loopback port until standard input ends."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def inspect(request: bytes, _context: grpc.ServicerContext) -> bytes:
        frame = np.frombuffer(request, np.uint8).reshape(shape)
        (scores,) = session.run(["scores"], {"pixels": fit(frame, side)[None]})
        return bytes(scores.tobytes())

    server = grpc.server(futures.ThreadPoolExecutor(workers), options=_OPTIONS)
    handler = grpc.method_handlers_generic_handler(
        "peer.Inspect", {"Inspect": grpc.unary_unary_rpc_method_handler(inspect)}
    )
    server.add_generic_rpc_handlers((handler,))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None)


def main() -> None:
    """Start the server in a process of its own and call it."""
    if sys.argv[1] == "serve":
        serve(sys.argv[2], tuple(int(n) for n in sys.argv[3].split(",")), int(sys.argv[4]), int(sys.argv[5]))
        return
    request = read_request()
    shape = ",".join(str(n) for n in request["frames"].shape[1:])
    command = [
        sys.executable,
        __file__,
        "serve",
        request["model"],
        shape,
        str(request["side"]),
        str(request["workers"]),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS) as channel:
            call = channel.unary_unary(_METHOD)
            measure(lambda frame: call(frame.tobytes()), request)


if __name__ == "__main__":
    main()
