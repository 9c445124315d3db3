"""`python -m inspection.api.roles_document docs/security.md`: put the table of roles into its place in a page."""

from __future__ import annotations

import sys
from pathlib import Path

from inspection.api.roles import markdown_table

BEGIN, END = "<!-- roles: generated -->\n", "<!-- end of roles -->\n"


def with_table(page: str) -> str:
    """Return a page with the current table between its two marks. Raises ValueError where they are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for the table — the lines {BEGIN!r} and {END!r} mark it — add them")
    return f"{before}{begin}\n{markdown_table()}\n{end}{after}"


def main() -> None:
    """Write the table into the file that is named."""
    file = Path(sys.argv[1])
    file.write_text(with_table(file.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
