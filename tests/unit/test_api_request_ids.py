"""Request ids over a long time: bounded memory, and nothing is carried out twice for that."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from entry_file import EntryFile

from inspection.api.audit import Audit
from inspection.api.callers import Caller
from inspection.api.command import Command
from inspection.api.outcome import Outcome
from inspection.api.request_ids import WINDOW_S, RequestIds
from inspection.api.roles import RUN, Role, commands

METHOD = "/lineward.inspection.v1.StationService/StartContinuous"
CALLER = Caller("mes", Role.INTEGRATOR, "ipv4:10.0.0.7", "caller mes")


def command(request_id: str) -> Command:
    return Command(METHOD, commands(RUN), CALLER, request_id, "f" * 64, {})


class Bench:
    """Carries commands out as the guard does, and counts them."""

    def __init__(self, file: Path, pool: ThreadPoolExecutor, most: int) -> None:
        self.book = EntryFile(file)
        self.now_s = 0.0
        self.audit = Audit(self.book, pool)
        self.ids = RequestIds(self.audit, lambda: self.now_s, most)
        self.carried_out: list[str] = []

    async def ask(self, request_id: str) -> Outcome:
        asked = command(request_id)

        async def carry_out() -> Outcome:
            await self.audit.asked(asked, "")
            self.carried_out.append(request_id)
            outcome = Outcome(grpc.StatusCode.OK, request_id.encode())
            await self.audit.done(asked, outcome, "", "")
            return outcome

        return await self.ids.once(asked, carry_out)


def test_a_flood_of_ids_needs_no_memory_and_forgets_no_command(tmp_path: Path) -> None:
    """Ids that had to be forgotten early are found in the audit log, with the first answer."""

    async def run(pool: ThreadPoolExecutor) -> None:
        bench = Bench(tmp_path / "entries", pool, most=20)
        ids = [str(uuid.uuid4()) for _ in range(100)]
        for one in ids:
            await bench.ask(one)
            assert len(bench.ids) <= 21
        for one in ids:
            assert (await bench.ask(one)).answer == one.encode()
        assert bench.carried_out == ids

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(run(pool))


def test_the_log_is_looked_up_only_while_it_may_know_more(tmp_path: Path) -> None:
    """An hour after the start a new id costs no reading of the log; ids older than that are forgotten."""

    async def run(pool: ThreadPoolExecutor) -> None:
        bench = Bench(tmp_path / "entries", pool, most=20)
        await bench.ask(str(uuid.uuid4()))
        assert bench.book.reads == 1
        bench.now_s = WINDOW_S + 1
        await bench.ask(str(uuid.uuid4()))
        assert bench.book.reads == 1
        assert len(bench.ids) == 1

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(run(pool))
