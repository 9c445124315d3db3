"""The challenge: known-bad parts run through the real line, each of which must be ejected, and the interlock on it."""

EXTRA_KEY = "challenge"
"""Under this key a part's record names the challenge that the part was laid for."""

INTERLOCK_ALARMS = frozenset({"CHALLENGE_DUE", "CHALLENGE_RUNNING"})
"""The alarms by which the interlock holds the line: nothing passes while one of them stands."""
