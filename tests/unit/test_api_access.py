"""The access file and the buckets: what was added is admitted, what was revoked is not, and no more than allowed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.api.access import Access
from inspection.api.access_file import (
    TOKEN_PREFIX,
    AccessEntry,
    AccessList,
    add_certificate,
    add_token,
    read_access,
    revoke,
    token_digest,
)
from inspection.api.buckets import Buckets
from inspection.api.errors import AccessFileError
from inspection.api.roles import Role


def test_a_token_is_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    """The file is its owner's alone, holds no token, and finds the caller by it."""
    file = tmp_path / "access.json"
    token = add_token(file, "mes", Role.INTEGRATOR)
    assert token.startswith(TOKEN_PREFIX)
    assert len(token) >= len(TOKEN_PREFIX) + 43
    assert file.stat().st_mode & 0o777 == 0o600
    assert token[len(TOKEN_PREFIX) + 4 :] not in file.read_text()
    found = read_access(file).of_token(token)
    assert found is not None
    assert (found.name, found.role, found.begins) == ("mes", Role.INTEGRATOR, token[: len(TOKEN_PREFIX) + 4])
    assert not list(tmp_path.glob(".*"))


def test_a_revoked_token_is_nobodys(tmp_path: Path) -> None:
    """Revoking takes out this caller alone; an unknown name is told with those that are there."""
    file = tmp_path / "access.json"
    mes, panel = add_token(file, "mes", Role.INTEGRATOR), add_token(file, "panel", Role.OPERATOR)
    assert revoke(file, "mes").name == "mes"
    assert read_access(file).of_token(mes) is None
    assert read_access(file).of_token(panel) is not None
    with pytest.raises(AccessFileError, match="panel is in it"):
        revoke(file, "mes")


def test_a_certificate_has_no_token(tmp_path: Path) -> None:
    """A common name has a role; no token, not even an empty one, is its."""
    file = tmp_path / "access.json"
    add_certificate(file, "panel", Role.OPERATOR)
    known = read_access(file)
    assert known.of_certificate("panel") is not None
    assert known.of_token("") is None
    add_token(file, "mes", Role.ADMIN)
    assert read_access(file).of_certificate("mes") is None


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "-x", "ä", "a/b", "a\n"])
def test_a_name_that_would_spoil_a_log_is_refused(tmp_path: Path, name: str) -> None:
    """Names go into the audit log as they are."""
    with pytest.raises(AccessFileError, match="letters, digits"):
        add_token(tmp_path / "access.json", name, Role.VIEWER)


def test_a_name_comes_once(tmp_path: Path) -> None:
    """Two callers of one name could not be told apart afterwards."""
    file = tmp_path / "access.json"
    add_token(file, "mes", Role.VIEWER)
    with pytest.raises(AccessFileError, match="is there already"):
        add_certificate(file, "mes", Role.ADMIN)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """The text names the mode and the command that mends it."""
    file = tmp_path / "access.json"
    add_token(file, "mes", Role.VIEWER)
    file.chmod(0o640)
    with pytest.raises(AccessFileError, match=r"0640.*chmod 600"):
        read_access(file)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"entries": [{"name": "a", "role": "king"}]}', "{"])
def test_what_is_no_access_file_is_refused(tmp_path: Path, text: str) -> None:
    """Each with the place that is wrong; never an empty list instead."""
    file = tmp_path / "access.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(AccessFileError, match="no access file"):
        read_access(file)


def test_a_running_server_sees_changes_and_shuts_when_it_cannot_read(tmp_path: Path) -> None:
    """A new token counts, a file that was spoilt admits nobody, and a mended one admits again."""
    file = tmp_path / "access.json"
    token = add_token(file, "mes", Role.VIEWER)
    access = Access(file)
    assert access.now().of_token(token) is not None
    later = add_token(file, "panel", Role.VIEWER)
    _until(lambda: access.now().of_token(later) is not None)
    whole = file.read_text()
    file.write_text(whole[:-10])
    _until(lambda: not access.now().entries)
    file.write_text(whole)
    _until(lambda: access.now().of_token(token) is not None)
    file.unlink()
    _until(lambda: not access.now().entries)


def test_two_commands_at_once_lose_nothing(tmp_path: Path) -> None:
    """Whoever changes the file meanwhile waits: every name that was added is there."""
    file = tmp_path / "access.json"
    code = (
        "import sys; from pathlib import Path; from inspection.api.access_file import *\n"
        "for i in range(10): add_token(Path(sys.argv[1]), f'{sys.argv[2]}{i}', Role.VIEWER)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(file), who]) for who in "ab"]
    assert [one.wait(60) for one in running] == [0, 0]
    assert len(read_access(file).entries) == 20


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,20}", fullmatch=True)


@given(
    st.lists(
        st.builds(
            AccessEntry,
            name=NAMES,
            role=st.sampled_from(Role),
            sha256=st.binary(max_size=8).map(lambda raw: token_digest(raw.hex())),
            expires_wall_s=st.integers(0, 2**40),
        ),
        max_size=8,
        unique_by=lambda entry: entry.name,
    )
)
def test_the_file_gives_back_what_was_written(entries: list[AccessEntry]) -> None:
    """Writing and reading is the identity, whatever the names and roles."""
    known = AccessList(entries=tuple(entries))
    assert AccessList.model_validate_json(known.model_dump_json(indent=1)) == known


@given(st.text(max_size=80))
def test_no_other_text_is_a_token(text: str) -> None:
    """Whatever is sent: only the token itself is one."""
    known = AccessList(entries=(AccessEntry(name="a", role=Role.ADMIN, sha256=token_digest("lineward_secret")),))
    found = known.of_token(text)
    assert (found is not None) == (text == "lineward_secret")


@settings(max_examples=200)
@given(
    st.floats(0.1, 1000),
    st.floats(1, 100),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 10)), max_size=60),
)
def test_nobody_gets_more_than_size_and_rate(per_s: float, size: float, asked: list[tuple[str, float]]) -> None:
    """In any time span a key gets at most what its bucket held and what flowed in; and others cost it nothing."""
    now_s = 0.0
    buckets = Buckets(per_s, size, lambda: now_s)
    begun: dict[str, float] = {}
    granted = dict.fromkeys("ab", 0)
    for key, pause_s in asked:
        now_s += pause_s
        begun.setdefault(key, now_s)
        wait_s = buckets.wait_s(key)
        assert wait_s >= 0
        granted[key] += wait_s == 0
        assert granted[key] <= size + (now_s - begun[key]) * per_s + 1e-6
        if granted[key] <= int(size) - 1:
            assert wait_s == 0


@given(st.floats(0.1, 1000), st.floats(1, 50))
def test_who_waits_as_told_is_served(per_s: float, size: float) -> None:
    """The time that a refusal names is enough."""
    now_s = 0.0
    buckets = Buckets(per_s, size, lambda: now_s)
    while (wait_s := buckets.wait_s("a")) == 0:
        pass
    now_s += wait_s * 1.000001
    assert buckets.wait_s("a") == 0


def test_a_flood_of_keys_needs_no_memory() -> None:
    """However many peers knock: the number of buckets is bounded."""
    buckets = Buckets(1, 1, time.monotonic, most=100)
    for key in range(10_000):
        buckets.wait_s(key)
    assert len(buckets) == 100


def test_the_file_is_plain_json(tmp_path: Path) -> None:
    """Another program may read it."""
    file = tmp_path / "access.json"
    add_token(file, "mes", Role.VIEWER, expires_wall_s=2_000_000_000)
    (entry,) = json.loads(file.read_text())["entries"]
    assert entry["expires_wall_s"] == 2_000_000_000


def _until(holds: object, timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.02)
