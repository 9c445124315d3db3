"""One bidirectional stream of images: read no faster than it is answered, and answered in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from inspection.api import v1 as pb
from inspection.api.answers import to_refusal

IN_FLIGHT = 4
"""Images of one stream on their way: being read, judged, or waiting for the client to read the answer."""

Judge = Callable[[pb.InspectRequest], Awaitable[pb.InspectResponse]]


class InspectPipeline:
    """The images of one stream. Owned by its call, on the server's event loop.

    A reader hands each request to `judge` at once and stops while `IN_FLIGHT` are not answered: gRPC's flow control
    then holds the client up, so that one that never reads costs a few images and no more.
    """

    def __init__(self, requests: AsyncIterator[pb.InspectStreamRequest], judge: Judge) -> None:
        self._requests = requests
        self._judge = judge
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._answers: asyncio.Queue[asyncio.Task[pb.InspectStreamResponse] | None] = asyncio.Queue(IN_FLIGHT + 1)

    async def answers(self) -> AsyncGenerator[pb.InspectStreamResponse, None]:
        """Yield an answer for each request, in their order, until the client has no more."""
        reader = asyncio.create_task(self._read())
        answer: asyncio.Task[pb.InspectStreamResponse] | None = None
        try:
            while (answer := await self._answers.get()) is not None:
                yield await answer
                self._room.release()
            await reader
        finally:
            reader.cancel()
            for task in self._left(answer):
                task.cancel()

    def _left(
        self, answer: asyncio.Task[pb.InspectStreamResponse] | None
    ) -> list[asyncio.Task[pb.InspectStreamResponse]]:
        left = [] if answer is None else [answer]
        while not self._answers.empty():
            waiting = self._answers.get_nowait()
            left += [] if waiting is None else [waiting]
        return left

    async def _read(self) -> None:
        try:
            await self._room.acquire()
            async for request in self._requests:
                self._answers.put_nowait(asyncio.create_task(self._answer(request)))
                del request
                await self._room.acquire()
        finally:
            self._answers.put_nowait(None)

    async def _answer(self, request: pb.InspectStreamRequest) -> pb.InspectStreamResponse:
        identity = request.id[:128]
        try:
            return pb.InspectStreamResponse(id=identity, response=await self._judge(request.request))
        except Exception as error:  # noqa: BLE001 - the edge of one image: its client is told, the stream goes on
            refusal = to_refusal(error)
        told = pb.InspectError(code=refusal.code.value[0], reason=refusal.reason, message=str(refusal))
        return pb.InspectStreamResponse(id=identity, error=told)
