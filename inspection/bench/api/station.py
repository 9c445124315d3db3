"""A whole station in a process of its own, to be measured from outside; it takes orders on its standard input.

Each order is a line of JSON, answered by one: {"do": "feed", "count": n} hands n made-up parts to the recorder, {"do":
"run", "seconds": s} lets the line run and tells how long its parts took, {"do": "memory"} tells of the resident memory.
It ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import psutil

from inspection.bench.station_load import summary_ms
from inspection.config import StationConfig
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.record import StoredRecord
from inspection.service import Service

_PASSED = Decision(Evaluation.OK, Verdict.PASS, Reason.NONE, 0.125, 0.5, "", (2.0, -1.0))
_FIRST_MADE_UP = 1_000_000_000
"""Made-up parts are numbered from here on, so that none is taken for one of the line."""


class Measured:
    """The station under measurement; one thread."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._fed = 0

    def obey(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Carry an order out and return what came of it. Raises KeyError for one that is none."""
        orders = {"feed": self._feed, "run": self._run, "memory": self._memory}
        return orders[order["do"]](order)

    def _feed(self, order: Mapping[str, Any]) -> dict[str, Any]:
        memory = self._service.station.memory
        for _ in range(int(order["count"])):
            self._fed += 1
            while not memory.submit(_part(memory.run, _FIRST_MADE_UP + self._fed)):
                memory.flush(10.0)
        return {}

    def _run(self, order: Mapping[str, Any]) -> dict[str, Any]:
        station, records = self._service.station, list[StoredRecord]()
        before = station.memory.reader.last_sequence()
        station.start_line()
        time.sleep(float(order["seconds"]))
        station.stop_line()
        station.memory.flush(30.0)
        while page := station.memory.reader.after(before + len(records), 1000):
            records += page
        return summary_ms(records)

    def _memory(self, _order: Mapping[str, Any]) -> dict[str, Any]:
        return {"mb": psutil.Process().memory_info().rss / 1e6}


def _part(run: str, number: int) -> PartResult:
    now_ns = time.monotonic_ns()
    return PartResult(
        run=run,
        part=number,
        decision=_PASSED,
        actuation=Actuation(number, EjectorAction.RELEASED, False, None, None),
        stages=Stages(trigger_host_ns=now_ns, decided_host_ns=now_ns),
        due_host_ns=now_ns,
        deadline_host_ns=now_ns,
        told=Verdict.PASS,
    )


def main() -> None:
    """Open the station of the configuration in argv[1], say where it is reached, and take orders."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else prints does not get between the answers
    with Service(StationConfig.model_validate_json(sys.argv[1])) as service:
        measured = Measured(service)
        print(json.dumps({"address": service.api_address}), file=answers)
        for line in sys.stdin:
            print(json.dumps(measured.obey(json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
