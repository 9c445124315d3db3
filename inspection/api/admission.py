"""Whether a call is let in: who calls, whether his role may, and whether he does not call too often."""

from __future__ import annotations

import time

import grpc

from inspection.api.access import Access
from inspection.api.answers import Context
from inspection.api.buckets import Buckets
from inspection.api.callers import Caller, Callers, peer_host
from inspection.api.errors import RefusedError
from inspection.api.options import SecurityOptions
from inspection.api.roles import Access as Row

_SECONDS_AT_ONCE = 2.0  # a bucket holds what flows in within so long
_WRONG_TOKENS_PER_S, _WRONG_TOKENS_AT_ONCE = 0.2, 10


class Admission:
    """Decides about single calls. Owned by the guard; event loop only."""

    def __init__(self, options: SecurityOptions) -> None:
        """Raises AccessFileError."""
        self._callers = Callers(None if options.tokens is None else Access(options.tokens))
        now_s = time.monotonic
        self._reads = Buckets(options.reads_per_s, options.reads_per_s * _SECONDS_AT_ONCE, now_s)
        self._commands = Buckets(options.commands_per_s, options.commands_per_s * _SECONDS_AT_ONCE, now_s)
        self._wrong_tokens = Buckets(_WRONG_TOKENS_PER_S, _WRONG_TOKENS_AT_ONCE, now_s)

    def trouble(self) -> str:
        """Return why nobody can be admitted with a token now, '' for nothing; from any thread."""
        return self._callers.trouble()

    def gone(self, caller: Caller) -> RefusedError | None:
        """Return why a caller may not go on, None if he may."""
        return self._callers.gone(caller)

    def known(self, context: Context) -> Caller | None:
        """Return who calls, None for somebody unknown."""
        try:
            return self._callers.identify(context)
        except RefusedError:
            return None

    def admit(self, method: str, row: Row | None, context: Context) -> Caller:
        """Return who calls, when he may. Raises RefusedError: TOKEN_…, CERTIFICATE_…, ACCESS_FILE, ROLE or RATE."""
        peer = peer_host(context.peer())
        if row is not None and row.is_public:
            caller = Caller("", None, peer, f"peer {peer}")
        else:
            try:
                caller = self._callers.identify(context)
            except RefusedError as refusal:
                is_wrong = refusal.code is grpc.StatusCode.UNAUTHENTICATED
                if is_wrong and (wait_s := self._wrong_tokens.wait_s(peer)):
                    raise _too_often("wrong or missing tokens", wait_s) from None
                raise
            if row is None or caller.role not in row.roles:
                raise _not_allowed(method, row, caller)
        if row.is_command:
            wait_s = self._commands.wait_s((caller.key, method) if row.stops else caller.key)
        else:
            wait_s = self._reads.wait_s(caller.key)
        if wait_s:
            raise _too_often("calls", wait_s)
        return caller


def _not_allowed(method: str, row: Row | None, caller: Caller) -> RefusedError:
    name = method.rpartition("/")[2]
    needed = ", ".join(sorted(row.roles)) if row is not None else ""
    text = f"{caller.name} is {caller.role} — {name} is for {needed or 'nobody'} — use a token of such a role"
    metadata = {"role": str(caller.role), "needed": needed, "method": method}
    return RefusedError(grpc.StatusCode.PERMISSION_DENIED, "ROLE", text, metadata=metadata)


def _too_often(what: str, wait_s: float) -> RefusedError:
    return RefusedError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "RATE",
        f"too many {what} — api.reads_per_s and api.commands_per_s say how many — wait {wait_s:.2g} s",
        retry_after_s=wait_s,
    )
