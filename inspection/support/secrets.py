"""Taking secrets out of what leaves the plant: by the names of settings, out of addresses, and by their values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

REMOVED = "(removed)"
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)?(_|-|$)|pwd|secret|token|credential|api_?-?key|(^|_|-)(key|pin|auth|dsn|psk)(_|-|$)"
    r"|cookie|private|community|signature|bearer|login",
    re.IGNORECASE,
)
_NOT_SECRET = frozenset({"PWD", "OLDPWD"})
"""Of the environment: where a shell stands."""
_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<userinfo>[^\s\"'<>]*)@", re.IGNORECASE)
_WHOLE = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<userinfo>.*)@", re.IGNORECASE | re.DOTALL)
"""The same in a setting that is an address: whatever a password has in it, all up to the last @ goes."""
_QUERY = re.compile(r"(?P<address>[a-z][a-z0-9+.-]*://[^\s?#]*)[?#]\S*", re.IGNORECASE)
_PAIR = re.compile(
    r"(?P<name>[\"']?[\w-]*(?:password|passwd|passphrase|pwd|secret|token|credential|api_?key|authorization)[\w-]*[\"']?"
    r"\s*[=:]\s*)(?P<value>bearer\s+\S+|\"[^\"]*\"|'[^']*'|[^\s,;}]+)",
    re.IGNORECASE,
)
_SHORTEST = 4
"""Shorter values are not looked for in other texts: every number would be one. Where they are set they go, too."""


def is_secret_name(name: str) -> bool:
    """Return whether a setting of this name may hold a secret; better one too many."""
    return name not in _NOT_SECRET and _SECRET_NAME.search(name) is not None


def without_secrets(values: Any, name: str = "") -> Any:
    """Return settings with every value taken out that may be a secret; tables and lists keep their form."""
    if isinstance(values, Mapping):
        return {str(key): without_secrets(value, str(key)) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [without_secrets(value, name) for value in values]
    if is_secret_name(name) and values not in ("", None, True, False):
        return REMOVED
    return _plain_address(_WHOLE.sub(rf"\g<scheme>{REMOVED}@", values)) if isinstance(values, str) else values


def secret_values(values: Any, environment: Mapping[str, str], name: str = "") -> Iterator[str]:
    """Yield every value that `without_secrets` takes out, and what the environment has under such a value as name."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from secret_values(value, environment, str(key))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from secret_values(value, environment, name)
    elif is_secret_name(name) and not isinstance(values, bool) and values is not None:
        yield str(values)
        yield environment.get(str(values), "")  # password_env = "CAMERA_PASSWORD" names where it is
    elif isinstance(values, str):
        yield from _parts_of_addresses(values)


def environment_secrets(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the values of environment variables whose names tell that they are secret."""
    for name, value in environment.items():
        if is_secret_name(name):
            yield value
        yield from _parts_of_addresses(value)


class Scrubber:
    """Takes known secrets out of any text, in each way in which programs write them. Immutable, for any thread."""

    def __init__(self, secrets: set[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _written(secret)}
        longest_first = sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """Return a text without known secrets, credentials in addresses, and values beside a telling name."""
        clean = _PAIR.sub(_without_value, _plain_address(text))
        return clean if self._known is None else self._known.sub(REMOVED, clean)


def _plain_address(text: str) -> str:
    """Return a text whose addresses have neither user nor password, and nothing after a question mark."""
    return _QUERY.sub(rf"\g<address>?{REMOVED}", _USERINFO.sub(rf"\g<scheme>{REMOVED}@", text))


def _without_value(found: re.Match[str]) -> str:
    quoted = found["value"][0] if found["value"][0] in "\"'" else ""
    return f"{found['name']}{quoted}{REMOVED}{quoted}"


def _parts_of_addresses(text: str) -> Iterator[str]:
    for found in (*_USERINFO.finditer(text), *_WHOLE.finditer(text)):
        userinfo = found["userinfo"]
        password = userinfo.partition(":")[2]
        yield from (userinfo, unquote(userinfo), password, unquote(password))
    for found in _PAIR.finditer(text):
        yield found["value"].strip("\"'")


def _written(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    for line in secret.splitlines():
        yield line.strip()
