"""TLS, client certificates and the commands around them, against the real server over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from api_station import BenchLine, Records
from pki import Pki
from station_runs import GOES_ON
from tiny_bundle import write_tiny_bundle

from inspection.api.access_file import add_certificate, add_token, read_access
from inspection.api.client import StationClient
from inspection.api.errors import ApiError, CallError, CertificateError
from inspection.api.options import SecurityOptions
from inspection.api.own_ca import LEAF_DAYS, now_utc
from inspection.api.roles import Role
from inspection.api.server import ApiServer
from inspection.api.tls import WARN_DAYS, read_pair
from inspection.config import StationConfig
from inspection.config.advice import advice
from inspection.config.reality import missing_here
from inspection.control import State
from inspection.page.feed import StationFeed
from inspection.service import Service


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "tls")


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    return tmp_path / "access.json"


@contextlib.contextmanager
def serving(folder: Path, options: SecurityOptions, address: str = "127.0.0.1:0") -> Iterator[str]:
    records = Records(folder / "store")
    server = ApiServer(BenchLine(), records.feed, address=address, security=options)
    try:
        yield server.start()
    finally:
        server.stop(1.0)
        records.close()


def refused(call: Callable[[], Any]) -> CallError:
    with pytest.raises(CallError) as found:
        call()
    return found.value


def until(holds: Callable[[], Any], timeout_s: float = 15.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.02)


def test_a_token_over_tls_opens_the_network(tmp_path: Path, pki: Pki, tokens: Path) -> None:
    """With TLS and tokens every address may be listened on; the client trusts the CA, and its token gives the role."""
    token = add_token(tokens, "mes", Role.INTEGRATOR)
    options = SecurityOptions(tokens=tokens, **pki.options)
    with serving(tmp_path, options, "0.0.0.0:0") as bound:
        address = f"127.0.0.1:{bound.rpartition(':')[2]}"
        with StationClient(address, token=token, ca=pki.folder / "ca.pem") as mes:
            assert mes.status().station == "bench"
            mes.start_line()
        with StationClient(address, ca=pki.folder / "ca.pem") as nobody:
            assert refused(nobody.status).reason == "TOKEN_MISSING"


def test_plaintext_to_the_tls_port_gets_nothing(tmp_path: Path, pki: Pki, tokens: Path) -> None:
    """A client without TLS and raw bytes are cut off; others are served as before."""
    token = add_token(tokens, "mes", Role.VIEWER)
    with serving(tmp_path, SecurityOptions(tokens=tokens, **pki.options)) as address:
        with StationClient(address, token=token, timeout_s=3.0) as plain:
            assert refused(plain.status).code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 10) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            raw.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                assert b"HTTP/1.1 200" not in raw.recv(1000)
        with StationClient(address, token=token, ca=pki.folder / "ca.pem") as right:
            assert right.status().station == "bench"


def test_another_ca_is_not_trusted_by_the_client(tmp_path: Path, pki: Pki, tokens: Path) -> None:
    """A client that trusts another CA does not send its token to this server."""
    token = add_token(tokens, "mes", Role.VIEWER)
    other = Pki(tmp_path / "other")
    with (
        serving(tmp_path, SecurityOptions(tokens=tokens, **pki.options)) as address,
        StationClient(address, token=token, ca=other.folder / "ca.pem", timeout_s=5.0) as client,
    ):
        assert refused(client.status).code is grpc.StatusCode.UNAVAILABLE


def test_a_client_certificate_has_the_role_of_its_name(tmp_path: Path, pki: Pki, tokens: Path) -> None:
    """The common name's role counts; a name that is not in the file has none; a token may say more."""
    add_certificate(tokens, "panel", Role.VIEWER)
    token = add_token(tokens, "kim", Role.OPERATOR)
    options = SecurityOptions(tokens=tokens, client_ca=pki.folder / "ca.pem", **pki.options)
    with serving(tmp_path, options) as address:
        with StationClient(address, **pki.client("panel")) as panel:
            assert panel.status().station == "bench"
            error = refused(panel.stop_line)
            assert (error.reason, error.metadata["role"]) == ("ROLE", "viewer")
        with StationClient(address, token=token, **pki.client("panel")) as kim:
            kim.stop_line()
        with StationClient(address, **pki.client("stranger")) as stranger:
            assert refused(stranger.status).reason == "CERTIFICATE_UNKNOWN"


def test_no_certificate_an_ended_one_and_another_cas_are_cut_off(tmp_path: Path, pki: Pki, tokens: Path) -> None:
    """Where a client CA is set, TLS itself refuses who has none of its certificates – a right token does not help."""
    add_certificate(tokens, "panel", Role.ADMIN)
    token = add_token(tokens, "kim", Role.ADMIN)
    other = Pki(tmp_path / "other")
    options = SecurityOptions(tokens=tokens, client_ca=pki.folder / "ca.pem", **pki.options)
    ended = pki.client("panel", ended=True)
    foreign = {**other.client("panel"), "ca": pki.folder / "ca.pem"}
    with serving(tmp_path, options) as address:
        for shown in ({"ca": pki.folder / "ca.pem"}, ended, foreign):
            with StationClient(address, token=token, timeout_s=5.0, **shown) as client:
                assert refused(client.status).code is grpc.StatusCode.UNAVAILABLE, shown
        with StationClient(address, **pki.client("panel")) as panel:
            assert panel.status().station == "bench"


def test_a_renewed_certificate_needs_no_restart(tmp_path: Path, pki: Pki, tokens: Path) -> None:
    """A new connection sees the new files; half of a renewal leaves the pair before it in use."""
    token = add_token(tokens, "mes", Role.VIEWER)
    renewed = Pki(tmp_path / "renewed")

    def is_admitted(ca: Path) -> bool:
        with StationClient(address, token=token, ca=ca, timeout_s=5.0) as client, contextlib.suppress(CallError):
            return bool(client.status().station)
        return False

    with serving(tmp_path, SecurityOptions(tokens=tokens, **pki.options)) as address:
        assert is_admitted(pki.folder / "ca.pem")
        (pki.folder / "server.key").write_bytes((renewed.folder / "server.key").read_bytes())
        assert is_admitted(pki.folder / "ca.pem")
        (pki.folder / "server.pem").write_bytes((renewed.folder / "server.pem").read_bytes())
        assert is_admitted(renewed.folder / "ca.pem")
        assert not is_admitted(pki.folder / "ca.pem")


def station(tmp_path: Path, api: dict[str, Any], **changes: Any) -> StationConfig:
    return StationConfig.model_validate(
        {
            "camera": {"backend": "simulated"},
            "model": {"bundle": str(write_tiny_bundle(tmp_path / "tiny"))},
            "geometry": {"travel_time_s": 0.5},
            "ejector": {"driver": "simulated", "heartbeat_channel": 2},
            "records": {"dir": str(tmp_path / "records"), "min_free_mb": 0},
            "reactions": GOES_ON,
            "api": {"address": "127.0.0.1:0", **api},
            "page": {"enabled": False},
            **changes,
        }
    )


def test_a_certificate_that_ends_soon_is_an_alarm(tmp_path: Path, pki: Pki, tokens: Path) -> None:
    """A running station warns 30 days before and goes on; the renewed files clear the alarm without a restart."""
    add_token(tokens, "mes", Role.VIEWER)
    pki.ca.server(["127.0.0.1"], now_utc() - timedelta(days=LEAF_DAYS - WARN_DAYS + 1))
    with Service(station(tmp_path, {"tokens": tokens, **pki.options})) as service:
        service.station.start_line()
        service.tend()
        (alarm,) = [one for one in service.station.alarms.active() if one.name == "CERTIFICATE_EXPIRES"]
        assert "server.pem expires in 28 days" in str(alarm.values)
        assert not alarm.blocks
        pki.ca.server(["127.0.0.1"], now_utc())
        service.tend()
        assert "CERTIFICATE_EXPIRES" not in [one.name for one in service.station.alarms.active()]


@pytest.mark.parametrize("what", ["deleted", "spoilt", "open to others"])
def test_an_access_file_that_is_lost_is_an_alarm_and_admits_nobody(tmp_path: Path, tokens: Path, what: str) -> None:
    """The line runs on; who was admitted hears why he is not, on an open stream, too, until it is mended."""
    token = add_token(tokens, "mes", Role.VIEWER)
    whole = tokens.read_bytes()
    with (
        Service(station(tmp_path, {"tokens": tokens})) as service,
        StationClient(service.api_address, token=token, timeout_s=30.0) as mes,
        ThreadPoolExecutor(1) as pool,
    ):

        def alarms() -> dict[str, Any]:
            service.tend()
            return {one.name: one for one in service.station.alarms.active()}

        service.station.start_line()
        assert "ACCESS_UNREADABLE" not in alarms()
        results = mes.watch_results(reconnect=False)
        next(results)
        ended = pool.submit(lambda: refused(lambda: list(results)))
        if what == "deleted":
            tokens.unlink()
        elif what == "spoilt":
            tokens.write_bytes(b"\0garbage")
        else:
            tokens.chmod(0o644)
        until(lambda: "ACCESS_UNREADABLE" in alarms())
        alarm = alarms()["ACCESS_UNREADABLE"]
        assert str(tokens) in str(alarm.values["detail"])
        assert not alarm.blocks
        assert service.station.state is State.CONTINUOUS_EXECUTION
        for error in (refused(mes.status), ended.result(30.0)):
            assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "ACCESS_FILE")
            assert str(tokens) not in str(error)
        tokens.write_bytes(whole)
        tokens.chmod(0o600)
        until(lambda: "ACCESS_UNREADABLE" not in alarms())
        assert mes.status().station


def test_an_ended_certificate_stops_no_line(tmp_path: Path, pki: Pki, tokens: Path) -> None:
    """The station starts and warns; `config check` calls it not usable on this machine."""
    add_token(tokens, "mes", Role.VIEWER)
    pki.ca.server(["127.0.0.1"], now_utc() - timedelta(days=LEAF_DAYS + 3))
    config = station(tmp_path, {"tokens": tokens, **pki.options})
    assert any("has expired 3 days ago" in text for text in missing_here(config))
    assert any("has expired 3 days ago: renew it now, no restart" in text for text in advice(config))
    with Service(config) as service:
        service.station.start_line()
        service.tend()
        assert "CERTIFICATE_EXPIRES" in [one.name for one in service.station.alarms.active()]


def test_the_page_works_beside_tls_and_tokens(tmp_path: Path, pki: Pki, tokens: Path) -> None:
    """The page reaches the station over its own socket, and so does a command of the same user."""
    import urllib.request

    add_token(tokens, "mes", Role.VIEWER)
    config = station(tmp_path, {"tokens": tokens, **pki.options}, page={"port": 0})
    with Service(config) as service:
        with urllib.request.urlopen(service.page_url, timeout=30) as answer:
            assert answer.status == 200
        assert asyncio.run(_seen_by_the_page(service._api.local_address)) == "station-1"  # type: ignore[union-attr]
        command = [sys.executable, "-m", "inspection.cli.main", "challenge", "--station", service.api_address]
        ended = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
        assert "state READY" in ended.stderr + ended.stdout  # an answer of the station, not of a login
        assert "TOKEN" not in ended.stderr + ended.stdout


async def _seen_by_the_page(address: str) -> str:
    """Follow the station as the page does; return which one it shows."""
    feed = StationFeed(address)
    following = asyncio.create_task(feed.run())
    async with asyncio.timeout(15):
        while feed.status is None:
            await asyncio.sleep(0.02)
    following.cancel()
    return feed.status.station


# Files and commands


def test_what_does_not_fit_is_named(tmp_path: Path, pki: Pki) -> None:
    """A key of another certificate, one that others may read, and a file that is no certificate are refused by name."""
    other = Pki(tmp_path / "other")
    fitting = SecurityOptions(**pki.options)
    read_pair(fitting)
    mixed = SecurityOptions(tls_certificate=pki.folder / "server.pem", tls_key=other.folder / "server.key")
    with pytest.raises(CertificateError, match="does not belong to"):
        read_pair(mixed)
    with pytest.raises(CertificateError, match="no certificate"):
        read_pair(SecurityOptions(tls_certificate=pki.folder / "server.key", tls_key=pki.folder / "server.key"))
    with pytest.raises(CertificateError, match="cannot be read"):
        read_pair(SecurityOptions(tls_certificate=tmp_path / "none", tls_key=pki.folder / "server.key"))
    (pki.folder / "server.key").chmod(0o644)
    with pytest.raises(CertificateError, match=r"0644.*chmod 600"):
        read_pair(fitting)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tls_certificate": "a.pem"}, "tls_key is missing"),
        ({"client_ca": "ca.pem"}, "client_ca is set without"),
        ({"address": "0.0.0.0:1", "tls_certificate": "a", "tls_key": "b"}, "open to the network"),
        ({"address": "0.0.0.0:1", "tokens": "a"}, "open to the network"),
        ({"require": True}, "Extra inputs"),
        ({"commands_per_s": 0}, "greater than 0"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    """The [api] table is checked as a whole when it is read."""
    with pytest.raises(ValueError, match=said):
        station(tmp_path, given)


def command(folder: Path, *words: str, code: int = 0, **environment: str) -> str:
    paths = os.pathsep.join((str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")))
    ended = subprocess.run(
        [sys.executable, "-m", "inspection.cli.main", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    return ended.stdout + ended.stderr


def test_the_set_up_in_commands(tmp_path: Path) -> None:
    """Make certificates and tokens by the commands of the documentation, serve with them, list, revoke."""
    told = command(tmp_path, "certificate", "make", "--host", "127.0.0.1", "--dir", "tls", "--clients", "mes,panel")
    assert 'tls_certificate = "tls/server.pem"' in told
    assert "lineward token add panel --role ROLE --certificate" in told
    tls = tmp_path / "tls"
    assert {file.name for file in tls.iterdir()} == {
        "ca.pem", "ca.key", "server.pem", "server.key", "mes.pem", "mes.key", "panel.pem", "panel.key",
    }  # fmt: skip
    assert {file.stat().st_mode & 0o077 for file in tls.glob("*.key")} == {0}
    token = json.loads(command(tmp_path, "token", "add", "kim", "--role", "operator", "--json"))["token"]
    command(tmp_path, "token", "add", "mes", "--role", "integrator", "--certificate", "--expires", "2099-01-01")
    assert "2099-01-01" in command(tmp_path, "token", "list")
    file = tmp_path / "access.json"
    options = SecurityOptions(
        tokens=file, tls_certificate=tls / "server.pem", tls_key=tls / "server.key", client_ca=tls / "ca.pem"
    )
    with serving(tmp_path, options) as address:
        shown = {"certificate": tls / "mes.pem", "key": tls / "mes.key", "ca": tls / "ca.pem"}
        with StationClient(address, **shown) as mes, StationClient(address, token=token, **shown) as kim:
            mes.start_line()
            kim.stop_line()
            command(tmp_path, "token", "revoke", "kim")
            until(lambda: _reason(kim) == "TOKEN_UNKNOWN")
            assert mes.status().station == "bench"
    assert [entry.name for entry in read_access(file).entries] == ["mes"]
    assert token not in file.read_text()


def _reason(client: StationClient) -> str:
    try:
        client.status()
    except CallError as error:
        return error.reason
    return ""


def test_making_certificates_again_keeps_the_ca(tmp_path: Path, pki: Pki) -> None:
    """A renewal is signed by the same CA, so that no client must learn anything new; a foreign key is refused."""
    before = (pki.folder / "ca.pem").read_bytes()
    server = (pki.folder / "server.pem").read_bytes()
    command(tmp_path, "certificate", "make", "--host", "127.0.0.1", "--dir", "tls")
    assert (pki.folder / "ca.pem").read_bytes() == before
    assert (pki.folder / "server.pem").read_bytes() != server
    (pki.folder / "ca.key").write_bytes((pki.folder / "server.key").read_bytes())
    told = command(tmp_path, "certificate", "make", "--host", "127.0.0.1", "--dir", "tls", code=2)
    assert "does not belong" in told


def test_a_day_in_the_past_and_an_unknown_role_are_refused(tmp_path: Path) -> None:
    """Before anything is written."""
    command(tmp_path, "token", "add", "kim", "--role", "operator", "--expires", "2020-01-01", code=2)
    command(tmp_path, "token", "add", "kim", "--role", "king", code=2)
    assert not (tmp_path / "access.json").exists()


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("token", "add", "z", "--role", "viewer", "--file", "gone/access.json"), "gone"),
        (("certificate", "make", "--host", "localhost", "--dir", "/proc/x"), "/proc/x"),
        (("certificate", "make", "--host", "localhost", "--dir", "a-file/tls"), "a-file/tls"),
    ],
)
def test_a_place_that_cannot_be_is_one_sentence(tmp_path: Path, words: tuple[str, ...], place: str) -> None:
    """It names the place, why, and what to do."""
    (tmp_path / "a-file").touch()
    told = command(tmp_path, *words, code=1)
    assert (told[:10], told.count("\n")) == ("lineward: ", 1)
    assert f"{place}: No such file or directory — " in told or f"{place}: Not a directory — " in told
    assert "another" in told


@pytest.mark.parametrize("host", ["300.0.0.1", "1.2.3", "10.0.0.1.5"])
def test_numbers_with_dots_that_are_no_address_are_refused(tmp_path: Path, host: str) -> None:
    """A certificate for a name that no client can reach would be found out at the line."""
    told = command(tmp_path, "certificate", "make", "--host", host, "--dir", "tls", code=2)
    assert f"the host '{host}' is no IP address — four numbers from 0 to 255 are needed" in told
    assert not (tmp_path / "tls" / "server.pem").exists()


def test_half_a_client_certificate_is_refused(pki: Pki) -> None:
    """A certificate without its key, or without the station's CA, is told before anything is sent."""
    with pytest.raises(ApiError, match="incomplete"):
        StationClient("127.0.0.1:1", ca=pki.folder / "ca.pem", certificate=pki.folder / "server.pem")
