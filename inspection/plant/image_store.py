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
_TRIAL_FILE = "lineward-doctor"
_NO_BUCKET = "<Code>NoSuchBucket</Code>"
_S3_SILENT = re.compile(r"Error performing (?P<what>[A-Z]+ \S+) in \S+ - (?:HTTP error: )?(?P<why>[^\n]*)")
_S3_NEXT = {
    "NoSuchBucket": "have it made, or mend the bucket's name in images of [plant]",
    "AccessDenied": "let this key put, get and list objects there",
    "SignatureDoesNotMatch": "mend the secret: secret_file or secret_env of [plant]",
    "InvalidAccessKeyId": "mend the key id: secret_file or key_env of [plant]",
}
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

    def remove(self, key: str) -> None:
        """Remove a file: one that was written for a trial, never an image."""


def try_writing(store: ImageStore) -> str:
    """Write a small file, read it and remove it; return why it could not be removed, '' when it was.

    Raises PlantAwayError when it cannot be written or read.
    """
    data = b"lineward doctor wrote this and may have left it: remove it\n"
    store.put(_TRIAL_FILE, data)
    if store.get(_TRIAL_FILE) != data:
        raise PlantAwayError(f"{_TRIAL_FILE} was written and is not read as it was — a lasting store is needed")
    try:
        store.remove(_TRIAL_FILE)
    except PlantAwayError as error:
        return f"{_TRIAL_FILE} could not be removed: {error}"
    return ""


def ask(store: ImageStore) -> None:
    """Ask a store whether it answers, as for an image that is not there. Raises PlantAwayError."""
    store.get(_TRIAL_FILE)


def open_image_store(options: PlantOptions) -> ImageStore:
    """Return the store of a configuration that names one. Raises PlantSettingsError, PlantAwayError (its key)."""
    assert options.images is not None
    scheme, _, rest = options.images.partition("://")
    if scheme == "file":
        return FolderStore(Path("/", rest))
    return S3Store(options) if scheme == "s3" else FsspecStore(options.images)


class FolderStore:
    """A folder, such as a mounted share; a file is durable there on return.

    The folder itself is never made: where there is none the share is not mounted, and nothing goes to the local disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        """Write it beside its place, flush it, and move it there; folders below the first are made."""
        path = self._folder / key
        beside = path.with_name(f".{path.name}.part")
        self._require_folder()
        try:
            for one in reversed(path.relative_to(self._folder).parents[:-1]):
                (self._folder / one).mkdir(exist_ok=True)  # one by one: none is made above them
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
            self._require_folder()
            return None
        except OSError as error:
            raise _away(error) from error

    def size(self, key: str) -> int | None:
        """Return a file's size; None when there is none."""
        try:
            return (self._folder / key).stat().st_size
        except FileNotFoundError:
            self._require_folder()
            return None
        except OSError as error:
            raise _away(error) from error

    def remove(self, key: str) -> None:
        """Remove a file."""
        try:
            (self._folder / key).unlink()
        except OSError as error:
            raise _away(error) from error

    def _require_folder(self) -> None:
        if not self._folder.is_dir():
            raise _no_folder(self._folder)


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

    def remove(self, key: str) -> None:
        """Remove an object."""
        self._asked(lambda: self._calls.delete(self._store, key))

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
            if "file" in self._system.protocol and not self._system.isdir(self._root):
                raise _no_folder(self._root)
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

    def remove(self, key: str) -> None:
        """Remove a file."""
        self._asked(lambda: self._system.rm_file(f"{self._root}/{key}"))

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
    except FileNotFoundError as error:
        if _NO_BUCKET in str(error):
            raise
        return None


def _no_folder(folder: Path | str) -> PlantAwayError:
    return PlantAwayError(
        f"{folder}: is not there — a folder that exists is needed, none is made here — mount the share, or make the "
        "folder on it"
    )


def _away(error: Exception) -> PlantAwayError:
    """Return what a store said, in one line: an S3's own words where it has some, else the driver's first line."""
    if isinstance(error, PlantAwayError):
        return error
    if answered := _S3_ANSWER.search(str(error)):
        code = answered["code"]
        step = f" — {_S3_NEXT[code]}" if code in _S3_NEXT else ""
        return PlantAwayError(f"{code}: {answered['message']}{step}")
    if silent := _S3_SILENT.search(str(error)):
        return PlantAwayError(
            f"{silent['what']}: {silent['why']} — a store that answers is needed — mend it, or [plant]"
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return PlantAwayError(lines[0] if lines else type(error).__name__)
