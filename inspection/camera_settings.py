"""Which settings of the cameras a part was seen with: kept beside the records, named by their own digest."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from camera.interface import Camera
from camera.whole_file import write_whole

FOLDER = "camera-settings"
EXTRA_KEY = "camera_settings"
"""Of a record's `extra`: the digest of the settings that its cameras had taken when the part triggered."""

_DIGEST_LETTERS = 16
_log = logging.getLogger(__name__)


class CameraSettings:
    """The settings that the cameras took, as read back from them. Owned by the station; noted after each opening.

    A file is named by the sha256 of its content, and each record holds the beginning of that name: the records' chain
    keeps anybody from changing the file unnoticed. It is written before a part can be seen with it.
    """

    def __init__(self, records: Path) -> None:
        self._folder = records / FOLDER
        self._lock = threading.Lock()
        self.digest = ""
        """Of what stands now; empty where no camera has settings."""
        self._kept = ""

    def note(self, cameras: Iterable[Camera]) -> None:
        """Keep what the open cameras have taken. A disk that refuses costs the file, not the line.

        The file is then written after the next opening.
        """
        told = {
            camera.name: [
                {
                    "feature": one.feature,
                    **({"at": dict(one.selected)} if one.selected else {}),
                    "wanted": one.wanted,
                    "read_back": one.got,
                }
                for one in camera.applied
            ]
            for camera in cameras
            if camera.applied
        }
        if not told:
            return
        content = (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()
        name = hashlib.sha256(content).hexdigest()
        with self._lock:
            if name == self._kept:
                return
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                file = self._folder / f"{name}.json"
                if not file.exists():
                    write_whole(file, content)
                self._kept = name
            except OSError as error:
                _log.error("%s: the cameras' settings cannot be kept: %s", self._folder, error)
            self.digest = name[:_DIGEST_LETTERS]
