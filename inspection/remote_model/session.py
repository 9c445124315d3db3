"""A bundle's model on another server: trusted only while it gives the scores of the bundle's golden vectors."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from inspection.remote_model.connection import Connection
from inspection.remote_model.options import RemoteOptions
from models.bundle import Bundle
from models.checks import compare_scores, novelty_apart
from models.errors import ParityError, SessionAwayError, SessionError
from models.session import WARM_BATCHES, Given, outputs_of


class RemoteSession:
    """The model of a server; the engine owns it, and any number of threads may call `run` at once.

    It trusts one connection at a time. After any answer that is late, missing or unsound, and after any break of the
    connection, nothing is asked of it: calls fail at once, and the thread "remote-model" tries until a new connection
    gives the scores of the golden vectors. The same vectors are run every `check_s`, since a server may load another
    model under the same name.
    """

    _RETRY_S = 0.25
    _STOP_S = 5.0
    _FIRST_S = 2.0  # a server may load its model with the first call

    def __init__(self, bundle: Bundle, options: RemoteOptions, on_trouble: Callable[[str], None]) -> None:
        """Connect, and hold the model against the golden vectors. Raises SessionError, or ParityError on a mismatch."""
        self.card = bundle.card
        self.provider = f"kserve {options.address}"
        self._options = options
        self._golden = bundle.golden()
        self._on_trouble = on_trouble
        self._lock = threading.Lock()
        self._closing = False
        self._wake = threading.Event()
        self._trusted: Connection | None = None
        self._given_up: deque[tuple[float, Connection]] = deque()  # when, and what is to be closed a moment later
        self._why = "it was not asked yet"
        try:
            self._trusted = self._connect()
        except ParityError:
            self._close_all()
            raise
        except SessionAwayError as error:
            self._close_all()
            raise SessionError(
                f"{bundle.path}: {error} — a server with this model is needed — start it, or mend [inference.remote]"
            ) from error
        self._thread = threading.Thread(target=self._tend, name="remote-model", daemon=True)
        self._thread.start()

    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score a batch uint8 (n, height, width, channels), n >= 1: raw scores float32 (n, classes).

        Raises SessionAwayError while the server is not to be trusted, at once or within its timeout.
        """
        return self._ask(batch, ["scores"]).scores

    def run_all(self, batch: NDArray[np.uint8]) -> Given:
        """Score a batch as `run` does, and give map and novelty where the model has them. Raises SessionAwayError."""
        return self._ask(batch, outputs_of(self.card))

    def warm(self, sizes: Sequence[int] = WARM_BATCHES) -> None:
        """Run each batch size once on black pixels, so that no part pays for a first call."""
        size = self.card.input
        for count in sizes:
            self.run(np.zeros((count, size.height, size.width, size.channels), np.uint8))

    def close(self) -> None:
        """End the thread and the connection. Bounded, and safe to repeat."""
        with self._lock:
            self._closing = True
            trusted, self._trusted = self._trusted, None
            if trusted is None:
                self._on_trouble("")  # whatever model comes next, this one is no trouble any more
        self._wake.set()
        if trusted is not None:
            self._give_up(trusted)
        self._thread.join(self._STOP_S)
        self._close_all()

    def _ask(self, batch: NDArray[np.uint8], names: list[str]) -> Given:
        connection = self._trusted
        if connection is None:
            raise SessionAwayError(self._why)
        try:
            return Given(**dict(zip(names, connection.infer(batch, names), strict=True)))
        except SessionAwayError as error:
            self._lose(connection, str(error))
            raise

    def _lose(self, connection: Connection, why: str) -> None:
        """Trust a connection no more; told once each time."""
        with self._lock:
            if self._trusted is not connection or self._closing:
                return
            self._trusted, self._why = None, why
            self._give_up(connection)
            self._on_trouble(why)
        self._wake.set()

    def _on_broken(self, connection: Connection) -> None:
        self._lose(connection, f"the connection to {self._options.address} has gone")

    def _give_up(self, connection: Connection) -> None:
        connection.retire()
        self._given_up.append((time.monotonic() + Connection.RETIRING_S, connection))

    def _close_given_up(self) -> None:
        while self._given_up and self._given_up[0][0] <= time.monotonic():
            self._given_up.popleft()[1].close()

    def _close_all(self) -> None:
        while self._given_up:
            time.sleep(max(0.0, self._given_up[0][0] - time.monotonic()))
            self._close_given_up()

    # ------------------------------------------------------------ its thread

    def _tend(self) -> None:
        try:
            while not self._closing:
                self._close_given_up()
                if self._trusted is None:
                    self._come_back()
                else:
                    self._check()
        except Exception as error:  # noqa: BLE001 - the thread's edge: nothing is trusted any more, and it is told
            self._why = f"the remote model's session failed: {type(error).__name__}: {error}"
            self._trusted = None
            self._on_trouble(self._why)

    def _come_back(self) -> None:
        """Try once, and wait a moment when it did not work."""
        began_s = time.monotonic()
        try:
            connection = self._connect()
        except (SessionError, ParityError) as error:
            with self._lock:
                is_new, self._why = self._why != str(error), str(error)
                if is_new and not self._closing:
                    self._on_trouble(self._why)
            self._wake.clear()
            if not self._closing:
                self._wake.wait(max(0.0, self._RETRY_S - (time.monotonic() - began_s)))
            return
        with self._lock:
            if self._closing or connection.is_broken:
                self._give_up(connection)
                return
            self._trusted = connection
            self._on_trouble("")

    def _check(self) -> None:
        """Wait for the next check or for trouble, then run the golden vectors on the trusted connection."""
        self._wake.clear()
        connection = self._trusted
        if connection is not None and connection.is_broken:
            self._on_broken(connection)
        if connection is None or self._closing or self._wake.wait(self._options.check_s):
            return
        try:
            self._hold_to_golden(connection)
        except (SessionAwayError, ParityError) as error:
            self._lose(connection, str(error))

    def _connect(self) -> Connection:
        connection = Connection(self.card, self._options, self._on_broken)
        try:
            connection.infer(self._golden.inputs[:1], ["scores"], self._FIRST_S)
            self._hold_to_golden(connection)
        except BaseException:
            self._give_up(connection)
            raise
        return connection

    def _hold_to_golden(self, connection: Connection) -> None:
        """Run the golden vectors one by one. Raises SessionAwayError, ParityError for other scores or verdicts."""
        golden, card, names = self._golden, self.card, outputs_of(self.card)
        given = [Given(**dict(zip(names, connection.infer(one[None], names), strict=True))) for one in golden.inputs]
        parity = compare_scores(
            golden.scores,
            np.concatenate([one.scores for one in given]),
            good_index=card.good_index,
            threshold=card.threshold.value,
        )
        apart = 0.0
        if golden.novelty is not None:
            told = [one.novelty for one in given if one.novelty is not None]
            apart = novelty_apart(golden.novelty, np.concatenate(told))
        if not (parity.within(card.tolerance.score_abs) and apart <= card.tolerance.score_abs):
            raise ParityError(
                f"the server {self._options.address} has another model: its scores of the golden images of "
                f"'{card.name}' differ by {max(parity.max_abs, apart):.3g}, {card.tolerance.score_abs:.3g} is allowed, "
                f"and {parity.flips} verdicts differ — load the bundle's own model.onnx there"
            )
