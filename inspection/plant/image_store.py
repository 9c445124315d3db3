"""Where the plant keeps images: a folder, an S3, or whatever else fsspec knows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from inspection.plant.credentials import certificates, store_key
from inspection.plant.errors import PlantAwayError, PlantSettingsError
from inspection.plant.options import PlantOptions
from inspection.records.durable import sync_directory

_T = TypeVar("_T")
_LONGEST_CONNECT_S = 5.0
_S3_ANSWER = re.compile(r"<Code>(?P<code>[^<]*)</Code>\s*<Message>(?P<message>[^<]*)</Message>")


class ImageStore(Protocol):
    """A place for files that are written once and never changed; safe from any thread.

    Every call raises PlantAwayError when the place cannot be reached or refuses, and is bounded in time where the
    place is a server's.
    """

    def put(self, key: str, data: bytes) -> None:
        """Write a file as a whole: a reader finds all of it or none."""

    def get(self, key: str) -> bytes | None:
        """Return a file; None when there is none."""

    def size(self, key: str) -> int | None:
        """Return a file's size; None when there is none."""


def open_image_store(options: PlantOptions) -> ImageStore:
    """Return the store of a configuration that names one. Raises PlantSettingsError, PlantAwayError (its key)."""
    assert options.images is not None
    scheme, _, rest = options.images.partition("://")
    if scheme == "file":
        return FolderStore(Path("/", rest))
    return S3Store(options) if scheme == "s3" else FsspecStore(options.images)


class FolderStore:
    """A folder, such as a mounted share; a file is durable there on return."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        """Write it beside its place, flush it, and move it there; folders are made."""
        path = self._folder / key
        beside = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            sync_directory(path.parent)
        except OSError as error:
            raise _away(error) from error

    def get(self, key: str) -> bytes | None:
        """Return a file; None when there is none."""
        try:
            return (self._folder / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _away(error) from error

    def size(self, key: str) -> int | None:
        """Return a file's size; None when there is none."""
        try:
            return (self._folder / key).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _away(error) from error


class S3Store:
    """A bucket of an S3, Amazon's or a compatible one, and a prefix in it. One attempt a call."""

    def __init__(self, options: PlantOptions) -> None:
        """Open no connection yet. Raises PlantSettingsError without the driver, PlantAwayError without the key."""
        try:
            import obstore
            from obstore import store
        except ImportError as error:
            text = (
                f"images on S3: their driver is not installed: {error} — obstore is needed — pip install lineward[s3]"
            )
            raise PlantSettingsError(text) from error
        bucket, _, prefix = str(options.images).removeprefix("s3://").partition("/")
        key, secret = store_key(options)
        config: Any = {"access_key_id": key, "secret_access_key": secret, "region": options.region}
        if options.endpoint:
            config["endpoint"] = options.endpoint
        client: Any = {
            "timeout": timedelta(seconds=options.timeout_s),
            "connect_timeout": timedelta(seconds=min(options.timeout_s, _LONGEST_CONNECT_S)),
            "allow_http": options.endpoint.startswith("http://"),
        }
        if options.ca_file is not None:
            client["root_certificate"] = certificates(options.ca_file)
        self._calls = obstore
        self._store = store.S3Store(
            bucket,
            prefix=prefix or None,
            config=config,
            client_options=client,
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=options.timeout_s)},
        )

    def put(self, key: str, data: bytes) -> None:
        """Write an object; S3 shows all of it or none."""
        self._asked(lambda: self._calls.put(self._store, key, data, use_multipart=False))

    def get(self, key: str) -> bytes | None:
        """Return an object; None when there is none."""
        return self._asked(lambda: _if_there(lambda: bytes(self._calls.get(self._store, key).bytes())))

    def size(self, key: str) -> int | None:
        """Return an object's size; None when there is none."""
        return self._asked(lambda: _if_there(lambda: int(self._calls.head(self._store, key)["size"])))

    @staticmethod
    def _asked(call: Callable[[], _T]) -> _T:
        from obstore.exceptions import BaseError

        try:
            return call()
        except (BaseError, OSError, ValueError) as error:
            raise _away(error) from error


class FsspecStore:
    """Any other file system of fsspec, by its address; its driver's own settings come from the environment."""

    def __init__(self, address: str) -> None:
        """Open it. Raises PlantSettingsError when nothing is installed for such an address."""
        try:
            import fsspec

            self._system, self._root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise PlantSettingsError(
                f"images at {address}: cannot be reached: {error} — fsspec and its driver for such an address are "
                "needed — install them, or choose s3:// or file://"
            ) from error
        except OSError as error:
            raise _away(error) from error

    def put(self, key: str, data: bytes) -> None:
        """Write a file beside its place and move it there."""
        path = f"{self._root}/{key}"
        folder, _, name = path.rpartition("/")

        def write() -> None:
            self._system.makedirs(folder, exist_ok=True)
            self._system.pipe_file(f"{folder}/.{name}.part", data)
            self._system.mv(f"{folder}/.{name}.part", path)

        self._asked(write)

    def get(self, key: str) -> bytes | None:
        """Return a file; None when there is none."""
        return self._asked(lambda: _if_there(lambda: bytes(self._system.cat_file(f"{self._root}/{key}"))))

    def size(self, key: str) -> int | None:
        """Return a file's size; None when there is none."""
        return self._asked(lambda: _if_there(lambda: int(self._system.info(f"{self._root}/{key}")["size"])))

    def _asked(self, call: Callable[[], _T]) -> _T:
        self._system.invalidate_cache()
        try:
            return call()
        except Exception as error:  # each driver has errors of its own, of no common kind
            raise _away(error) from error


def _if_there(call: Callable[[], _T]) -> _T | None:
    """Return what is asked for; None when there is none. Not for writing: a missing bucket is a failure there."""
    try:
        return call()
    except FileNotFoundError:
        return None


def _away(error: Exception) -> PlantAwayError:
    """Return what a store said, in one line: an S3's own words where it has some, else the driver's first line."""
    if answered := _S3_ANSWER.search(str(error)):
        return PlantAwayError(f"{answered['code']}: {answered['message']}")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return PlantAwayError(lines[0] if lines else type(error).__name__)
