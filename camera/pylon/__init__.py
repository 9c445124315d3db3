"""Basler cameras through pylon, and pylon's own emulation."""
