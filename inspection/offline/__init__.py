"""Cameras without a line: asked for pictures, recorded at full rate, held against what a good one is."""
