"""The place of a watcher in the records, kept over its own restarts."""

from __future__ import annotations

import os
from pathlib import Path

from inspection.api.errors import ApiError


class TokenFile:
    """A resume token on the disk. Owned by one watcher; one thread.

    Write the token after what came with it is safe: a program that dies in between gets that record once more, and
    never misses one.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> str:
        """Return the token, '' before the first. Raises ApiError."""
        try:
            return self.file.read_text("ascii").strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise ApiError(
                f"{self.file}: holds no resume token ({error}) — a file that this watcher wrote is needed — move it "
                "away to begin with the oldest record"
            ) from error

    def write(self, token: str) -> None:
        """Replace the token, durably: after a power loss the file has the old or the new one. Raises OSError."""
        beside = self.file.with_name(self.file.name + ".new")
        with beside.open("w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.file)
