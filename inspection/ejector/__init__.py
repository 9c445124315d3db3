"""Rejecting parts at their due time, from an own process, unless told to let them pass."""
