"""The one rule for texts that people and programs hand in and that are kept: what prints, on one line."""

from __future__ import annotations

_LINE_ENDS = "\n\r\t"


def unprintable(text: str, *, lines: bool = False) -> str:
    r"""Return the first character that is not kept, as it is written in code ('\x1b'); '' where every one prints.

    A line break, a colour of the terminal or a mark that turns the direction of writing would make a log, a table or
    a screen tell something else than what is stored. lines: line breaks and tabs are allowed, as in a remark.
    """
    if text.isprintable():
        return ""
    allowed = _LINE_ENDS if lines else ""
    return next((repr(one) for one in text if not one.isprintable() and one not in allowed), "")


def printable(text: str) -> str:
    r"""Return text with all that does not print as an escape: \x1d, \u202e. A log, a table, a screen take the result.

    A text that has such an escape spelt out gives the same: then two texts would count for one, and none too few.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
