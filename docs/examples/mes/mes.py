"""One lot from an MES: recipe, order, results as they come, a picture and its review, the response, log and proof.

usage: python mes.py HOST:PORT [stop [LOT]]    with LINEWARD_TOKEN and LINEWARD_CA in the environment
"""

import hashlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from uuid import uuid4

from inspection.client import ApiError, StationClient, TokenFile, pb

RECIPE = "[model]\nthreshold = 0.4\n"
PLANNED = 20
USAGE = "usage: python mes.py HOST:PORT [stop [LOT]]    with LINEWARD_TOKEN and LINEWARD_CA in the environment"
LONG_S = 60.0  # loading a model, waiting for the parts in flight


def run_lot(station: StationClient, lot: str) -> None:
    """Run one lot from the order to the proof."""
    recipe = station.recipes.CreateRecipe(pb.CreateRecipeRequest(name="tiles", text=RECIPE)).recipe.ref
    station.station.PrepareRecipe(pb.PrepareRecipeRequest(name=recipe.name, version=recipe.version), timeout=LONG_S)
    print(f"recipe  {recipe.name} version {recipe.version} is prepared")

    order = pb.LotOrder(lot=lot, recipe="tiles", planned=PLANNED, parameters={"order": "4711"})
    station.lots.StoreLot(pb.StoreLotRequest(order=order))
    station.lots.StartLot(pb.StartLotRequest(lot=lot), timeout=LONG_S)
    print(f"lot     {lot} is running")

    Thread(target=tell_when_interrupted, args=(station, lot), daemon=True).start()
    try:
        reject = watch(station, lot)
    except BaseException:
        print(f"lot     {lot} runs on: this ends it with `stop {lot}`", file=sys.stderr)
        raise
    picture, content_type = station.image(reject.sequence)
    Path("reject-py.jpg").write_bytes(picture)
    digest = hashlib.sha256(picture).hexdigest()
    print(f"image   {content_type}, {len(picture)} bytes, sha256 {digest[:12]}…")
    seen = pb.ReviewResultRequest(
        sequence=reject.sequence, verdict=pb.VERDICT_REJECT, reviewer="kim", comment="chipped at the edge"
    )
    print(f"review  entry {station.results.ReviewResult(seen).review.entry} says REJECT, by kim")

    ended = station.lots.StopLot(pb.StopLotRequest(lot=lot), timeout=LONG_S).lot
    counters, rejected = ended.counters, dict(ended.counters.rejected_by_reason)
    print(f"lot     {pb.LotState.Name(ended.state)}: {counters.triggered} parts, {counters.passed} passed, {rejected}")
    show_log(station, ended.steps[-1].who)

    *_, last = station.audit.VerifyRecords(pb.VerifyRecordsRequest())
    kept = "intact" if last.report.is_intact else f"NOT INTACT: {last.report.problems}"
    print(f"proof   {last.report.records} records, {last.report.images} images, {last.report.entries} entries: {kept}")
    head = station.results.GetResult(pb.GetResultRequest(sequence=ended.steps[-1].record_sequence)).result
    print(f"        keep with the lot: record {head.sequence}, the last at its end, has hash {head.record_hash[:12]}…")


def watch(station: StationClient, lot: str) -> pb.Result:
    """Book every record of the lot until enough parts came and one was rejected; return that one."""
    place, count, reject = TokenFile(Path("place-py")), 0, None
    for response in station.watch_results(place.read()):
        result = response.result
        if result.lot == lot:  # here the MES writes the part into its own books, and then its place in the records
            count += 1
            is_reject = result.verdict == pb.VERDICT_REJECT and result.has_image
            reject = result if reject is None and is_reject else reject
        place.write(response.resume_token)
        if count >= PLANNED and reject is not None:
            break
    assert reject is not None
    print(
        f"watched {count} parts; part {reject.part} is REJECT, {pb.Reason.Name(reject.reason)}, {reject.defect_class}"
    )
    return reject


def tell_when_interrupted(station: StationClient, lot: str) -> None:
    """Say why no part comes when something cut the lot off, for example a crash of the station."""
    was = pb.LOT_STATE_UNSPECIFIED
    with suppress(ApiError):  # what does not pass by itself ends the watch of the results, too, and is told there
        for response in station.watch(station.lots.WatchLot, pb.WatchLotRequest(lot=lot)):
            if response.lot.state == pb.LOT_STATE_INTERRUPTED != was:
                print(f"lot     {lot} is INTERRUPTED: an operator, integrator or admin has to ResumeLot", flush=True)
            was = response.lot.state


def show_log(station: StationClient, who: str) -> None:
    """Print what the audit log has of the last commands of `who`, the newest first."""
    request = pb.ListEntriesRequest(kind=pb.ENTRY_KIND_AUDIT, who=who, page_size=6)
    for entry in station.audit.ListEntries(request).entries:
        content = json.loads(entry.content)
        method = entry.subject.rpartition("/")[2]
        print(f"log     entry {entry.sequence}: {method} {content['phase']}, request id {content['request_id'][:8]}…")


def main() -> None:
    """Run one lot, or stop the line or a lot."""
    address, *words = sys.argv[1:] or [""]
    if not address or words[:1] not in ([], ["stop"]) or len(words) > 2 or "LINEWARD_TOKEN" not in os.environ:
        sys.exit(USAGE)
    ca = Path(os.environ.get("LINEWARD_CA", "tls/ca.pem"))
    try:
        with StationClient(address, token=os.environ["LINEWARD_TOKEN"], ca=ca, away_s=30.0) as station:
            if len(words) == 2:
                ended = station.lots.StopLot(pb.StopLotRequest(lot=words[1]), timeout=LONG_S).lot
                print(pb.LotState.Name(ended.state))
            elif words:
                print(pb.State.Name(station.stop_line()))
            else:
                run_lot(station, f"lot-{uuid4().hex[:8]}")
    except ApiError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
