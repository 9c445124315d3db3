"""The policies as a table: what is rejected stays so, what passes had nothing wrong with it or is only counted."""

from __future__ import annotations

import csv
import io
import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from inspection.identity.codes import chosen
from inspection.identity.rule import held_against
from inspection.identity.words import Code, Policy, Trouble
from inspection.observability.log_lines import JsonLines, Naming, TextLines
from inspection.part import Decision, Evaluation, Reason, Verdict
from inspection.plain_text import printable

PASSED = Decision(Evaluation.OK, Verdict.PASS, Reason.NONE, 0.1, 0.5)
REJECTED = [
    Decision(Evaluation.NOT_OK, Verdict.REJECT, Reason.MODEL, 0.9, 0.5, "chip"),
    Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, Reason.NO_IMAGE),
    Decision(Evaluation.OK, Verdict.REJECT, Reason.LATE, 0.1, 0.5),
]
decisions = st.sampled_from([PASSED, *REJECTED])
troubles = st.sampled_from([None, *Trouble])
hostile = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)


@given(decisions, troubles, st.sampled_from(Policy))
def test_every_row_of_the_table(decision: Decision, trouble: Trouble | None, policy: Policy) -> None:
    """Nothing that was rejected passes; a good part passes only without trouble or where trouble is only counted."""
    held = held_against(decision, trouble, policy)
    if decision.verdict is Verdict.REJECT or trouble is None or policy is Policy.COUNT:
        assert held == decision
        return
    found = Evaluation.NOT_OK if trouble is Trouble.DUPLICATE else Evaluation.NOT_DECIDABLE
    assert (held.verdict, held.reason, held.evaluation) == (Verdict.REJECT, Reason.CODE, found)
    assert (held.score, held.threshold, held.raw_scores) == (decision.score, decision.threshold, decision.raw_scores)


@given(hostile)
def test_whatever_a_code_says_is_printable_text(text: str) -> None:
    """Control characters, lone surrogates, text that runs backwards: escaped, once, and UTF-8 can carry it."""
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert shown.encode().decode() == shown
    assert list(csv.reader([_row(shown)])) == [[shown, "x"]]


def _row(text: str) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([text, "x"])
    return out.getvalue()


@given(hostile)
def test_a_log_line_stays_one_line(text: str) -> None:
    """Neither as text nor as JSON does a serial number begin a line of its own or end an object."""
    said = logging.LogRecord("x", logging.INFO, "", 0, "part %d: %s", (1, printable(text)), None)
    said.serial = printable(text)
    assert len(TextLines().format(said).splitlines()) == 1
    line = JsonLines(Naming("s")).format(said)
    assert len(line.splitlines()) == 1
    assert json.loads(line).get("serial", "") == printable(text)


codes = st.lists(st.builds(Code, hostile.map(printable), st.just("QRCode"), st.just(((0, 0),) * 4)), max_size=4)


@given(codes, st.sampled_from(["*", "LW-*", "[0-9]*", "*" * 60 + "x"]), st.integers(1, 256))
def test_a_reading_is_bounded_and_one_or_says_why(found: list[Code], match: str, max_length: int) -> None:
    """Either one serial number that some code said whole, or none and a short reason; never one of several."""
    reading = chosen(found, match, max_length)
    if reading.serial:
        assert len(reading.serial) <= max_length
        assert reading.serial in [code.text for code in found]
        assert reading.serial.strip()
        assert reading.why == ""
    else:
        assert 0 < len(reading.why) < 250
        assert reading.why.isprintable()


def test_ten_thousand_characters_are_unreadable_and_never_cut() -> None:
    """Two long codes that differ at their ends would be one if they were cut off."""
    long = Code("x" * 10_000, "PDF417", ((0, 0),) * 4)
    assert chosen([long], "*", 64).why == "a code of 10000 characters; up to 64 are allowed"
    assert chosen([long, Code("LW-1", "QRCode", ((0, 0),) * 4)], "*", 64).serial == "LW-1"


def test_the_same_code_twice_is_one_and_two_different_ones_are_none() -> None:
    """A label with a DataMatrix and a QR code of the same text; a neighbour's label in the picture."""
    corners = ((0, 0),) * 4
    one, same, other = (
        Code(text, kind, corners) for text, kind in (("A", "QRCode"), ("A", "Code128"), ("B", "QRCode"))
    )
    assert chosen([one, same], "*", 64).serial == "A"
    assert chosen([one, other], "*", 64).why == "2 different codes: 'A', 'B'"
    assert chosen([one, other], "B*", 64).serial == "B"
