"""How one command ended, as it can be kept, written down and told again."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Never

import grpc

from inspection.api.answers import Context, to_status
from inspection.api.errors import RefusedError

_CODES = {code.value[0]: code for code in grpc.StatusCode}
DETAILS_KEY = "grpc-status-details-bin"
_KEPT_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Outcome:
    """Answer or error of a call, as bytes. Immutable. answer: None where the call failed."""

    code: grpc.StatusCode
    answer: bytes | None = None
    text: str = ""
    details: bytes = b""

    @classmethod
    def of_refusal(cls, refusal: RefusedError) -> Outcome:
        """Return the outcome of a call that was refused."""
        status = to_status(refusal)
        return cls(status.code, None, status.details or "", _details(status.trailing_metadata))

    @classmethod
    def of_context(cls, context: Context) -> Outcome:
        """Return the outcome of a call that has ended itself with an error."""
        code: Any = context.code()
        code = code if isinstance(code, grpc.StatusCode) else _CODES.get(code or 0, grpc.StatusCode.UNKNOWN)
        if code is grpc.StatusCode.OK:
            code = grpc.StatusCode.UNKNOWN
        return cls(code, None, str(context.details() or ""), _details(context.trailing_metadata()))

    async def tell(self, context: Context) -> bytes:
        """Return the answer, or end the call with the error."""
        if self.answer is not None:
            return self.answer
        return await self._abort(context)

    async def _abort(self, context: Context) -> Never:
        await context.abort(self.code, self.text, ((DETAILS_KEY, self.details),) if self.details else ())

    def as_json(self) -> dict[str, str]:
        """Return it with plain values; an answer that is too long to keep is left out, and `from_json` says so."""
        kept = {"code": self.code.name}
        if self.answer is not None and len(self.answer) <= _KEPT_BYTES:
            kept["answer"] = base64.b64encode(self.answer).decode()
        if self.answer is None:
            kept["text"] = self.text[:1000]
            if len(self.details) <= _KEPT_BYTES:
                kept["details"] = base64.b64encode(self.details).decode()
        return kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Outcome | None:
        """Return what `as_json` kept; None where that is not the whole answer."""
        try:
            code = grpc.StatusCode[str(kept["code"])]
            if code is grpc.StatusCode.OK:
                return cls(code, base64.b64decode(str(kept["answer"]), validate=True))
            details = base64.b64decode(str(kept.get("details", "")), validate=True)
            return cls(code, None, str(kept.get("text", "")), details)
        except (KeyError, binascii.Error):
            return None


def _details(metadata: Any) -> bytes:
    return next((bytes(value) for key, value in metadata or () if key == DETAILS_KEY), b"")
