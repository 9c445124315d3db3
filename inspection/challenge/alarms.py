"""What the alarm board says about challenges: one runs, one is due or soon will be, the last one failed."""

from __future__ import annotations

from inspection.alarm_board import AlarmBoard
from inspection.challenge.control import ChallengeView
from inspection.challenge.due import Due, Standing
from inspection.challenge.findings import Proof
from inspection.challenge.options import ChallengeOptions
from inspection.records.challenges import ChallengeEntry


class ChallengeAlarms:
    """The interlock's hold on the line; owned by it and called under its lock.

    A new alarm is raised before an old one is cleared, so that there is no moment between them.
    """

    def __init__(self, board: AlarmBoard, options: ChallengeOptions) -> None:
        self._board, self._options = board, options

    def show(
        self, running: ChallengeView | None, *, required: bool, standing: Standing, failed: ChallengeEntry | None
    ) -> None:
        """Bring the board up to date. running: the challenge in work. failed: the last one's end, if it failed."""
        if running is not None:
            self._raise_running(running)
        elif required:
            self._raise_due(standing.due)
        if running is None:
            self._board.clear("CHALLENGE_RUNNING")
        if running is not None or not required:
            self._board.clear("CHALLENGE_DUE")
        self._show_failed(failed)
        self._show_soon(standing)

    def _raise_running(self, seen: ChallengeView) -> None:
        ejected = sum(finding.proof is Proof.EJECTED for finding in seen.findings)
        following = self._options.mark(seen.laid + 1) if seen.laid < seen.parts else "-"
        self._board.raise_alarm(
            "CHALLENGE_RUNNING",
            ejected=ejected,
            parts=seen.parts,
            missed=len(seen.findings) - ejected,
            next=following,
        )

    def _raise_due(self, due: Due) -> None:
        self._board.raise_alarm("CHALLENGE_DUE", parts=self._options.parts, why=due.value)

    def _show_failed(self, failed: ChallengeEntry | None) -> None:
        if failed is not None:
            missed = sum(finding["proof"] != Proof.EJECTED for finding in failed.findings)
            self._board.raise_alarm("CHALLENGE_FAILED", missed=missed, parts=failed.parts)
        else:
            self._board.clear("CHALLENGE_FAILED")

    def _show_soon(self, standing: Standing) -> None:
        if self._options.required and standing.soon:
            self._board.raise_alarm("CHALLENGE_SOON", hours=f"{self._options.every_hours:g}")
        else:
            self._board.clear("CHALLENGE_SOON")
