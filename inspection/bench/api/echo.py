"""The least that gRPC can do with an image: a bare grpcio server in a process of its own that returns the bytes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc

METHOD = "/bench.Echo/Echo"
OPTIONS = [("grpc.max_receive_message_length", 1 << 27), ("grpc.max_send_message_length", 1 << 27)]


@contextmanager
def echoing() -> Iterator[str]:
    """Run the server for as long as the block lasts; gives its address."""
    command = [sys.executable, "-m", "inspection.bench.api.echo"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def _echo(request: bytes, _context: grpc.ServicerContext) -> bytes:
    return request


def main() -> None:
    """Serve on a free loopback port until standard input ends."""
    server = grpc.server(futures.ThreadPoolExecutor(2), options=OPTIONS)
    handler = grpc.method_handlers_generic_handler("bench.Echo", {"Echo": grpc.unary_unary_rpc_method_handler(_echo)})
    server.add_generic_rpc_handlers((handler,))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
