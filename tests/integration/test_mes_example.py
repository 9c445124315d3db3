"""The MES session of the documentation, in Python and in Node.js, against a real station over TLS with roles."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mes_plant import AT_ONCE_S, EXAMPLE, ROOT, Plant, environment, free_port
from node import node_program

from inspection.client import StationClient, pb

LANGUAGES = ("py", "js")


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with Plant(tmp_path_factory.mktemp("plant")) as made:
        yield made


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_lot_from_order_to_proof(plant: Plant, language: str) -> None:
    """What the example printed is what the station has: lot, counters, picture, review and the log of its caller."""
    said = plant.said(language)
    lot = _found(r"lot     (\S+) is running", said)
    entry = int(_found(r"review  entry (\d+)", said))
    with plant.client() as client:
        kept = client.lots.GetLot(pb.GetLotRequest(lot=lot)).lot
        assert kept.state == pb.LOT_STATE_ENDED
        assert dict(kept.order.parameters) == {"order": "4711"}
        assert f"{kept.counters.triggered} parts, {kept.counters.passed} passed" in said
        results = [
            result
            for page in client.pages(
                client.results.ListResults, pb.ListResultsRequest(filter=pb.ResultFilter(lot=lot), page_size=7)
            )
            for result in page.results
        ]
        assert len(results) == kept.counters.triggered >= 20
        last = max(results, key=lambda result: result.sequence)
        assert (
            f"keep with the lot: record {last.sequence}, the last at its end, has hash {last.record_hash[:12]}…" in said
        )
        assert {result.recipe for result in results} == {"tiles"}
        (seen,) = [
            one for one in results if client.results.GetResult(pb.GetResultRequest(sequence=one.sequence)).reviews
        ]
        (review,) = client.results.GetResult(pb.GetResultRequest(sequence=seen.sequence)).reviews
        assert (review.entry, review.reviewer, review.verdict) == (entry, "kim", pb.VERDICT_REJECT)
        picture = (plant.folder / f"reject-{language}.jpg").read_bytes()
        assert picture == client.image(seen.sequence)[0]
        assert hashlib.sha256(picture).hexdigest()[:12] == _found(r"sha256 (\w+)", said)
        log = client.audit.ListEntries(pb.ListEntriesRequest(kind=pb.ENTRY_KIND_AUDIT, who="erp", page_size=6)).entries
        assert len(log) == 6
        assert [str(one.sequence) for one in log] == re.findall(r"log     entry (\d+)", said)
        assert json.loads(log[0].content)["role"] == "integrator"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_viewers_token_stops_nothing(plant: Plant, language: str) -> None:
    """Stop is refused by role, in words, and the line goes on; the integrator's token stops it."""
    with plant.client() as client:
        client.start_line()
        said = plant.said(language, "stop", role="viewer", code=1)
        assert "screen is viewer — Stop is for admin, engineer, integrator, operator" in said
        assert client.status().state == pb.STATE_CONTINUOUS_EXECUTION
        assert plant.said(language, "stop").strip() == "STATE_READY"
        assert client.status().state == pb.STATE_READY


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_keeps_the_example_out_is_said(plant: Plant, language: str) -> None:
    """A token of nobody and a CA that did not sign the station's certificate end it at once, with the reason."""
    assert "this token is not known here" in plant.said(language, "stop", role="lineward_nobody", code=1)
    plant.command("certificate", "make", "--host", "127.0.0.1", "--dir", "other")
    said = plant.said(language, "stop", LINEWARD_CA="other/ca.pem", code=1)
    assert re.search(r"certificate", said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_word_that_it_does_not_know_starts_no_lot(plant: Plant, language: str) -> None:
    """A slip of `stop` is a usage, and not the opposite."""
    with plant.client() as client:
        before = len(client.lots.ListLots(pb.ListLotsRequest()).lots)
        for words in (("Stop",), ("stop", "lot", "now")):
            assert plant.said(language, *words, code=1).startswith("usage: ")
        assert len(client.lots.ListLots(pb.ListLotsRequest()).lots) == before


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_place_in_other_records_leaves_a_line_that_is_told_of(plant: Plant, language: str) -> None:
    """Whoever cannot book says that the lot runs on, and how it is ended."""
    place = plant.folder / f"place-{language}"
    kept = place.read_text() if place.exists() else ""
    place.write_text("not-a-place\n")
    try:
        told = plant.said(language, code=1)
    finally:
        place.write_text(kept)
    lot = _found(r"runs on: this ends it with `stop (\S+)`", told)
    assert plant.said(language, "stop", lot).strip() == "LOT_STATE_ENDED"


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_an_address_it_says_how_it_is_called(plant: Plant, language: str) -> None:
    """One line of usage, and no traceback."""
    command, more = plant.program(language)
    run = subprocess.run(command, env={**environment(), **more}, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert run.stderr.startswith("usage: ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_session_outlives_a_killed_station(plant: Plant, language: str) -> None:
    """Killed with -9 in the lot and started again: what is to be done is told, and each record is booked once."""
    place = plant.folder / f"place-{language}"
    place.unlink(missing_ok=True)  # from the first record on
    session = plant.session(language)
    with plant.client() as client:
        lot = _running_lot(client)
        plant.kill()
        plant.station = plant.run()
        assert session.stdout is not None
        assert any(f"{lot} is INTERRUPTED" in line for line in session.stdout)
        client.lots.ResumeLot(pb.ResumeLotRequest(lot=lot), timeout=60.0)
        out, err = session.communicate(timeout=AT_ONCE_S)
        assert session.returncode == 0, err + out
        assert client.lots.GetLot(pb.GetLotRequest(lot=lot)).lot.state == pb.LOT_STATE_ENDED
        booked, last = 0, place.read_text().strip()
        for response in client.watch_results():
            booked += response.result.lot == lot
            if response.resume_token == last:
                break
        assert booked == int(_found(r"watched (\d+) parts", out)) >= 20


def test_the_section_of_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    """Its commands, one after the other in one shell, run a lot in each language; ports and places are another's."""
    section = (ROOT / "README.md").read_text("utf-8").split("\n## Integrators\n")[1].split("\n## ")[0]
    assert section.count("\n") <= 25
    lines = re.findall(r"^\$ (.*?)(?:\s{2,}#.*)?$", section, re.MULTILINE)
    assert lines[0].startswith(". .venv/bin/activate && cd docs/examples/mes")
    assert lines[-1] == "kill %1"
    node, packages = node_program()
    folder = tmp_path / "mes"
    shutil.copytree(EXAMPLE, folder)
    (folder / "node_modules").symlink_to(packages)
    port = free_port()
    text = (folder / "station.toml").read_text("utf-8").replace(":50051", f":{port}")
    (folder / "station.toml").write_text(text + "\n[page]\nenabled = false\n")
    script = "\n".join(line.replace("50051", str(port)) for line in lines[1:] if not line.startswith("npm install"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "lineward").write_text(f'#!/bin/sh\nexec {sys.executable} -m inspection.cli.main "$@"\n')
    (tmp_path / "bin" / "lineward").chmod(0o755)
    programs = (tmp_path / "bin", Path(sys.executable).parent, node.parent, os.environ["PATH"])
    run = subprocess.run(
        ["bash", "-em", "-c", f"trap 'kill $(jobs -p)' ERR\n{script}\nwait"],
        cwd=folder,
        env={**environment(), "PATH": os.pathsep.join(map(str, programs)), "LINEWARD_PROTO": str(ROOT / "proto")},
        capture_output=True,
        text=True,
        timeout=AT_ONCE_S,
    )
    assert len(re.findall(r"^proof .* intact$", run.stdout, re.MULTILINE)) == 2, run.stderr + run.stdout


def test_the_program_on_an_event_loop_books_every_record(plant: Plant) -> None:
    """The program in the guide prints each record once, also over its own end."""
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "mes.md").read_text("utf-8"), re.DOTALL)
    with plant.client() as client:
        client.start_line()
        booked: list[int] = []
        for _ in range(2):
            running = plant.session_of([sys.executable, "-c", program])
            assert running.stdout is not None
            for line in running.stdout:
                booked.append(int(line.split()[0]))
                if len(booked) % 12 == 0:
                    break
            running.kill()
            booked += [int(line.split()[0]) for line in running.communicate(timeout=AT_ONCE_S)[0].splitlines()]
        client.stop_line()
        assert sorted(set(booked)) == list(range(1, booked[-1] + 1))
        assert len(booked) - len(set(booked)) <= 1  # the one that was printed when the program was killed


def _running_lot(client: StationClient) -> str:
    """Wait for a lot that runs, and for the first parts of it; return its name."""
    changes = client.watch(client.station.WatchState, pb.WatchStateRequest())
    assert any(change.state == pb.STATE_CONTINUOUS_EXECUTION for change in changes)
    (lot,) = client.lots.ListLots(pb.ListLotsRequest(state=pb.LOT_STATE_RUNNING)).lots
    watched = client.watch(client.lots.WatchLot, pb.WatchLotRequest(lot=lot.order.lot))
    assert any(response.lot.counters.triggered >= 3 for response in watched)
    return lot.order.lot


def _found(pattern: str, said: str) -> str:
    found = re.search(pattern, said)
    assert found is not None, said
    return found[1]
