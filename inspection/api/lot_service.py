"""LotService: ISA-95 job control, each step durable before it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, streaming, unary
from inspection.api.callers import caller_name
from inspection.api.errors import RefusedError
from inspection.api.lot_messages import LOT_STATES, lot_message, lot_order
from inspection.api.paging import page_of
from inspection.api.recipe_service import RecipePort, as_stored
from inspection.api.refusals import carried_out
from inspection.api.watchers import Watchers
from inspection.control import LineControl
from inspection.lots.book import LotBook
from inspection.lots.lot import Lot, LotOrder
from inspection.lots.states import UNFINISHED
from inspection.recipes.errors import RecipeMissingError

MAX_LOT_WATCHERS = 64  # more than one caller may have
_LOOK_S = 0.1
_Answer = TypeVar("_Answer")


class LotService(pb_grpc.LotServiceServicer):
    """Owned by the server; its methods run on the server's event loop, whatever may block in `calls`.

    What brings the line to rest runs in `stops`, so that no command that takes long holds it up.
    """

    def __init__(
        self, control: LineControl, lots: LotBook, recipes: RecipePort | None, calls: Executor, stops: Executor
    ) -> None:
        self._control, self._lots, self._calls, self._stops = control, lots, calls, stops
        self._recipes = recipes
        self._watchers = Watchers("lots", MAX_LOT_WATCHERS)

    def stop(self) -> None:
        """End every stream with UNAVAILABLE, each within a fraction of a second."""
        self._watchers.stop()

    @unary
    async def StoreLot(  # noqa: N802 - the name in the proto
        self, request: pb.StoreLotRequest, _context: Context
    ) -> pb.StoreLotResponse:
        """Store an order; say so where its recipe is not there yet."""
        who, order = caller_name(), lot_order(request.order)
        warning, lot = await self._call(lambda: (self._what_start_lacks(order.checked()), self._lots.store(order, who)))
        return pb.StoreLotResponse(lot=lot_message(lot), warning=warning)

    @unary
    async def StoreAndStartLot(  # noqa: N802 - the name in the proto
        self, request: pb.StoreAndStartLotRequest, _context: Context
    ) -> pb.StoreAndStartLotResponse:
        """Store an order and start it."""
        who, order = caller_name(), lot_order(request.order)
        lot = await self._call(lambda: self._lots.store_and_start(order, who))
        return pb.StoreAndStartLotResponse(lot=lot_message(lot))

    @unary
    async def StartLot(  # noqa: N802 - the name in the proto
        self, request: pb.StartLotRequest, _context: Context
    ) -> pb.StartLotResponse:
        """Prepare the lot's recipe and start the line for it."""
        return pb.StartLotResponse(lot=await self._step(self._lots.start, request.lot))

    @unary
    async def RevokeStartLot(  # noqa: N802 - the name in the proto
        self, request: pb.RevokeStartLotRequest, _context: Context
    ) -> pb.RevokeStartLotResponse:
        """Take back a start that did not come to running."""
        return pb.RevokeStartLotResponse(lot=await self._step(self._lots.revoke_start, request.lot))

    @unary
    async def PauseLot(  # noqa: N802 - the name in the proto
        self, request: pb.PauseLotRequest, _context: Context
    ) -> pb.PauseLotResponse:
        """Stop the line; parts belong to the lot no more until it is resumed."""
        return pb.PauseLotResponse(lot=await self._step(self._lots.pause, request.lot, self._stops))

    @unary
    async def ResumeLot(  # noqa: N802 - the name in the proto
        self, request: pb.ResumeLotRequest, _context: Context
    ) -> pb.ResumeLotResponse:
        """Start the line again for an interrupted lot."""
        return pb.ResumeLotResponse(lot=await self._step(self._lots.resume, request.lot))

    @unary
    async def StopLot(  # noqa: N802 - the name in the proto
        self, request: pb.StopLotRequest, _context: Context
    ) -> pb.StopLotResponse:
        """Stop the line if it runs for the lot; its response is final then."""
        return pb.StopLotResponse(lot=await self._step(self._lots.stop, request.lot, self._stops))

    @unary
    async def AbortLot(  # noqa: N802 - the name in the proto
        self, request: pb.AbortLotRequest, _context: Context
    ) -> pb.AbortLotResponse:
        """Give the lot up."""
        return pb.AbortLotResponse(lot=await self._step(self._lots.abort, request.lot, self._stops))

    @unary
    async def GetLot(  # noqa: N802 - the name in the proto
        self, request: pb.GetLotRequest, _context: Context
    ) -> pb.GetLotResponse:
        """Return a lot with its counters."""
        return pb.GetLotResponse(lot=lot_message(await self._call(lambda: self._lots.get(request.lot))))

    @unary
    async def ListLots(  # noqa: N802 - the name in the proto
        self, request: pb.ListLotsRequest, _context: Context
    ) -> pb.ListLotsResponse:
        """Return the unfinished lots and the last finished ones, without their steps."""
        if request.state not in pb.LotState.values():
            text = f"state is {request.state} — a value of LotState is needed — leave it out for every state"
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "FILTER", text, field="state")
        lots = [lot for lot in self._lots.list() if request.state in (0, LOT_STATES[lot.state])]
        page, token = page_of(lots, _key, request.page_size, request.page_token, request.state)
        counted = await self._call(lambda: [self._lots.get(lot.order.lot) for lot in page])
        return pb.ListLotsResponse(lots=[lot_message(lot, with_steps=False) for lot in counted], next_page_token=token)

    @streaming
    async def WatchLot(  # noqa: N802 - the name in the proto
        self, request: pb.WatchLotRequest, context: Context
    ) -> AsyncIterator[pb.WatchLotResponse]:
        """Stream one lot, at once and after each change, to its end."""
        self._watchers.admit(context)
        seen: Lot | None = None
        while seen is None or seen.state in UNFINISHED:
            self._watchers.check()
            lot = await self._call(lambda: self._lots.get(request.lot))
            if lot != seen:
                seen = lot
                yield pb.WatchLotResponse(lot=lot_message(lot))
            await asyncio.sleep(_LOOK_S)

    def _what_start_lacks(self, order: LotOrder) -> str:
        """Return why the order could not start if it were to now, '' where its recipe is there. Raises RecipeError.

        That is no refusal: an ISA-95 job order may be stored, and even be allowed to start, before what it needs is
        there. A name that no recipe can have is one.
        """
        if not order.recipe or self._recipes is None:
            return ""
        recipes = self._recipes
        try:
            found = as_stored(lambda: recipes.get(order.recipe, order.version))
        except RecipeMissingError as error:
            return f"{error}; until then StartLot is refused"
        except RefusedError as error:
            if error.reason != "RECIPE":
                raise
            return f"{error}; until then StartLot is refused"
        return f"recipe {found.ref}: was removed — StartLot is refused — add it again" if found.is_removed else ""

    async def _step(self, step: Callable[[str, str], Lot], lot: str, pool: Executor | None = None) -> pb.Lot:
        who = caller_name()
        return lot_message(await self._call(lambda: step(lot, who), pool))

    async def _call(self, function: Callable[[], _Answer], pool: Executor | None = None) -> _Answer:
        run = asyncio.get_running_loop().run_in_executor
        return await run(pool or self._calls, lambda: carried_out(self._control, function))


def _key(lot: Lot) -> str:
    return lot.order.lot
