"""The catalogues: every language says everything, with the same values, and every alarm has text and remedy."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import inspection
from camera.errors import Cause
from inspection.alarms import ALARMS, Severity, severity_of
from inspection.part import EjectorAction, Reason
from inspection.texts import LANGUAGES, load_catalogue
from inspection.texts.sentences import without_advice

OTHERS = [language for language in LANGUAGES if language != "en"]
SOURCES = Path(inspection.__file__).resolve().parent


@pytest.mark.parametrize("language", OTHERS)
def test_each_language_has_the_same_keys(language: str) -> None:
    """No text is missing in one language, none is left over."""
    assert load_catalogue(language).texts.keys() == load_catalogue("en").texts.keys()


@pytest.mark.parametrize("language", OTHERS)
def test_each_language_takes_the_same_values(language: str) -> None:
    """A text names the same values in each language."""
    english, other = load_catalogue("en"), load_catalogue(language)
    assert {key: other.placeholders(key) for key in english.texts} == {
        key: english.placeholders(key) for key in english.texts
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_text_says_something(language: str) -> None:
    """No text is empty or has blanks around it."""
    assert [key for key, text in load_catalogue(language).texts.items() if not text or text != text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_has_text_and_remedy(language: str, name: str) -> None:
    """An alarm tells what happened and what to do, and uses each value that it gets and no other."""
    catalogue = load_catalogue(language)
    for part in ("text", "remedy"):
        assert catalogue.placeholders(f"alarm.{name}.{part}") <= set(ALARMS[name].values)
    text, remedy = catalogue.alarm(name, {value: f"<{value}>" for value in ALARMS[name].values})
    assert all(f"<{value}>" in text + remedy for value in ALARMS[name].values)
    assert remedy


def test_what_to_do_is_read_whole_beside_the_running_line() -> None:
    """The banner of a line that goes on has two lines for it at 1280×800, and what is longer is cut off."""
    warnings = {name for name, alarm in ALARMS.items() if alarm.severity is Severity.WARNING}
    texts = load_catalogue("en").texts
    assert [name for name in warnings if len(texts[f"alarm.{name}.remedy"]) > 150] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_written_for_an_alarm_that_does_not_exist(language: str) -> None:
    """The catalogue's alarms are those of the table."""
    named = {key.split(".")[1] for key in load_catalogue(language).texts if key.startswith("alarm.")}
    assert named == set(ALARMS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_reason_and_action_has_words(language: str) -> None:
    """Whatever a record may say, the page has words for it."""
    texts = load_catalogue(language).texts
    for reason in set(Reason) - {Reason.NONE}:
        assert texts[f"reason.{reason}"]
        assert texts[f"reason_detail.{reason}"]
    assert all(texts[f"ejector_action.{action}"] for action in EjectorAction)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_cause_of_a_lost_camera_has_a_remedy(language: str) -> None:
    """What to do differs: a cable is not another program that holds the camera."""
    said = {load_catalogue(language).alarm("CAMERA_LOST", {"why": f"CAMERA_{cause.name}"})[1] for cause in Cause}
    assert len(said) == len(Cause)
    assert not any("CAMERA_" in remedy for remedy in said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_camera_that_somebody_must_mend_is_not_said_to_come_back_by_itself(language: str) -> None:
    """Only where a cable or a switch is all there is to do does the remedy promise that the rest happens by itself."""
    catalogue = load_catalogue(language)
    told = catalogue.texts["alarm_value.CAMERA_ABSENT"].rpartition(". ")[2]
    remedies = {cause: catalogue.alarm("CAMERA_LOST", {"why": f"CAMERA_{cause.name}"})[1] for cause in Cause}
    assert {cause for cause, remedy in remedies.items() if remedy.endswith(told)} == {
        Cause.UNKNOWN, Cause.ABSENT, Cause.HELD, Cause.SILENT, Cause.CONTROL_LOST
    }  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_text_and_remedy_of_an_alarm_is_a_sentence(language: str) -> None:
    """They stand beside each other: what a driver said gets the full stop that it lacks, and no second one."""
    catalogue = load_catalogue(language)
    for said in ("its stream stands still", "it is gone."):
        text, remedy = catalogue.alarm("CAMERA_LOST", {"detail": said, "why": "CAMERA_HELD"})
        assert text.endswith(f" {said.rstrip('.')}.")
        assert remedy.endswith(".")
        assert ".." not in text + remedy


def test_what_happened_is_told_without_the_advice_that_the_remedy_repeats() -> None:
    """Only the closing clause goes: what a driver says of its device stays as it is."""
    assert without_advice("camera 'a': it is gone; check its cable, power and address") == "camera 'a': it is gone"
    assert without_advice("no frame for 2.0 s — check the cable and Line0") == "no frame for 2.0 s"
    kept = "camera 'a': held; end that (check its cable, it says) — there are: b"
    assert without_advice(kept) == kept


def test_korean_speaks_in_one_way() -> None:
    """A panel asks with …세요; the stiffer …십시오 is not mixed in."""
    assert [key for key, text in load_catalogue("ko").texts.items() if "십시오" in text] == []


def test_a_value_that_was_not_sent_is_a_question_mark() -> None:
    """An alarm of a station that sends less than the table says is still shown."""
    text, _ = load_catalogue("en").alarm("NO_IMAGE", {})
    assert "part ?" in text


def test_an_unknown_alarm_is_shown_by_its_name() -> None:
    """A newer station's alarm is no reason for silence."""
    text, remedy = load_catalogue("en").alarm("GEAR_BROKEN", {"part": "1"})
    assert "GEAR_BROKEN" in text
    assert remedy
    assert severity_of("GEAR_BROKEN") is Severity.WARNING


def test_a_language_without_catalogue_is_refused_by_name() -> None:
    """The error names the language and those that exist."""
    with pytest.raises(ValueError, match=r"'tlh'.*en, ko"):
        load_catalogue("tlh")


def test_whatever_the_station_raises_is_in_the_table_with_its_values() -> None:
    """Each name that the code raises has a row, and is raised with exactly the row's values."""
    raised = [
        (call.args[0].value, {word.arg for word in call.keywords} - {"for_s"}, path.name)
        for path in SOURCES.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("_raise", "raise_alarm")
        and call.args
        and isinstance(call.args[0], ast.Constant)
    ]
    assert raised
    assert [what for what in raised if what[0] not in ALARMS or what[1] != set(ALARMS[what[0]].values)] == []
