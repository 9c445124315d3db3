"""What can go wrong with a challenge.

ChallengeError                  anything below; the station refuses what was asked for
├── ChallengeRunningError       one runs already: wait for it, or cancel it
├── ChallengePartsError         fewer parts than the configuration demands, or too many
├── ChallengeStateError         the line does not run, or is broken: nothing can be ejected
└── ChallengeMissingError       the challenge that was named does not run
"""

from __future__ import annotations


class ChallengeError(Exception):
    """Base of all errors about challenges; `exit_code` is what a command line ends with."""

    exit_code = 1


class ChallengeRunningError(ChallengeError):
    """One challenge at a time. `challenge` and `operator` are those of the one that runs."""

    def __init__(self, text: str, challenge: str, operator: str) -> None:
        super().__init__(text)
        self.challenge, self.operator = challenge, operator


class ChallengePartsError(ChallengeError):
    """A number of parts that is not allowed."""

    exit_code = 2


class ChallengeStateError(ChallengeError):
    """The station's state does not allow a challenge; `state` names it."""

    def __init__(self, text: str, state: str) -> None:
        super().__init__(text)
        self.state = state


class ChallengeMissingError(ChallengeError):
    """No challenge of that name runs."""
