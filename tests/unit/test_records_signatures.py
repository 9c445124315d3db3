"""The station's signatures: what the chain alone cannot tell, since whoever may write can also recompute hashes."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from pathlib import Path

import pytest
from challenged import a_result
from forger import forge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.records.chain import run_hash
from inspection.records.columns import RESULT_COLUMNS
from inspection.records.entries import Entry, EntryKind, StoredEntry
from inspection.records.errors import RecordDiskError, SigningKeyError
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.signing import (
    KEY_FILE,
    PUBLIC_KEY_FILE,
    SigningKey,
    fingerprint,
    public_pem,
    stored_public_key,
)
from inspection.records.store import RecordStore, make_row
from inspection.records.upkeep import RecordUpkeep
from inspection.records.verify import Trust, verify

RUNNER = CliRunner()
DAY_NS = 86_400 * 10**9
DAYS, A_DAY = 3, 4
RECORDS = DAYS * A_DAY
# these identify the row itself, or are read before the hash is asked
CHANGEABLE = sorted({name for name, kind in RESULT_COLUMNS if kind.startswith("INTEGER")} - {"part"})


def fill(folder: Path) -> SigningKey:
    """Three days of four records and an entry, each day signed."""
    store, key = RecordStore(folder), SigningKey.in_folder(folder)
    begun = store.begin_run(Run("r", "s", "m", "", "", 0, 0))
    for day in range(DAYS):
        store.append([make_row(a_result(day * A_DAY + n, run="r"), begun) for n in range(1, A_DAY + 1)])
        store.append_note(Entry(EntryKind.AUDIT, "Stop", "kim", day * DAY_NS))
        assert store.sign(key, day * DAY_NS) is not None
    store.close()
    return key


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    fill(folder)
    return folder


def copy(original: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)
    return folder


def said(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["records", *words])
    return result.exit_code, result.output


def test_an_untouched_store_says_through_which_day_it_is_signed(original: Path) -> None:
    """Every signature is good, by the one key, and reaches to the last record."""
    report = verify(original, trust=Trust(keys=[SigningKey.in_folder(original).public]))
    assert (report.problems, report.signed.signatures, report.signed.records) == ([], DAYS, RECORDS)
    assert (report.signed.day, report.signed.notes) == ("1970-01-03", [])
    code, text = said("verify", "--dir", str(original))
    assert code == 0
    assert "signed through 1970-01-03" in text


def test_nothing_new_is_not_signed_again(tmp_path: Path) -> None:
    """A second signature of the same state is none; one entry more makes it due; an empty store has nothing to sign."""
    store, key = RecordStore(tmp_path), SigningKey.in_folder(tmp_path)
    assert store.sign(key, 1) is None
    store.append_note(Entry(EntryKind.AUDIT, "Stop", "kim", 0))
    assert store.sign(key, 1) is not None
    assert store.sign(key, 2) is None
    store.append_note(Entry(EntryKind.AUDIT, "Stop", "kim", 0))
    assert store.sign(key, 3) is not None
    store.close()


FORGERIES = st.one_of(
    st.tuples(st.sampled_from(CHANGEABLE), st.integers(1, RECORDS), st.integers(10**12, 10**15)).map(
        lambda one: (one[1], f"UPDATE records SET {one[0]} = {one[2]} WHERE sequence = {one[1]}")
    ),
    st.integers(1, RECORDS).map(lambda n: (n, f"DELETE FROM records WHERE sequence = {n}")),
    st.integers(1, RECORDS).map(lambda n: (n, f"DELETE FROM records WHERE sequence >= {n}")),
    st.integers(2, RECORDS).map(
        lambda n: (n, f"UPDATE records SET sequence = CASE sequence WHEN {n} THEN -1 ELSE sequence END")
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(forgery=FORGERIES)
def test_a_forger_without_the_key_is_found_and_the_place_told(
    original: Path, tmp_path: Path, forgery: tuple[int, str]
) -> None:
    """Whatever record is changed, removed, moved or cut off, with every hash and head made to fit: the first signature
    that reaches so far names it, and none before it.
    """
    number, statement = forgery
    folder = copy(original, tmp_path)
    forge(folder, statement)
    report = verify(folder)
    first_signed = -(-number // A_DAY) * A_DAY if "-1 ELSE" not in statement else A_DAY
    told = [problem for problem in report.problems if problem.sequence is not None]
    assert told, report.problems
    assert min(problem.sequence or 0 for problem in told) == first_signed
    assert all("signed on" in problem.text for problem in told)


@pytest.mark.parametrize("number", range(1, 2 * DAYS + 1))
def test_a_forged_entry_is_found(original: Path, tmp_path: Path, number: int) -> None:
    """A changed entry of the book, be it a signature itself, is found although its chain fits again."""
    folder = copy(original, tmp_path)
    forge(folder, f"UPDATE entries SET wall_ns = 7, content = replace(content, '0', '1') WHERE sequence = {number}")
    report = verify(folder)
    is_signature, is_last = number % 2 == 0, number == 2 * DAYS
    assert report.problems
    assert any(
        ("is not good" in one.text) if is_signature else ("was signed on" in one.text) for one in report.problems
    )
    assert is_last or any("was signed on" in one.text for one in report.problems)


def test_a_cut_off_end_is_found_by_signatures_that_were_kept_elsewhere(original: Path, tmp_path: Path) -> None:
    """The last day is removed with its signature, and every hash and head fits: the store says until when it is signed,
    and what the auditor kept names the record that is missing.
    """
    _, lines = said("signatures", "--dir", str(original))
    kept = tmp_path / "kept.jsonl"
    kept.write_text(lines)
    folder = copy(original, tmp_path)
    last = RECORDS - A_DAY
    forge(
        folder, f"DELETE FROM records WHERE sequence > {last}", f"DELETE FROM entries WHERE sequence > {2 * DAYS - 2}"
    )
    report = verify(folder)
    assert (report.problems, report.signed.records, report.signed.day) == ([], last, "1970-01-02")
    code, text = said("verify", "--dir", str(folder), "--signatures", str(kept), "--json")
    assert code == 1
    told = [one for one in json.loads(text)["problems"] if one["sequence"] == RECORDS]
    assert [f"record {RECORDS}, signed on 1970-01-03" in one["text"] for one in told] == [True]
    assert said("verify", "--dir", str(original), "--signatures", str(kept))[0] == 0


def test_signatures_that_were_all_removed_are_missed_with_the_public_key(original: Path, tmp_path: Path) -> None:
    """Without any signature the chain is whole again; who has the public key is told that nothing is signed."""
    folder = copy(original, tmp_path)
    forge(folder, "DELETE FROM entries WHERE kind = 'SIGNATURE'")
    assert said("verify", "--dir", str(folder))[0] == 0
    code, text = said("verify", "--dir", str(folder), "--public-key", str(original / PUBLIC_KEY_FILE))
    assert code == 1
    assert "nothing is signed with the public key given" in text


@pytest.mark.parametrize("meddle", ["insert", "remove"])
def test_a_run_that_no_record_uses_is_signed_for(tmp_path: Path, meddle: str) -> None:
    """Put in with its right hash, or removed: a run without records is in no chain, but the signature counts it."""
    fill(tmp_path)
    store, key = RecordStore(tmp_path), SigningKey.in_folder(tmp_path)
    store.begin_run(Run("empty", "s", "m", "", "", 0, 0))
    assert store.sign(key, DAYS * DAY_NS) is not None
    assert store.sign(key, DAYS * DAY_NS) is None
    store.close()
    assert verify(tmp_path).signed.runs == 2
    if meddle == "remove":
        forge(tmp_path, "DELETE FROM runs WHERE run = 'empty'")
    else:
        names = "station, model, bundle_digest, config_hash, started_wall_ns, started_host_ns, recipe, recipe_hash"
        names += ", thresholds_hash, camera_settings_hash, provider, format"
        digest = run_hash(Run("another", "s", "m", "", "", 0, 0)).hex()
        forge(
            tmp_path,
            f"INSERT INTO runs (run_id, run, {names}, hash) "
            f"SELECT 0, 'another', {names}, x'{digest}' FROM runs LIMIT 1",
        )
    texts = [one.text for one in verify(tmp_path).problems]
    assert texts[-1] == (
        "the 2 runs, signed on 1970-01-04 00:00:00 UTC, are not those of now (signature 7 of the book): one was "
        "changed, removed or put in"
    )


def test_what_is_not_signed_and_what_was_compared_is_told(original: Path, tmp_path: Path) -> None:
    """The report counts what lies behind the newest signature, names the key file, and an empty file of signatures."""
    folder = copy(original, tmp_path)
    store = RecordStore(folder)
    store.append_note(Entry(EntryKind.AUDIT, "Stop", "kim", 0))
    store.close()
    (tmp_path / "none.jsonl").write_text("")
    key = folder / PUBLIC_KEY_FILE
    words = ("--public-key", str(key), "--signatures", str(tmp_path / "none.jsonl"))
    code, text = said("verify", "--dir", str(folder), *words)
    assert code == 0
    assert "0 records and 1 entry behind it are not signed yet" in text
    name = fingerprint(SigningKey.in_folder(folder).public)
    assert f"held against public key {name} of {key}" in text
    assert "held against none: none.jsonl holds no signature" in text
    assert "not signed yet" not in said("verify", "--dir", str(original))[1]


def test_a_new_store_is_signed_soon_after_its_first_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What signs daily looks again soon while there was nothing to sign, and then daily."""
    monkeypatch.setattr(RecordUpkeep, "_TICK_S", 0.001)
    monkeypatch.setattr(RecordUpkeep, "_AGAIN_S", 0.001)
    store, key = RecordStore(tmp_path), SigningKey.in_folder(tmp_path)
    asked: list[bool] = []
    looked = threading.Event()

    def sign() -> StoredEntry | None:
        if len(asked) == 3:
            store.append_note(Entry(EntryKind.AUDIT, "Stop", "kim", 0))
        signed = store.sign(key, 1)
        asked.append(signed is not None)
        return signed

    def look() -> None:
        if asked[-1]:
            looked.set()

    upkeep = RecordUpkeep(sign, 86_400.0, (look,), unsigned=pytest.fail)
    upkeep.start()
    assert looked.wait(10.0)
    upkeep.close(10.0)
    store.close()
    assert asked == [False, False, False, True]


def test_a_newest_signature_that_was_damaged_does_not_end_the_signing(tmp_path: Path) -> None:
    """It is as good as none: the records are signed again, by what the chains are; verify names the damage."""
    store, key = RecordStore(tmp_path), SigningKey.in_folder(tmp_path)
    store.append_note(Entry(EntryKind.AUDIT, "Stop", "kim", 0))
    assert store.sign(key, 1) is not None
    store.close()
    forge(tmp_path, "UPDATE entries SET content = '{\"heads\": 5}' WHERE kind = 'SIGNATURE'")
    store = RecordStore(tmp_path)
    assert store.sign(key, 2) is not None
    assert store.sign(key, 3) is None
    store.close()
    assert ["cannot be read" in one.text for one in verify(tmp_path).problems] == [True]


def test_what_keeps_records_from_being_signed_is_told_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is told while it lasts; the end of the thread is told, too."""
    monkeypatch.setattr(RecordUpkeep, "_AGAIN_S", 0.001)
    outcomes: list[Exception] = [RecordDiskError("full"), RecordDiskError("full")]
    told: list[str] = []
    ended = threading.Event()

    def sign() -> None:
        if outcomes:
            raise outcomes.pop()

    def look() -> None:
        if told[-1:] == [""]:
            raise LookupError("of this test")

    def unsigned(text: str) -> None:
        told.append(text)
        if "LookupError" in text:
            ended.set()

    upkeep = RecordUpkeep(sign, 0.001, (look,), unsigned)
    upkeep.start()
    assert ended.wait(10.0)
    upkeep.close(10.0)
    assert told[:3] == ["full", "full", ""]
    assert len(told) == 4
    assert "start the station again" in told[3]


def test_a_replaced_key_is_told_and_not_accepted_by_who_has_the_old_one(original: Path, tmp_path: Path) -> None:
    """A key that was lost is made anew and the change told; with the old public key its signatures are a problem, with
    both they are good.
    """
    folder = copy(original, tmp_path)
    old = SigningKey.in_folder(folder)
    (folder / KEY_FILE).unlink()
    new = SigningKey.in_folder(folder)
    assert new.public != old.public
    store = RecordStore(folder)
    store.append_note(Entry(EntryKind.AUDIT, "Stop", "kim", 0))
    store.sign(new, DAYS * DAY_NS)
    store.close()
    report = verify(folder)
    assert report.ok
    assert [fingerprint(new.public) in note for note in report.signed.notes] == [True]
    assert [fingerprint(new.public) in one.text for one in verify(folder, trust=Trust([old.public])).problems] == [True]
    both = tmp_path / "both.pem"
    both.write_text(public_pem(old.public) + public_pem(new.public))
    assert said("verify", "--dir", str(folder), "--public-key", str(both))[0] == 0


def test_a_clock_that_is_set_back_changes_nothing(tmp_path: Path) -> None:
    """The second signature is an hour before the first by the wall clock; both are good, and the newest is the last."""
    store, key = RecordStore(tmp_path), SigningKey.in_folder(tmp_path)
    for wall_ns in (10 * DAY_NS, 10 * DAY_NS - 3600 * 10**9):
        store.append_note(Entry(EntryKind.AUDIT, "Stop", "kim", wall_ns))
        assert store.sign(key, wall_ns) is not None
    store.close()
    report = verify(tmp_path)
    assert (report.problems, report.signed.entries) == ([], 3)
    assert (report.signed.day, report.signed.wall_ns) == ("1970-01-11", 10 * DAY_NS)
    code, text = said("verify", "--dir", str(tmp_path))
    assert (code, "signed through 1970-01-11 (1970-01-11 00:00:00 UTC)" in text) == (0, True)
    told = "the clock was behind an earlier signature's once: 1970-01-10 23:00:00 UTC after 1970-01-11 00:00:00 UTC"
    assert told in text


def test_the_day_signed_through_never_goes_back(tmp_path: Path) -> None:
    """Whatever the clock does between two signatures, the day told after each is at least the one told before."""
    store, key, days = RecordStore(tmp_path), SigningKey.in_folder(tmp_path), []
    for day in (10, 3, 11, 1, 12, 5):
        store.append_note(Entry(EntryKind.AUDIT, "Stop", "kim", day * DAY_NS))
        store.sign(key, day * DAY_NS)
        days.append(verify(tmp_path).signed.wall_ns // DAY_NS)
    store.close()
    assert days == [10, 10, 11, 11, 12, 12]
    assert "3 times: 1970-01-02 00:00:00 UTC after 1970-01-12 00:00:00 UTC" in said("verify", "--dir", str(tmp_path))[1]


def test_what_verify_says_is_grammar_and_no_hash_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each is told as one; the first record that was changed is named alone, or with those before it; in a pipe,
    which counts as 80 columns, every problem and every key is on one line.
    """
    monkeypatch.setenv("COLUMNS", "80")
    store, key = RecordStore(tmp_path), SigningKey.in_folder(tmp_path)
    begun = store.begin_run(Run("r", "s", "m", "", "", 0, 0))
    store.append([make_row(a_result(1, run="r"), begun)])
    store.sign(key, 1)
    store.append([make_row(a_result(n, run="r"), begun) for n in (2, 3)])
    store.sign(key, 2)
    store.append([make_row(a_result(4, run="r"), begun)])
    store.close()
    code, text = said("verify", "--dir", str(tmp_path))
    assert code == 0
    lines = text.splitlines()
    assert lines[0].endswith(": 4 records (head 4), 0 images, 0 images removed by rule, 0 challenges, 2 entries")
    assert f"  by key {fingerprint(key.public)}" in lines
    assert "  1 record and 0 entries behind it are not signed yet:" in lines
    signed_2 = "is not the one that was signed on 1970-01-01 00:00:00 UTC (signature 2 of the book): "
    for changed, words in ((1, "it or one before it was changed"), (2, "it or one behind 1 was changed")):
        folder = tmp_path.with_name(f"{tmp_path.name}-{changed}")
        shutil.copytree(tmp_path, folder)
        forge(folder, f"UPDATE records SET lateness_us = 12345 WHERE sequence = {changed}")
        lines = said("verify", "--dir", str(folder))[1].splitlines()
        assert f"  record 3 {signed_2}{words}" in lines
    first = (
        "  record 1 is not the one that was signed on 1970-01-01 00:00:00 UTC (signature 1 of the book): it was changed"
    )
    assert first in said("verify", "--dir", str(tmp_path.with_name(f"{tmp_path.name}-1")))[1].splitlines()


def test_one_problem_is_one_problem(original: Path, tmp_path: Path) -> None:
    """The count at the end, and a single record that is missing."""
    folder = copy(original, tmp_path)
    (folder / "records.head").unlink()
    assert said("verify", "--dir", str(folder))[1].splitlines()[-1] == "1 problem"


def test_the_key_is_for_its_owner_alone_and_is_made_once(tmp_path: Path) -> None:
    """Mode 0600 from its first moment; the same key afterwards; the public half is beside it and printed."""
    RecordStore(tmp_path).close()
    SigningKey.in_folder(tmp_path)
    code, text = said("key", "--dir", str(tmp_path), "--json", "--out", str(tmp_path / "for-the-auditor.pem"))
    told = json.loads(text)
    assert code == 0
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert told["fingerprint"] == fingerprint(SigningKey.in_folder(tmp_path).public)
    assert (
        told["public_key"] == (tmp_path / PUBLIC_KEY_FILE).read_text() == (tmp_path / "for-the-auditor.pem").read_text()
    )
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_showing_the_key_makes_and_changes_nothing(original: Path, tmp_path: Path) -> None:
    """A folder that has the public half alone, as a backup has, shows it; one without any says so; a file that is there
    is never overwritten, and each refusal is a sentence.
    """
    folder = copy(original, tmp_path)
    SigningKey.in_folder(folder)  # both halves are there, whichever test ran before
    (folder / KEY_FILE).unlink()
    RecordReader(folder).close()  # SQLite tidies up its own files
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    code, text = said("key", "--dir", str(folder))
    assert (code, before[PUBLIC_KEY_FILE].decode() in text) == (0, True)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for out in (folder / PUBLIC_KEY_FILE, tmp_path / "nowhere" / "key.pem"):
        with pytest.raises(SigningKeyError, match=r"is there already|cannot be written"):
            RUNNER.invoke(app, ["records", "key", "--dir", str(folder), "--out", str(out)], catch_exceptions=False)
    (folder / PUBLIC_KEY_FILE).unlink()
    with pytest.raises(SigningKeyError, match="start it once"):
        stored_public_key(folder)
    assert not (folder / KEY_FILE).exists()


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    """It is not replaced behind anybody's back."""
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(SigningKeyError, match="put back the copy"):
        SigningKey.in_folder(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content
